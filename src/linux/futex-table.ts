/**
 * Who waits for futexes: lists of FutexWaiter by the hash of what they wait for, with heads in the header. Who came first is woken
 * first. A thread's record has one, at FUTEX_LINK; a vector of futex_waitv(2), to which FUTEX_VECTOR leads, has several:
 *
 *     0   u32 count   8   FUTEX_WAITER_BYTES each
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { type FutexKey, isSameKey, makeKey } from './futex-keys.js'
import { FUTEX_WAITER_BYTES, FutexRole, FutexWaiter } from './futex-waiter.js'
import { RecordLists } from './record-lists.js'
import type { Thread } from './thread.js'
import type { ThreadList } from './thread-list.js'
import { FUTEX_LINK, FUTEX_VECTOR, ThreadFlag } from './thread-record.js'

const BUCKETS = 128
const BUCKET_BYTES = 8
const FIRST_BUCKET = wordIndex(Word.futexBuckets) * 4
const LOCK_WAITERS = wordIndex(Word.lockWaiters)
const VECTOR_HEAD = 8

/** FUTEX_BITSET_MATCH_ANY. */
export const ANY_BIT = 0xffff_ffff

export class FutexTable {
  readonly #memory: Memory
  readonly #heap: MemoryManager['heap']
  readonly #threads: ThreadList
  readonly #lists: RecordLists
  readonly #key = makeKey()
  readonly #waiter: FutexWaiter

  constructor({ memory, heap }: Pick<MemoryManager, 'memory' | 'heap'>, threads: ThreadList) {
    this.#memory = memory
    this.#heap = heap
    this.#threads = threads
    this.#lists = new RecordLists(memory, 0)
    this.#waiter = new FutexWaiter(memory, NULL)
  }

  /** The thread waits, after all others of the key. */
  enter(thread: Thread, key: FutexKey, bits: number, role: FutexRole): void {
    assert(!thread.hasFlag(ThreadFlag.onFutex), 'a thread waits for one futex')
    this.#append(ownWaiter(thread), thread.ptr, key, bits, role)
    thread.flags |= ThreadFlag.onFutex
  }

