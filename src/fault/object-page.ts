import { EntryFlag } from '../arch/memory-management-arch.js'
import { ENOMEM } from '../base/errno.js'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { VM_SHARED, VM_WRITE } from '../space/vm-flags.js'
import { Counter, count } from '../state/counters.js'
import { FaultResult } from './access.js'
import { installCopy } from './copy-on-write.js'
import type { Fault, FaultEnv } from './fault.js'
import { readOnlyFlags, writtenFlags } from './page-flags.js'

/** First touch of a page of a mapped object (do_fault of Linux): read, private write, or shared access. */
export function objectFault(mm: FaultEnv, fault: Fault): FaultResult {
  const { vma } = fault
  const index = vma.offsetOf(fault.vpn)
  const { objects } = mm
  const isMajor = !objects.isShmem(vma.object) && objects.find(vma.object, index) === NO_FRAME
  const pfn = objects.getRetained(vma.object, index)
  if (pfn < 0) return pfn === -ENOMEM ? FaultResult.outOfMemory : FaultResult.bus
  if (isMajor) countMajor(mm, fault)
  if (fault.isWrite && (vma.flags & VM_SHARED) === 0) return mapPrivateCopy(mm, fault, pfn as Pfn)
  mapObjectPage(mm, fault, pfn as Pfn)
  return FaultResult.ok
}

/** A write to a private mapping takes a copy at once (do_cow_fault). */
function mapPrivateCopy(mm: FaultEnv, fault: Fault, page: Pfn): FaultResult {
  const done = installCopy(mm, fault, page)
  mm.buddy.release(page)
  return done ? FaultResult.ok : FaultResult.outOfMemory
}

/** Maps the cache's own frame; the entry keeps the reference that the caller took. */
function mapObjectPage(mm: FaultEnv, fault: Fault, page: Pfn): void {
  const { vma, space } = fault
  const isShmem = mm.objects.isShmem(vma.object)
  if (fault.isWrite && !isShmem) mm.objects.markDirty(page)
  fault.mapper.set(fault.entry, fault.vpn, page, objectPageFlags(fault, isShmem), fault.batch)
  if (isShmem) space.rssShared++
  else space.rssFile++
  count(mm.memory, Counter.faultFile)
}

/**
 * Writable at once where nobody needs to hear of the first write; a provider does, so its pages stay read-only until
 * then (vma_wants_writenotify).
 */
function objectPageFlags(fault: Fault, isShmem: boolean): number {
  const { flags } = fault.vma
  if (fault.isWrite) return writtenFlags(flags)
  const writableAtOnce = isShmem && (flags & VM_SHARED) !== 0 && (flags & VM_WRITE) !== 0
  return readOnlyFlags(flags) | (writableAtOnce ? EntryFlag.write : 0)
}

function countMajor(mm: FaultEnv, fault: Fault): void {
  fault.isMajor = true
  count(mm.memory, Counter.faultMajor)
}
