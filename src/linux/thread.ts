/**
 * A thread is ready (in the run queue), parked (among the sleepers too when it has a deadline), stopped, traced, or has exited.
 * The methods that change this keep the queues right; nothing else writes the state.
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { FATAL_SIGNAL_SHIFT, PROCESS_FLAGS, PROCESS_PENDING } from './process.js'
import { Signal } from './signal-numbers.js'
import { ThreadQueues, WAIT_DEADLINE } from './thread-queues.js'
import {
  THREAD_FLAGS,
  THREAD_PENDING,
  THREAD_RESTART,
  THREAD_STATE,
  THREAD_WAIT_ARGUMENT,
  THREAD_WAIT_KIND,
  ThreadFlag,
  ThreadRecord,
} from './thread-record.js'
import { ERESTARTSYS, PARKED, WaitKind } from './wait.js'

export const ThreadState = {
  /** Runs, or may run. */
  ready: 1,
  /** Waits as its wait fields say. */
  parked: 2,
  exited: 3,
  /** Job control has stopped it; SIGCONT lets it go on. */
  stopped: 4,
  /** It is stopped for its tracer, who lets it go on. */
  traced: 5,
} as const
export type ThreadState = (typeof ThreadState)[keyof typeof ThreadState]

/** Flags with which it does not just go on. */
const SPECIAL = ThreadFlag.resumed | ThreadFlag.signalled | ThreadFlag.trapped

/** A view; one a thread, made by ThreadList. */
export class Thread extends ThreadRecord {
  readonly #queues: ThreadQueues

  constructor(memory: Memory, ptr: Ptr = NULL, queues = new ThreadQueues(memory)) {
    super(memory, ptr)
    this.#queues = queues
  }

  get state(): ThreadState {
    return this.u32(THREAD_STATE) as ThreadState
  }

  /** Leaves what its state keeps it in, and enters what the new one does. */
  #become(state: ThreadState): void {
    const before = this.state
    if (before === ThreadState.ready) this.#queues.leave(this.ptr)
    if (before === ThreadState.parked && this.#hasDeadline) this.#queues.endSleep(this.ptr)
    this.setU32(THREAD_STATE, state)
    if (state === ThreadState.ready) this.#queues.enter(this.ptr)
    if (state === ThreadState.parked && this.#hasDeadline) this.#queues.sleep(this.ptr)
  }

  get #hasDeadline(): boolean {
    return this.f64(WAIT_DEADLINE) !== Number.POSITIVE_INFINITY
  }

  get waitKind(): WaitKind {
    return this.u32(THREAD_WAIT_KIND) as WaitKind
  }

  get waitArgument(): number {
    return this.f64(THREAD_WAIT_ARGUMENT)
  }

  /** Nanoseconds of the machine's monotonic clock; Infinity = none. */
  get deadline(): number {
    return this.isResumed ? this.f64(WAIT_DEADLINE) : Number.POSITIVE_INFINITY
  }

  /** The deadline of a thread that is parked, whoever asks. */
  get wakeTime(): number {
    return this.f64(WAIT_DEADLINE)
  }

  /** Whether nothing is to be done for it before its next instruction: no signal, no stop for a tracer, no call that was parked or is to be made again, no wait. */
  get goesOn(): boolean {
    const { words } = this
    const at = this.ptr >>> 2
    const special = words[at + THREAD_FLAGS / 4]! & SPECIAL
    return (special | words[at + THREAD_RESTART / 4]! | words[at + THREAD_WAIT_KIND / 4]!) === 0
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
    this.#setWait(kind, argument, deadline)
    if (this.hasSignal) return -ERESTARTSYS
    this.#become(ThreadState.parked)
    return PARKED
  }

  /** Waits for an event that no signal cuts short, but for one that ends the process. */
  parkKillable(kind: WaitKind, argument: number): number {
    this.#setWait(kind, argument, Number.POSITIVE_INFINITY)
    if (this.isKilled) return -ERESTARTSYS
    this.flags |= ThreadFlag.killable
    this.#become(ThreadState.parked)
    return PARKED
  }

