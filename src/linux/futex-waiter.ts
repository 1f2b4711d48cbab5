/**
 * Somebody who waits for a futex: a part of a thread's record, or one of several in a vector of futex_waitv(2).
 *
 *     0   links { next, previous } of the list of its hash      16  f64 offset
 *     8   u32 kind; none while it is in no list                 24  u32 bit set       28  u32 role
 *     12  u32 id                                                32  Ptr thread
 */
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { type FutexKey, KeyKind } from './futex-keys.js'

export const FUTEX_WAITER_BYTES = 40

const KIND = 2
const ID = 3
const OFFSET = 16
const BITS = 6
const ROLE = 7
const THREAD = 8

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

/** A view, moved from one to the next. */
export class FutexWaiter {
  ptr: Ptr
  readonly #memory: Memory

  constructor(memory: Memory, ptr: Ptr) {
    this.#memory = memory
    this.ptr = ptr
  }

  at(ptr: Ptr): this {
    this.ptr = ptr
    return this
  }

  #u32(word: number): number {
    return this.#memory.u32[(this.ptr >>> 2) + word]!
  }

  begin(thread: Ptr, { kind, id, offset }: FutexKey, bits: number, role: FutexRole): void {
    const { u32, f64 } = this.#memory
    const word = this.ptr >>> 2
    u32[word + KIND] = kind
    u32[word + ID] = id
    f64[(this.ptr + OFFSET) >>> 3] = offset
    u32[word + BITS] = bits
    u32[word + ROLE] = role
    u32[word + THREAD] = thread
  }

  /** It is in no list any more. */
  end(): void {
    this.#memory.u32[(this.ptr >>> 2) + KIND] = KeyKind.none
  }

  get isWaiting(): boolean {
    return this.#u32(KIND) !== KeyKind.none
  }

  /** The record of the thread. */
  get thread(): Ptr {
    return this.#u32(THREAD) as Ptr
  }

  get bits(): number {
    return this.#u32(BITS)
  }

  get role(): FutexRole {
    return this.#u32(ROLE) as FutexRole
  }

  /** Fills `key` with what is waited for. */
  readKey(key: FutexKey): FutexKey {
    key.kind = this.#u32(KIND)
    key.id = this.#u32(ID)
    key.offset = this.#memory.f64[(this.ptr + OFFSET) >>> 3]!
    return key
  }
}
