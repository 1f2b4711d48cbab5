/**
 * Locks with priority inheritance (FUTEX_LOCK_PI and its kin): the word holds the number of the owner's thread, and the
 * kernel hands the lock over to the next that waits. Threads take turns whatever their priority, so there is nothing
 * to inherit.
 */
import { EAGAIN, EDEADLK, EFAULT, EINVAL, EPERM, ESRCH } from '../base/errno.js'
import { NULL, type Ptr } from '../base/numbers.js'
import { Access } from '../fault/access.js'
import { loadUser32, userWord } from '../fault/user-copy.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { type FutexKey, isSameKey } from './futex-keys.js'
import { ANY_BIT, type FutexTable } from './futex-table.js'
import { FutexRole } from './futex-waiter.js'
import type { ProcessTable } from './process-table.js'
import { FUTEX_OWNER, FUTEX_OWNER_DIED, FUTEX_WAITERS } from './robust-list.js'
import { type Thread, ThreadState } from './thread.js'
import type { ThreadList } from './thread-list.js'

/** A futex word of a lock: where it is, and what it is known by. */
export interface Lock {
  readonly space: AddressSpace
  readonly address: number
  readonly key: FutexKey
}

/** What `take` answers when somebody else has the lock. */
export const LOCK_IS_HELD = 1

export class FutexLocks {
  readonly #mm: MemoryManager
  readonly #table: FutexTable
  readonly #threads: ThreadList
  readonly #processes: ProcessTable

  constructor(mm: MemoryManager, table: FutexTable, threads: ThreadList, processes: ProcessTable) {
    this.#mm = mm
    this.#table = table
    this.#threads = threads
    this.#processes = processes
  }

  /**
   * Takes a free lock for a thread: 0; LOCK_IS_HELD, and the word says that somebody waits unless it is only tried; -EDEADLK when the
   * thread has it already, -ESRCH when its owner is no thread any more, -EINVAL when plain waiters wait for the word, -EFAULT.
   */
  take(lock: Lock, thread: Thread, isTrying = false): number {
    const word = this.#wordOf(lock)
    if (word === NULL) return -EFAULT
    const { u32 } = this.#mm.memory
    const value = u32[word >>> 2]!
    const owner = value & FUTEX_OWNER
    if (owner === this.#numberOf(thread)) return -EDEADLK
    const waiter = this.#table.first(lock.key)
    if (waiter !== NULL && this.#table.roleOf(waiter) !== FutexRole.lock) return -EINVAL
    if (owner === 0 && waiter === NULL) {
      u32[word >>> 2] = ((value & FUTEX_OWNER_DIED) | this.#numberOf(thread)) >>> 0
      return 0
    }
    if (owner !== 0 && !this.#isAlive(thread, owner)) return -ESRCH
    if (!isTrying) u32[word >>> 2] = (value | FUTEX_WAITERS) >>> 0
    return LOCK_IS_HELD
  }

  /** Owners are written down as the namespace of who takes the lock calls them. */
  #numberOf(thread: Thread): number {
    return this.#processes.of(thread).namespace.numberOf(thread.id)
  }

  #isAlive(asker: Thread, owner: number): boolean {
    const thread = this.#threads.byId(this.#processes.of(asker).namespace.idOf(owner))
    return thread !== undefined && thread.state !== ThreadState.exited
  }

  /** The thread waits in line for a lock that is held. */
  wait(lock: Lock, thread: Thread): void {
    this.#table.enter(thread, lock.key, ANY_BIT, FutexRole.lock)
  }

  /** Hands a lock over to the next in line, or leaves it free: 0, -EPERM when the thread does not have it, -EFAULT. */
  unlock(lock: Lock, thread: Thread): number {
    const word = this.#wordOf(lock)
    if (word === NULL) return -EFAULT
    if ((this.#mm.memory.u32[word >>> 2]! & FUTEX_OWNER) !== this.#numberOf(thread)) return -EPERM
    const next = this.#table.first(lock.key)
    if (next !== NULL && this.#table.roleOf(next) !== FutexRole.lock) return -EINVAL
    this.#handOver(word, next, 0)
    return 0
  }

  #handOver(word: Ptr, waiter: Ptr, left: number): void {
    const { u32 } = this.#mm.memory
    const next = waiter === NULL ? undefined : this.#table.threadOf(waiter)
    u32[word >>> 2] = next === undefined ? left : (this.#numberOf(next) | FUTEX_WAITERS | left) >>> 0
    if (next === undefined) return
    this.#table.remove(waiter)
    next.wakeForEvent()
  }

  /** A thread ends: locks that it still has, and others wait for, go to the next in line. */
  release(thread: Thread): void {
    const done: FutexKey[] = []
    for (const waiter of this.#table.lockWaiters()) {
      const key = { ...this.#table.keyOf(waiter) }
      if (done.some((other) => isSameKey(other, key))) continue
      done.push(key)
      const word = this.#heldWord(waiter, thread)
      if (word !== NULL) this.#handOver(word, this.#table.first(key), FUTEX_OWNER_DIED)
    }
  }

  /** The word that a thread waits for when its owner is the one given, or has just been given up by it; else NULL. */
  #heldWord(waiter: Thread, owner: Thread): Ptr {
    const { space } = this.#processes.of(waiter)
    const word = userWord(this.#mm, space, waiter.waitArgument, Access.write)
    if (word === NULL) return NULL
    const value = this.#mm.memory.u32[word >>> 2]!
    const isGivenUp = (value & FUTEX_OWNER) === 0 && (value & FUTEX_OWNER_DIED) !== 0
    return (value & FUTEX_OWNER) === this.#numberOf(owner) || isGivenUp ? word : NULL
  }

  /**
   * FUTEX_CMP_REQUEUE_PI: the first that waits gets the lock if it is free, the others stand in line for it; how many they
   * were, or -EAGAIN when the word is not what the caller believes.
   */
  requeue(from: Lock, to: Lock, moves: number, expected: number): number {
    if (isSameKey(from.key, to.key)) return -EINVAL
    const value = loadUser32(this.#mm, from.space, from.address)
    if (value < 0) return -EFAULT
    if (value !== expected) return -EAGAIN
    let count = 0
    for (const waiter of this.#table.waiters(from.key)) {
      if (count > moves) break
      if (this.#table.roleOf(waiter) !== FutexRole.requeue) return -EINVAL
      const thread = this.#table.threadOf(waiter)
      const result = this.take(to, thread)
      if (result < 0) return count === 0 ? result : count
      this.#table.remove(waiter)
      if (result === LOCK_IS_HELD) this.wait(to, thread)
      else thread.wakeForEvent()
      count++
    }
    return count
  }

  #wordOf(lock: Lock): Ptr {
    return userWord(this.#mm, lock.space, lock.address, Access.write)
  }
}
