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
