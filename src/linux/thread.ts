/**
 * A thread's record, in the slab cache "thread", and the view on it.
 *
 *     0     saved registers, as the hart keeps them (HART_CONTEXT_BYTES)
 *     704   the fields below
 *     816   links { next, previous }: run queue, sleepers, all threads, threads of the process, waiters of a futex
 *     936   signals that sigtimedwait(2) waits for and that were blocked before
 *     952   nanoseconds of the kernel's work for it
 *     1012  memory policy
 *     1016  how far a call has come that was parked
 *     1024  what it waits for of the readers of userfaultfd(2) (userfault-call.ts)
 *
 * A thread is ready (in the run queue), parked (among the sleepers too when it has a deadline), stopped, or has exited.
 * The methods that change this keep the queues right; nothing else writes the state.
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { RecordView } from '../state/record-view.js'
import type { PidNamespace } from './pid-namespace.js'
import { FATAL_SIGNAL_SHIFT, PROCESS_FLAGS, PROCESS_PENDING } from './process.js'
import { Signal } from './signal-numbers.js'
import { RUN_LINK, SLEEP_LINK, ThreadQueues, WAIT_DEADLINE } from './thread-queues.js'
import { ERESTARTSYS, PARKED, WaitKind } from './wait.js'

/** Room for the hart's context at the start of the record. */
export const THREAD_CONTEXT_MAX = 704
export const THREAD_BYTES = 1136

export const ThreadState = {
  /** Runs, or may run. */
  ready: 1,
  /** Waits as its wait fields say. */
  parked: 2,
  exited: 3,
  /** Job control has stopped it; SIGCONT lets it go on. */
  stopped: 4,
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
  /** Parked so that only the event or the end of the process wakes it (vfork). */
  killable: 8,
  /** In the queue of a futex. */
  onFutex: 16,
  /** It has a signal to deliver. Kept by SignalMasks. */
  signalled: 32,
} as const

const ID = 704
const STATE = 708
const FLAGS = 712
const CHILD_TIME = 716
const PROCESS = 720
const RESTART = 724
const WAIT_KIND = 728
const WAIT_ARGUMENT = 736
export const THREAD_BLOCKED = 752
export const THREAD_PENDING = 760
export const THREAD_SAVED_MASK = 768
const QUEUE = 776
const ALT_FLAGS = 780
const ALT_BASE = 784
const ALT_SIZE = 792
const CLEAR_CHILD_TID = 800
const ROBUST_LIST = 808

export { RUN_LINK, SLEEP_LINK }
export const ALL_LINK = 832
export const MATE_LINK = 840
export const FUTEX_LINK = 848
/** Behind the link: what it waits for, and the record of the futexes of futex_waitv(2) (futex-table.ts). */
export const FUTEX_VECTOR = 884
const USER_TIME = 888
const SLICE_END = 896
const NAME = 904
const NAME_BYTES = 16
const DEATH_SIGNAL = 920
const POLICY = 924
const PRIORITY = 928
const NICE = 932
export const THREAD_WAITED = 936
const SYSTEM_TIME = 952
/** Memory policy (space/memory-policy.ts). */
const MEMORY_POLICY = 1012
const PROGRESS = 1016
export const THREAD_USERFAULT = 1024

/** A view; one a thread, made by ThreadList. */
export class Thread extends RecordView {
  readonly #memory: Memory
  readonly #queues: ThreadQueues
  /** Where the processes that it makes are born, when unshare(2) or setns(2) have said so: pid_for_children. */
  childNamespace: PidNamespace | undefined

  constructor(memory: Memory, ptr: Ptr = NULL, queues = new ThreadQueues(memory)) {
    super(memory, ptr)
    this.#memory = memory
    this.#queues = queues
  }

  /** Its number in the outermost namespace, by which the kernel knows it. */
  get id(): number {
    return this.u32(ID)
  }
  set id(value: number) {
    this.setU32(ID, value)
  }

  get state(): ThreadState {
    return this.u32(STATE) as ThreadState
  }

