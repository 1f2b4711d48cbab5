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
import { RecordView } from '../../../state/record-view.js'

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
export class MessageQueue extends RecordView implements QueueSize {
  get messages(): number {
    return this.u32(0)
  }
  set messages(most: number) {
    this.setU32(0, most)
  }

  get messageBytes(): number {
    return this.u32(4)
  }
  set messageBytes(most: number) {
    this.setU32(4, most)
  }

  get count(): number {
    return this.u32(8)
  }
  set count(messages: number) {
    this.setU32(8, messages)
  }

  get user(): number {
    return this.u32(12)
  }
  set user(id: number) {
    this.setU32(12, id)
  }

  get bytes(): number {
    return this.f64(16)
  }
  set bytes(bytes: number) {
    this.setF64(16, bytes)
  }

  get first(): Ptr {
    return this.u32(24) as Ptr
  }
  set first(message: Ptr) {
    this.setU32(24, message)
  }

  get last(): Ptr {
    return this.u32(28) as Ptr
  }
  set last(message: Ptr) {
    this.setU32(28, message)
  }

  /** Head of the list of those that wait. */
  waiting(role: Role): Ptr {
    return (this.ptr + role) as Ptr
  }

  get owner(): number {
    return this.u32(56)
  }
  set owner(process: number) {
    this.setU32(56, process)
  }

  get notify(): number {
    return this.u32(60)
  }
  set notify(kind: number) {
    this.setU32(60, kind)
  }

  get signal(): number {
    return this.u32(64)
  }
  set signal(signal: number) {
    this.setU32(64, signal)
  }

  get executions(): number {
    return this.u32(68)
  }
  set executions(count: number) {
    this.setU32(68, count)
  }

  get valueLow(): number {
    return this.u32(72)
  }
  get valueHigh(): number {
    return this.u32(76)
  }
  setValue(low: number, high: number): void {
    this.setU32(72, low)
    this.setU32(76, high)
  }
}
