/**
 * Stopping and continuing processes, and telling their parents (do_signal_stop, do_notify_parent_cldstop and kill_orphaned_pgrp of
 * Linux). With one hart all threads of a process stop at once.
 */
import { EIO } from '../base/errno.js'
import { type Process, ProcessFlag } from './process.js'
import { ACTION_FLAGS } from './signal-actions.js'
import { SA_NOCLDSTOP, Signal, SignalCode } from './signal-numbers.js'
import { realUserOf } from './signal-permission.js'
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
}

export class JobControl {
  readonly #env: JobEnv
  readonly #u32: Uint32Array

  constructor(env: JobEnv, u32: Uint32Array) {
    this.#env = env
    this.#u32 = u32
  }

  /** A stop signal takes effect. */
  stop(process: Process, signal: number): void {
    for (const thread of this.#env.threads.ofProcess(process.ptr)) thread.stop()
    process.setFlag(ProcessFlag.continued, false)
    process.setFlag(ProcessFlag.stopped, true)
    process.stopSignal = signal
    this.#tellParent(process, SignalCode.childStopped, signal)
  }

  /** SIGCONT was sent: a stopped process goes on, whatever it does about the signal. */
  continue(process: Process): void {
    if (!process.hasFlag(ProcessFlag.stopped)) return
    process.setFlag(ProcessFlag.stopped, false)
    process.setFlag(ProcessFlag.continued, true)
    process.stopSignal = 0
    for (const thread of this.#env.threads.ofProcess(process.ptr)) {
      thread.continue()
      this.#env.signals.masks.recalculate(thread)
    }
    this.#tellParent(process, SignalCode.childContinued, Signal.CONT)
  }

  #tellParent(process: Process, code: number, status: number): void {
    const { parent } = process
    if (parent === undefined || parent.isZombie) return
    const { signals } = this.#env
    const action = parent.action(Signal.CHLD) >>> 2
    const isRefused = signals.sender.isRefused(parent, Signal.CHLD)
    if (!isRefused && (this.#u32[action + ACTION_FLAGS / 4]! & SA_NOCLDSTOP) === 0) {
      const { userTime, systemTime } = this.#env.usageOf(process)
      const info = signals.info({
        signal: Signal.CHLD,
        code,
        processId: parent.namespace.numberOf(process.id),
        userId: realUserOf(process),
        status,
        userTime,
        systemTime,
      })
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