  /** Leaves what its state keeps it in, and enters what the new one does. */
  #become(state: ThreadState): void {
    const before = this.state
    if (before === ThreadState.ready) this.#queues.leave(this.ptr)
    if (before === ThreadState.parked && this.#hasDeadline) this.#queues.endSleep(this.ptr)
    this.setU32(STATE, state)
    if (state === ThreadState.ready) this.#queues.enter(this.ptr)
    if (state === ThreadState.parked && this.#hasDeadline) this.#queues.sleep(this.ptr)
  }

  get #hasDeadline(): boolean {
    return this.f64(WAIT_DEADLINE) !== Number.POSITIVE_INFINITY
  }

  get flags(): number {
    return this.u32(FLAGS)
  }
  set flags(value: number) {
    this.setU32(FLAGS, value)
  }

  hasFlag(flag: number): boolean {
    return (this.flags & flag) !== 0
  }

  /** In which namespace of time its children will be: time_for_children. Namespaces sets it. */
  get childTime(): Ptr {
    return this.u32(CHILD_TIME) as Ptr
  }
  set childTime(value: Ptr) {
    this.setU32(CHILD_TIME, value)
  }

  /** Record of the process that it belongs to. */
  get process(): Ptr {
    return this.u32(PROCESS) as Ptr
  }
  set process(value: Ptr) {
    this.setU32(PROCESS, value)
  }

  /** Why the call that has just ended may have to run again: an ERESTART code, 0 = no. */
  get restart(): number {
    return this.u32(RESTART)
  }
  set restart(value: number) {
    this.setU32(RESTART, value)
  }

  get waitKind(): WaitKind {
    return this.u32(WAIT_KIND) as WaitKind
  }

  get waitArgument(): number {
    return this.f64(WAIT_ARGUMENT)
  }

  /** Nanoseconds of the machine's monotonic clock; Infinity = none. */
  get deadline(): number {
    return this.isResumed ? this.f64(WAIT_DEADLINE) : Number.POSITIVE_INFINITY
  }

  /** The deadline of a thread that is parked, whoever asks. */
  get wakeTime(): number {
    return this.f64(WAIT_DEADLINE)
  }

  /** Whether nothing is to be done for it before its next instruction: no signal, no call that was parked or is to be made again, no wait. */
  get goesOn(): boolean {
    const { words } = this
    const at = this.ptr >>> 2
    const special = words[at + FLAGS / 4]! & (ThreadFlag.resumed | ThreadFlag.signalled)
    return (special | words[at + RESTART / 4]! | words[at + WAIT_KIND / 4]!) === 0
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
    this.setU32(WAIT_KIND, 0)
  }

  /** After a wait that the handler of its call knows nothing of: whether the call has parked before, and until when. */
  resumeFrom(wasResumed: boolean, deadline: number): void {
    this.endWait()
    this.setF64(WAIT_DEADLINE, deadline)
    this.flags &= ~(ThreadFlag.resumed | ThreadFlag.killable)
    if (wasResumed) this.flags |= ThreadFlag.resumed
  }

  #setWait(kind: WaitKind, argument: number, deadline: number): void {
    this.setU32(WAIT_KIND, kind)
    this.setF64(WAIT_ARGUMENT, argument)
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

  /** It has ended, and is in no queue. */
  exit(): void {
    this.#become(ThreadState.exited)
  }

  /** The call is through: the next one starts fresh. */
  endCall(): void {
    this.progress = 0
    this.setU32(WAIT_KIND, 0)
    this.flags &= ~(ThreadFlag.resumed | ThreadFlag.woken | ThreadFlag.killable)
  }

  /** How much of the call was done before it parked (bytes, for files): the next run of it goes on from there. */
  get progress(): number {
    return this.f64(PROGRESS)
  }
  set progress(value: number) {
    this.setF64(PROGRESS, value)
  }

  /** Whether it is to deliver a signal: one that it does not block, and that no other thread of its process was told of. */
  get hasSignal(): boolean {
    return this.hasFlag(ThreadFlag.signalled)
  }

