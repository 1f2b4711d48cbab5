/** Small pages of anonymous memory become a huge one: on request, MADV_COLLAPSE (madvise_collapse in mm/khugepaged.c), or by khugepaged.ts. */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { EBUSY, EINVAL, ENOMEM } from '../base/errno.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import { isCollapsible } from '../space/huge-policy.js'
import type { SpaceEnv } from '../space/space-env.js'
import { HUGE_PAGES, VM_WRITE } from '../space/vm-flags.js'
import type { Vma } from '../space/vma.js'
import { countAnonymous } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import type { FaultEnv } from './fault.js'
import { writtenFlags } from './page-flags.js'

/**
 * Collapses every aligned 2 MiB of a part of a mapping. The caller holds the space's lock. 0 when all are huge pages then;
 * -EINVAL (not memory that may be huge, nothing there, nothing writable), -EBUSY (pages are missing, of which userfaultfd(2) wants to
 * know), -ENOMEM (no block is free).
 */
export function collapseRange(mm: FaultEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): number {
  if (!isCollapsible(space, vma)) return -EINVAL
  const first = Math.ceil(start / HUGE_PAGES) * HUGE_PAGES
  const last = Math.floor(end / HUGE_PAGES) * HUGE_PAGES
  // A part that lies within one huge page's range: Linux's count of huge pages wraps, and is not met.
  if (last < first) return -EINVAL
  const mapper = mm.userMappers.of(space.root)
  let problem = 0
  for (let vpn = first; vpn < last; vpn += HUGE_PAGES) {
    const result = collapseOne(mm, space, vma, mapper, vpn as Vpn)
    if (result === -ENOMEM || result === -EBUSY) return result
    if (result < 0) problem = result
    if (result < 0 && isEmptySlot(mapper, vpn as Vpn)) break
  }
  return problem
}

/** Linux goes on where there are no tables that lead to a huge page's place (SCAN_PMD_NULL), but not where the place is empty (SCAN_PMD_NONE). */
function isEmptySlot(mapper: UserMapper, vpn: Vpn): boolean {
  const slot = mapper.slot(vpn)
  return slot !== NULL && !mapper.isPresent(slot)
}

function collapseOne(mm: SpaceEnv, space: AddressSpace, vma: Vma, mapper: UserMapper, vpn: Vpn): number {
  if (!mapper.hasHugeLeaves) return -EINVAL
  const result = collapseTable(mm, space, vma, mapper, vpn, NO_LIMITS)
  if (result === Scan.done || result === Scan.isHuge) return 0
  if (result === Scan.noBlock) return -ENOMEM
  return result === Scan.holes ? -EBUSY : -EINVAL
}

/** What a look at one huge page's range came to (enum scan_result of Linux, as far as it matters). */
export const enum Scan {
  done = 0,
  isHuge = 1,
  /** Too many pages are missing, or userfaultfd(2) wants to know of one. */
  holes = 2,
  noBlock = 3,
  /** Nothing there, nothing writable, other memory, too many shared pages, pages that nobody uses, or pages that somebody holds. */
  unsuitable = 4,
}

/** How many of a range's pages may be missing or shared, and whether it must have been used: khugepaged's limits. */
export interface CollapseLimits {
  readonly none: number
  readonly shared: number
  readonly isUsed: boolean
}
const NO_LIMITS: CollapseLimits = { none: HUGE_PAGES, shared: HUGE_PAGES, isUsed: false }

/**
 * Makes the pages of one aligned 2 MiB, of which the caller has the space's lock, a huge page (hpage_collapse_scan_pmd and collapse_huge_page). Huge
 * leaves are possible.
 */
