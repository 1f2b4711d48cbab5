/** A traced thread stops and tells its tracer (ptrace_stop and do_jobctl_trap of kernel/signal.c). */
import { NULL } from '../../base/numbers.js'
import { HartField } from '../../hart/hart-state.js'
import type { Linux } from '../linux.js'
import { type Process, ProcessFlag } from '../process.js'
import { Signal, SignalCode } from '../signal-numbers.js'
import { realUserOf } from '../signal-permission.js'
import { type Thread, ThreadState } from '../thread.js'
import { ThreadFlag } from '../thread-record.js'
import { PtraceEvent } from './ptrace-numbers.js'
import { Phase, type Tracee, TraceeFlag } from './tracee.js'
import type { Tracees } from './tracees.js'

const TRAPS = TraceeFlag.trapStop | TraceeFlag.trapNotify | TraceeFlag.stopPending

export interface Stop {
  /** What wait4(2) reports in bits 8 and above. */
  readonly code: number
  /** SignalCode.childTrapped, or childStopped for stops of job control. */
  readonly why: number
  readonly phase: Phase
  readonly message?: number
}

export class TraceStops {
  readonly #linux: Linux
  readonly #tracees: Tracees

  constructor(linux: Linux, tracees: Tracees) {
    this.#linux = linux
    this.#tracees = tracees
  }

  /** The thread stops, and goes on at `phase`: at once when its tracer has gone or it is being killed. */
  stop(process: Process, thread: Thread, tracee: Tracee, stop: Stop, info?: Uint8Array): void {
    tracee.phase = stop.phase
    tracee.code = stop.code
    thread.flags |= ThreadFlag.trapped
    this.#notePc(thread, tracee)
    if (info !== undefined) tracee.info.set(info)
    if (tracee.tracer === NULL || (thread.isKilled && stop.phase !== Phase.end)) return
    tracee.message = stop.message ?? 0
    if (info === undefined) tracee.clear(TraceeFlag.hasInfo)
    else tracee.set(TraceeFlag.hasInfo)
    const joins = stop.why === SignalCode.childStopped && tracee.has(TraceeFlag.stopPending)
    tracee.clear(TraceeFlag.trapStop | (joins ? TraceeFlag.stopPending : 0))
    if (stop.code >> 8 === PtraceEvent.stop) tracee.clear(TraceeFlag.trapNotify)
    thread.trap()
    this.refresh(thread, tracee)
    this.#tellTracer(process, thread, tracee, stop.why)
    if (joins) this.#linux.signals.jobs.finishStop(process, !this.isForeign(process, tracee))
  }

  #notePc(thread: Thread, tracee: Tracee): void {
    const { memory } = this.#linux.mm
    memory.copy(
      tracee.shownPc,
      (this.#linux.scheduler.contextOf(thread) + HartField.pc) as typeof tracee.ptr,
      8,
    )
  }

  /** Whether another process than its parent traces it (ptrace_reparented). */
  isForeign(process: Process, tracee: Tracee): boolean {
    return this.#linux.threads.at(tracee.tracer).process !== process.parentPtr
  }

  #tellTracer(process: Process, thread: Thread, tracee: Tracee, code: number): void {
    const { jobs } = this.#linux.signals
    const isTrap = code === SignalCode.childTrapped
    const tracer = this.#linux.processOf(this.#linux.threads.at(tracee.tracer))
    jobs.tell(tracer, process, {
      code,
      processId: tracer.namespace.numberOf(thread.id),
      status: (isTrap ? tracee.code : process.stopSignal) & 0x7f,
      userTime: this.#linux.scheduler.userTimeOf(thread),
      systemTime: thread.systemTime,
    })
  }

  /** The siginfo_t of a stop that the kernel makes. */
  info(process: Process, thread: Thread, signal: number, code: number): Uint8Array {
    const processId = process.namespace.numberOf(thread.id)
    return this.#linux.signals.info({ signal, code, processId, userId: realUserOf(process) })
  }

  /** Whether the thread has traps to fall into is what its flags say from now on. */
  refresh(thread: Thread, tracee: Tracee): void {
    const isPending = tracee.tracer !== NULL && tracee.has(TRAPS)
    if (isPending) thread.flags |= ThreadFlag.trapPending
    else thread.flags &= ~ThreadFlag.trapPending
    this.#linux.signals.masks.recalculate(thread)
  }

  /** It is to stop soon; one that waits in a call comes out of it, one that listens stops again. */
  request(thread: Thread, tracee: Tracee, flag: number): void {
    tracee.set(flag)
    this.refresh(thread, tracee)
    if (thread.state === ThreadState.traced && tracee.has(TraceeFlag.listening)) thread.release()
    thread.wakeForSignal()
  }

  /** On its way to user mode: whether it stops for a trap that was asked for. */
  trap(process: Process, thread: Thread): boolean {
    const tracee = this.#tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL) return false
    if (tracee.has(TraceeFlag.stopPending)) tracee.set(TraceeFlag.trapStop)
    if (!tracee.has(TRAPS)) {
      this.refresh(thread, tracee)
      return false
    }
    this.#trapFor(process, thread, tracee)
    return true
  }

  #trapFor(process: Process, thread: Thread, tracee: Tracee): void {
    const why = SignalCode.childStopped
    if (!tracee.has(TraceeFlag.seized)) {
      this.stop(process, thread, tracee, { code: tracee.stopSignal, why, phase: Phase.none })
      return
    }
    const signal = this.#isGroupStopped(process) ? tracee.stopSignal : Signal.TRAP
    const code = signal | (PtraceEvent.stop << 8)
    const info = this.info(process, thread, signal, code)
    this.stop(process, thread, tracee, { code, why, phase: Phase.none }, info)
  }

  /** Job control has stopped the process, or is about to. */
  #isGroupStopped(process: Process): boolean {
    return process.hasFlag(ProcessFlag.stopped) || this.isStopping(process)
  }

  /** Whether job control waits for threads that are traced. */
  isStopping(process: Process): boolean {
    for (const thread of this.#linux.threads.ofProcess(process.ptr)) {
      if (this.#tracees.of(thread)?.has(TraceeFlag.stopPending) === true) return true
    }
    return false
  }

  /** Whether a stop signal that was given to the thread still stops its process: not after a SIGCONT. */
  mayStop(thread: Thread): boolean {
    const tracee = this.#tracees.of(thread)
    return tracee === undefined || tracee.tracer === NULL || tracee.has(TraceeFlag.stopDequeued)
  }

  /** Job control stops its process; false when the thread is not traced, and stops without more ado. */
  joinStop(thread: Thread, signal: number): boolean {
    const tracee = this.#tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL) return false
    tracee.stopSignal = signal
    const isSeized = tracee.has(TraceeFlag.seized)
    this.request(thread, tracee, TraceeFlag.stopPending | (isSeized ? TraceeFlag.trapNotify : 0))
    return true
  }

  /** SIGCONT was sent; whether the thread was still to stop. It stays stopped for its tracer, who hears of it if it has seized it. */
  noteContinued(thread: Thread): boolean {
    const tracee = this.#tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL) return false
    const wasPending = tracee.has(TraceeFlag.stopPending)
    tracee.clear(TraceeFlag.stopPending | TraceeFlag.stopDequeued)
    if (tracee.has(TraceeFlag.seized)) this.request(thread, tracee, TraceeFlag.trapNotify)
    else this.refresh(thread, tracee)
    return wasPending
  }
}