  /** Whether SIGKILL is pending, or another signal ends the process. */
  get isKilled(): boolean {
    const { process } = this
    if (this.#memory.u32[(process + PROCESS_FLAGS) >>> 2]! >>> FATAL_SIGNAL_SHIFT !== 0) return true
    const pending = this.u32(THREAD_PENDING) | this.#memory.u32[(process + PROCESS_PENDING) >>> 2]!
    return (pending & (1 << (Signal.KILL - 1))) !== 0
  }

  /** First queued signal record, oldest first. */
  get queue(): Ptr {
    return this.u32(QUEUE) as Ptr
  }
  set queue(value: Ptr) {
    this.setU32(QUEUE, value)
  }

  /** sigaltstack(2): SS_DISABLE 2, SS_AUTODISARM 2^31; the base and size in bytes. */
  get altFlags(): number {
    return this.u32(ALT_FLAGS)
  }
  set altFlags(value: number) {
    this.setU32(ALT_FLAGS, value)
  }
  get altBase(): number {
    return this.f64(ALT_BASE)
  }
  set altBase(value: number) {
    this.setF64(ALT_BASE, value)
  }
  get altSize(): number {
    return this.f64(ALT_SIZE)
  }
  set altSize(value: number) {
    this.setF64(ALT_SIZE, value)
  }

  /** Address of the word that is zeroed and woken at exit, 0 = none. */
  get clearChildTid(): number {
    return this.f64(CLEAR_CHILD_TID)
  }
  set clearChildTid(value: number) {
    this.setF64(CLEAR_CHILD_TID, value)
  }

  /** Address of the struct robust_list_head, 0 = none. */
  get robustList(): number {
    return this.f64(ROBUST_LIST)
  }
  set robustList(value: number) {
    this.setF64(ROBUST_LIST, value)
  }

  /** Nanoseconds on the hart before the slice that runs now: ask Scheduler.userTimeOf for all. */
  get userTime(): number {
    return this.f64(USER_TIME)
  }
  set userTime(value: number) {
    this.setF64(USER_TIME, value)
  }

  /** Nanoseconds of the kernel's work for it (kernel-time.ts). */
  get systemTime(): number {
    return this.f64(SYSTEM_TIME)
  }
  set systemTime(value: number) {
    this.setF64(SYSTEM_TIME, value)
  }

  /** When its turn on the hart is over, in instructions of the hart. */
  get sliceEnd(): number {
    return this.f64(SLICE_END)
  }
  set sliceEnd(value: number) {
    this.setF64(SLICE_END, value)
  }

  /** PR_SET_NAME, /proc/PID/task/TID/comm: 15 bytes. */
  get name(): Uint8Array {
    const start = this.ptr + NAME
    const bytes = this.#memory.u8.slice(start, start + NAME_BYTES)
    return bytes.subarray(0, bytes.indexOf(0))
  }
  set name(value: Uint8Array) {
    const start = this.ptr + NAME
    this.#memory.u8.fill(0, start, start + NAME_BYTES)
    this.#memory.u8.set(value.subarray(0, NAME_BYTES - 1), start)
  }

  /** set_mempolicy(2): of the memory that has no policy of its own; a number as space/memory-policy.ts has it. */
  get memoryPolicy(): number {
    return this.u32(MEMORY_POLICY)
  }
  set memoryPolicy(policy: number) {
    this.setU32(MEMORY_POLICY, policy)
  }

  /** PR_SET_PDEATHSIG: sent to it when its parent ends, 0 = none. */
  get deathSignal(): number {
    return this.u32(DEATH_SIGNAL)
  }
  set deathSignal(value: number) {
    this.setU32(DEATH_SIGNAL, value)
  }

  /** sched_setscheduler(2): SCHED_OTHER 0, FIFO 1, RR 2, BATCH 3, IDLE 5; SCHED_RESET_ON_FORK is bit 30. */
  get policy(): number {
    return this.u32(POLICY)
  }
  set policy(value: number) {
    this.setU32(POLICY, value)
  }

  /** Of the real-time policies, 1 to 99. All threads take turns all the same. */
  get priority(): number {
    return this.u32(PRIORITY)
  }
  set priority(value: number) {
    this.setU32(PRIORITY, value)
  }

  /** -20 to 19. */
  get nice(): number {
    return this.u32(NICE) | 0
  }
  set nice(value: number) {
    this.setU32(NICE, value)
  }
}
