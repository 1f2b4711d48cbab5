/** Waiting for words of memory, and waking who waits: what the futex calls and the end of a thread have in common. */
import { EINVAL } from '../base/errno.js'
import type { Ptr } from '../base/numbers.js'
import { Access } from '../fault/access.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { type FutexKey, findKey, makeKey } from './futex-keys.js'
import { FutexLocks } from './futex-locks.js'
import { ANY_BIT, FutexTable } from './futex-table.js'
import { FutexRole } from './futex-waiter.js'
import type { Process } from './process.js'
import type { ProcessTable } from './process-table.js'
import { releaseRobustList } from './robust-list.js'
import type { Thread } from './thread.js'
import type { ThreadList } from './thread-list.js'

export class Futexes {
  readonly #mm: MemoryManager
  readonly table: FutexTable
  readonly locks: FutexLocks
  readonly #key = makeKey()

  constructor(mm: MemoryManager, threads: ThreadList, processes: ProcessTable) {
    this.#mm = mm
    this.table = new FutexTable(mm, threads)
    this.locks = new FutexLocks(mm, this.table, threads, processes)
  }

  /** Wakes `most` waiters whose bits meet; how many there were. -EINVAL when one of them waits for a lock. */
  wake(key: FutexKey, most: number, bits: number): number {
    const { table } = this
    let woken = 0
    for (const waiter of table.waiters(key)) {
      if (table.roleOf(waiter) !== FutexRole.waiter) return -EINVAL
      if ((table.bitsOf(waiter) & bits) === 0) continue
      this.#wakeOne(waiter)
      if (++woken >= most) break
    }
    return woken
  }

  #wakeOne(waiter: Ptr): void {
    const thread = this.table.threadOf(waiter)
    this.table.remove(waiter)
    thread.wakeForEvent()
  }

  /** Wakes `wakes` waiters and lets `moves` of the rest wait for another futex; how many it was in all. */
  requeue(from: FutexKey, to: FutexKey, wakes: number, moves: number): number {
    const { table } = this
    const keys = { ...to }
    let count = 0
    for (const waiter of table.waiters(from)) {
      if (table.roleOf(waiter) !== FutexRole.waiter) return -EINVAL
      if (count >= wakes + moves) break
      if (count < wakes) this.#wakeOne(waiter)
      else table.move(waiter, keys)
      count++
    }
    return count
  }

  /** Wakes one that waits for a word by the kernel's doing (a robust lock, clear_child_tid). */
  wakeShared(space: AddressSpace, address: number): void {
    if (findKey(this.#mm, space, address, false, Access.write, this.#key) === 0)
      this.wake(this.#key, 1, ANY_BIT)
  }

  /** A thread ends or gets another program: its locks are given up (futex_exit_release). */
  release(process: Process, thread: Thread): void {
    this.table.leave(thread)
    const head = thread.robustList
    thread.robustList = 0
    if (head !== 0)
      releaseRobustList(this.#mm, process.space, head, process.namespace.numberOf(thread.id), this)
    this.locks.release(thread)
  }

  check(): void {
    this.table.check()
  }
}
