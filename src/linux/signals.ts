/**
 * Signals of a machine: sending them, and delivering them to the thread that is about to go on in user mode (kernel/signal.c of
 * Linux). What belongs to it stands in signal-{sender,masks,queue,frame}.ts, handler-entry.ts and job-control.ts.
 */
import { EINTR } from '../base/errno.js'
import type { Ptr } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import { HandlerEntry, type HandlerEnv } from './handler-entry.js'
import { JobControl, type JobEnv } from './job-control.js'
import { type Process, ProcessFlag } from './process.js'
import { finishCall } from './registers.js'
import { ACTION_FLAGS } from './signal-actions.js'
import { SignalMasks, UNBLOCKABLE } from './signal-masks.js'
import {
  defaultAction,
  SA_RESTART,
  SIG_DFL,
  SIG_IGN,
  SIGNAL_MAX,
  Signal,
  SignalCode,
} from './signal-numbers.js'
import {
  encodeSignalInfo,
  hasBit,
  SIGINFO_BYTES,
  type SignalInfo,
  SignalQueues,
  setBit,
} from './signal-queue.js'
import { isUnblockable, processPending, SignalSender, threadPending } from './signal-sender.js'
import type { FileServices } from './syscall-context.js'
import type { Thread } from './thread.js'
import { THREAD_BLOCKED, ThreadFlag } from './thread-record.js'
import { ERESTARTNOINTR, ERESTARTSYS } from './wait.js'

/** Of a status: what ended the process. */
const SIGNAL_BITS = 0x7f

/** What signals need of the machine. */
export interface SignalEnv extends HandlerEnv, JobEnv {
  readonly files: FileServices
  processOf(thread: Thread): Process
  /** Whose thread makes a call, or who ends. */
  currentProcess(): Process | undefined
  /** Ends a process; `info` is the siginfo_t of the signal that did it. */
  killed(process: Process, thread: Thread, signal: number, info: Uint8Array): void
  readonly time: { signalTaken(process: Process, timer: Ptr, signal: number, info: Uint8Array): void }
}

export class Signals {
  readonly #env: SignalEnv
  readonly #u32: Uint32Array
  readonly queues: SignalQueues
  readonly masks: SignalMasks
  readonly jobs: JobControl
  readonly sender: SignalSender
  readonly #handlers: HandlerEntry
  readonly #info = new Uint8Array(SIGINFO_BYTES)
  readonly #infoView = new DataView(this.#info.buffer)

