/**
 * Sending signals (kernel/signal.c of Linux, __send_signal_locked): who ignores what, where a signal becomes pending, and which
 * thread is told.
 */
import type { Ptr } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { JobControl } from './job-control.js'
import { Limit } from './limits.js'
import { PROCESS_PENDING, type Process, ProcessFlag } from './process.js'
import type { SignalMasks } from './signal-masks.js'
import { defaultAction, SIG_DFL, SIG_IGN, Signal, SignalCode } from './signal-numbers.js'
import { hasBit, INFO_CODE, type SignalQueues } from './signal-queue.js'
import type { SignalEnv } from './signals.js'
import { type Thread, ThreadState } from './thread.js'
import { THREAD_PENDING, ThreadFlag } from './thread-record.js'

export const threadPending = (thread: Thread) => (thread.ptr + THREAD_PENDING) as Ptr
export const processPending = (process: Process) => (process.ptr + PROCESS_PENDING) as Ptr

/** Stop signals in the lower half of a set. */
const STOP_SIGNALS = [Signal.STOP, Signal.TSTP, Signal.TTIN, Signal.TTOU] as const

export class SignalSender {
  readonly #env: SignalEnv
  readonly #queues: SignalQueues
  readonly #masks: SignalMasks
  readonly #jobs: JobControl

  constructor(env: SignalEnv, queues: SignalQueues, masks: SignalMasks, jobs: JobControl) {
    this.#env = env
    this.#queues = queues
    this.#masks = masks
    this.#jobs = jobs
  }

