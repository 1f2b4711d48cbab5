import type { Contender } from './benchmark.js'
import { cpuNow } from './cpu-time.js'

/** A turn that cannot be made without others: only its own part is timed. */
export interface TimedTurn {
  readonly before: () => void
  readonly timed: () => void
  readonly after: () => void
}

/**
 * Unmeasured, until V8 has compiled what there is to compile: a turn calls most of it once. At least so many turns, and for so long (CPU
 * nanoseconds): with the patience that the command asks of V8, a fork's functions are compiled after some thousand.
 */
const WARM_UP_TURNS = 300
const WARM_UP_TIME = 2e9

/** CPU nanoseconds of the timed part, by `share` (how many operations a turn is). A part takes 100 µs at least. */
export class PartTimer implements Contender {
  readonly #turns: number
  readonly #share: number
  readonly #prepare: () => TimedTurn
  #turn: TimedTurn | undefined
  #best = Number.POSITIVE_INFINITY

  constructor(turns: number, share: number, prepare: () => TimedTurn) {
    this.#turns = turns
    this.#share = share
    this.#prepare = prepare
  }

  round(): void {
    if (this.#turn === undefined) {
      this.#turn = this.#prepare()
      const start = cpuNow()
      for (let i = 0; i < WARM_UP_TURNS || cpuNow() - start < WARM_UP_TIME; i++) this.#time(this.#turn)
    }
    let sum = 0
    for (let i = 0; i < this.#turns; i++) sum += this.#time(this.#turn)
    this.#best = Math.min(this.#best, sum / (this.#turns * this.#share))
  }

  #time({ before, timed, after }: TimedTurn): number {
    before()
    const start = cpuNow()
    timed()
    const time = cpuNow() - start
    after()
    return time
  }

  best(): number {
    return this.#best
  }
}
