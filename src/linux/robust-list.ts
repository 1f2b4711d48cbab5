/**
 * The list of robust locks that a thread keeps in its own memory (Documentation/locking/robust-futex-ABI.rst): when it ends,
 * those that it holds are marked, and one waiter of each is woken.
 */
import { loadUser32, loadUser64, storeUser32 } from '../fault/user-copy.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'

export const FUTEX_WAITERS = 0x8000_0000
export const FUTEX_OWNER_DIED = 0x4000_0000
export const FUTEX_OWNER = 0x3fff_ffff
/** ROBUST_LIST_LIMIT: a list may be damaged, or a circle. */
const LOCKS_MAX = 2048
/** Bit of a pointer in the list: the lock has priority inheritance. */
const WITH_INHERITANCE = 1

interface Waker {
  wakeShared(space: AddressSpace, address: number): void
}

/** A word of 64 bits, signed when it is an offset; undefined when it cannot be read. */
function load(mm: MemoryManager, space: AddressSpace, address: number): number | undefined {
  const halves = new Uint32Array(2)
  if (loadUser64(mm, space, address, halves) < 0) return undefined
  return (halves[1]! | 0) * 0x1_0000_0000 + halves[0]!
}

/** The head: first entry, offset from an entry to its lock, the entry that is being taken or given up. */
export function releaseRobustList(
  mm: MemoryManager,
  space: AddressSpace,
  head: number,
  threadId: number,
  waker: Waker,
): void {
  const first = load(mm, space, head)
  const offset = load(mm, space, head + 8)
  const pending = load(mm, space, head + 16)
  if (first === undefined || offset === undefined || pending === undefined) return
  const release = (entry: number, isPending: boolean) =>
    releaseLock(mm, space, entry, offset, isPending, threadId, waker)
  let entry = first
  for (let locks = 0; locks < LOCKS_MAX && bare(entry) !== head; locks++) {
    const next = load(mm, space, bare(entry))
    if (bare(entry) !== bare(pending) && !release(entry, false)) return
    if (next === undefined) return
    entry = next
  }
  if (bare(pending) !== 0) release(pending, true)
}

const bare = (entry: number) => entry - (Math.abs(entry) % 2)

/** handle_futex_death; false when the rest of the list cannot be trusted. */
function releaseLock(
  mm: MemoryManager,
  space: AddressSpace,
  entry: number,
  offset: number,
  isPending: boolean,
  threadId: number,
  waker: Waker,
): boolean {
  const address = bare(entry) + offset
  if (address % 4 !== 0) return false
  const value = loadUser32(mm, space, address)
  if (value < 0) return false
  const hasInheritance = entry % 2 === WITH_INHERITANCE
  if (isPending && !hasInheritance && value === 0) waker.wakeShared(space, address)
  if ((value & FUTEX_OWNER) !== threadId) return true
  const isWaitedFor = (value & FUTEX_WAITERS) !== 0
  const left = ((value & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0
  if (storeUser32(mm, space, address, left) < 0) return false
  if (!hasInheritance && isWaitedFor) waker.wakeShared(space, address)
  return true
}
