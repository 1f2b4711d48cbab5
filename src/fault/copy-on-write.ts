import { EntryFlag } from '../arch/memory-management-arch.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { VM_SHARED } from '../space/vm-flags.js'
import { countResident } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import { FaultResult } from './access.js'
import { installAnonymous } from './anonymous.js'
import type { Attempt, Fault, FaultEnv } from './fault.js'
import { readOnlyFlags, writtenFlags } from './page-flags.js'

/** A write to a page that is there, but not writable yet (do_wp_page of Linux). Its entry is locked. */
export function writeProtectedFault(mm: FaultEnv, fault: Fault): Attempt {
  const { mapper, entry, vma } = fault
  const pfn = mapper.pfn(entry)
  if ((mapper.flags(entry) & EntryFlag.special) !== 0) return writeSpecial(mm, fault, pfn)
  if ((vma.flags & VM_SHARED) !== 0) return writeShared(mm, fault, pfn)
  return isOnlyOwner(mm, pfn) ? takeOver(mm, fault, pfn) : copy(mm, fault, pfn)
}

/** The old frame is not counted: neither as a reference nor as resident. It is the zero page or one of the vdso's. */
function writeSpecial(mm: FaultEnv, fault: Fault, from: Pfn): Attempt {
  if (from === mm.memory.u32[wordIndex(Word.zeroFrame)]) return replaceZeroPage(mm, fault)
  return installCopy(mm, fault, from)
}

/** A page that was only read so far gets its frame. */
function replaceZeroPage(mm: FaultEnv, fault: Fault): Attempt {
  const prepared = fault.prepareFamily(mm)
  if (prepared !== FaultResult.ok) return prepared
  const pfn = mm.buddy.allocateZeroed(0)
  if (pfn === NO_FRAME) return FaultResult.outOfMemory
  makeAbsent(mm, fault)
  installAnonymous(mm, fault, pfn)
  count(mm.memory, Counter.faultAnonymous)
  return FaultResult.ok
}

/**
 * Where other threads walk the tables, no hart must know the old frame any more when one can store to the new one: it would
 * read what was there before the store, after it has heard of the store (ptep_clear_flush in wp_page_copy).
 */
function makeAbsent(mm: FaultEnv, { mapper, entry, vpn, batch }: Fault): void {
  if (!mm.shootdown.hasOthers) return
  mapper.clear(entry, vpn, batch)
  batch.flush()
}

/** A page of the cache is never written by a private mapping; one of the process's own is, once nobody else has it. */
function isOnlyOwner(mm: FaultEnv, pfn: Pfn): boolean {
  return (mm.frames.flags(pfn) & FrameFlag.anonymous) !== 0 && mm.frames.refCount(pfn) === 1
}

/** First write to a page of a shared mapping: its provider, if it has one, will have to be told. */
function writeShared(mm: FaultEnv, fault: Fault, pfn: Pfn): Attempt {
  mm.objects.noteStore(fault.vma.object, pfn)
  return reuse(mm, fault)
}

/** From now on nobody needs to ask again, even when mprotect takes the right to write and gives it back. */
function takeOver(mm: FaultEnv, fault: Fault, pfn: Pfn): Attempt {
  becomeOwner(mm, pfn)
  return reuse(mm, fault)
}

/** Linux copies a page of a folio that a fork has shared, though nobody else has it any more: the copy is of no folio. */
function becomeOwner({ frames }: FaultEnv, pfn: Pfn): void {
  const flags = frames.flags(pfn)
  if ((flags & FrameFlag.exclusive) === 0)
    frames.setFlags(pfn, (flags & ~FrameFlag.folio) | FrameFlag.exclusive)
}

/**
 * The space is to have a page alone that is there, still without the right to write it (do_wp_page with FAULT_FLAG_UNSHARE). One of a
 * folio is copied as in Linux, which shows: the copy is clean.
 */
export function unshareEntry(mm: FaultEnv, fault: Fault): Attempt {
  const { mapper, entry, vma } = fault
  if ((mapper.flags(entry) & (EntryFlag.write | EntryFlag.special)) !== 0) return FaultResult.ok
  const pfn = mapper.pfn(entry)
  if ((mm.frames.flags(pfn) & FrameFlag.anonymous) === 0) return FaultResult.ok
  if (!isOnlyOwner(mm, pfn) || wasShared(mm, pfn)) return copy(mm, fault, pfn, readOnlyFlags(vma.flags))
  becomeOwner(mm, pfn)
  return FaultResult.ok
}

/** A fork has shared the huge page that the frame is still a part of (wp_can_reuse_anon_folio). */
function wasShared({ frames }: FaultEnv, pfn: Pfn): boolean {
  return (frames.flags(pfn) & (FrameFlag.folio | FrameFlag.exclusive)) === FrameFlag.folio
}

function reuse(mm: FaultEnv, fault: Fault): Attempt {
  fault.mapper.setFlags(fault.entry, fault.vpn, writtenFlags(fault.vma.flags), fault.batch)
  count(mm.memory, Counter.faultReuse)
  return FaultResult.ok
}

function copy(mm: FaultEnv, fault: Fault, from: Pfn, flags?: number): Attempt {
  const result = installCopy(mm, fault, from, flags)
  if (result !== FaultResult.ok) return result
  leaveOld(mm, fault, from)
  fault.batch.releaseFrame(from)
  return result
}

/** Puts a copy of the frame, the space's own, in its place. */
function installCopy(mm: FaultEnv, fault: Fault, from: Pfn, flags?: number): Attempt {
  const prepared = fault.prepareFamily(mm)
  if (prepared !== FaultResult.ok) return prepared
  const pfn = mm.buddy.allocate(0)
  if (pfn === NO_FRAME) return FaultResult.outOfMemory
  mm.memory.copy(frameToPtr(pfn), frameToPtr(from), PAGE_SIZE)
  makeAbsent(mm, fault)
  installAnonymous(mm, fault, pfn, flags)
  count(mm.memory, Counter.faultCopy)
  return FaultResult.ok
}

/** The old frame is no longer part of what the space has resident. */
function leaveOld(mm: FaultEnv, fault: Fault, from: Pfn): void {
  countResident(mm, fault.space, fault.vma.object, from, -1)
}
