/**
 * ptrace(2): threads that trace others, and what that changes for both (kernel/ptrace.c). What a stopped thread has still to do stands in its
 * record (tracee.ts): whose stops are in trace-stops.ts, those at system calls in traced-calls.ts, what is asked of stopped threads in calls/.
 */
import { EPERM } from '../../base/errno.js'
import { NULL } from '../../base/numbers.js'
import { HartField } from '../../hart/hart-state.js'
import { childInfo } from '../child-info.js'
import { Capability, isSubset } from '../fs/capabilities.js'
import { may } from '../fs/credentials.js'
import { userOf } from '../fs/file-user.js'
import type { Linux } from '../linux.js'
import { type Process, ProcessFlag } from '../process.js'
import { Signal, SignalCode } from '../signal-numbers.js'
import { realUserOf } from '../signal-permission.js'
import { setBit } from '../signal-queue.js'
import { threadPending } from '../signal-sender.js'
import type { SyscallDispatcher } from '../syscall-dispatcher.js'
import type { Thread } from '../thread.js'
import { ThreadFlag } from '../thread-record.js'
import type { Usage } from '../usage.js'
import { PtraceEvent, PtraceOption } from './ptrace-numbers.js'
import { TraceStops } from './trace-stops.js'
import { TracedCalls } from './traced-calls.js'
import { Phase, type Tracee, TraceeFlag } from './tracee.js'
import { Tracees } from './tracees.js'

/** What a new tracee takes over when its tracer comes with the call that made it. */
const INHERITED = TraceeFlag.seized | TraceeFlag.capableTracer

export const CALL_STOPS = TraceeFlag.stopsAtCalls | TraceeFlag.emulatesCalls

export class Tracing {
  readonly #linux: Linux
  readonly tracees: Tracees
  readonly stops: TraceStops
  readonly calls: TracedCalls

  constructor(linux: Linux, dispatcher: SyscallDispatcher) {
    this.#linux = linux
    this.tracees = new Tracees(linux.mm)
    this.stops = new TraceStops(linux, this.tracees)
    this.calls = new TracedCalls(linux, dispatcher, this.tracees, this.stops)
  }

  /** Who traces a thread. */
  tracerOf(thread: Thread): Thread | undefined {
    const tracee = this.tracees.of(thread)
    return tracee === undefined || tracee.tracer === NULL ? undefined : this.#linux.threads.at(tracee.tracer)
  }

  /** What stands in the record of a process whose first thread has ended and is traced. */
  zombieOf(process: Process): Tracee | undefined {
    return process.tracee === NULL ? undefined : this.tracees.at(process.tracee)
  }

  processOf(tracee: Tracee): Process {
    return this.#linux.processTable.at(tracee.process)!
  }

  tracerProcess(tracee: Tracee): Process {
    return this.#linux.processOf(this.#linux.threads.at(tracee.tracer))
  }

  /** `tracer` traces a thread from now on; undefined without memory. */
  begin(tracer: Thread, thread: Thread, flags: number, options: number): Tracee | undefined {
    const credentials = userOf(this.#linux.processOf(tracer)).credentials
    const capable = may(credentials, Capability.trace) ? TraceeFlag.capableTracer : 0
    const tracee = this.tracees.add(thread, tracer.ptr, flags | capable, options)
    if (tracee !== undefined) tracee.stopSignal = this.#linux.processOf(thread).groupStop
    return tracee
  }

  /** PTRACE_TRACEME: whether the parent may trace the caller. 0 or -EPERM. */
  mayTrace(parent: Process, child: Process): number {
    const [who, whose] = [userOf(parent).credentials, userOf(child).credentials]
    if (may(who, Capability.trace)) return 0
    return isSubset(whose.capabilities.permitted, who.capabilities.permitted) ? 0 : -EPERM
  }

  /** The tracer lets a thread go on with a signal. `stops`: flags of its stops at calls. */
  resume(thread: Thread, tracee: Tracee, signal: number, stops: number): void {
    tracee.flags = (tracee.flags & ~CALL_STOPS) | stops
    tracee.code = signal
    thread.release()
  }

  /** Nobody traces the thread any more: it goes on, or stands still with its process. */
  detach(thread: Thread, tracee: Tracee): void {
    const process = this.#linux.processOf(thread)
    const wasStopping = tracee.has(TraceeFlag.stopPending)
    const isStopped = process.hasFlag(ProcessFlag.stopped) || this.stops.isStopping(process)
    this.tracees.unlink(tracee, thread)
    tracee.flags &= TraceeFlag.restartCall
    tracee.options = 0
    this.#linux.signals.masks.recalculate(thread)
    if (isStopped && tracee.phase !== Phase.end) thread.stop()
    else thread.release()
    if (wasStopping) this.#linux.signals.jobs.finishStop(process)
    this.#settle(thread, tracee)
  }

  /** A record that nothing is to be done with any more goes. */
  #settle(thread: Thread, tracee: Tracee): void {
    if (tracee.tracer === NULL && !thread.hasFlag(ThreadFlag.trapped)) this.tracees.free(tracee, thread)
  }