  #append(waiter: Ptr, thread: Ptr, key: FutexKey, bits: number, role: FutexRole): void {
    this.#waiter.at(waiter).begin(thread, key, bits, role)
    if (role === FutexRole.lock) this.#memory.u32[LOCK_WAITERS]!++
    this.#lists.append(bucketOf(key), waiter)
  }

  /** The thread waits for several at once; false without memory. `finishVector` must follow. */
  enterVector(thread: Thread, keys: readonly FutexKey[]): boolean {
    const vector = this.#heap.allocate(VECTOR_HEAD + keys.length * FUTEX_WAITER_BYTES)
    if (vector === NULL) return false
    this.#memory.u32[vector >>> 2] = keys.length
    for (const [i, key] of keys.entries())
      this.#append(waiterAt(vector, i), thread.ptr, key, ANY_BIT, FutexRole.waiter)
    this.#setVector(thread, vector)
    return true
  }

  /** It waits for them no more: the last of them that was woken, -1 when none was. */
  finishVector(thread: Thread): number {
    const vector = this.#vectorOf(thread)
    if (vector === NULL) return -1
    let woken = -1
    for (let i = 0; i < this.#memory.u32[vector >>> 2]!; i++) {
      const waiter = waiterAt(vector, i)
      if (this.#waiter.at(waiter).isWaiting) this.#remove(waiter)
      else woken = i
    }
    this.#setVector(thread, NULL)
    this.#heap.free(vector)
    return woken
  }

  /** It waits no more; nothing when it did not. */
  leave(thread: Thread): void {
    this.finishVector(thread)
    if (thread.hasFlag(ThreadFlag.onFutex)) this.remove(ownWaiter(thread))
  }

  /** A waiter leaves its list: it was woken. */
  remove(waiter: Ptr): void {
    const thread = this.threadOf(waiter)
    this.#remove(waiter)
    if (waiter === ownWaiter(thread)) thread.flags &= ~ThreadFlag.onFutex
  }

  #remove(waiter: Ptr): void {
    const view = this.#waiter.at(waiter)
    this.#lists.remove(bucketOf(view.readKey(this.#key)), waiter)
    if (view.role === FutexRole.lock) this.#memory.u32[LOCK_WAITERS]!--
    view.end()
  }

  /** A waiter waits for another key instead. */
  move(waiter: Ptr, key: FutexKey): void {
    const { thread, bits, role } = this.#waiter.at(waiter)
    this.#remove(waiter)
    this.#append(waiter, thread, key, bits, role)
  }

  /** Those that wait for a key, the first to come first. The one that was given may leave. */
  *waiters(key: FutexKey): Generator<Ptr> {
    for (const waiter of this.#lists.of(bucketOf(key)))
      if (isSameKey(this.#waiter.at(waiter).readKey(this.#key), key)) yield waiter
  }

  /** NULL for none. */
  first(key: FutexKey): Ptr {
    for (const waiter of this.waiters(key)) return waiter
    return NULL
  }

  /** Threads that wait for locks with priority inheritance, whichever. */
  *lockWaiters(): Generator<Thread> {
    if (this.#memory.u32[LOCK_WAITERS] === 0) return
    for (const thread of this.#threads) {
      if (thread.hasFlag(ThreadFlag.onFutex) && this.roleOf(ownWaiter(thread)) === FutexRole.lock)
        yield thread
    }
  }

  threadOf(waiter: Ptr): Thread {
    return this.#threads.at(this.#waiter.at(waiter).thread)
  }

  roleOf(waiter: Ptr): FutexRole {
    return this.#waiter.at(waiter).role
  }

  bitsOf(waiter: Ptr): number {
    return this.#waiter.at(waiter).bits
  }

  /** What a thread waits for, and as what, or did last; the key is good until the next question. */
  keyOf(thread: Thread): FutexKey {
    return this.#waiter.at(ownWaiter(thread)).readKey(this.#key)
  }

  roleOfThread(thread: Thread): FutexRole {
    return this.roleOf(ownWaiter(thread))
  }

  #vectorOf(thread: Thread): Ptr {
    return this.#memory.u32[(thread.ptr + FUTEX_VECTOR) >>> 2]! as Ptr
  }

  #setVector(thread: Thread, vector: Ptr): void {
    this.#memory.u32[(thread.ptr + FUTEX_VECTOR) >>> 2] = vector
  }

  /** Asserts that every list holds those that wait for its keys, and nobody else waits. */
  check(): void {
    let listed = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (const waiter of this.#lists.of(bucketAt(bucket))) {
        const key = this.#waiter.at(waiter).readKey(this.#key)
        assert(bucketOf(key) === bucketAt(bucket), 'a waiter is in the list of its key')
        listed++
      }
    }
    let waiting = 0
    for (const thread of this.#threads) waiting += this.#waitersOf(thread)
    assert(listed === waiting, 'every waiter is in a list')
  }

  #waitersOf(thread: Thread): number {
    const vector = this.#vectorOf(thread)
    let waiting = thread.hasFlag(ThreadFlag.onFutex) ? 1 : 0
    for (let i = 0; vector !== NULL && i < this.#memory.u32[vector >>> 2]!; i++)
      if (this.#waiter.at(waiterAt(vector, i)).isWaiting) waiting++
    return waiting
  }
}

const ownWaiter = (thread: Thread) => (thread.ptr + FUTEX_LINK) as Ptr
const waiterAt = (vector: Ptr, i: number) => (vector + VECTOR_HEAD + i * FUTEX_WAITER_BYTES) as Ptr
const bucketAt = (bucket: number) => (FIRST_BUCKET + bucket * BUCKET_BYTES) as Ptr

function bucketOf({ kind, id, offset }: FutexKey): Ptr {
  const hash = Math.imul((offset >>> 2) ^ (id << 16) ^ kind, 0x9e37_79b1)
  return bucketAt(hash >>> 25)
}
