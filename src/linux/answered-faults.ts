/**
 * Page faults that the hart answers by itself (fault/answer-code.ts), seen from the loop that runs it: how many it may answer before it must leave, and
 * what they have cost the thread. A run with them and one without are the same to the tick.
 */
import type { Ptr } from '../base/numbers.js'
import { answerBytes } from '../fault/answer-code.js'
import { answerLayout } from '../fault/answer-layout.js'
import { HartField } from '../hart/hart-state.js'
import { Counter, countedHere } from '../state/counters.js'
import { TICK_NANOSECONDS } from './clock.js'
import { FRAME_TICKS, TRAP_TICKS } from './kernel-time.js'
import type { Linux } from './linux.js'
import type { Process } from './process.js'
import type { Thread } from './thread.js'

/** Faults of a machine after which the code is worth making: it takes as long as so many. */
const WORTH = 64
/** Answers in a run of the hart, when nothing limits them. */
const ANSWERS_MAX = 1 << 20
/** Nanoseconds of virtual time that one takes at most. */
const LONGEST = (TRAP_TICKS + FRAME_TICKS) * TICK_NANOSECONDS

export class AnsweredFaults {
  readonly #linux: Linux
  readonly #u32: Uint32Array
  /** Index of the hart's word. */
  readonly #left: number
  /** Nothing until the code is worth it, or where it is not for this machine: then the hart has none to call. */
  #isReady = false
  #isOff: boolean
  #allowed = 0
  /** So far. */
  total = 0

  /** `isOn`: false: every fault stops the hart. */
  constructor(linux: Linux, isOn: boolean) {
    const { mm, hart } = linux
    this.#linux = linux
    this.#u32 = mm.memory.u32
    this.#left = (hart.ptr + HartField.answersLeft) >>> 2
    this.#isOff = !isOn || mm.memory.shared || !mm.buddy.isUnwatched
  }

  /**
   * Before the hart runs for a process, for `most` instructions or fewer; `deadline`: when something else is due, of the clock. So many may be answered that
   * neither comes nearer than it would be.
   */
  allow(process: Process, most: number, deadline: number): void {
    if (this.#isOff || !(this.#isReady || this.#isWorthIt)) return
    this.#allowed = this.#answers(process, most, deadline)
    this.#u32[this.#left] = this.#allowed
    this.#u32[this.#left + 1] = process.space.ptr
  }

  /** What was answered since, in the thread's time. */
  settle(thread: Thread): void {
    if (!this.#isReady) return
    const answered = this.#allowed - this.#u32[this.#left]!
    this.#allowed = 0
    this.#u32[this.#left] = 0
    this.#u32[this.#left + 1] = 0
    if (answered === 0) return
    this.total += answered
    const { kernelTime } = this.#linux
    kernelTime.enter(thread, answered * TRAP_TICKS)
    kernelTime.leave(thread)
  }

  #answers(process: Process, most: number, deadline: number): number {
    const { clock, time, kernelTime } = this.#linux
    // The next fault that stops the hart pays for frames that a signal's delivery took.
    if (kernelTime.isOwed || time.timers.queue.hasCpuTimers(process.ptr)) return 0
    if (deadline === Number.POSITIVE_INFINITY || clock.mode !== 'virtual') return ANSWERS_MAX
    const spare = Math.floor((deadline - clock.now() - most) / LONGEST)
    return Math.max(0, Math.min(spare, ANSWERS_MAX))
  }

  get #isWorthIt(): boolean {
    const { memory } = this.#linux.mm
    if (countedHere(memory, Counter.resolvedMinor) < WORTH) return false
    this.#make()
    return this.#isReady
  }

  #make(): void {
    const { mm, hart, clock } = this.#linux
    const at = (field: number): Ptr => (hart.ptr + field) as Ptr
    const isVirtual = clock.mode === 'virtual'
    const layout = answerLayout(mm, {
      space: at(HartField.answerFor),
      left: at(HartField.answersLeft),
      timeBase: at(HartField.timeBase),
      faultTicks: isVirtual ? TRAP_TICKS : 0,
      frameTicks: isVirtual ? FRAME_TICKS : 0,
    })
    this.#isReady = layout !== undefined
    this.#isOff = layout === undefined
    if (layout === undefined) return
    const name = `answer ${JSON.stringify(layout)}`
    hart.answerFaults(name, () => answerBytes(layout), 'answer')
  }
}
