/** What happens at a moment: sleeps that end, timers that fire, and the `time` register of the hart. */
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import { type Clock, TICK_NANOSECONDS } from './clock.js'
import type { Process } from './process.js'
import type { ProcessTable } from './process-table.js'
import { Signal, SignalCode } from './signal-numbers.js'
import type { Signals } from './signals.js'
import type { Thread } from './thread.js'
import type { ThreadList } from './thread-list.js'

export interface TimeEnv {
  readonly mm: MemoryManager
  readonly clock: Clock
  readonly hart: Hart
  readonly signals: Signals
  readonly threads: ThreadList
}

export class Timekeeper {
  readonly #env: TimeEnv
  readonly #processes: ProcessTable

  constructor(env: TimeEnv, processes: ProcessTable) {
    this.#env = env
    this.#processes = processes
    const { clock, hart, mm } = env
    const ticksPerInstruction = clock.mode === 'virtual' ? 1 / TICK_NANOSECONDS : 0
    mm.memory.f64[(hart.ptr + HartField.timeScale) >>> 3] = ticksPerInstruction
  }

  /** ITIMER_REAL: sends SIGALRM when its time has come, and sets it again. */
  expireTimer(process: Process, thread: Thread): void {
    if (process.timerDeadline === Number.POSITIVE_INFINITY) return
    const now = this.#env.clock.now()
    if (process.timerDeadline > now) return
    process.timerDeadline = nextExpiry(process.timerDeadline, process.timerInterval, now)
    const { signals } = this.#env
    const info = signals.info({ signal: Signal.ALRM, code: SignalCode.kernel })
    signals.sendToProcess(process, thread, Signal.ALRM, info)
  }

  /** Instructions to run before a timer or another thread may be due: 1 to `most`. */
  budget(process: Process, most: number): number {
    const { clock, threads } = this.#env
    if (clock.mode === 'real') return most
    const due = Math.min(process.timerDeadline, threads.firstDeadline())
    return due === Number.POSITIVE_INFINITY ? most : Math.max(1, Math.min(most, due - clock.now()))
  }

  /** When something will happen by itself: a sleep ends, a timer fires. Infinity = never. */
  nextDeadline(): number {
    let first = this.#env.threads.firstDeadline()
    for (const process of this.#processes.byId.values()) first = Math.min(first, process.timerDeadline)
    return first
  }

  /** While threads take turns: does what is due by now. */
  passDue(): void {
    if (this.#env.clock.now() >= this.nextDeadline()) this.passTime()
  }

  /** Time has passed or was skipped: threads, timers and the `time` register follow. */
  passTime(): void {
    const { clock, hart, threads } = this.#env
    const now = clock.now()
    threads.wakeOverdue(now)
    for (const thread of threads) this.expireTimer(this.#processes.of(thread), thread)
    hart.setNumber(HartField.timeBase, clock.registerBase())
  }
}

function nextExpiry(deadline: number, interval: number, now: number): number {
  if (interval === 0) return Number.POSITIVE_INFINITY
  return deadline + (Math.floor((now - deadline) / interval) + 1) * interval
}
