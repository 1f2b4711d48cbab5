/**
 * Reading and writing another program's memory, as get_user_pages_remote of Linux sees it: what the mapping allows decides, not
 * what the hart would. Pages are faulted in, but no stack grows (but in `readAnonymous`), and the kernel's own mappings are out of
 * reach. Takes the space's lock.
 */
import { EFAULT } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, pageOf, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { growTo } from '../space/expand-stack.js'
import { VM_IO, VM_PFNMAP, VM_READ, VM_WRITE } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { Access, FaultResult } from './access.js'
import type { FaultEnv } from './fault.js'
import { faultForced } from './handle-fault.js'
import { noteWrittenRemote, presentFrame } from './present-frame.js'
import { unsharePage } from './unshare.js'

/** Reads `target.length` bytes that lie in one page. 0 or -EFAULT. */
export function readRemote(mm: FaultEnv, space: AddressSpace, address: number, target: Uint8Array): number {
  return readPage(mm, space, address, target, remotePtr)
}

/** The same as process_vm_readv does it, which holds on to the page (pin_user_pages_remote). */
export function readPinned(mm: FaultEnv, space: AddressSpace, address: number, target: Uint8Array): number {
  return readPage(mm, space, address, target, pinnedPtr)
}

function readPage(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  target: Uint8Array,
  find: typeof remotePtr,
): number {
  mm.atomics.lock(space.lock, LockRank.space)
  const from = find(mm, space, address, Access.read)
  if (from !== NULL) target.set(mm.memory.u8.subarray(from, from + target.length))
  mm.atomics.unlock(space.lock, LockRank.space)
  return from === NULL ? -EFAULT : 0
}

/** Writes bytes that lie in one page; without any, only asks whether they could be. 0 or -EFAULT. */
export function writeRemote(mm: FaultEnv, space: AddressSpace, address: number, source: Uint8Array): number {
  mm.atomics.lock(space.lock, LockRank.space)
  const to = remotePtr(mm, space, address, Access.write)
  if (to !== NULL) {
    mm.memory.u8.set(source, to)
    noteWrittenRemote(mm, to)
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return to === NULL ? -EFAULT : 0
}

/** Where a byte is in the buffer, its page faulted in if need be; NULL when the mapping forbids the access, or is not there. */
function remotePtr(mm: FaultEnv, space: AddressSpace, address: number, access: Access): Ptr {
  const vpn = pageOf(address)
  if (!mayReach(mm, space, vpn, access)) return NULL
  const offset = address % PAGE_SIZE
  const ready = presentFrame(mm, space, vpn, access)
  if (ready !== NULL) return (ready + offset) as Ptr
  if (faultForced(mm, space, vpn, access) !== FaultResult.ok) return NULL
  return (presentFrame(mm, space, vpn, access) + offset) as Ptr
}

/** Of a page that the program has alone from then on. */
function pinnedPtr(mm: FaultEnv, space: AddressSpace, address: number, access: Access): Ptr {
  if (remotePtr(mm, space, address, access) === NULL) return NULL
  if (unsharePage(mm, space, pageOf(address)) !== FaultResult.ok) return NULL
  return remotePtr(mm, space, address, access)
}

/** check_vma_flags() of Linux: execute-only memory is not read, and neither is memory that is only for writing, or secret. */
function mayReach(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): boolean {
  if (!(vpn >= 0 && vpn < mm.arch.userEnd)) return false
  const holding = mm.vmas.findHolding(space, vpn)
  if (holding === NULL) return false
  const { flags, object } = mm.fault.vma.at(holding)
  if ((flags & (VM_IO | VM_PFNMAP)) !== 0) return false
  if (object !== NULL && mm.objects.isSecret(object)) return false
  return (flags & (access === Access.write ? VM_WRITE : VM_READ)) !== 0
}

/** How many bytes could be read before the first whose page cannot be held on to: as vmsplice sees memory. */
export function copyPinnedPartial(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  target: Uint8Array,
): number {
  let done = 0
  while (done < target.length) {
    const length = Math.min(target.length - done, PAGE_SIZE - ((address + done) % PAGE_SIZE))
    if (readRemote(mm, space, address + done, target.subarray(done, done + length)) < 0) break
    done += length
  }
  return done
}

/**
 * How many bytes of anonymous memory could be read before the first that is none or may not be read (access_remote_vm with FOLL_ANON): what a
 * program says of itself is not read from files, which may keep who reads waiting.
 */
export function readAnonymous(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  target: Uint8Array,
): number {
  let done = 0
  mm.atomics.lock(space.lock, LockRank.space)
  growTo(mm, space, pageOf(address))
  while (done < target.length) {
    const at = address + done
    const from = isAnonymousAt(mm, space, at) ? remotePtr(mm, space, at, Access.read) : NULL
    if (from === NULL) break
    const length = Math.min(target.length - done, PAGE_SIZE - (at % PAGE_SIZE))
    target.set(mm.memory.u8.subarray(from, from + length), done)
    done += length
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return done
}

function isAnonymousAt(mm: FaultEnv, space: AddressSpace, address: number): boolean {
  const holding = mm.vmas.findHolding(space, pageOf(address))
  return holding !== NULL && mm.fault.vma.at(holding).isAnonymous
}

/** Sees to it that a page is there, as a read would (get_user_pages_fast). 0 or -EFAULT. */
export function touchRemote(mm: FaultEnv, space: AddressSpace, address: number): number {
  return readRemote(mm, space, address, new Uint8Array(0))
}
