/**
 * Faults that a huge page answers: 2 MiB of anonymous memory at once, for an aligned range that lies in its mapping and
 * has no table of small pages yet (mm/huge_memory.c of Linux 6.12). What cannot be done with a huge page is left to the
 * small ones: `NOT_HUGE`.
 */
import { ENTRY_FLAGS_ALL, EntryFlag } from '../arch/memory-management-arch.js'
import { NO_FRAME, NULL, type Pfn, type Ptr } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { HugeSetting, hugeSetting, mayHaveHugePages } from '../space/huge-policy.js'
import { enterKhugepaged } from '../space/scanned-spaces.js'
import { dropHugeAt } from '../space/split-huge.js'
import { VM_SHARED, VM_WRITE } from '../space/vm-flags.js'
import { countAnonymous } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import { FaultResult } from './access.js'
import { ALONE, type Attempt, type Fault, type FaultEnv } from './fault.js'
import { retainHugeZeroPage } from './huge-zero-page.js'
import { objectFolioFault } from './object-folio.js'
import { ownFrameFlags, readOnlyFlags, writtenFlags } from './page-flags.js'
import { allocatePlaced } from './placed-frame.js'
import { askForMissing, isAskedFor } from './userfault.js'

/** Go on with small pages. */
export const NOT_HUGE = -1
type HugeResult = Attempt | typeof NOT_HUGE

/** A fault of a page for which there is no table of small pages. */
export function hugeFault(mm: FaultEnv, fault: Fault): HugeResult {
  const { mapper, vpn } = fault
  const leaf = mapper.hugeLeaf(vpn)
  if (leaf !== NULL) return fault.isAlone ? presentHuge(mm, fault, leaf) : ALONE
  if (fault.vma.object !== NULL) {
    const answer = objectFolioFault(mm, fault)
    return answer === false ? NOT_HUGE : answer
  }
  if (!isEligible(mm, fault)) return NOT_HUGE
  fault.lockUpper()
  const slot = mapper.makeSlot(vpn)
  fault.unlockUpper()
  if (slot === NULL) return FaultResult.outOfMemory
  const prepared = fault.prepareFamily(mm)
  if (prepared !== FaultResult.ok) return prepared
  if (!fault.space.isScanned) enterKhugepaged(mm, fault.space, fault.vma.ptr)
  if (isAskedFor(fault)) return askForMissing(mm, fault)
  const zeroPage = !fault.isWrite && hugeSetting(mm.memory, HugeSetting.noZeroPage) === 0
  return zeroPage ? mapHugeZeroPage(mm, fault, slot) : mapHuge(mm, fault, slot)
}

function isEligible(mm: FaultEnv, { mapper, vma, vpn, space }: Fault): boolean {
  const first = mapper.hugeStart(vpn)
  if (first < vma.start || first + mapper.hugePages > vma.end || !mapper.hasHugeLeaves) return false
  return mayHaveHugePages(mm.memory, space, vma)
}

/** __do_huge_pmd_anonymous_page: a block of zeroes, which at once are single frames. */
function mapHuge(mm: FaultEnv, fault: Fault, slot: Ptr): HugeResult {
  const { mapper, vma, vpn, space } = fault
  const pfn = allocatePlaced(mm, vma, mapper.hugeStart(vpn), mapper.hugeOrder)
  if (pfn === NO_FRAME) {
    count(mm.memory, Counter.hugeFallback)
    return NOT_HUGE
  }
  const deposit = mapper.newDeposit()
  if (deposit === NO_FRAME) {
    mm.buddy.free(pfn, mapper.hugeOrder)
    return FaultResult.outOfMemory
  }
  if (!fault.lockAbsentSlot(slot)) {
    mm.buddy.free(pfn, mapper.hugeOrder)
    mm.buddy.freeZeroed(deposit)
    return FaultResult.ok
  }
  const [root, index] = [mm.families.rootOf(vma.family), vma.offsetOf(mapper.hugeStart(vpn))]
  mm.buddy.divide(pfn, mapper.hugeOrder, ownFrameFlags(vma) | FrameFlag.folio, root, index)
  mapper.setHuge(slot, pfn, madeFlags(fault), deposit)
  fault.unlockUpper()
  countAnonymous(mm, space, mapper.hugePages)
  count(mm.memory, Counter.hugeFault)
  return FaultResult.ok
}