  /** A thread that has the hart goes on from the stop that it was in. */
  goOn(process: Process, thread: Thread): void {
    const tracee = this.tracees.of(thread)!
    const { code, phase } = tracee
    thread.flags &= ~ThreadFlag.trapped
    tracee.code = 0
    tracee.message = 0
    tracee.phase = Phase.none
    tracee.clear(TraceeFlag.hasInfo | TraceeFlag.listening)
    this.#linux.signals.masks.recalculate(thread)
    this.#goOnAt(phase, code, process, thread, tracee)
    if (this.#linux.threads.has(thread)) this.#settleLater(thread)
  }

  #settleLater(thread: Thread): void {
    const tracee = this.tracees.of(thread)
    if (tracee === undefined) return
    if (tracee.tracer === NULL && thread.isResumed) this.calls.nameCall(tracee)
    this.#settle(thread, tracee)
  }

  #goOnAt(phase: Phase, code: number, process: Process, thread: Thread, tracee: Tracee): void {
    switch (phase) {
      case Phase.end:
        this.#linux.ends.endThread(process, thread, tracee.endStatus)
        return
      case Phase.entry:
        this.calls.enter(process, thread, tracee, code)
        return
      case Phase.exit:
        this.calls.exit(process, thread, tracee, code)
        return
      case Phase.call:
      case Phase.registers:
      case Phase.vfork:
        this.calls.goOnWithin(process, thread, tracee, phase)
        return
      default:
        this.#deliver(process, thread, tracee, phase === Phase.signal ? code : 0)
    }
  }

  /** Signals go on to be delivered, the one that it has stopped for as its tracer has left it. */
  #deliver(process: Process, thread: Thread, tracee: Tracee, signal: number): void {
    const { hart, signals } = this.#linux
    if (this.#hasMoved(tracee)) {
      thread.restart = 0
      thread.endCall()
    }
    const info = tracee.info.slice()
    if (signal !== 0 && signal !== info[0]) info.set(this.#fromTracer(process, tracee, signal))
    signals.deliverTraced(process, thread, hart.ptr, signal, info)
  }

  /** Whether the tracer has made the thread go on elsewhere: then the call that it was in is not made again. */
  #hasMoved({ shownPc }: Tracee): boolean {
    const { u32 } = this.#linux.mm.memory
    const at = (this.#linux.hart.ptr + HartField.pc) >>> 2
    return u32[at] !== u32[shownPc >>> 2] || u32[at + 1] !== u32[(shownPc >>> 2) + 1]
  }

  /** Another signal than it has stopped for comes from the tracer. */
  #fromTracer(process: Process, { tracer }: Tracee, signal: number): Uint8Array {
    const thread = tracer === NULL ? undefined : this.#linux.threads.at(tracer)
    const sender = thread === undefined ? process.parent : this.#linux.processOf(thread)
    const processId = process.namespace.numberOf(thread?.id ?? process.parentId)
    const userId = sender === undefined ? 0 : realUserOf(sender)
    return this.#linux.signals.info({ signal, code: SignalCode.user, processId, userId })
  }

  /** A signal is about to be delivered to a traced thread: its tracer decides. */
  stopForSignal(process: Process, thread: Thread, signal: number, info: Uint8Array): void {
    const tracee = this.tracees.of(thread)!
    tracee.set(TraceeFlag.stopDequeued)
    const stop = { code: signal, why: SignalCode.childTrapped, phase: Phase.signal }
    this.stops.stop(process, thread, tracee, stop, info)
  }

  /** A thread that is traced has made another: whether there was memory for the child to be traced too, where it is to be. */
  follow(thread: Thread, child: Thread, event: number, isAsked: boolean): boolean {
    const tracee = this.tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL) return true
    const isTold = event !== 0 && tracee.wants(event)
    if (!isTold && !isAsked) return true
    const own = this.tracees.add(child, tracee.tracer, tracee.flags & INHERITED, tracee.options)
    if (own === undefined) return false
    if (isTold) this.#announce(tracee, event, child.id)
    if (own.has(TraceeFlag.seized)) own.set(TraceeFlag.trapStop)
    else setBit(this.#linux.mm.memory, threadPending(child), Signal.STOP)
    this.stops.refresh(child, own)
    return true
  }

  /** The call that is being made stops for an event about a thread or process. */
  #announce(tracee: Tracee, event: number, id: number): void {
    tracee.event = event
    tracee.message = this.tracerProcess(tracee).namespace.numberOf(id)
  }

  /** The child of a vfork has let go of the memory. */
  vforkDone(thread: Thread, childId: number): void {
    const tracee = this.tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL || !tracee.wants(PtraceEvent.vforkDone)) return
    this.#announce(tracee, PtraceEvent.vforkDone, childId)
    if (tracee.message === 0) tracee.message = thread.progress
  }

  /** A thread's process is another program now; `oldId` was its number before. */
  executed(process: Process, thread: Thread, oldId: number): void {
    const tracee = this.tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL) return
    tracee.id = thread.id
    if (tracee.wants(PtraceEvent.execute)) {
      this.#announce(tracee, PtraceEvent.execute, oldId)
      if (tracee.message === 0) tracee.message = oldId
    } else if (!tracee.has(TraceeFlag.seized)) {
      const { signals } = this.#linux
      const info = this.stops.info(process, thread, Signal.TRAP, SignalCode.user)
      signals.sendToThread(process, thread, Signal.TRAP, info)
    }
  }

  /** Whether a thread that is about to end stops first for its tracer; it ends then when it goes on. */
  stopsAtEnd(process: Process, thread: Thread, status: number): boolean {
    const tracee = this.tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL || !tracee.wants(PtraceEvent.exit)) return false
    if (tracee.phase === Phase.end) return true
    tracee.endStatus = status
    const code = Signal.TRAP | (PtraceEvent.exit << 8)
    const info = this.stops.info(process, thread, Signal.TRAP, code)
    const stop = { code, why: SignalCode.childTrapped, phase: Phase.end, message: status }
    this.stops.stop(process, thread, tracee, stop, info)
    return true
  }

  /** Whatever was traced of a thread that has not started, or becomes another, is forgotten. */
  forget(thread: Thread): void {
    const tracee = this.tracees.of(thread)
    if (tracee !== undefined) this.tracees.free(tracee, thread)
  }

  /** A thread has ended: its tracees are free. Whether its number is kept until its tracer has heard of its end. */
  threadEnds(process: Process, thread: Thread, status: number): boolean {
    this.#leaveTracees(thread)
    const tracee = this.tracees.of(thread)
    if (tracee === undefined) return false
    thread.tracee = NULL
    thread.flags &= ~(ThreadFlag.traced | ThreadFlag.trapped | ThreadFlag.trapPending)
    if (tracee.tracer === NULL) {
      this.tracees.free(tracee, undefined)
      return false
    }
    tracee.thread = NULL
    tracee.endStatus = status
    if (thread.id !== process.id) process.deadTracees++
    else {
      process.tracee = tracee.ptr
      if (process.threadCount === 0) return false
    }
    this.#tellEnd(process, tracee, status)
    return thread.id !== process.id
  }

  #tellEnd(process: Process, tracee: Tracee, status: number): void {
    const tracer = this.tracerProcess(tracee)
    this.#linux.ends.tellEnd(tracer, process, tracee.id, Signal.CHLD, childInfo(status))
  }

  #leaveTracees(tracer: Thread): void {
    if (!this.tracees.hasTracees(tracer)) return
    for (const tracee of this.tracees.ofTracer(tracer)) {
      if ((tracee.options & PtraceOption.exitKill) !== 0) this.#kill(tracee)
      this.#release(tracee)
    }
  }

  #kill(tracee: Tracee): void {
    const { signals, threads } = this.#linux
    if (tracee.thread === NULL) return
    const info = signals.info({ signal: Signal.KILL, code: SignalCode.kernel })
    const thread = threads.at(tracee.thread)
    signals.sendToThread(this.processOf(tracee), thread, Signal.KILL, info)
  }

  /** Its tracer ends. One that has ended too is its parent's now, or nobody's. */
  #release(tracee: Tracee): void {
    if (tracee.thread !== NULL) this.detach(this.#linux.threads.at(tracee.thread), tracee)
    else this.#releaseDead(tracee)
  }

  #releaseDead(tracee: Tracee): void {
    const process = this.processOf(tracee)
    const isLeader = tracee.id === process.id
    const wasParent = !this.stops.isForeign(process, tracee)
    if (!isLeader) {
      this.reapThread(process, tracee)
      return
    }
    this.forgetZombie(process, tracee)
    if (process.isZombie) this.#linux.ends.freed(process, wasParent)
  }

  /** The tracer has heard of the end of a thread that was not the first of its process. */
  reapThread(process: Process, tracee: Tracee): void {
    const { ends } = this.#linux
    const { id } = tracee
    this.tracees.free(tracee, undefined)
    process.deadTracees--
    ends.release(id)
    if (process.deadTracees === 0 && process.isZombie) ends.told(process)
  }

  /** The tracer has heard of the end of a process: its parent does now, unless that is the tracer. */
  reapFirst(process: Process, tracee: Tracee, tracer: Process, usage: Usage): void {
    const { ends } = this.#linux
    this.forgetZombie(process, tracee)
    if (process.parent === tracer) ends.reap(process, usage)
    else ends.freed(process, false)
  }

  /** The first thread's end is the process's, of which its parent hears now. */
  forgetZombie(process: Process, tracee: Tracee): void {
    process.tracee = NULL
    this.tracees.free(tracee, undefined)
  }

  /** The machine ends, and nobody waits for a tracer any more. */
  releaseAll(): void {
    for (const thread of this.#linux.threads) this.#leaveTracees(thread)
  }

  check(): void {
    this.tracees.check(this.#linux.threads)
  }
}
