/**
 * What a thread waits for of the readers of userfaultfd(2), and the call in the middle of which it does: a part of its record, from
 * THREAD_USERFAULT on.
 *
 *     0    its own message, of a page or of a removal (space/userfault-message.ts)
 *     56   Ptr message that it waits with, NULL = none
 *     60   u32 flags (CallFlag); the fields below mean something while `there` is set
 *     64   f64 what the call returns in the end
 *     72   f64 first page of the removal that is told, or has been, and that is to be done next; -1 = none
 *     80   f64 deadline of a wait that the handler of the call knows of
 *     88   list { first, last } of changes that are still to be told (messages)
 *     96   list of what is still to be stored for the program (PendingStores)
 *     104  Ptr thread of the child that starts when the call is through, NULL = none
 */
import { NULL, type Ptr } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { RecordView } from '../state/record-view.js'
import { THREAD_USERFAULT } from './thread-record.js'

const WAITER = 56
const FLAGS = 60
const RESULT = 64
const REMOVAL = 72
const DEADLINE = 80
const CHANGES = 88
const STORES = 96
const CHILD = 104
const END = 112

const CallFlag = {
  there: 1,
  /** The thread waits for the reader, parked in a way that its handler does not know of. */
  parked: 2,
  wasResumed: 4,
  /** It has been made, and is not made again. */
  hasResult: 8,
} as const

/** A thread's own message. */
export const ownMessage = (thread: Ptr) => (thread + THREAD_USERFAULT) as Ptr

/** How many threads are in the middle of a call. */
export function callsWaiting({ u32 }: Memory): number {
  return u32[wordIndex(Word.userfaultCalls)]!
}

/** A view on the record of a thread. */
export class UserfaultCall extends RecordView {
  constructor(memory: Memory, thread: Ptr) {
    super(memory, ownMessage(thread))
  }

  #has(flag: number): boolean {
    return (this.u32(FLAGS) & flag) !== 0
  }

  #set(flag: number, isSet: boolean): void {
    this.setU32(FLAGS, isSet ? this.u32(FLAGS) | flag : this.u32(FLAGS) & ~flag)
  }

  get waiter(): Ptr {
    return this.u32(WAITER) as Ptr
  }
  set waiter(message: Ptr) {
    this.setU32(WAITER, message)
  }

  get isThere(): boolean {
    return this.#has(CallFlag.there)
  }

  /** The call is one that waits; nothing when it is one already. */
  begin(): void {
    if (this.isThere) return
    this.words.fill(0, (this.ptr + FLAGS) >>> 2, (this.ptr + END) >>> 2)
    this.setU32(FLAGS, CallFlag.there)
    this.setF64(REMOVAL, -1)
    this.words[wordIndex(Word.userfaultCalls)]!++
  }

  /** It is through, and its lists are empty. */
  end(): void {
    if (!this.isThere) return
    this.setU32(FLAGS, 0)
    this.words[wordIndex(Word.userfaultCalls)]!--
  }

  get isParked(): boolean {
    return this.#has(CallFlag.there) && this.#has(CallFlag.parked)
  }

  /** What its handler knows of its own waits, kept meanwhile. */
  park(wasResumed: boolean, deadline: number): void {
    this.begin()
    this.#set(CallFlag.parked, true)
    this.#set(CallFlag.wasResumed, wasResumed)
    this.setF64(DEADLINE, deadline)
  }

  unpark(): void {
    this.#set(CallFlag.parked, false)
  }

  get wasResumed(): boolean {
    return this.#has(CallFlag.wasResumed)
  }

  get deadline(): number {
    return this.f64(DEADLINE)
  }

  /** Undefined: it is made again. */
  get result(): number | undefined {
    return this.#has(CallFlag.hasResult) ? this.f64(RESULT) : undefined
  }
  set result(result: number | undefined) {
    this.#set(CallFlag.hasResult, result !== undefined)
    if (result !== undefined) this.setF64(RESULT, result)
  }

  get removal(): number {
    return this.isThere ? this.f64(REMOVAL) : -1
  }
  set removal(page: number) {
    this.setF64(REMOVAL, page)
  }

  get child(): Ptr {
    return this.isThere ? (this.u32(CHILD) as Ptr) : NULL
  }
  set child(thread: Ptr) {
    this.setU32(CHILD, thread)
  }

  get changes(): Ptr {
    return (this.ptr + CHANGES) as Ptr
  }

  get stores(): Ptr {
    return (this.ptr + STORES) as Ptr
  }
}