/** maybe_pmd_mkwrite: dirty at once, by a read too (without the zero page), and writable where the mapping is. */
function madeFlags({ vma }: Fault): number {
  const flags = writtenFlags(vma.flags)
  return (vma.flags & VM_WRITE) !== 0 ? flags : flags & ~EntryFlag.write
}

function mapHugeZeroPage(mm: FaultEnv, fault: Fault, slot: Ptr): HugeResult {
  const { mapper, vma } = fault
  const deposit = mapper.newDeposit()
  if (deposit === NO_FRAME) return FaultResult.outOfMemory
  const pfn = retainHugeZeroPage(mm, mapper.hugeOrder)
  if (pfn === NO_FRAME) {
    mm.buddy.free(deposit, 0)
    count(mm.memory, Counter.hugeFallback)
    return NOT_HUGE
  }
  if (!fault.lockAbsentSlot(slot)) {
    mm.buddy.release(pfn)
    mm.buddy.freeZeroed(deposit)
    return FaultResult.ok
  }
  mapper.setHuge(slot, pfn, readOnlyFlags(vma.flags) | EntryFlag.special, deposit)
  fault.unlockUpper()
  count(mm.memory, Counter.faultZeroPage)
  return FaultResult.ok
}

/** A huge page is there: the access is marked, or it is written for the first time since a fork. */
function presentHuge(mm: FaultEnv, fault: Fault, leaf: Ptr): HugeResult {
  const { mapper, vpn, vma, batch, isWrite } = fault
  const flags = mapper.flags(leaf)
  if (isWrite && (flags & EntryFlag.write) === 0) return writeHuge(mm, fault, leaf)
  const wanted = flags | readOnlyFlags(vma.flags) | (isWrite ? EntryFlag.dirty : 0)
  if (wanted !== flags) mapper.changeHuge(leaf, vpn, ENTRY_FLAGS_ALL, wanted, batch)
  count(mm.memory, Counter.faultSpurious)
  return FaultResult.ok
}

/** do_huge_pmd_wp_page: who is alone may write all of it; else it is split, and one page copied. So with zeroes. */
function writeHuge(mm: FaultEnv, fault: Fault, leaf: Ptr): HugeResult {
  const { mapper, vpn, vma, batch } = fault
  if (mapper.isObjects(leaf)) return writeObjects(mm, fault, leaf)
  const isZero = (mapper.flags(leaf) & EntryFlag.special) !== 0
  if (isZero || !takeOver(mm, mapper.pfn(leaf), mapper.hugeOrder)) {
    mapper.split(leaf, vpn, batch)
    return NOT_HUGE
  }
  mapper.changeHuge(leaf, vpn, ENTRY_FLAGS_ALL, writtenFlags(vma.flags), batch)
  count(mm.memory, Counter.faultReuse)
  return FaultResult.ok
}

/** A shared one may be written by all; of a private mapping it goes away, and the page is copied. */
function writeObjects(mm: FaultEnv, { mapper, vpn, vma, batch, space }: Fault, leaf: Ptr): HugeResult {
  if ((vma.flags & VM_SHARED) === 0) {
    dropHugeAt(mm, space, vma, vpn)
    return NOT_HUGE
  }
  mapper.changeHuge(leaf, vpn, ENTRY_FLAGS_ALL, writtenFlags(vma.flags), batch)
  count(mm.memory, Counter.faultReuse)
  return FaultResult.ok
}

/** Makes a page one that the space has alone: a huge page as a whole, or it is split, and the page is left to `unshareEntry`. */
export function unshareHuge(mm: FaultEnv, { mapper, vpn, batch }: Fault, leaf: Ptr): HugeResult {
  if ((mapper.flags(leaf) & (EntryFlag.write | EntryFlag.special)) !== 0) return FaultResult.ok
  if (mapper.isObjects(leaf)) return FaultResult.ok
  if (takeOver(mm, mapper.pfn(leaf), mapper.hugeOrder)) return FaultResult.ok
  mapper.split(leaf, vpn, batch)
  return NOT_HUGE
}

/** Whether nobody else has any of the frames. If so, nobody needs to ask again. */
function takeOver(mm: FaultEnv, pfn: Pfn, order: number): boolean {
  const { frames } = mm
  if ((frames.flags(pfn) & FrameFlag.exclusive) !== 0) return true
  if (!mm.buddy.isRunAlone(pfn, order)) return false
  for (let i = 0; i < 1 << order; i++) {
    const frame = (pfn + i) as Pfn
    frames.setFlags(frame, frames.flags(frame) | FrameFlag.exclusive)
  }
  return true
}
