/** What timers do when their time has come, and what becomes of them with their process. */
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { Clock } from './clock.js'
import { INTERVAL_TIMERS, type Process } from './process.js'
import type { ProcessTable } from './process-table.js'
import { Signal, SignalCode } from './signal-numbers.js'
import { SIGINFO_BYTES } from './signal-queue.js'
import type { Signals } from './signals.js'
import type { FileServices } from './syscall-context.js'
import type { Thread } from './thread.js'
import type { ThreadList } from './thread-list.js'
import { TimerQueue } from './timer-queue.js'
import { Notify, TIMER_BYTES, type Timer, TimerKind, TimerScale } from './timer-record.js'
import { timeOf, type Usage } from './usage.js'

export interface TimersEnv {
  readonly mm: MemoryManager
  readonly clock: Clock
  readonly signals: Signals
  readonly threads: ThreadList
  readonly processTable: ProcessTable
  readonly files: FileServices
  readonly scheduler: {
    /** Whose thread has the hart. */
    readonly currentProcess: Process | undefined
    /** Nanoseconds that a thread has had the hart. */
    timeOf(thread: Thread): number
  }
  /** What a living process has used so far. */
  usageOf(process: Process): Usage
}

/** Of setitimer(2)'s three, in their order. */
const INTERVAL_SCALES = [TimerScale.monotonic, TimerScale.user, TimerScale.process] as const
const INTERVAL_SIGNALS = [Signal.ALRM, Signal.VTALRM, Signal.PROF] as const
/** A timer whose signal is ignored is not looked at more often than Linux's tick: 4 ms. */
const TICK = 4_000_000
const INT_MAX = 0x7fff_ffff
/** Of si_tid, si_overrun, si_value and the stamp in the siginfo_t of a timer. */
const INFO_TIMER = 16
const INFO_OVERRUN = 20
const INFO_VALUE = 24
const INFO_STAMP = 32

export class Timers {
  readonly #env: TimersEnv
  readonly queue: TimerQueue

  constructor(env: TimersEnv) {
    this.#env = env
    this.queue = new TimerQueue(env.mm)
  }

  /** One of setitimer(2)'s timers, which are part of the process's record. */
  intervalTimer(process: Process, kind: TimerKind): Timer {
    const timer = this.queue.at((process.ptr + INTERVAL_TIMERS + kind * TIMER_BYTES) as Ptr)
    timer.kind = kind
    timer.process = process.ptr
    timer.scale = INTERVAL_SCALES[kind as 0 | 1 | 2]
    return timer
  }

  /** A timerfd's; undefined without memory. */
  createForFile(): Timer | undefined {
    const timer = this.queue.create(NULL)
    if (timer !== undefined) timer.kind = TimerKind.file
    return timer
  }

  /** The time of a timer's clock. */
  now(timer: Timer): number {
    if (timer.scale === TimerScale.monotonic) return this.#env.clock.now()
    if (timer.scale !== TimerScale.thread) {
      const usage = this.#env.usageOf(this.#processOf(timer)!)
      return timer.scale === TimerScale.user ? usage.userTime : timeOf(usage)
    }
    const thread = this.#env.threads.byId(timer.clockThread)
    return thread === undefined ? 0 : this.#env.scheduler.timeOf(thread)
  }