  constructor(env: SignalEnv) {
    this.#env = env
    this.#u32 = env.mm.memory.u32
    this.queues = new SignalQueues(env.mm.memory, env.mm.slab)
    this.masks = new SignalMasks(env.mm.memory, env.threads)
    this.jobs = new JobControl(env, this.#u32)
    this.sender = new SignalSender(env, this.queues, this.masks, this.jobs)
    this.#handlers = new HandlerEntry(env, this.masks)
  }

  /** The siginfo_t of an event, good until the next one is made. */
  info(info: SignalInfo): Uint8Array {
    this.#info.fill(0)
    encodeSignalInfo(this.#infoView, 0, info)
    return this.#info
  }

  /** To the whole process: the first of its threads that takes it. 0, or -EAGAIN when too many are queued. */
  sendToProcess(process: Process, signal: number, info: Uint8Array, main?: Thread): number {
    return this.sender.toProcess(process, main ?? this.#env.threads.of(process.ptr), signal, info)
  }

  sendToThread(process: Process, thread: Thread, signal: number, info: Uint8Array): number {
    return this.sender.toThread(process, thread, signal, info)
  }

  /** A fault of the thread's own: a handler that is blocked or ignored is not asked, and the process dies of it. */
  force(process: Process, thread: Thread, info: SignalInfo): void {
    const { signal } = info
    const action = process.action(signal) >>> 2
    if (this.masks.isBlocked(thread, signal) || this.sender.isRefused(process, signal)) {
      this.#resetAction(action)
      this.#unblock(thread, signal)
    }
    // Nobody survives its own faults.
    const isDefault = this.#u32[action] === SIG_DFL && this.#u32[action + 1] === 0
    if (isDefault && !thread.hasFlag(ThreadFlag.traced)) process.setFlag(ProcessFlag.unkillable, false)
    this.queues.add(thread, threadPending(thread), signal, this.info(info), Number.POSITIVE_INFINITY)
    this.masks.notify(thread)
  }

  #unblock(thread: Thread, signal: number): void {
    const low = this.masks.word(thread, THREAD_BLOCKED, 0)
    this.masks.setBlocked(thread, low & ~(1 << (signal - 1)), this.masks.word(thread, THREAD_BLOCKED, 1))
  }

  /** A frame could not be written or read: SIGSEGV, and death if that was the signal being delivered. */
  forceSegv(process: Process, thread: Thread, delivering: number): void {
    if (delivering === Signal.SEGV) this.#resetAction(process.action(Signal.SEGV) >>> 2)
    this.force(process, thread, { signal: Signal.SEGV, code: SignalCode.kernel })
  }

  #resetAction(action: number): void {
    this.#u32[action] = SIG_DFL
    this.#u32[action + 1] = 0
  }

  /**
   * Delivers what is pending for the thread whose registers are on the hart. Afterwards it goes on at a handler or where it
   * was; it may be stopped, or the process may have ended.
   */
  deliver(process: Process, thread: Thread, hart: Ptr): void {
    while (thread.hasSignal) {
      if (this.#traps(process, thread)) return
      const info = this.#handlers.begin()
      const signal = this.#takeNext(process, thread, info)
      if (signal === 0) continue
      if (process.fatalSignal !== 0) {
        this.#env.killed(process, thread, process.fatalSignal, info)
        return
      }
      if (thread.hasFlag(ThreadFlag.traced) && signal !== Signal.KILL) {
        this.#env.tracing.stopForSignal(process, thread, signal, info)
        return
      }
      if (this.#act(process, thread, hart, signal, info)) return
    }
    // No handler has run: the call goes on, with its deadline.
    if (thread.restart !== 0 && thread.hasFlag(ThreadFlag.traced)) this.#env.tracing.calls.noteRestart(thread)
    thread.restart = 0
    this.masks.restore(thread)
  }

  /** Whether the thread stops for its tracer first, who has asked for it. */
  #traps(process: Process, thread: Thread): boolean {
    if (!thread.hasFlag(ThreadFlag.trapPending) || thread.isKilled) return false
    return this.#env.tracing.stops.trap(process, thread)
  }

  /** Goes on to deliver after a stop for a tracer, which leaves the thread a signal, or none (0). One that it blocks now stays pending. */
  deliverTraced(process: Process, thread: Thread, hart: Ptr, signal: number, info: Uint8Array): void {
    if (signal !== 0 && (this.masks.isBlocked(thread, signal) || thread.isKilled))
      this.sendToThread(process, thread, signal, info)
    else if (signal !== 0) {
      const frame = this.#handlers.begin()
      frame.set(info)
      if (this.#act(process, thread, hart, signal, frame)) return
    }
    this.deliver(process, thread, hart)
  }

  /** What the process has decided about the signal; true when the thread does not go on now. */
  #act(process: Process, thread: Thread, hart: Ptr, signal: number, info: Uint8Array): boolean {
    const action = process.action(signal) >>> 2
    if (this.#u32[action + 1] !== 0 || this.#u32[action]! > SIG_IGN) {
      this.#endCall(thread, hart, this.#u32[action + ACTION_FLAGS / 4]!)
      if (!this.#handlers.enter(process, thread, hart, signal)) this.forceSegv(process, thread, signal)
      return false
    }
    return this.#u32[action] === SIG_DFL && this.#doDefault(process, thread, signal, info)
  }

  /** What happens without a handler; true when the thread does not go on now. */
  #doDefault(process: Process, thread: Thread, signal: number, info: Uint8Array): boolean {
    if (process.hasFlag(ProcessFlag.unkillable) && !isUnblockable(signal)) return false
    switch (defaultAction(signal)) {
      case 'core':
      case 'terminate':
        this.#env.killed(process, thread, signal, info)
        return true
      case 'stop':
        if (signal !== Signal.STOP && this.jobs.isOrphaned(process.groupId)) return false
        return this.jobs.stop(process, thread, signal)
      default:
        return false
    }
  }

  /** Takes the most urgent signal that is not blocked: what ends the process, SIGKILL, is before all others. */
  #takeNext(process: Process, thread: Thread, info: Uint8Array): number {
    const kill = 1 << (Signal.KILL - 1)
    if (process.fatalSignal !== 0) return this.#takeFatal(process, thread, info)
    if (thread.isKilled) {
      this.#noteShared(process, Signal.KILL)
      return this.takeOf(process, thread, kill, 0, info)
    }
    const low = ~this.masks.word(thread, THREAD_BLOCKED, 0)
    const high = ~this.masks.word(thread, THREAD_BLOCKED, 1)
    return this.takeOf(process, thread, low, high, info)
  }

  /** It is pending where it was sent to, which may be another thread. */
  #takeFatal(process: Process, thread: Thread, info: Uint8Array): number {
    const { fatalSignal } = process
    const bit = 1 << ((fatalSignal - 1) & 31)
    this.#noteShared(process, fatalSignal)
    this.takeOf(process, thread, fatalSignal > 32 ? 0 : bit, fatalSignal > 32 ? bit : 0, info)
    return fatalSignal
  }

