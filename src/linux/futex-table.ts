/**
 * Threads that wait for futexes: lists of thread records by the hash of what they wait for, with heads in the header. Who
 * came first is woken first.
 *
 *     in a thread's record, at FUTEX_KEY:   0 u32 kind   4 u32 id   8 f64 offset   16 u32 bit set   20 u32 role
 */
import { assert } from '../base/assert.js'
import type { Ptr } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { type FutexKey, isSameKey, makeKey } from './futex-keys.js'
import { RecordLists } from './record-lists.js'
import { FUTEX_KEY, FUTEX_LINK, type Thread, ThreadFlag } from './thread.js'
import type { ThreadList } from './thread-list.js'

const BUCKETS = 128
const BUCKET_BYTES = 8
const FIRST_BUCKET = wordIndex(Word.futexBuckets) * 4
const LOCK_WAITERS = wordIndex(Word.lockWaiters)

/** FUTEX_BITSET_MATCH_ANY. */
export const ANY_BIT = 0xffff_ffff

/** What a thread waits as. */
export const FutexRole = {
  /** For a wake-up: FUTEX_WAIT. */
  waiter: 0,
  /** For a lock with priority inheritance: FUTEX_LOCK_PI. */
  lock: 1,
  /** For a wake-up that comes with such a lock: FUTEX_WAIT_REQUEUE_PI. */
  requeue: 2,
} as const
export type FutexRole = (typeof FutexRole)[keyof typeof FutexRole]

export class FutexTable {
  readonly #memory: Memory
  readonly #threads: ThreadList
  readonly #lists: RecordLists
  readonly #key = makeKey()

  constructor(memory: Memory, threads: ThreadList) {
    this.#memory = memory
    this.#threads = threads
    this.#lists = new RecordLists(memory, FUTEX_LINK)
  }

  /** The thread waits, after all others of the key. */
  enter(thread: Thread, key: FutexKey, bits: number, role: FutexRole): void {
    assert(!thread.hasFlag(ThreadFlag.onFutex), 'a thread waits for one futex')
    this.#writeKey(thread, key)
    const { u32 } = this.#memory
    u32[(thread.ptr + FUTEX_KEY + 16) >>> 2] = bits
    u32[(thread.ptr + FUTEX_KEY + 20) >>> 2] = role
    if (role === FutexRole.lock) u32[LOCK_WAITERS]!++
    this.#lists.append(bucketOf(key), thread.ptr)
    thread.flags |= ThreadFlag.onFutex
  }

  /** It waits no more; nothing when it did not. */
  leave(thread: Thread): void {
    if (!thread.hasFlag(ThreadFlag.onFutex)) return
    this.#lists.remove(bucketOf(this.keyOf(thread)), thread.ptr)
    if (this.roleOf(thread) === FutexRole.lock) this.#memory.u32[LOCK_WAITERS]!--
    thread.flags &= ~ThreadFlag.onFutex
  }

  /** Those that wait for a key, the first to come first. The one that was given may leave. */
  *waiters(key: FutexKey): Generator<Thread> {
    for (const record of this.#lists.of(bucketOf(key))) {
      const thread = this.#threads.at(record)
      if (isSameKey(this.keyOf(thread), key)) yield thread
    }
  }

  first(key: FutexKey): Thread | undefined {
    for (const thread of this.waiters(key)) return thread
    return undefined
  }

  /** Those that wait for locks with priority inheritance, whichever. */
  *lockWaiters(): Generator<Thread> {
    if (this.#memory.u32[LOCK_WAITERS] === 0) return
    for (const thread of this.#threads) {
      if (thread.hasFlag(ThreadFlag.onFutex) && this.roleOf(thread) === FutexRole.lock) yield thread
    }
  }

  roleOf(thread: Thread): FutexRole {
    return this.#memory.u32[(thread.ptr + FUTEX_KEY + 20) >>> 2]! as FutexRole
  }

  bitsOf(thread: Thread): number {
    return this.#memory.u32[(thread.ptr + FUTEX_KEY + 16) >>> 2]!
  }

  /** What a thread waits for; good until the next question. */
  keyOf(thread: Thread): FutexKey {
    const at = thread.ptr + FUTEX_KEY
    this.#key.kind = this.#memory.u32[at >>> 2]!
    this.#key.id = this.#memory.u32[(at + 4) >>> 2]!
    this.#key.offset = this.#memory.f64[(at + 8) >>> 3]!
    return this.#key
  }

  #writeKey(thread: Thread, key: FutexKey): void {
    const at = thread.ptr + FUTEX_KEY
    this.#memory.u32[at >>> 2] = key.kind
    this.#memory.u32[(at + 4) >>> 2] = key.id
    this.#memory.f64[(at + 8) >>> 3] = key.offset
  }

  /** Asserts that every list holds those that wait for its keys, and nobody else waits. */
  check(): void {
    let listed = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (const record of this.#lists.of(bucketAt(bucket))) {
        const thread = this.#threads.at(record)
        assert(thread.hasFlag(ThreadFlag.onFutex), 'who is in a list of waiters knows it')
        assert(bucketOf(this.keyOf(thread)) === bucketAt(bucket), 'a waiter is in the list of its key')
        listed++
      }
    }
    let waiting = 0
    for (const thread of this.#threads) if (thread.hasFlag(ThreadFlag.onFutex)) waiting++
    assert(listed === waiting, 'every waiter is in a list')
  }
}

const bucketAt = (bucket: number) => (FIRST_BUCKET + bucket * BUCKET_BYTES) as Ptr

function bucketOf({ kind, id, offset }: FutexKey): Ptr {
  const hash = Math.imul((offset >>> 2) ^ (id << 16) ^ kind, 0x9e37_79b1)
  return bucketAt(hash >>> 25)
}
