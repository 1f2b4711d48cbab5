/**
 * A POSIX message queue (mq_overview(7)): slab cache "mqueue".
 *
 *     0   u32  messages that it may have, bytes that each may have
 *     8   u32  messages in it
 *     12  u32  real user of who made it, whom it is charged to
 *     16  f64  bytes in all messages
 *     24  Ptr  first and last message (queue-messages.ts)
 *     32  Ptr  first and last of the threads that wait for a message (queue-waiters.ts)
 *     40  Ptr  first and last of those that wait for room
 *     48  Ptr  next and previous queue
 *     56  u32  process that is to be notified, 0 = none
 *     60  u32  how: Notify of timer-record.ts
 *     64  u32  the signal, 0 = none
 *     68  u32  how often that process had executed a program
 *     72  u64  value that goes with the signal
 */
import type { Ptr } from '../../../base/numbers.js'
import type { Memory } from '../../../state/memory.js'

export const QUEUE_BYTES = 80
export const QUEUE_LINK = 48

/** What a thread does that waits: heads of the lists. */
export const Role = { receive: 32, send: 40 } as const
export type Role = (typeof Role)[keyof typeof Role]

/** How much the kernel takes for a message beside its bytes, and for each priority in use (struct msg_msg, posix_msg_tree_node). */
const MESSAGE_OVERHEAD = 48
const PRIORITY_OVERHEAD = 48
/** MQ_PRIO_MAX: priorities are below it. */
export const PRIORITIES = 32768

export interface QueueSize {
  readonly messages: number
  readonly messageBytes: number
}

/** What RLIMIT_MSGQUEUE counts for a queue of that size, full with messages of different priorities. */
export function chargeOf({ messages, messageBytes }: QueueSize): number {
  return messages * (messageBytes + MESSAGE_OVERHEAD) + Math.min(messages, PRIORITIES) * PRIORITY_OVERHEAD
}

/** A view on one record. */
export class MessageQueue implements QueueSize {
  readonly #memory: Memory
  readonly ptr: Ptr

  constructor(memory: Memory, ptr: Ptr) {
    this.#memory = memory
    this.ptr = ptr
  }

  #word(offset: number): number {
    return this.#memory.u32[(this.ptr + offset) >>> 2]!
  }
  #setWord(offset: number, value: number): void {
    this.#memory.u32[(this.ptr + offset) >>> 2] = value
  }

  get messages(): number {
    return this.#word(0)
  }
  set messages(most: number) {
    this.#setWord(0, most)
  }

  get messageBytes(): number {
    return this.#word(4)
  }
  set messageBytes(most: number) {
    this.#setWord(4, most)
  }

  get count(): number {
    return this.#word(8)
  }
  set count(messages: number) {
    this.#setWord(8, messages)
  }

  get user(): number {
    return this.#word(12)
  }
  set user(id: number) {
    this.#setWord(12, id)
  }

  get bytes(): number {
    return this.#memory.f64[(this.ptr + 16) >>> 3]!
  }
  set bytes(bytes: number) {
    this.#memory.f64[(this.ptr + 16) >>> 3] = bytes
  }

  get first(): Ptr {
    return this.#word(24) as Ptr
  }
  set first(message: Ptr) {
    this.#setWord(24, message)
  }

  get last(): Ptr {
    return this.#word(28) as Ptr
  }
  set last(message: Ptr) {
    this.#setWord(28, message)
  }

  /** Head of the list of those that wait. */
  waiting(role: Role): Ptr {
    return (this.ptr + role) as Ptr
  }

  get owner(): number {
    return this.#word(56)
  }
  set owner(process: number) {
    this.#setWord(56, process)
  }

  get notify(): number {
    return this.#word(60)
  }
  set notify(kind: number) {
    this.#setWord(60, kind)
  }

  get signal(): number {
    return this.#word(64)
  }
  set signal(signal: number) {
    this.#setWord(64, signal)
  }

  get executions(): number {
    return this.#word(68)
  }
  set executions(count: number) {
    this.#setWord(68, count)
  }

  get valueLow(): number {
    return this.#word(72)
  }
  get valueHigh(): number {
    return this.#word(76)
  }
  setValue(low: number, high: number): void {
    this.#setWord(72, low)
    this.#setWord(76, high)
  }
}
