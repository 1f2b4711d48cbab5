/**
 * Reading and writing a program's memory from the kernel (copy_from_user and its kin): page by page, faulting in what is
 * not there, by the program's own rights. They take the space's lock, together with harts that fault as far as that goes (use-page.ts), so the caller must not hold it. Addresses are unsigned
 * numbers, maybe rounded above 2^53: whatever is not below TASK_SIZE is -EFAULT.
 */
import { EFAULT, ENAMETOOLONG } from '../base/errno.js'
import { NULL, PAGE_MASK, PAGE_SIZE, type Ptr, pageOf, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { LockRank } from '../state/atomics.js'
import { Access, FaultResult } from './access.js'
import type { FaultEnv } from './fault.js'
import { faultLocked, faultPatiently } from './handle-fault.js'
import { noteWritten, presentFrame } from './present-frame.js'
import { usePage } from './use-page.js'
import { UserText } from './user-text.js'

/** Copies all of `target.length` bytes from the program. 0 or -EFAULT; then `target` may be filled in part. */
export function copyFromUser(mm: FaultEnv, space: AddressSpace, address: number, target: Uint8Array): number {
  return copyFromUserPartial(mm, space, address, target) === target.length ? 0 : -EFAULT
}

/** Copies all of `source` to the program. 0 or -EFAULT; then a part may have been written. */
export function copyToUser(mm: FaultEnv, space: AddressSpace, address: number, source: Uint8Array): number {
  return copyToUserPartial(mm, space, address, source) === source.length ? 0 : -EFAULT
}

/** How many bytes could be read before the first that may not be. */
export function copyFromUserPartial(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  target: Uint8Array,
): number {
  if (!isUserRange(mm, address, target.length)) return 0
  let done = mm.atomics.canShare ? readTogether(mm, space, address, target) : 0
  if (done === target.length) return done
  mm.atomics.lock(space.lock, LockRank.space)
  while (done < target.length) {
    const from = userPtr(mm, space, address + done, Access.read)
    if (from === NULL) break
    const length = Math.min(target.length - done, PAGE_SIZE - (from & PAGE_MASK))
    target.set(mm.memory.u8.subarray(from, from + length), done)
    done += length
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return done
}

/** How many bytes could be written before the first that may not be. */
export function copyToUserPartial(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  source: Uint8Array,
): number {
  if (!isUserRange(mm, address, source.length)) return 0
  let done = mm.atomics.canShare ? writeTogether(mm, space, address, source) : 0
  if (done === source.length) return done
  mm.atomics.lock(space.lock, LockRank.space)
  while (done < source.length) {
    const to = userPtr(mm, space, address + done, Access.write)
    if (to === NULL) {
      if (isPostponed(mm, space, address + done, source.subarray(done))) done = source.length
      break
    }
    const length = Math.min(source.length - done, PAGE_SIZE - (to & PAGE_MASK))
    mm.memory.u8.set(length === source.length ? source : source.subarray(done, done + length), to)
    noteWritten(mm, to)
    done += length
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return done
}

const NEVER = (): boolean => false

/**
 * Does it for the bytes from the first one on, in parts that lie in a page each, while other harts fault in the space. Returns for how many: for the rest, if
 * any, the space must be had alone. `isDone` ends it early: no further page is faulted in.
 */
function copyTogether(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  length: number,
  access: Access,
  copy: (ptr: Ptr, at: number, length: number) => void,
  isDone: () => boolean = NEVER,
): number {
  mm.atomics.lockShared(space.lock, LockRank.space)
  let done = 0
  for (let isOn = true; isOn && done < length && !isDone(); ) {
    const offset = (address + done) % PAGE_SIZE
    const count = Math.min(length - done, PAGE_SIZE - offset)
    isOn = usePage(mm, space, pageOf(address + done), access, (frame) =>
      copy((frame + offset) as Ptr, done, count),
    )
    if (isOn) done += count
  }
  mm.atomics.unlockShared(space.lock, LockRank.space)
  return done
}

function readTogether(mm: FaultEnv, space: AddressSpace, address: number, target: Uint8Array): number {
  return copyTogether(mm, space, address, target.length, Access.read, (from, at, length) =>
    target.set(mm.memory.u8.subarray(from, from + length), at),
  )
}

function writeTogether(mm: FaultEnv, space: AddressSpace, address: number, source: Uint8Array): number {
  return copyTogether(mm, space, address, source.length, Access.write, (to, at, length) =>
    mm.memory.u8.set(source.subarray(at, at + length), to),
  )
}

function clearTogether(mm: FaultEnv, space: AddressSpace, address: number, length: number): number {
  return copyTogether(mm, space, address, length, Access.write, (to, _at, count) =>
    mm.memory.fill(to, 0, count),
  )
}

/** A page that somebody is asked for (userfaultfd): the bytes may be stored when it has come. */
function isPostponed({ userfaults }: FaultEnv, space: AddressSpace, at: number, bytes: Uint8Array): boolean {
  if (userfaults.missed === undefined || userfaults.postpone?.(space.ptr, at, bytes) !== true) return false
  userfaults.missed = undefined
  return true
}

/** Zeroes a range of the program's memory (clear_user). 0 or -EFAULT. */
export function clearUser(mm: FaultEnv, space: AddressSpace, address: number, length: number): number {
  if (!isUserRange(mm, address, length)) return -EFAULT
  let done = mm.atomics.canShare ? clearTogether(mm, space, address, length) : 0
  if (done === length) return 0
  mm.atomics.lock(space.lock, LockRank.space)
  while (done < length) {
    const to = userPtr(mm, space, address + done, Access.write)
    if (to === NULL) break
    const count = Math.min(length - done, PAGE_SIZE - (to & PAGE_MASK))
    mm.memory.fill(to, 0, count)
    noteWritten(mm, to)
    done += count
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return done === length ? 0 : -EFAULT
}

/**
 * A NUL-terminated string, without the NUL: a character (0 to 255) a byte. -EFAULT when it runs into memory that cannot be
 * read, -ENAMETOOLONG when there is no NUL in the first `max` bytes.
 */
export function readUserString(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  max: number,
): string | number {
  const text = new UserText(mm.memory.u8)
  if (mm.atomics.canShare && isUserRange(mm, address, max)) {
    const read = (from: Ptr, _at: number, length: number) => text.read(from, length)
    copyTogether(mm, space, address, max, Access.read, read, () => text.isWhole)
    if (text.isWhole) return text.characters
  }
  mm.atomics.lock(space.lock, LockRank.space)
  const result = readString(mm, space, address, max, text)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function readString(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  max: number,
  text: UserText,
): string | number {
  while (text.characters.length < max) {
    const at = address + text.characters.length
    const from = isUserRange(mm, at, 1) ? userPtr(mm, space, at, Access.read) : NULL
    if (from === NULL) return -EFAULT
    text.read(from, Math.min(max - text.characters.length, PAGE_SIZE - (from & PAGE_MASK)))
    if (text.isWhole) return text.characters
  }
  return -ENAMETOOLONG
}

/**
 * Where an aligned word of the program (4 or 8 bytes) is in the buffer right now, made present for the access; NULL is
 * -EFAULT. For futexes and the like: good until the space's mappings change. For a write no code is translated from the page any more; the
 * caller writes at once, before any hart of the machine can translate again (harts with processes run one at a time).
 */
export function userWord(mm: FaultEnv, space: AddressSpace, address: number, access: Access): Ptr {
  if (!isUserRange(mm, address, 4)) return NULL
  mm.atomics.lock(space.lock, LockRank.space)
  const ptr = userPtr(mm, space, address, access)
  if (ptr !== NULL && access === Access.write) noteWritten(mm, ptr)
  mm.atomics.unlock(space.lock, LockRank.space)
  return ptr
}

/** A 32-bit word at any address, unsigned, or -EFAULT (which no word is). No other hart sees half of an aligned one. */
export function loadUser32(mm: FaultEnv, space: AddressSpace, address: number): number {
  if ((address & 3) === 0) {
    if (mm.atomics.canShare) return loadWordTogether(mm, space, address)
    const ptr = mm.memory.shared ? NULL : userWord(mm, space, address, Access.read)
    if (ptr !== NULL) return mm.memory.u32[ptr >>> 2]!
  }
  const bytes = new Uint8Array(4)
  if (copyFromUser(mm, space, address, bytes) !== 0) return -EFAULT
  return new DataView(bytes.buffer).getUint32(0, true)
}

/** Stores a 32-bit word at any address. 0 or -EFAULT. No other hart sees half of an aligned one. */
export function storeUser32(mm: FaultEnv, space: AddressSpace, address: number, value: number): number {
  if ((address & 3) === 0) {
    if (mm.atomics.canShare && storeWordTogether(mm, space, address, value)) return 0
    const ptr = mm.memory.shared ? NULL : userWord(mm, space, address, Access.write)
    if (ptr !== NULL) {
      mm.memory.u32[ptr >>> 2] = value
      noteWritten(mm, ptr)
      return 0
    }
  }
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return copyToUser(mm, space, address, bytes)
}

function loadWordTogether(mm: FaultEnv, space: AddressSpace, address: number): number {
  const bytes = new Uint32Array(1)
  const load = (ptr: Ptr) => {
    bytes[0] = mm.memory.u32[ptr >>> 2]!
  }
  const isThere = isUserRange(mm, address, 4) && copyTogether(mm, space, address, 4, Access.read, load) === 4
  if (!isThere && copyFromUser(mm, space, address, new Uint8Array(bytes.buffer)) !== 0) return -EFAULT
  return bytes[0]!
}

function storeWordTogether(mm: FaultEnv, space: AddressSpace, address: number, value: number): boolean {
  const store = (ptr: Ptr) => {
    mm.memory.u32[ptr >>> 2] = value
  }
  return isUserRange(mm, address, 4) && copyTogether(mm, space, address, 4, Access.write, store) === 4
}

/** Where an aligned 64-bit word is, on a machine that no other thread looks at; NULL where it is to be copied, or is not there. */
function ownWord64(mm: FaultEnv, space: AddressSpace, address: number, access: Access): Ptr {
  return (address & 7) === 0 && !mm.memory.shared ? userWord(mm, space, address, access) : NULL
}

/** A 64-bit word at any address, as two halves in `halves[0]` (low) and `halves[1]`. 0 or -EFAULT. */
export function loadUser64(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  halves: Uint32Array<ArrayBuffer>,
): number {
  const ptr = ownWord64(mm, space, address, Access.read)
  if (ptr !== NULL) {
    halves[0] = mm.memory.u32[ptr >>> 2]!
    halves[1] = mm.memory.u32[(ptr >>> 2) + 1]!
    return 0
  }
  return copyFromUser(mm, space, address, new Uint8Array(halves.buffer, halves.byteOffset, 8))
}

/** Stores a 64-bit word from its halves. 0 or -EFAULT. */
export function storeUser64(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  low: number,
  high: number,
): number {
  const ptr = ownWord64(mm, space, address, Access.write)
  if (ptr !== NULL) {
    mm.memory.u32[ptr >>> 2] = low
    mm.memory.u32[(ptr >>> 2) + 1] = high
    noteWritten(mm, ptr)
    return 0
  }
  const halves = Uint32Array.of(low, high)
  return copyToUser(mm, space, address, new Uint8Array(halves.buffer))
}

/** access_ok(): the range lies in the user's part. */
export function isUserRange(mm: FaultEnv, address: number, length: number): boolean {
  return address >= 0 && address + length <= mm.arch.userEnd * PAGE_SIZE
}

/** Where a byte of the program is in the buffer, faulted in if need be; NULL when the program may not access it so. */
function userPtr(mm: FaultEnv, space: AddressSpace, address: number, access: Access): Ptr {
  const vpn = pageOf(address)
  const frame = presentFrame(mm, space, vpn, access)
  if (frame !== NULL) return (frame + (address % PAGE_SIZE)) as Ptr
  const result = faultPatiently(mm, space, vpn, access, faultLocked)
  if (result === FaultResult.userfault) noteAddress(mm, vpn, address)
  if (result !== FaultResult.ok) return NULL
  return (presentFrame(mm, space, vpn, access) + (address % PAGE_SIZE)) as Ptr
}

/** Where in the page that is asked for the access is. */
function noteAddress({ userfaults }: FaultEnv, vpn: Vpn, address: number): void {
  const { missed } = userfaults
  if (missed !== undefined && missed.vpn === vpn) userfaults.missed = { ...missed, address }
}
