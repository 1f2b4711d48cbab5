/**
 * Reading and writing a program's memory whatever its protection says, for /proc/PID/mem (access_remote_vm with FOLL_FORCE): what a
 * debugger needs to set a breakpoint. A write to memory that the program may not write gives it a page of its own, which it still
 * may not write. A stack grows down to where the bytes begin.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { frameToPtr, NULL, PAGE_SIZE, type Ptr, pageOf, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { growTo } from '../space/expand-stack.js'
import { isPoison } from '../space/poisoned-entry.js'
import { isCopyOnWrite, VM_IO, VM_MAYREAD, VM_PFNMAP, VM_READ, VM_WRITE } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { Access, FaultResult } from './access.js'
import type { FaultEnv } from './fault.js'
import { faultForced } from './handle-fault.js'
import { noteWrittenRemote, presentFrame } from './present-frame.js'
import { isUserRange } from './user-copy.js'

/** Bytes read before the first that cannot be. */
export function readForced(mm: FaultEnv, space: AddressSpace, address: number, target: Uint8Array): number {
  return eachPage(mm, space, address, target.length, Access.read, (ptr, done, length) => {
    target.set(mm.memory.u8.subarray(ptr, ptr + length), done)
  })
}

/** Bytes written before the first that cannot be. */
export function writeForced(mm: FaultEnv, space: AddressSpace, address: number, source: Uint8Array): number {
  return eachPage(mm, space, address, source.length, Access.write, (ptr, done, length) => {
    mm.memory.u8.set(source.subarray(done, done + length), ptr)
    noteWrittenRemote(mm, ptr)
  })
}

type CopyPart = (ptr: Ptr, done: number, length: number) => void

function eachPage(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  bytes: number,
  access: Access,
  copy: CopyPart,
): number {
  mm.atomics.lock(space.lock, LockRank.space)
  growTo(mm, space, pageOf(address))
  let done = 0
  while (done < bytes && isUserRange(mm, address + done, 1)) {
    const offset = (address + done) % PAGE_SIZE
    const length = Math.min(bytes - done, PAGE_SIZE - offset)
    const page = forcedPage(mm, space, pageOf(address + done), access)
    if (page === NULL) break
    copy((page + offset) as Ptr, done, length)
    done += length
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return done
}

/** check_vma_flags: what was never readable stays so, what is secret too, and what is shared is written only by its own rights. */
function mayForce(mm: FaultEnv, { flags, object }: Vma, access: Access): boolean {
  if ((flags & (VM_IO | VM_PFNMAP)) !== 0) return false
  if (object !== NULL && mm.objects.isSecret(object)) return false
  if (access === Access.write) return (flags & VM_WRITE) !== 0 || isCopyOnWrite(flags)
  return (flags & (VM_READ | VM_MAYREAD)) !== 0
}

/** The bytes of a page, faulted in for the access; NULL when it cannot be had. */
function forcedPage(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): Ptr {
  const found = mm.vmas.findHolding(space, vpn)
  if (found === NULL) return NULL
  const vma = new Vma(mm.memory, found)
  if (!mayForce(mm, vma, access)) return NULL
  const allowed = presentFrame(mm, space, vpn, access)
  if (allowed !== NULL) return allowed
  const mapper = mm.userMappers.of(space.root)
  const isThere = mapper.translate(vpn) && !isPoison(mapper.lastFlags)
  if (access === Access.read && isThere) return frameToPtr(mapper.lastPfn)
  if (faultForced(mm, space, vpn, access) !== FaultResult.ok || !mapper.translate(vpn)) return NULL
  if (access === Access.write && (vma.flags & VM_WRITE) === 0) protectAgain(mm, space, vpn, vma.flags)
  return frameToPtr(mapper.lastPfn)
}

/** The page is the program's own now; that it may not write it stays, or not read it either. */
function protectAgain(mm: FaultEnv, space: AddressSpace, vpn: Vpn, flags: number): void {
  const denied = EntryFlag.write | ((flags & VM_READ) === 0 ? EntryFlag.read : 0)
  const mapper = mm.userMappers.of(space.root)
  const batch = mm.flusher.batch(space.root)
  const entry = mapper.leaf(vpn)
  if (entry !== NULL) mapper.changeFlags(entry, vpn, denied, 0, batch)
  else mapper.changeHuge(mapper.hugeLeaf(vpn), vpn, denied, 0, batch)
  batch.finish()
}