  /** What ends a process without being delivered is still pending afterwards. */
  #noteShared(process: Process, signal: number): void {
    if (hasBit(this.#env.mm.memory, processPending(process), signal))
      process.setFlag(ProcessFlag.endedByShared, true)
  }

  /** A process has ended, and can be waited for. */
  endProcess(process: Process): void {
    const signal = process.exitStatus & SIGNAL_BITS
    if (signal !== 0 && process.hasFlag(ProcessFlag.endedByShared))
      setBit(this.#env.mm.memory, processPending(process), signal)
  }

  /** Takes a pending signal of a set (two halves): the thread's own come before the process's. 0 when there is none. */
  takeOf(process: Process, thread: Thread, low: number, high: number, info: Uint8Array): number {
    const isOwn = this.queues.first(threadPending(thread), low, high) !== 0
    const target = isOwn ? thread : process
    const set = isOwn ? threadPending(thread) : processPending(process)
    const signal = this.queues.first(set, low, high)
    if (signal !== 0) {
      const timer = this.queues.take(target, set, signal, info)
      this.#env.time.signalTaken(process, timer, isOwn ? 0 : signal, info)
    }
    this.masks.recalculate(thread)
    return signal
  }

  /** As takeOf, for the thread that makes a call. */
  takeOfCaller(low: number, high: number, info: Uint8Array): number {
    const thread = this.#caller()
    return this.takeOf(this.#env.processOf(thread), thread, low, high, info)
  }

  /** Whether a signal of a set is pending for the thread that makes a call. */
  isPendingForCaller(low: number, high: number): boolean {
    const thread = this.#caller()
    const shared = processPending(this.#env.processOf(thread))
    return this.queues.first(threadPending(thread), low, high) + this.queues.first(shared, low, high) > 0
  }

  #caller(): Thread {
    return this.#env.threads.at(this.#u32[wordIndex(Word.currentThread)]! as Ptr)
  }

  /** Before a handler runs: the call that its signal cut short will run again afterwards, or has failed with EINTR. */
  #endCall(thread: Thread, hart: Ptr, flags: number): void {
    const code = thread.restart
    if (code === 0) return
    thread.restart = 0
    thread.endCall()
    const again = code === ERESTARTNOINTR || (code === ERESTARTSYS && (flags & SA_RESTART) !== 0)
    if (!again) finishCall(this.#u32, hart, -EINTR)
  }

  /** Sets the mask of blocked signals; SIGKILL and SIGSTOP cannot be blocked. */
  setBlocked(thread: Thread, low: number, high: number): void {
    this.masks.setBlocked(thread, low, high)
  }

  /** rt_sigreturn(2): takes the registers back from the frame at sp; false when there is no good frame. */
  returnFrom(process: Process, thread: Thread, hart: Ptr): boolean {
    return this.#handlers.leave(process, thread, hart)
  }

  /** sigaction(2): sets the action of a signal, 24 bytes. What it ignores is no longer pending. */
  setAction(process: Process, signal: number, action: Uint8Array): void {
    const at = process.action(signal)
    this.#env.mm.memory.u8.set(action, at)
    this.#u32[(at + 16) >>> 2]! &= ~UNBLOCKABLE
    if (this.sender.isIgnoredByAction(process, signal)) this.sender.forget(process, signal)
  }

  /** execve(2): handlers are gone with the program, ignored signals stay ignored. */
  resetActions(process: Process): void {
    for (let signal = 1; signal <= SIGNAL_MAX; signal++) {
      const action = process.action(signal) >>> 2
      const ignored = this.sender.isRefused(process, signal)
      this.#u32.fill(0, action, action + 6)
      if (ignored) this.#u32[action] = SIG_IGN
    }
  }

  /** A thread ends: what is pending for it alone is gone, what is for all is told to others. */
  leaveThread(thread: Thread): void {
    this.queues.clear(thread, threadPending(thread))
    this.masks.recalculate(thread)
    this.masks.leave(thread)
  }

  /** A process is gone. */
  leaveProcess(process: Process): void {
    this.queues.clear(process, processPending(process))
  }
}