export function collapseTable(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  mapper: UserMapper,
  vpn: Vpn,
  limits: CollapseLimits,
): Scan {
  if (mapper.hugeLeaf(vpn) !== NULL) return Scan.isHuge
  const first = mapper.leaf(vpn)
  if (first === NULL) return Scan.unsuitable
  const result = scanTable(mm, vma, mapper, first, limits)
  if (result !== Scan.done) return result
  const pfn = mm.buddy.allocate(mapper.hugeOrder)
  if (pfn === NO_FRAME) {
    count(mm.memory, Counter.hugeCollapseFailed)
    return Scan.noBlock
  }
  count(mm.memory, Counter.hugeCollapse)
  replaceTable(mm, space, vma, mapper, vpn, pfn)
  return Scan.done
}

/** Whether it is worth it: anonymous pages or none, within the limits, and one that may be written among them. */
function scanTable(
  { memory, frames }: SpaceEnv,
  vma: Vma,
  mapper: UserMapper,
  first: Ptr,
  limits: CollapseLimits,
): Scan {
  let [none, shared] = [0, 0]
  let [isWritable, isUsed] = [false, !limits.isUsed]
  for (let i = 0; i < mapper.hugePages; i++) {
    const entry = (first + i * 8) as Ptr
    if (!mapper.isPresent(entry) || isZeroPage(mapper, entry)) {
      if (vma.userfault === NULL && ++none <= limits.none) continue
      count(memory, Counter.scanExceedNone)
      return Scan.holes
    }
    const pfn = mapper.pfn(entry)
    const flags = mapper.flags(entry)
    if ((frames.flags(pfn) & FrameFlag.anonymous) === 0) return Scan.unsuitable
    if (frames.refCount(pfn) > 1 && ++shared > limits.shared) {
      count(memory, Counter.scanExceedShared)
      return Scan.unsuitable
    }
    isWritable ||= (flags & EntryFlag.write) !== 0
    isUsed ||= (flags & EntryFlag.accessed) !== 0
  }
  return isWritable && isUsed ? Scan.done : Scan.unsuitable
}

/** In anonymous memory the only frame that is not counted. */
function isZeroPage(mapper: UserMapper, entry: Ptr): boolean {
  return (mapper.flags(entry) & EntryFlag.special) !== 0
}

/**
 * Takes the table away, makes every hart forget its pages, and only then copies them: nobody stores to an old page any
 * more. The empty table is the one that is set aside for the huge leaf.
 */
function replaceTable(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  mapper: UserMapper,
  vpn: Vpn,
  pfn: Pfn,
): void {
  const first = mapper.leaf(vpn)
  const flush = mm.flusher.batch(space.root)
  const table = mapper.takeTable(vpn, flush)
  flush.finish()
  copyPages(mm, mapper, first, pfn)
  const batch = mm.flusher.batch(space.root)
  const tally = { anonymous: 0, others: 0 }
  mapper.clearRun(first, vpn, mapper.hugePages, batch, tally, mm.objects)
  const kind = FrameFlag.anonymous | FrameFlag.exclusive | FrameFlag.folio
  mm.buddy.divide(pfn, mapper.hugeOrder, kind, mm.families.rootOf(vma.family), vma.offsetOf(vpn))
  const flags = writtenFlags(vma.flags)
  const isWritable = (vma.flags & VM_WRITE) !== 0
  mapper.setHuge(mapper.slot(vpn), pfn, isWritable ? flags : flags & ~EntryFlag.write, table)
  batch.finish()
  countAnonymous(mm, space, mapper.hugePages - tally.anonymous)
}

function copyPages({ memory }: SpaceEnv, mapper: UserMapper, first: Ptr, pfn: Pfn): void {
  for (let i = 0; i < mapper.hugePages; i++) {
    const entry = (first + i * 8) as Ptr
    const to = frameToPtr((pfn + i) as Pfn)
    if (!mapper.isPresent(entry) || isZeroPage(mapper, entry)) memory.fill(to, 0, PAGE_SIZE)
    else memory.copy(to, frameToPtr(mapper.pfn(entry)), PAGE_SIZE)
  }
}
