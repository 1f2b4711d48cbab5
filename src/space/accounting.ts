/** What Linux counts about an address space, and the limits that these counts are held against (mm/mmap.c). */
import { PAGE_SIZE } from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { AddressSpace } from './address-space.js'
import { VM_EXEC, VM_GROWSDOWN, VM_LOCKED, VM_NORESERVE, VM_SHARED, VM_WRITE } from './vm-flags.js'

/** The counts themselves. */
export type PageCounts = Pick<
  AddressSpace,
  'totalPages' | 'peakPages' | 'execPages' | 'stackPages' | 'dataPages' | 'lockedPages'
>

function isData(flags: number): boolean {
  return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE
}

/** Adds pages (negative: takes them away) to the counts that their flags belong to (vm_stat_account). */
export function countPages(space: PageCounts, flags: number, pages: number): void {
  space.totalPages += pages
  if (space.totalPages > space.peakPages) space.peakPages = space.totalPages
  if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) === VM_EXEC) space.execPages += pages
  else if ((flags & VM_GROWSDOWN) !== 0) space.stackPages += pages
  else if (isData(flags)) space.dataPages += pages
}

/** The same, and the locked pages with them. */
export function countMapping(space: PageCounts, flags: number, pages: number): void {
  countPages(space, flags, pages)
  if ((flags & VM_LOCKED) !== 0) space.lockedPages += pages
}

/** Whether RLIMIT_AS and RLIMIT_DATA allow so many more pages (may_expand_vm). */
export function mayExpand(space: AddressSpace, flags: number, pages: number): boolean {
  if ((space.totalPages + pages) * PAGE_SIZE > space.limitAddressSpace) return false
  return !isData(flags) || (space.dataPages + pages) * PAGE_SIZE <= space.limitData
}

/** Whether RLIMIT_MEMLOCK allows so many more pages (mlock_future_ok). */
export function mayLock(space: AddressSpace, flags: number, pages: number): boolean {
  return (flags & VM_LOCKED) === 0 || (space.lockedPages + pages) * PAGE_SIZE <= space.limitLocked
}

/** Overcommit as it is by default (OVERCOMMIT_GUESS): only what could never fit is refused. */
export function isEnoughMemory(mm: { readonly buddy: BuddyAllocator }, pages: number): boolean {
  return pages <= mm.buddy.totalFrames()
}

/** Private and writable: its pages may all become its own (accountable_mapping). */
export function isAccountable(flags: number): boolean {
  return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE
}
