/**
 * Stopping and continuing processes, and telling their parents (do_signal_stop, do_notify_parent_cldstop and kill_orphaned_pgrp of
 * Linux). With one hart all threads of a process stop at once.
 */
import { EIO } from '../base/errno.js'
import { type Process, ProcessFlag } from './process.js'
import type { Tracing } from './ptrace/tracing.js'
import { ACTION_FLAGS } from './signal-actions.js'
import { SA_NOCLDSTOP, Signal, SignalCode } from './signal-numbers.js'
import { realUserOf } from './signal-permission.js'
import { encodeSignalInfo, SIGINFO_BYTES, type SignalInfo } from './signal-queue.js'
import type { Signals } from './signals.js'
import { type Thread, ThreadState } from './thread.js'
import type { ThreadList } from './thread-list.js'
import type { Usage } from './usage.js'
import { ERESTARTSYS, WaitKind } from './wait.js'

export interface JobEnv {
  readonly threads: ThreadList
  /** By number: living ones and zombies. */
  readonly processes: ReadonlyMap<number, Process>
  readonly signals: Signals
  /** What a living process has used so far. */
  usageOf(process: Process): Usage
  readonly tracing: Tracing
  processOf(thread: Thread): Process
}

export class JobControl {
  readonly #env: JobEnv
  readonly #u32: Uint32Array

  constructor(env: JobEnv, u32: Uint32Array) {
    this.#env = env
    this.#u32 = u32
  }

  /** A stop signal takes effect. Whether the thread that it was delivered to is stopped now: one that is traced tells its tracer first. */
  stop(process: Process, thread: Thread, signal: number): boolean {
    const { stops } = this.#env.tracing
    if (!stops.mayStop(thread)) return false
    if (!process.hasFlag(ProcessFlag.stopped)) process.stopSignal = signal
    process.groupStop = signal
    process.setFlag(ProcessFlag.continued, false)
    for (const other of this.#env.threads.ofProcess(process.ptr)) {
      if (!stops.joinStop(other, signal)) other.stop()
    }
    this.finishStop(process)
    return thread.state === ThreadState.stopped
  }

  /** The process is stopped once each of its threads is. `isTold`: its parent, who traces the last one, knows. */
  finishStop(process: Process, isTold = false): void {
    if (process.hasFlag(ProcessFlag.stopped) || this.#env.tracing.stops.isStopping(process)) return
    process.setFlag(ProcessFlag.stopped, true)
    if (!isTold) this.#tellParent(process, SignalCode.childStopped, process.stopSignal)
  }

  /** SIGCONT was sent: a stopped process goes on, whatever it does about the signal. Threads that are traced wait for their tracers. */
  continue(process: Process): void {
    const wasStopped = process.hasFlag(ProcessFlag.stopped)
    let wasStopping = false
    for (const thread of this.#env.threads.ofProcess(process.ptr)) {
      if (this.#env.tracing.stops.noteContinued(thread)) wasStopping = true
      if (wasStopped || wasStopping) thread.continue()
      this.#env.signals.masks.recalculate(thread)
    }
    if (!wasStopped && !wasStopping) return
    process.setFlag(ProcessFlag.stopped, false)
    process.setFlag(ProcessFlag.continued, true)
    process.stopSignal = 0
    if (wasStopped) this.#tellParent(process, SignalCode.childContinued, Signal.CONT)
    else this.#tellParent(process, SignalCode.childStopped, 0)
  }

  #tellParent(process: Process, code: number, status: number): void {
    const { userTime, systemTime } = this.#env.usageOf(process)
    const about = { code, status, userTime, systemTime }
    const { parent } = process
    if (parent !== undefined)
      this.tell(parent, process, { ...about, processId: parent.namespace.numberOf(process.id) })
    const tracer = code === SignalCode.childContinued ? this.#tracerOf(process) : undefined
    if (tracer !== undefined && tracer !== parent)
      this.tell(tracer, process, { ...about, processId: tracer.namespace.numberOf(process.id) })
  }

  /** The process that traces its first thread. */
  #tracerOf(process: Process): Process | undefined {
    const first = this.#env.threads.byId(process.id)
    const tracer = first && this.#env.tracing.tracerOf(first)
    return tracer && this.#env.processOf(tracer)
  }

