/**
 * What ptrace(2) keeps of a thread that is traced: a record in the slab cache "tracee". It outlives the tracer (the thread has still to
 * go on from where it stands) and the thread (the tracer has still to hear how it ended).
 *
 *     0     whose it is, who traces it
 *     40    links { next, previous } among the tracees of the tracer
 *     48    what it stopped for
 *     112   128 bytes: siginfo_t of the stop
 */
import type { Ptr } from '../../base/numbers.js'
import type { Memory } from '../../state/memory.js'
import { RecordView } from '../../state/record-view.js'
import { SIGINFO_BYTES } from '../signal-queue.js'

export const TRACEE_BYTES = 240
const THREAD = 0
const PROCESS = 4
const ID = 8
const TRACER = 12
const FLAGS = 16
const OPTIONS = 20
const CODE = 24
const PHASE = 28
const END_STATUS = 32
const EVENT = 36
export const TRACEE_LINK = 40
const MESSAGE = 48
const RESULT = 56
const FIRST_ARGUMENT = 64
const SHOWN_PC = 72
const STOP_SIGNAL = 80
const CALL_NUMBER = 84
const INFO = 112

/** Bits of `flags`. */
export const TraceeFlag = {
  /** PTRACE_SEIZE: its stops tell more, and it can be interrupted. */
  seized: 1,
  /** The stop has a siginfo_t. */
  hasInfo: 2,
  /** PTRACE_SYSCALL: it stops at its next system call, or at the end of this one. */
  stopsAtCalls: 4,
  /** PTRACE_LISTEN: it stays stopped, but no longer for its tracer. */
  listening: 8,
  /** It is to stop as soon as it would go on in user mode: asked for, for a signal of job control, or because that has changed. */
  trapStop: 16,
  trapNotify: 32,
  /** Job control stops its process, and it has not followed yet. */
  stopPending: 64,
  /** A stop signal that it was given may stop its process: no SIGCONT has come since. */
  stopDequeued: 128,
  /** A call that was interrupted is made again: to the tracer a new one. */
  callAgain: 256,
  /** The tracer had CAP_SYS_PTRACE when it came. */
  capableTracer: 512,
  /** The call that is made again is restart_syscall(2) to Linux. */
  restartCall: 1024,
  /** PTRACE_SYSEMU: it stops at its next system call, which is not made. */
  emulatesCalls: 2048,
  /** The call that it has stopped at is not made. */
  emulated: 4096,
} as const

/** Where a thread that stops goes on. */
export const Phase = {
  /** Before it returns to user mode. */
  none: 0,
  /** As none: with the signal that its tracer leaves it. */
  signal: 1,
  /** Before and after a system call. */
  entry: 2,
  exit: 3,
  /** In the midst of a call, whose result stands in `result`. */
  call: 4,
  /** In the midst of a call that has set all registers (execve). */
  registers: 5,
  /** In the midst of vfork. */
  vfork: 6,
  /** At its end. */
  end: 7,
} as const
export type Phase = (typeof Phase)[keyof typeof Phase]

export class Tracee extends RecordView {
  readonly #memory: Memory

  constructor(memory: Memory, ptr: Ptr) {
    super(memory, ptr)
    this.#memory = memory
  }

  /** Record of the thread; NULL when it has ended. */
  get thread(): Ptr {
    return this.u32(THREAD) as Ptr
  }
  set thread(value: Ptr) {
    this.setU32(THREAD, value)
  }

  /** Record of its process. */
  get process(): Ptr {
    return this.u32(PROCESS) as Ptr
  }
  set process(value: Ptr) {
    this.setU32(PROCESS, value)
  }

  /** The thread's number in the outermost namespace. */
  get id(): number {
    return this.u32(ID)
  }
  set id(value: number) {
    this.setU32(ID, value)
  }

  /** Record of the thread that traces it; NULL when nobody does any more. */
  get tracer(): Ptr {
    return this.u32(TRACER) as Ptr
  }
  set tracer(value: Ptr) {
    this.setU32(TRACER, value)
  }

  /** TraceeFlag bits. */
  get flags(): number {
    return this.u32(FLAGS)
  }
  set flags(value: number) {
    this.setU32(FLAGS, value)
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0
  }

  set(flag: number): void {
    this.flags |= flag
  }

  clear(flag: number): void {
    this.flags &= ~flag
  }

  /** PTRACE_O bits. */
  get options(): number {
    return this.u32(OPTIONS)
  }
  set options(value: number) {
    this.setU32(OPTIONS, value)
  }

  wants(event: number): boolean {
    return (this.options & (1 << event)) !== 0
  }

  /** What the stop reports, until somebody has heard of it; then the signal with which the thread goes on. */
  get code(): number {
    return this.u32(CODE)
  }
  set code(value: number) {
    this.setU32(CODE, value)
  }

  get phase(): Phase {
    return this.u32(PHASE) as Phase
  }
  set phase(value: Phase) {
    this.setU32(PHASE, value)
  }

  /** With what status the thread ends, as wait4(2) gives it. */
  get endStatus(): number {
    return this.u32(END_STATUS)
  }
  set endStatus(value: number) {
    this.setU32(END_STATUS, value)
  }

  /** PTRACE_EVENT of the call that is being made, 0 = none. */
  get event(): number {
    return this.u32(EVENT)
  }
  set event(value: number) {
    this.setU32(EVENT, value)
  }

  /** PTRACE_GETEVENTMSG. */
  get message(): number {
    return this.f64(MESSAGE)
  }
  set message(value: number) {
    this.setF64(MESSAGE, value)
  }

  /** What the call returns in whose midst it stops. */
  get result(): number {
    return this.f64(RESULT)
  }
  set result(value: number) {
    this.setF64(RESULT, value)
  }

  /** Where a0 stands as the call was given it (orig_a0), and the pc at the stop: 8 bytes each. */
  get firstArgument(): Ptr {
    return (this.ptr + FIRST_ARGUMENT) as Ptr
  }
  get shownPc(): Ptr {
    return (this.ptr + SHOWN_PC) as Ptr
  }

  /** The signal with which job control has stopped its process last. */
  get stopSignal(): number {
    return this.u32(STOP_SIGNAL)
  }
  set stopSignal(value: number) {
    this.setU32(STOP_SIGNAL, value)
  }

  /** Number of the call that is shown as restart_syscall(2). */
  get callNumber(): number {
    return this.u32(CALL_NUMBER)
  }
  set callNumber(value: number) {
    this.setU32(CALL_NUMBER, value)
  }

  /** The siginfo_t itself, where it stands. */
  get info(): Uint8Array {
    return this.#memory.u8.subarray(this.ptr + INFO, this.ptr + INFO + SIGINFO_BYTES)
  }
}
