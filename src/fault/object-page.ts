import { EntryFlag } from '../arch/memory-management-arch.js'
import { ENOMEM } from '../base/errno.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Pfn, pagesFor } from '../base/numbers.js'
import { Reading } from '../space/read-ahead.js'
import { mayMakeObjectFolios } from '../space/shmem-policy.js'
import { VM_PFNMAP, VM_RAND_READ, VM_SEQ_READ, VM_SHARED } from '../space/vm-flags.js'
import { countOthers } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import { FaultResult } from './access.js'
import { installAnonymous } from './anonymous.js'
import type { Attempt, Fault, FaultEnv } from './fault.js'
import { faultAround, mapsAround } from './fault-around.js'
import { makeObjectFolio } from './make-object-folio.js'
import { objectPageFlags, readOnlyFlags } from './page-flags.js'
import { askForMapping, askForMissing, isAskedFor, isAskedForMapping } from './userfault.js'
import { hasRoomForFolio, mapWholeFolio, retainWholeFolio } from './whole-folio.js'

/** First touch of a page of a mapped object (do_fault of Linux): read, private write, or shared write. */
export function objectFault(mm: FaultEnv, fault: Fault): Attempt {
  if (fault.isWrite && (fault.vma.flags & VM_SHARED) === 0) return writePrivately(mm, fault)
  if ((fault.vma.flags & VM_PFNMAP) !== 0) return mapUncounted(mm, fault)
  if (mapsAround(mm, fault) && faultAround(mm, fault)) return FaultResult.ok
  const asked = objectUserfault(mm, fault)
  if (asked !== FaultResult.ok) return asked
  const page = askForPage(mm, fault)
  if (page < 0) return refusal(page)
  if (mapsFolioAround(mm, fault) || mapsReadAround(mm, fault)) mm.buddy.release(page as Pfn)
  else mapRetained(mm, fault, page as Pfn)
  return FaultResult.ok
}

/** When a page had to be read, others may have been with it: the fault is tried again then (VM_FAULT_RETRY of filemap_fault). */
function mapsReadAround(mm: FaultEnv, fault: Fault): boolean {
  return fault.isMajor && mapsAround(mm, fault) && faultAround(mm, fault, false)
}

/** Maps the page's huge page around it, where that may be and nothing else is. */
function mapsFolioAround(mm: FaultEnv, fault: Fault): boolean {
  const folio = retainWholeFolio(mm, fault)
  if (folio === NO_FRAME) return false
  const isAbsent = fault.lockAbsent()
  if (isAbsent && hasRoomForFolio(fault)) {
    mapWholeFolio(mm, fault, folio)
    return true
  }
  if (isAbsent) fault.unlockEntry()
  mm.objects.releaseFolio(folio)
  return false
}

function mapRetained(mm: FaultEnv, fault: Fault, page: Pfn): void {
  if (fault.lockAbsent()) mapObjectPage(mm, fault, page)
  else mm.buddy.release(page)
}

/**
 * A write to a private mapping takes a copy at once (do_cow_fault). The copy's frame comes first: without it the
 * object need not be asked.
 */
function writePrivately(mm: FaultEnv, fault: Fault): Attempt {
  const prepared = fault.prepareFamily(mm)
  if (prepared !== FaultResult.ok) return prepared
  const asked = objectUserfault(mm, fault)
  if (asked !== FaultResult.ok) return asked
  const own = mm.buddy.allocate(0)
  if (own === NO_FRAME) return FaultResult.outOfMemory
  const page = askForPage(mm, fault)
  if (page < 0) {
    mm.buddy.release(own)
    return refusal(page)
  }
  mm.memory.copy(frameToPtr(own), frameToPtr(page as Pfn), PAGE_SIZE)
  mm.buddy.release(page as Pfn)
  if (!fault.lockAbsent()) {
    mm.buddy.release(own)
    return FaultResult.ok
  }
  installAnonymous(mm, fault, own)
  fault.unlockEntry()
  count(mm.memory, Counter.faultCopy)
  return FaultResult.ok
}

/** What shmem_get_folio_gfp asks userfaultfd(2) for: what the object has not, or what it has. `ok` when that is nothing. */
export function objectUserfault(mm: FaultEnv, fault: Fault): FaultResult {
  const { vma, vpn } = fault
  if (vma.userfault === NULL) return FaultResult.ok
  const index = vma.offsetOf(vpn)
  if (index >= pagesFor(mm.objects.size(vma.object))) return FaultResult.bus
  const isThere = mm.objects.find(vma.object, index) !== NO_FRAME
  if (isThere) return isAskedForMapping(fault) ? askForMapping(mm, fault) : FaultResult.ok
  return isAskedFor(fault) ? askForMissing(mm, fault) : FaultResult.ok
}

/** The page's frame with a reference for us, or a negative errno. Having to ask a provider makes the fault major. */
function askForPage(mm: FaultEnv, fault: Fault): number {
  const { vma } = fault
  const { objects } = mm
  const index = vma.offsetOf(fault.vpn)
  if (mayMakeObjectFolios(mm.memory)) makeObjectFolio(mm, fault)
  const page = objects.getRetained(vma.object, index, readingFor(vma.flags))
  if (page > 0 && objects.wasAdded && !objects.isShmem(vma.object)) countMajor(mm, fault)
  return page
}

function readingFor(flags: number): Reading {
  if ((flags & VM_RAND_READ) !== 0) return Reading.alone
  return (flags & VM_SEQ_READ) !== 0 ? Reading.inOrder : Reading.around
}

function refusal(errno: number): FaultResult {
  return errno === -ENOMEM ? FaultResult.outOfMemory : FaultResult.bus
}

/** Maps the cache's own frame at the locked entry, which keeps the reference that the caller took; then unlocks it. */
function mapObjectPage(mm: FaultEnv, fault: Fault, page: Pfn): void {
  const { vma } = fault
  const isShmem = mm.objects.isShmem(vma.object)
  if (fault.isWrite) mm.objects.noteStore(vma.object, page)
  const flags = objectPageFlags(vma.flags, fault.isWrite, isShmem)
  fault.mapper.set(fault.entry, fault.vpn, page, flags, fault.batch)
  countOthers(mm, fault.space, vma.object, 1)
  fault.unlockEntry()
  count(mm.memory, Counter.faultFile)
}

/** [vvar]: neither a reference nor resident memory (vmf_insert_pfn). Its object, which is never freed, keeps the frame. */
function mapUncounted(mm: FaultEnv, fault: Fault): Attempt {
  const { vma, vpn } = fault
  const page = mm.objects.find(vma.object, vma.offsetOf(vpn))
  if (page === NO_FRAME) return FaultResult.bus
  if (!fault.lockAbsent()) return FaultResult.ok
  fault.mapper.set(fault.entry, vpn, page, readOnlyFlags(vma.flags) | EntryFlag.special, fault.batch)
  fault.unlockEntry()
  count(mm.memory, Counter.faultFile)
  return FaultResult.ok
}

function countMajor(mm: FaultEnv, fault: Fault): void {
  fault.isMajor = true
  count(mm.memory, Counter.faultMajor)
}