  /** SIGCHLD about a process, or a thread of it, that has stopped or goes on: to its parent or tracer. */
  tell(parent: Process, process: Process, about: Omit<SignalInfo, 'signal'>): void {
    if (parent.isZombie) return
    const { signals } = this.#env
    const action = parent.action(Signal.CHLD) >>> 2
    const isRefused = signals.sender.isRefused(parent, Signal.CHLD)
    if (!isRefused && (this.#u32[action + ACTION_FLAGS / 4]! & SA_NOCLDSTOP) === 0) {
      // Not in the bytes that all siginfo_t are made in: the SIGCONT that this is about may stand there.
      const info = new Uint8Array(SIGINFO_BYTES)
      const userId = realUserOf(process)
      encodeSignalInfo(new DataView(info.buffer), 0, { ...about, signal: Signal.CHLD, userId })
      signals.sendToProcess(parent, Signal.CHLD, info)
    }
    for (const thread of this.#env.threads.ofProcess(parent.ptr)) {
      if (thread.state === ThreadState.parked && thread.waitKind === WaitKind.child) thread.wakeForEvent()
    }
  }

  /**
   * Whether nobody is left who could continue the members of a process group: no parent in another group of the same
   * session. Such a group is not stopped by a terminal. `ended` counts as gone.
   */
  isOrphaned(groupId: number, ended?: Process): boolean {
    for (const process of this.#env.processes.values()) {
      const { parent } = process
      if (process.groupId !== groupId || process === ended || process.isZombie || parent === undefined)
        continue
      if (parent.groupId !== groupId && parent.sessionId === process.sessionId) return false
    }
    return true
  }

  /**
   * A process ends (`ended`), or one loses its parent: stopped members of a group that becomes an orphan by that are hung up
   * and continued.
   */
  checkOrphans(process: Process, parent: Process | undefined, ended?: Process): void {
    const { groupId, sessionId } = process
    if (parent === undefined || parent.groupId === groupId || parent.sessionId !== sessionId) return
    if (!this.#hasStopped(groupId) || !this.isOrphaned(groupId, ended)) return
    this.sendToGroup(groupId, Signal.HUP)
    this.sendToGroup(groupId, Signal.CONT)
  }

  #hasStopped(groupId: number): boolean {
    for (const process of this.#env.processes.values()) {
      if (process.groupId === groupId && process.hasFlag(ProcessFlag.stopped)) return true
    }
    return false
  }

  /** The kernel's own signal to a whole group: of a terminal, or of orphans. */
  sendToGroup(groupId: number, signal: number): void {
    const { processes, signals } = this.#env
    for (const process of [...processes.values()]) {
      if (process.groupId !== groupId) continue
      signals.sendToProcess(process, signal, signals.info({ signal, code: SignalCode.kernel }))
    }
  }

  /**
   * A process that uses its controlling terminal, whose foreground group is another one: 0 when it may, -EIO, or -ERESTARTSYS
   * and its group was sent the signal (SIGTTIN, SIGTTOU).
   */
  checkTerminal(process: Process, thread: Thread, foreground: number, signal: number): number {
    if (foreground === 0 || process.groupId === foreground) return 0
    const { masks, sender } = this.#env.signals
    const isLost = sender.isRefused(process, signal) || masks.isBlocked(thread, signal)
    if (isLost) return signal === Signal.TTIN ? -EIO : 0
    if (this.isOrphaned(process.groupId)) return -EIO
    this.sendToGroup(process.groupId, signal)
    return -ERESTARTSYS
  }
}
