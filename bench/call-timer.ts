import type { Contender } from './benchmark.js'
import { cpuNow } from './cpu-time.js'

/** Unmeasured rounds, until V8 has compiled what there is to compile: at least so many, and for so long (CPU nanoseconds). */
const WARM_UP_ROUNDS = 8
const WARM_UP_TIME = 200e6

/** A round is so many of `count` calls as take this long: of short ones some meet nothing else that the machine does. */
const ROUND_TIME = 30e6

/** An operation that is called from TypeScript `count` times and more: CPU nanoseconds each. */
export class CallTimer implements Contender {
  readonly #count: number
  readonly #prepare: () => (count: number) => void
  #run: ((count: number) => void) | undefined
  #best = Number.POSITIVE_INFINITY

  /** `prepare` is called once, unmeasured, and returns what does the operation so many times. */
  constructor(count: number, prepare: () => (count: number) => void) {
    this.#count = count
    this.#prepare = prepare
  }

  round(): void {
    const run = this.#warmRun()
    const first = cpuNow()
    for (let start = first, now = first; now - first < ROUND_TIME; start = now) {
      run(this.#count)
      now = cpuNow()
      this.#best = Math.min(this.#best, (now - start) / this.#count)
    }
  }

  best(): number {
    return this.#best
  }

  #warmRun(): (count: number) => void {
    if (this.#run === undefined) {
      this.#run = this.#prepare()
      const start = cpuNow()
      for (let round = 0; round < WARM_UP_ROUNDS || cpuNow() - start < WARM_UP_TIME; round++) {
        this.#run(this.#count)
      }
    }
    return this.#run
  }
}

/** Turns of a short loop. */
const TURNS = 2000

/**
 * Runs a loop over calls of some nanoseconds as many short ones: V8 compiles its function for the next call, as it does those of the
 * kernel. A loop that goes on for a whole round is replaced while it runs, by code that keeps its variables in memory: up to 2 ns a
 * turn. What it uses are its parameters: those of a function around it would be loaded, and looked at, in each turn.
 */
export function inShortLoops(loop: (count: number) => void): (count: number) => void {
  return (count) => {
    for (let left = count; left > 0; left -= TURNS) loop(Math.min(left, TURNS))
  }
}