  #processOf(timer: Timer): Process | undefined {
    return this.#env.processTable.at(timer.process)
  }

  /** Everything of the monotonic clock that is due. */
  expire(): void {
    const now = this.#env.clock.now()
    for (let timer = this.queue.takeDue(now); timer !== undefined; timer = this.queue.takeDue(now)) {
      this.#fire(timer)
    }
  }

  /** What is due of the processor time of the process that has the hart. */
  expireCpu(process: Process): void {
    for (const timer of this.queue.cpuTimers(process.ptr)) {
      if (this.now(timer) < timer.moment) continue
      this.queue.disarm(timer)
      this.#fire(timer)
    }
  }

  /** Nanoseconds of processor time before one is due, while this thread has the hart. */
  cpuBudget(process: Process, thread: Thread): number {
    let least = Number.POSITIVE_INFINITY
    for (const timer of this.queue.cpuTimers(process.ptr)) {
      if (timer.scale === TimerScale.thread && timer.clockThread !== thread.id) continue
      least = Math.min(least, timer.moment - this.now(timer))
    }
    return least
  }

  #fire(timer: Timer): void {
    if (timer.kind === TimerKind.file) this.#fireFile(timer)
    else if (timer.kind === TimerKind.posix) this.#firePosix(timer)
    else this.#fireInterval(timer)
  }

  #fireFile(timer: Timer): void {
    timer.ticks++
    this.#env.files.timerExpired(timer.ptr)
  }

  /** SIGALRM's timer is set again when the signal is taken; the others at once. */
  #fireInterval(timer: Timer): void {
    const { signals } = this.#env
    const signal: number = INTERVAL_SIGNALS[timer.kind as 0 | 1 | 2]
    signals.sendToProcess(this.#processOf(timer)!, signal, signals.info({ signal, code: SignalCode.kernel }))
    if (timer.kind === TimerKind.real || timer.interval === 0) return
    timer.moment += timer.interval
    this.queue.arm(timer)
  }

  /** Its signal sets it again when it is delivered, so that it is pending once at most. */
  #firePosix(timer: Timer): void {
    if (timer.interval !== 0) timer.stamp++
    if (this.#send(timer) || timer.interval === 0) return
    timer.overrun += timer.forward(this.now(timer) + (timer.interval < TICK ? TICK : 0))
    timer.stamp++
    this.queue.arm(timer)
  }

  /** False when the signal is ignored. */
  #send(timer: Timer): boolean {
    const { signals, threads } = this.#env
    const process = this.#processOf(timer)!
    const isShared = (timer.notify & Notify.threadId) === 0
    const thread = isShared ? threads.of(process.ptr) : threads.byId(timer.thread)
    if (thread === undefined || thread.process !== process.ptr) return true
    return signals.sender.fromTimer(process, thread, isShared, timer.record, infoOf(timer))
  }

  /** A signal was taken to be delivered: the timer that sent it is set again. `timer` is NULL for all other signals. */
  signalTaken(process: Process, record: Ptr, shared: number, info: Uint8Array): void {
    if (record !== NULL) this.#setAgain(this.queue.at(record), info)
    else if (shared === Signal.ALRM) this.#setAlarmAgain(process)
  }

  #setAlarmAgain(process: Process): void {
    const timer = this.intervalTimer(process, TimerKind.real)
    if (timer.isArmed || timer.interval === 0) return
    timer.forward(this.now(timer))
    this.queue.arm(timer)
  }

  #setAgain(timer: Timer, info: Uint8Array): void {
    const view = new DataView(info.buffer, info.byteOffset)
    const stamp = view.getUint32(INFO_STAMP, true)
    if (stamp === 0) return
    view.setUint32(INFO_STAMP, 0, true)
    if (timer.interval === 0 || timer.stamp !== stamp) return
    timer.overrun += timer.forward(this.now(timer))
    this.queue.arm(timer)
    timer.lastOverrun = timer.overrun
    timer.overrun = -1
    timer.stamp++
    view.setInt32(
      INFO_OVERRUN,
      Math.min(INT_MAX, timer.lastOverrun + view.getInt32(INFO_OVERRUN, true)),
      true,
    )
  }

  /** timer_delete(2). A signal of it that is pending stays so. */
  delete(timer: Timer): void {
    if (timer.record !== NULL) {
      this.#env.signals.queues.infoOf(timer.record).fill(0, INFO_STAMP, INFO_STAMP + 4)
      this.#env.signals.queues.disown(timer.record)
    }
    this.queue.free(timer)
  }

  /** execve(2): the timers of timer_create are gone, those of setitimer stay. */
  leaveProgram(process: Process): void {
    for (const timer of this.queue.ofProcess(process.ptr)) this.delete(timer)
  }

  /** The process has ended. */
  leaveProcess(process: Process): void {
    this.leaveProgram(process)
    for (const kind of [TimerKind.real, TimerKind.virtual, TimerKind.profile]) {
      this.queue.disarm(this.intervalTimer(process, kind))
    }
  }

  /** Asserts that every timer belongs to a process or a file. */
  check(): void {
    const owners = [...this.#env.processTable.byId.values()].map(({ ptr }) => ptr)
    this.queue.check([NULL, ...owners])
  }
}

/** The siginfo_t of a timer's signal. */
function infoOf(timer: Timer): Uint8Array {
  const info = new Uint8Array(SIGINFO_BYTES)
  const view = new DataView(info.buffer)
  view.setInt32(0, timer.signal, true)
  view.setInt32(8, SignalCode.timer, true)
  view.setInt32(INFO_TIMER, timer.id, true)
  view.setUint32(INFO_VALUE, timer.valueLow, true)
  view.setUint32(INFO_VALUE + 4, timer.valueHigh, true)
  if (timer.interval !== 0) view.setUint32(INFO_STAMP, timer.stamp, true)
  return info
}
