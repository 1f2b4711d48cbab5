/** MADV_COLLAPSE: small pages become a huge one, now and on request (madvise_collapse in mm/khugepaged.c). */
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
  if (mapper.hugeLeaf(vpn) !== NULL) return 0
  const first = mapper.leaf(vpn)
  if (first === NULL || !mapper.hasHugeLeaves) return -EINVAL
  if (vma.userfault !== NULL && hasHoles(mapper, first)) return -EBUSY
  if (!isWorthIt(mm, mapper, first)) return -EINVAL
  const pfn = mm.buddy.allocate(mapper.hugeOrder)
  if (pfn === NO_FRAME) return -ENOMEM
  replaceTable(mm, space, vma, mapper, vpn, pfn)
  count(mm.memory, Counter.hugeCollapse)
  return 0
}

/** hpage_collapse_scan_pmd: anonymous pages or none, and one that may be written among them. */
function isWorthIt(mm: SpaceEnv, mapper: UserMapper, first: Ptr): boolean {
  let writable = false
  for (let i = 0; i < mapper.hugePages; i++) {
    const entry = (first + i * 8) as Ptr
    if (!mapper.isPresent(entry) || isZeroPage(mapper, entry)) continue
    if ((mm.frames.flags(mapper.pfn(entry)) & FrameFlag.anonymous) === 0) return false
    writable ||= (mapper.flags(entry) & EntryFlag.write) !== 0
  }
  return writable
}

/** Whether a page is not there, or one of zeroes. */
function hasHoles(mapper: UserMapper, first: Ptr): boolean {
  for (let i = 0; i < mapper.hugePages; i++) {
    const entry = (first + i * 8) as Ptr
    if (!mapper.isPresent(entry) || isZeroPage(mapper, entry)) return true
  }
  return false
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
