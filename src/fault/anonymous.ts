import { EntryFlag } from '../arch/memory-management-arch.js'
import { NO_FRAME, NULL, type Pfn } from '../base/numbers.js'
import { mayHaveFolios } from '../space/huge-policy.js'
import { countAnonymous } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import { FaultResult } from './access.js'
import type { Attempt, Fault, FaultEnv } from './fault.js'
import { mapFolio } from './folio.js'
import { ownFrameFlags, readOnlyFlags, writtenFlags } from './page-flags.js'
import { allocatePlaced } from './placed-frame.js'
import { askForMissing, isAskedFor } from './userfault.js'

/** First touch of a page of anonymous memory (do_anonymous_page of Linux). */
export function anonymousFault(mm: FaultEnv, fault: Fault): Attempt {
  if (fault.vma.special !== 0) return FaultResult.bus
  if (isAskedFor(fault)) {
    const isReady = !fault.isWrite || mm.families.prepare(fault.vma)
    return isReady ? askForMissing(mm, fault) : FaultResult.outOfMemory
  }
  return fault.isWrite ? mapZeroed(mm, fault) : mapZeroPage(mm, fault)
}

/** A read: the one frame of zeroes, read-only. It is not counted, neither as a reference nor as resident memory. */
function mapZeroPage(mm: FaultEnv, fault: Fault): Attempt {
  const zeroFrame = mm.memory.u32[wordIndex(Word.zeroFrame)]! as Pfn
  const flags = readOnlyFlags(fault.vma.flags) | EntryFlag.special
  if (!fault.lockAbsent()) return FaultResult.ok
  fault.mapper.set(fault.entry, fault.vpn, zeroFrame, flags, fault.batch)
  fault.unlockEntry()
  count(mm.memory, Counter.faultZeroPage)
  return FaultResult.ok
}

/** A write: a frame of its own, or several. */
function mapZeroed(mm: FaultEnv, fault: Fault): Attempt {
  const prepared = fault.prepareFamily(mm)
  if (prepared !== FaultResult.ok) return prepared
  if (!mayHaveFolios(mm.memory) || fault.vma.userfault !== NULL || !mapFolio(mm, fault)) {
    const pfn = allocatePlaced(mm, fault.vma, fault.vpn, 0)
    if (pfn === NO_FRAME) return FaultResult.outOfMemory
    if (!fault.lockAbsent()) {
      mm.buddy.freeZeroed(pfn)
      return FaultResult.ok
    }
    installAnonymous(mm, fault, pfn)
    fault.unlockEntry()
  }
  count(mm.memory, Counter.faultAnonymous)
  return FaultResult.ok
}

/**
 * Makes a frame the space's own memory at the fault's page, writable unless `flags` say otherwise. The mapping has a family, and the
 * entry is locked. It takes the frame's one reference.
 */
export function installAnonymous(
  mm: FaultEnv,
  fault: Fault,
  pfn: Pfn,
  flags = writtenFlags(fault.vma.flags),
): void {
  const { vma, vpn, batch, mapper } = fault
  const root = mm.families.rootOf(vma.family)
  mm.frames.set(pfn, 1, ownFrameFlags(vma), root, vma.offsetOf(vpn))
  mapper.set(fault.entry, vpn, pfn, flags, batch)
  countAnonymous(mm, fault.space, 1)
}
