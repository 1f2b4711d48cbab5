/** What Linux counts about an address space, and the limits that these counts are held against (mm/mmap.c). */
import { PAGE_SIZE } from '../base/numbers.js'
import type { AtomicWords } from '../state/atomics.js'
import type { AddressSpace } from './address-space.js'
import { commitPages } from './overcommit.js'
import type { SpaceCounts } from './space-counts.js'
import {
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_NORESERVE,
  VM_SHARED,
  VM_WRITE,
} from './vm-flags.js'

function isData(flags: number): boolean {
  return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE
}

/** Adds pages (negative: takes them away) to the counts of a space that their flags belong to (vm_stat_account). */
export function tallyPages(counts: SpaceCounts, flags: number, pages: number): void {
  const total = counts.totalPages + pages
  counts.totalPages = total
  if (total > counts.peakPages) counts.peakPages = total
  tallyKind(counts, flags, pages)
}

/** The same without the count of all. */
function tallyKind(counts: SpaceCounts, flags: number, pages: number): void {
  if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) === VM_EXEC) counts.execPages += pages
  else if ((flags & VM_GROWSDOWN) !== 0) counts.stackPages += pages
  else if (isData(flags)) counts.dataPages += pages
  if ((flags & VM_ACCOUNT) !== 0) counts.committedPages += pages
}

/** The same, and to what the machine has promised. */
export function countPages(
  mm: { readonly atomics: AtomicWords },
  space: AddressSpace,
  flags: number,
  pages: number,
): void {
  tallyPages(space.counts, flags, pages)
  if ((flags & VM_ACCOUNT) !== 0) commitPages(mm, pages)
}

/** Pages that had the flags `old` have others now. */
export function recountPages(
  mm: { readonly atomics: AtomicWords },
  space: AddressSpace,
  old: number,
  flags: number,
  pages: number,
): void {
  tallyKind(space.counts, old, -pages)
  tallyKind(space.counts, flags, pages)
  const added = (flags & VM_ACCOUNT) - (old & VM_ACCOUNT)
  if (added !== 0) commitPages(mm, added > 0 ? pages : -pages)
}

/** The same, and the locked pages with them. */
export function countMapping(
  mm: { readonly atomics: AtomicWords },
  space: AddressSpace,
  flags: number,
  pages: number,
): void {
  countPages(mm, space, flags, pages)
  if ((flags & VM_LOCKED) !== 0) space.counts.lockedPages += pages
}

/** Whether RLIMIT_AS and RLIMIT_DATA allow so many more pages (may_expand_vm). */
export function mayExpand(space: AddressSpace, flags: number, pages: number): boolean {
  if ((space.counts.totalPages + pages) * PAGE_SIZE > space.limitAddressSpace) return false
  return !isData(flags) || (space.counts.dataPages + pages) * PAGE_SIZE <= space.limitData
}

/** Whether RLIMIT_MEMLOCK allows so many more pages (mlock_future_ok). */
export function mayLock(space: AddressSpace, flags: number, pages: number): boolean {
  return (flags & VM_LOCKED) === 0 || (space.counts.lockedPages + pages) * PAGE_SIZE <= space.limitLocked
}

/** Private and writable: its pages may all become its own (accountable_mapping). */
export function isAccountable(flags: number): boolean {
  return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE
}
