import type { Contender } from './benchmark.js'
import { cpuNow } from './cpu-time.js'

/** Unmeasured rounds, until V8 has compiled what there is to compile. */
const WARM_UP_ROUNDS = 8

/** An operation that is called from TypeScript `count` times a round: CPU nanoseconds each. */
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
    const start = cpuNow()
    run(this.#count)
    this.#best = Math.min(this.#best, (cpuNow() - start) / this.#count)
  }

  best(): number {
    return this.#best
  }

  #warmRun(): (count: number) => void {
    if (this.#run === undefined) {
      this.#run = this.#prepare()
      for (let round = 0; round < WARM_UP_ROUNDS; round++) this.#run(this.#count)
    }
    return this.#run
  }
}
