import { EntryFlag } from '../arch/memory-management-arch.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { VM_SHARED } from '../space/vm-flags.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import { FaultResult } from './access.js'
import { installAnonymous, mapZeroed } from './anonymous.js'
import type { Fault, FaultEnv } from './fault.js'
import { writtenFlags } from './page-flags.js'

/** A write to a page that is there, but not writable yet (do_wp_page of Linux). */
export function writeProtectedFault(mm: FaultEnv, fault: Fault): FaultResult {
  const { mapper, entry, vma } = fault
  const pfn = mapper.pfn(entry)
  if ((mapper.flags(entry) & EntryFlag.special) !== 0) return writeSpecial(mm, fault, pfn)
  if ((vma.flags & VM_SHARED) !== 0) return writeShared(mm, fault, pfn)
  return isOnlyOwner(mm, pfn) ? takeOver(mm, fault, pfn) : copy(mm, fault, pfn)
}

/** The old frame is not counted: neither as a reference nor as resident. It is the zero page or one of the vdso's. */
function writeSpecial(mm: FaultEnv, fault: Fault, from: Pfn): FaultResult {
  if (from === mm.memory.u32[wordIndex(Word.zeroFrame)]) return mapZeroed(mm, fault)
  return installCopy(mm, fault, from) ? FaultResult.ok : FaultResult.outOfMemory
}

/** A page of the cache is never written by a private mapping; one of the process's own is, once nobody else has it. */
function isOnlyOwner(mm: FaultEnv, pfn: Pfn): boolean {
  return (mm.frames.flags(pfn) & FrameFlag.anonymous) !== 0 && mm.frames.refCount(pfn) === 1
}

/** First write to a page of a shared mapping: its provider, if it has one, will have to be told. */
function writeShared(mm: FaultEnv, fault: Fault, pfn: Pfn): FaultResult {
  mm.objects.markDirty(pfn)
  return reuse(mm, fault)
}

/** From now on nobody needs to ask again, even when mprotect takes the right to write and gives it back. */
function takeOver(mm: FaultEnv, fault: Fault, pfn: Pfn): FaultResult {
  mm.frames.setFlags(pfn, mm.frames.flags(pfn) | FrameFlag.exclusive)
  return reuse(mm, fault)
}

function reuse(mm: FaultEnv, fault: Fault): FaultResult {
  fault.mapper.setFlags(fault.entry, fault.vpn, writtenFlags(fault.vma.flags), fault.batch)
  count(mm.memory, Counter.faultReuse)
  return FaultResult.ok
}

function copy(mm: FaultEnv, fault: Fault, from: Pfn): FaultResult {
  if (!installCopy(mm, fault, from)) return FaultResult.outOfMemory
  leaveOld(mm, fault, from)
  fault.batch.releaseFrame(from)
  return FaultResult.ok
}

/** Puts a copy of the frame, the space's own, in its place; false without memory. */
function installCopy(mm: FaultEnv, fault: Fault, from: Pfn): boolean {
  if (!mm.families.prepare(fault.vma)) return false
  const pfn = mm.buddy.allocate(0)
  if (pfn === NO_FRAME) return false
  mm.memory.copy(frameToPtr(pfn), frameToPtr(from), PAGE_SIZE)
  installAnonymous(mm, fault, pfn)
  count(mm.memory, Counter.faultCopy)
  return true
}

/** The old frame is no longer part of what the space has resident. */
function leaveOld(mm: FaultEnv, fault: Fault, from: Pfn): void {
  const { space, vma } = fault
  if ((mm.frames.flags(from) & FrameFlag.anonymous) !== 0) space.rssAnonymous--
  else if (mm.objects.isShmem(vma.object)) space.rssShared--
  else space.rssFile--
}