  /**
   * To a process; `main` is the thread that is asked first whether it takes the signal. 0, or -EAGAIN when too many signals
   * are queued.
   */
  toProcess(process: Process, main: Thread | undefined, signal: number, info: Uint8Array): number {
    if (main === undefined || !this.#prepare(process, main, signal, info)) return 0
    const limit = process.softLimit(Limit.pendingSignals)
    const told = this.#asSeenBy(process, info)
    const result = this.#queues.add(process, processPending(process), signal, told, limit)
    if (result === 0) this.#complete(process, main, signal, true)
    return result
  }

  /** To one thread. */
  toThread(process: Process, thread: Thread, signal: number, info: Uint8Array): number {
    if (!this.#prepare(process, thread, signal, info)) return 0
    const limit = process.softLimit(Limit.pendingSignals)
    const told = this.#asSeenBy(process, info)
    const result = this.#queues.add(thread, threadPending(thread), signal, told, limit)
    if (result === 0) this.#complete(process, thread, signal, false)
    return result
  }

  /** A timer's signal, with the timer's record; false when it is ignored. One that is still queued counts an overrun. */
  fromTimer(process: Process, thread: Thread, isShared: boolean, record: Ptr, info: Uint8Array): boolean {
    const signal = info[0]!
    if (!this.#prepare(process, thread, signal, info)) return false
    if (this.#queues.isQueued(record)) {
      countOverrun(this.#queues.infoOf(record))
      return true
    }
    if (isShared) this.#queues.addRecord(process, processPending(process), record, signal, info)
    else this.#queues.addRecord(thread, threadPending(thread), record, signal, info)
    this.#complete(process, thread, signal, isShared)
    return true
  }

  /** What happens whether or not anybody listens; false when the signal is lost on them. */
  #prepare(process: Process, thread: Thread, signal: number, info: Uint8Array): boolean {
    if (process.isZombie || process.hasFlag(ProcessFlag.exiting) || process.fatalSignal !== 0) return false
    if (defaultAction(signal) === 'stop') this.#dropEverywhere(process, Signal.CONT)
    else if (signal === Signal.CONT) {
      for (const stop of STOP_SIGNALS) this.#dropEverywhere(process, stop)
      this.#jobs.continue(process)
    }
    if (process.hasFlag(ProcessFlag.unkillable) && this.#isUnwanted(process, thread, signal, info))
      return false
    return !this.isIgnored(process, thread, signal)
  }

  /** The first process of a namespace gets what it handles; besides only SIGKILL and SIGSTOP, from outside. */
  #isUnwanted(process: Process, thread: Thread, signal: number, info: Uint8Array): boolean {
    if (!this.#isDefault(process, signal)) return false
    if (this.#masks.isBlocked(thread, signal) || this.#masks.isWaitedFor(thread, signal)) return false
    return !isUnblockable(signal) || !this.#isFromOutside(process, info)
  }

  /** From the kernel itself, or from a process that the receiver's namespace has no number for. */
  #isFromOutside({ namespace }: Process, info: Uint8Array): boolean {
    const sender = this.#env.currentProcess()
    if (sender === undefined || codeOf(info) === SignalCode.kernel) return true
    return namespace.numberOf(sender.id) === 0
  }

  /** To who does not see the sender it has no number. */
  #asSeenBy({ namespace }: Process, info: Uint8Array): Uint8Array {
    if (!namespace.isNested || codeOf(info) > 0) return info
    const sender = this.#env.currentProcess()
    if (sender === undefined || namespace.numberOf(sender.id) !== 0) return info
    const told = info.slice()
    told.fill(0, SENDER, SENDER + 4)
    return told
  }

  #dropEverywhere(process: Process, signal: number): void {
    this.#queues.drop(process, processPending(process), signal)
    for (const thread of this.#env.threads.ofProcess(process.ptr)) {
      this.#queues.drop(thread, threadPending(thread), signal)
    }
  }

  /** Forgets a signal that is pending for a process or its threads. */
  forget(process: Process, signal: number): void {
    this.#dropEverywhere(process, signal)
    for (const thread of this.#env.threads.ofProcess(process.ptr)) this.#masks.recalculate(thread)
  }

  /** Whether nobody would notice the signal: ignored, and neither blocked, waited for, nor shown to a tracer. */
  isIgnored(process: Process, thread: Thread, signal: number): boolean {
    if (this.#masks.isBlocked(thread, signal) || this.#masks.isWaitedFor(thread, signal)) return false
    if (isShownToTracer(thread, signal)) return false
    return this.isIgnoredByAction(process, signal)
  }

  /** Whether the action is SIG_IGN, or the default one of a signal that does nothing. */
  isIgnoredByAction(process: Process, signal: number): boolean {
    const { u32 } = this.#env.mm.memory
    const action = process.action(signal) >>> 2
    if (u32[action + 1] !== 0 || u32[action] !== SIG_DFL) return this.isRefused(process, signal)
    return defaultAction(signal) === 'ignore' || defaultAction(signal) === 'continue'
  }

  /** Whether the action is SIG_IGN. */
  isRefused(process: Process, signal: number): boolean {
    const { u32 } = this.#env.mm.memory
    const action = process.action(signal) >>> 2
    return u32[action] === SIG_IGN && u32[action + 1] === 0
  }

  /** The signal is pending: tells a thread that takes it, and those that read signals from files. */
  #complete(process: Process, main: Thread, signal: number, isShared: boolean): void {
    this.#env.files.signalSent(signal)
    if (signal === Signal.KILL) this.#tellAll(process)
    else {
      const taker = this.#wants(main, signal) ? main : isShared ? this.#findTaker(process, signal) : undefined
      if (taker === undefined) return
      if (!isShownToTracer(main, signal) && this.#isFatal(process, taker, signal))
        this.#endAll(process, signal)
      else this.#masks.notify(taker)
    }
  }

  /** Whether it ends the process at once, without a core file to be written first: also while its threads are in calls. */
  #isFatal(process: Process, taker: Thread, signal: number): boolean {
    if (process.hasFlag(ProcessFlag.unkillable) || !this.#isDefault(process, signal)) return false
    return defaultAction(signal) === 'terminate' && !this.#masks.isWaitedFor(taker, signal)
  }

  #isDefault(process: Process, signal: number): boolean {
    const { u32 } = this.#env.mm.memory
    const action = process.action(signal) >>> 2
    return u32[action] === SIG_DFL && u32[action + 1] === 0
  }

  /** As if each thread had got SIGKILL, but for the status. */
  #endAll(process: Process, signal: number): void {
    process.fatalSignal = signal
    this.#tellAll(process)
  }

  /** Even those that are stopped go on, and end. */
  #tellAll(process: Process): void {
    for (const thread of this.#env.threads.ofProcess(process.ptr)) {
      if (thread.state === ThreadState.exited) continue
      thread.continue()
      thread.release()
      this.#masks.notify(thread)
    }
  }

  #findTaker(process: Process, signal: number): Thread | undefined {
    for (const thread of this.#env.threads.ofProcess(process.ptr)) {
      if (this.#wants(thread, signal)) return thread
    }
    return undefined
  }

  /** A thread that has signals to deliver already is not given another one, unless it is the one that runs. */
  #wants(thread: Thread, signal: number): boolean {
    if (thread.state === ThreadState.exited || this.#masks.isBlocked(thread, signal)) return false
    if (thread.state === ThreadState.stopped || thread.state === ThreadState.traced) return false
    return this.#env.mm.memory.u32[wordIndex(Word.currentThread)] === thread.ptr || !thread.hasSignal
  }

  /** Whether a signal is pending for the thread or its process. */
  isPending(process: Process, thread: Thread, signal: number): boolean {
    const { memory } = this.#env.mm
    return hasBit(memory, threadPending(thread), signal) || hasBit(memory, processPending(process), signal)
  }
}

/** A tracer hears of every signal of its tracee, but for SIGKILL. */
const isShownToTracer = (thread: Thread, signal: number) =>
  thread.hasFlag(ThreadFlag.traced) && signal !== Signal.KILL

/** Whether a signal can be neither blocked, handled nor ignored. */
export const isUnblockable = (signal: number) => signal === Signal.KILL || signal === Signal.STOP

/** Offset of si_pid. */
const SENDER = 16

function codeOf(info: Uint8Array): number {
  return new DataView(info.buffer, info.byteOffset).getInt32(INFO_CODE, true)
}

/** Offset of si_overrun. */
const OVERRUN = 20

function countOverrun(info: Uint8Array): void {
  const view = new DataView(info.buffer, info.byteOffset)
  view.setInt32(OVERRUN, view.getInt32(OVERRUN, true) + 1, true)
}
