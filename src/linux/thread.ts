/**
 * A thread's record, in the slab cache "thread", and the view on it.
 *
 *     0     saved registers, as the hart keeps them (HART_CONTEXT_BYTES)
 *     704   the fields below
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { PROCESS_PENDING } from './process.js'
import { ERESTARTSYS, PARKED, type WaitKind } from './wait.js'

/** Room for the hart's context at the start of the record. */
export const THREAD_CONTEXT_MAX = 704
export const THREAD_BYTES = 896

export const ThreadState = {
  /** Runs, or may run. */
  ready: 1,
  /** Waits as its wait fields say. */
  parked: 2,
  exited: 3,
} as const
export type ThreadState = (typeof ThreadState)[keyof typeof ThreadState]

/** Bits of `flags`. */
export const ThreadFlag = {
  /** The call that runs has parked before: it is a second run. */
  resumed: 1,
  /** `savedMask` is to be put back when the next signal was delivered, or none was (sigsuspend, ppoll). */
  restoreMask: 2,
  /** The event waited for has come (and not just the deadline, or a signal). */
  woken: 4,
} as const

const ID = 704
const STATE = 708
const FLAGS = 712
const NEXT = 716
const PROCESS = 720
const RESTART = 724
const WAIT_KIND = 728
const WAIT_ARGUMENT = 736
const WAIT_DEADLINE = 744
export const THREAD_BLOCKED = 752
export const THREAD_PENDING = 760
export const THREAD_SAVED_MASK = 768
const QUEUE = 776
const ALT_FLAGS = 780
const ALT_BASE = 784
const ALT_SIZE = 792
const CLEAR_CHILD_TID = 800

/** A view; `at` moves it to another record. */
export class Thread {
  readonly #memory: Memory
  ptr: Ptr

  constructor(memory: Memory, ptr: Ptr = NULL) {
    this.#memory = memory
    this.ptr = ptr
  }

  at(ptr: Ptr): this {
    this.ptr = ptr
    return this
  }

  #u32(offset: number): number {
    return this.#memory.u32[(this.ptr + offset) >>> 2]!
  }

  #setU32(offset: number, value: number): void {
    this.#memory.u32[(this.ptr + offset) >>> 2] = value
  }

  #f64(offset: number): number {
    return this.#memory.f64[(this.ptr + offset) >>> 3]!
  }

  #setF64(offset: number, value: number): void {
    this.#memory.f64[(this.ptr + offset) >>> 3] = value
  }

  /** gettid(2). */
  get id(): number {
    return this.#u32(ID)
  }
  set id(value: number) {
    this.#setU32(ID, value)
  }

  get state(): ThreadState {
    return this.#u32(STATE) as ThreadState
  }
  set state(value: ThreadState) {
    this.#setU32(STATE, value)
  }

  get flags(): number {
    return this.#u32(FLAGS)
  }
  set flags(value: number) {
    this.#setU32(FLAGS, value)
  }

  /** Next record in the list of all threads, NULL at the end. */
  get next(): Ptr {
    return this.#u32(NEXT) as Ptr
  }
  set next(value: Ptr) {
    this.#setU32(NEXT, value)
  }

  /** Record of the process that it belongs to. */
  get process(): Ptr {
    return this.#u32(PROCESS) as Ptr
  }
  set process(value: Ptr) {
    this.#setU32(PROCESS, value)
  }

  /** Why the call that has just ended may have to run again: an ERESTART code, 0 = no. */
  get restart(): number {
    return this.#u32(RESTART)
  }
  set restart(value: number) {
    this.#setU32(RESTART, value)
  }

  get waitKind(): WaitKind {
    return this.#u32(WAIT_KIND) as WaitKind
  }

  get waitArgument(): number {
    return this.#f64(WAIT_ARGUMENT)
  }

  /** Nanoseconds of the machine's monotonic clock; Infinity = none. */
  get deadline(): number {
    return this.isResumed ? this.#f64(WAIT_DEADLINE) : Number.POSITIVE_INFINITY
  }

  /** The deadline of a thread that is parked, whoever asks. */
  get wakeTime(): number {
    return this.#f64(WAIT_DEADLINE)
  }

  /** Whether the call has parked before and now runs again. */
  get isResumed(): boolean {
    return (this.flags & ThreadFlag.resumed) !== 0
  }

  /**
   * Waits for an event or a moment. Returns what the handler returns: PARKED, or -ERESTARTSYS without parking when a signal
   * waits to be delivered.
   */
  park(kind: WaitKind, argument: number, deadline = Number.POSITIVE_INFINITY): number {
    this.#setU32(WAIT_KIND, kind)
    this.#setF64(WAIT_ARGUMENT, argument)
    this.#setF64(WAIT_DEADLINE, deadline)
    this.flags = (this.flags | ThreadFlag.resumed) & ~ThreadFlag.woken
    if (this.hasSignal) return -ERESTARTSYS
    this.state = ThreadState.parked
    return PARKED
  }

  /** Lets a parked thread run its call again, because its time has come or a signal has. */
  wake(): void {
    if (this.state === ThreadState.parked) this.state = ThreadState.ready
  }

  /** Lets a parked thread run its call again, because what it waits for has come. */
  wakeForEvent(): void {
    this.flags |= ThreadFlag.woken
    this.wake()
  }

  get wasWoken(): boolean {
    return (this.flags & ThreadFlag.woken) !== 0
  }

  /** The call is through: the next one starts fresh. */
  endCall(): void {
    this.#setU32(WAIT_KIND, 0)
    this.flags &= ~(ThreadFlag.resumed | ThreadFlag.woken)
  }

  /** Whether a signal that is not blocked is pending for this thread or its process. */
  get hasSignal(): boolean {
    const { u32 } = this.#memory
    const mine = (this.ptr + THREAD_PENDING) >>> 2
    const shared = (this.process + PROCESS_PENDING) >>> 2
    const blocked = (this.ptr + THREAD_BLOCKED) >>> 2
    if (((u32[mine]! | u32[shared]!) & ~u32[blocked]!) !== 0) return true
    return ((u32[mine + 1]! | u32[shared + 1]!) & ~u32[blocked + 1]!) !== 0
  }

  /** First queued signal record, oldest first. */
  get queue(): Ptr {
    return this.#u32(QUEUE) as Ptr
  }
  set queue(value: Ptr) {
    this.#setU32(QUEUE, value)
  }

  /** sigaltstack(2): SS_DISABLE 2, SS_AUTODISARM 2^31; the base and size in bytes. */
  get altFlags(): number {
    return this.#u32(ALT_FLAGS)
  }
  set altFlags(value: number) {
    this.#setU32(ALT_FLAGS, value)
  }
  get altBase(): number {
    return this.#f64(ALT_BASE)
  }
  set altBase(value: number) {
    this.#setF64(ALT_BASE, value)
  }
  get altSize(): number {
    return this.#f64(ALT_SIZE)
  }
  set altSize(value: number) {
    this.#setF64(ALT_SIZE, value)
  }

  /** Address of the word that is zeroed and woken at exit, 0 = none. */
  get clearChildTid(): number {
    return this.#f64(CLEAR_CHILD_TID)
  }
  set clearChildTid(value: number) {
    this.#setF64(CLEAR_CHILD_TID, value)
  }
}