  /** Waits for a page that the instruction at pc needs, which is executed again then. With a signal to deliver it does not wait. */
  parkForPage(context: number): void {
    this.#setWait(WaitKind.userfault, context, Number.POSITIVE_INFINITY)
    this.flags &= ~ThreadFlag.resumed
    if (!this.hasSignal) this.#become(ThreadState.parked)
  }

  /** It waits for nothing any more. */
  endWait(): void {
    this.setU32(THREAD_WAIT_KIND, 0)
  }

  /** After a wait that the handler of its call knows nothing of: whether the call has parked before, and until when. */
  resumeFrom(wasResumed: boolean, deadline: number): void {
    this.endWait()
    this.setF64(WAIT_DEADLINE, deadline)
    this.flags &= ~(ThreadFlag.resumed | ThreadFlag.killable)
    if (wasResumed) this.flags |= ThreadFlag.resumed
  }

  #setWait(kind: WaitKind, argument: number, deadline: number): void {
    this.setU32(THREAD_WAIT_KIND, kind)
    this.setF64(THREAD_WAIT_ARGUMENT, argument)
    this.setF64(WAIT_DEADLINE, deadline)
    this.flags = (this.flags | ThreadFlag.resumed) & ~(ThreadFlag.woken | ThreadFlag.killable)
  }

  /** A new thread may run. */
  start(): void {
    this.#become(ThreadState.ready)
  }

  /** Lets a parked thread run its call again, because its time has come or a signal has. */
  wake(): void {
    if (this.state === ThreadState.parked) this.#become(ThreadState.ready)
  }

  /** Lets a parked thread run its call again, because what it waits for has come. */
  wakeForEvent(): void {
    this.flags |= ThreadFlag.woken
    this.wake()
  }

  /** A signal was sent: a parked thread that may notice it runs its call again. */
  wakeForSignal(): void {
    if (this.hasFlag(ThreadFlag.killable) ? this.isKilled : this.hasSignal) this.wake()
  }

  get wasWoken(): boolean {
    return (this.flags & ThreadFlag.woken) !== 0
  }

  /** The others that can run come first (sched_yield, the end of a time slice). */
  yield(): void {
    if (this.state === ThreadState.ready) this.#become(ThreadState.ready)
  }

  /** Job control: it does not run until `continue`. */
  stop(): void {
    if (this.state !== ThreadState.exited) this.#become(ThreadState.stopped)
  }

  continue(): void {
    if (this.state === ThreadState.stopped) this.#become(ThreadState.ready)
  }

  /** It stops for its tracer, until `release`. */
  trap(): void {
    if (this.state !== ThreadState.exited) this.#become(ThreadState.traced)
  }

  release(): void {
    if (this.state === ThreadState.traced) this.#become(ThreadState.ready)
  }

  /** It has ended, and is in no queue. */
  exit(): void {
    this.#become(ThreadState.exited)
  }

  /** The call is through: the next one starts fresh. */
  endCall(): void {
    this.progress = 0
    this.setU32(THREAD_WAIT_KIND, 0)
    this.flags &= ~(ThreadFlag.resumed | ThreadFlag.woken | ThreadFlag.killable)
  }

  /** Whether it is to deliver a signal: one that it does not block, and that no other thread of its process was told of. */
  get hasSignal(): boolean {
    return this.hasFlag(ThreadFlag.signalled)
  }

  /** Whether SIGKILL is pending, or another signal ends the process. */
  get isKilled(): boolean {
    const { process } = this
    if (this.memory.u32[(process + PROCESS_FLAGS) >>> 2]! >>> FATAL_SIGNAL_SHIFT !== 0) return true
    const pending = this.u32(THREAD_PENDING) | this.memory.u32[(process + PROCESS_PENDING) >>> 2]!
    return (pending & (1 << (Signal.KILL - 1))) !== 0
  }
}
