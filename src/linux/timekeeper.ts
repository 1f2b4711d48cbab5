/** What happens at a moment: sleeps that end, timers that expire, and the `time` register of the hart. */
import type { Ptr } from '../base/numbers.js'
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import { TICK_NANOSECONDS } from './clock.js'
import { KhugepagedTimer } from './khugepaged-timer.js'
import type { Process } from './process.js'
import type { Thread } from './thread.js'
import { Timers, type TimersEnv } from './timers.js'

export interface TimeEnv extends TimersEnv {
  readonly hart: Hart
}

export class Timekeeper {
  readonly #env: TimeEnv
  readonly timers: Timers
  readonly khugepaged: KhugepagedTimer

  constructor(env: TimeEnv) {
    this.#env = env
    this.timers = new Timers(env)
    this.khugepaged = new KhugepagedTimer(env.mm, () => env.hart.instructions())
    const { clock, hart, mm } = env
    const ticksPerInstruction = clock.mode === 'virtual' ? 1 / TICK_NANOSECONDS : 0
    mm.memory.f64[(hart.ptr + HartField.timeScale) >>> 3] = ticksPerInstruction
  }

  /** Instructions that a thread may run before a timer or another thread may be due: 1 to `most`. `deadline`: as `passDue` has said. */
  budget(process: Process, thread: Thread, most: number, deadline: number): number {
    const { clock } = this.#env
    let budget = most
    if (deadline !== Number.POSITIVE_INFINITY && clock.mode === 'virtual') {
      budget = Math.min(budget, deadline - clock.now())
    }
    if (this.timers.queue.hasCpuTimers(process.ptr)) {
      budget = Math.min(budget, this.timers.cpuBudget(process, thread))
    }
    return Math.max(1, budget)
  }

  /** When something will happen by itself: a sleep ends, a timer expires. Infinity = never. */
  nextDeadline(): number {
    return Math.min(this.#env.threads.firstDeadline(), this.timers.queue.firstMoment)
  }

  /** While threads take turns: does what is due by now. Returns the next deadline. */
  passDue(): number {
    const deadline = this.#passThreads()
    const scan = this.khugepaged.moment()
    if (scan === Number.POSITIVE_INFINITY) return deadline
    const now = this.#env.clock.now()
    if (now >= scan) this.khugepaged.run(now)
    return Math.min(deadline, this.khugepaged.moment())
  }

  /** The same for threads and timers. */
  #passThreads(): number {
    const { clock, scheduler } = this.#env
    const deadline = this.nextDeadline()
    const isDue = deadline !== Number.POSITIVE_INFINITY && clock.now() >= deadline
    if (isDue) this.passTime()
    const process = scheduler.currentProcess
    const hasTimers = process !== undefined && this.timers.queue.hasCpuTimers(process.ptr)
    if (hasTimers) this.timers.expireCpu(process)
    return isDue || hasTimers ? this.nextDeadline() : deadline
  }

  /** Time has passed or was skipped: threads, timers and the `time` register follow. */
  passTime(): void {
    const { clock, hart, threads } = this.#env
    hart.setNumber(HartField.timeBase, clock.registerBase())
    threads.wakeOverdue(clock.now())
    this.timers.expire()
  }

  /** A signal was taken to be delivered; `timer` is the one that sent it. `shared` is the signal if it was the process's. */
  signalTaken(process: Process, timer: Ptr, shared: number, info: Uint8Array): void {
    this.timers.signalTaken(process, timer, shared, info)
  }
}
