/**
 * A thread's record, in the slab cache "thread", and what of it is just there to be read and written.
 *
 *     0     saved registers, as the hart keeps them (HART_CONTEXT_BYTES)
 *     704   the fields below
 *     816   links { next, previous }: run queue, sleepers, all threads, threads of the process, waiters of a futex
 *     936   signals that sigtimedwait(2) waits for and that were blocked before
 *     952   nanoseconds of the kernel's work for it
 *     1012  memory policy
 *     1016  how far a call has come that was parked
 *     1024  what it waits for of the readers of userfaultfd(2) (userfault-call.ts)
 *     1136  what ptrace(2) keeps of it, and the head of the list of its tracees (ptrace/)
 *     1152  slack of its timers and its default (timer-slack.ts), 64 bits each; habits
 *     1176  minor and major faults
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { RecordView } from '../state/record-view.js'
import type { PidNamespace } from './pid-namespace.js'

/** Room for the hart's context at the start of the record. */
export const THREAD_CONTEXT_MAX = 704
export const THREAD_BYTES = 1192

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
  /** Another thread traces it. */
  traced: 64,
  /** It is stopped for its tracer, or was and has still to go on from there. */
  trapped: 128,
  /** It is to stop for its tracer before it goes on in user mode. */
  trapPending: 256,
} as const

const ID = 704
export const THREAD_STATE = 708
export const THREAD_FLAGS = 712
const CHILD_TIME = 716
const PROCESS = 720
export const THREAD_RESTART = 724
export const THREAD_WAIT_KIND = 728
const CHILD_NAMESPACE = 732
export const THREAD_WAIT_ARGUMENT = 736
export const THREAD_BLOCKED = 752
export const THREAD_PENDING = 760
export const THREAD_SAVED_MASK = 768
const QUEUE = 776
const ALT_FLAGS = 780
const ALT_BASE = 784
const ALT_SIZE = 792
const CLEAR_CHILD_TID = 800
const ROBUST_LIST = 808

export const ALL_LINK = 832
export const MATE_LINK = 840
export const FUTEX_LINK = 848
/** Behind the link: what it waits for, and the record of the futexes of futex_waitv(2) (futex-table.ts). */
export const FUTEX_VECTOR = 884
const USER_TIME = 888
const SLICE_END = 896
export const THREAD_NAME = 904
/** With a zero at the end. */
export const NAME_BYTES = 16
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
const TRACEE = 1136
export const THREAD_TRACEES = 1144
const SLACK = 1152
const DEFAULT_SLACK = 1160
const HABITS = 1168
const MINOR_FAULTS = 1176
const MAJOR_FAULTS = 1184

/** Bits of `habits`: what prctl(2) keeps (calls/thread-options.ts). */
export const ThreadHabit = {
  /** PR_MCE_KILL: broken memory is told of as the next bit says, not as the machine has it. */
  ownMachineCheck: 1,
  earlyMachineCheck: 2,
  /** PR_SET_IO_FLUSHER. */
  flusher: 4,
} as const

/** Of a thread whose state and waits are Thread's. */
export class ThreadRecord extends RecordView {
  protected readonly memory: Memory
  #childNamespace: PidNamespace | undefined

  constructor(memory: Memory, ptr: Ptr) {
    super(memory, ptr)
    this.memory = memory
  }

  /** Its number in the outermost namespace, by which the kernel knows it. */
  get id(): number {
    return this.u32(ID)
  }
  set id(value: number) {
    this.setU32(ID, value)
  }

  get flags(): number {
    return this.u32(THREAD_FLAGS)
  }
  set flags(value: number) {
    this.setU32(THREAD_FLAGS, value)
  }

  hasFlag(flag: number): boolean {
    return (this.flags & flag) !== 0
  }

  /** Where the processes that it makes are born, when unshare(2) or setns(2) have said so: pid_for_children. Namespaces sets it. */
  get childNamespace(): PidNamespace | undefined {
    return this.#childNamespace
  }
  set childNamespace(value: PidNamespace | undefined) {
    this.#childNamespace = value
    this.setU32(CHILD_NAMESPACE, value?.ptr ?? NULL)
  }

  /** In which namespace of time its children will be: time_for_children. Namespaces sets it. */
  get childTime(): Ptr {
    return this.u32(CHILD_TIME) as Ptr
  }
  set childTime(value: Ptr) {
    this.setU32(CHILD_TIME, value)
  }

  /** What is kept of it while it is traced (ptrace/tracee.ts). Tracees sets it. */
  get tracee(): Ptr {
    return this.u32(TRACEE) as Ptr
  }
  set tracee(value: Ptr) {
    this.setU32(TRACEE, value)
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
    return this.u32(THREAD_RESTART)
  }
  set restart(value: number) {
    this.setU32(THREAD_RESTART, value)
  }

  /** How much of the call was done before it parked (bytes, for files): the next run of it goes on from there. */
  get progress(): number {
    return this.f64(PROGRESS)
  }
  set progress(value: number) {
    this.setF64(PROGRESS, value)
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

  /** Faults that it has made, in whatever memory (fault-counts.ts): charge first. */
  get minorFaults(): number {
    return this.f64(MINOR_FAULTS)
  }
  set minorFaults(value: number) {
    this.setF64(MINOR_FAULTS, value)
  }
  get majorFaults(): number {
    return this.f64(MAJOR_FAULTS)
  }
  set majorFaults(value: number) {
    this.setF64(MAJOR_FAULTS, value)
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
    const start = this.ptr + THREAD_NAME
    const bytes = this.memory.u8.slice(start, start + NAME_BYTES)
    return bytes.subarray(0, bytes.indexOf(0))
  }
  set name(value: Uint8Array) {
    const start = this.ptr + THREAD_NAME
    this.memory.u8.fill(0, start, start + NAME_BYTES)
    this.memory.u8.set(value.subarray(0, NAME_BYTES - 1), start)
  }

  copyName(from: ThreadRecord): void {
    this.memory.copy((this.ptr + THREAD_NAME) as Ptr, (from.ptr + THREAD_NAME) as Ptr, NAME_BYTES)
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

  /** ThreadHabit bits. */
  get habits(): number {
    return this.u32(HABITS)
  }
  set habits(value: number) {
    this.setU32(HABITS, value)
  }

  /** How much later than asked its sleeps may end, in nanoseconds (timer-slack.ts). */
  get slack(): bigint {
    return this.u64(SLACK)
  }
  set slack(value: bigint) {
    this.setU64(SLACK, value)
  }

  /** Its maker's when it was made. */
  get defaultSlack(): bigint {
    return this.u64(DEFAULT_SLACK)
  }
  set defaultSlack(value: bigint) {
    this.setU64(DEFAULT_SLACK, value)
  }
}
