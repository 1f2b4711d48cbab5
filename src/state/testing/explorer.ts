/**
 * All interleavings of a scenario, or all with a bounded number of preemptions. Steps on different words can change places
 * without any effect, so of all the orders that differ only in that, one is enough: a point of a run that is the same as
 * one seen before (each thread has done the same, and every word was changed and read in the same order) is not left by
 * the same ways again (happens-before caching; Musuvathi and Qadeer, "Partial-order reduction for context-bounded state
 * exploration", 2007). It is sound as long as what threads do between steps touches no word that another may touch then.
 */
import type { Run, Step } from './controlled-scheduler.js'

export interface ExploreOptions {
  /** Times that a thread which could go on is made to wait. Default: any number. */
  readonly preemptionsMax?: number
  /** Gives up after so many runs. */
  readonly runsMax?: number
  /** Without the reduction: every order counts. To hold the reduction against, on small scenarios. */
  readonly reduces?: boolean
}

export interface Exploration {
  readonly runs: number
  /** Points at which somebody had to be chosen. */
  readonly points: number
  /** All was seen: no run was left out, and none went wrong. */
  readonly complete: boolean
  /** The first run that went wrong. `schedule` makes it happen again. */
  readonly failure?: { readonly problem: string; readonly schedule: readonly number[] }
}

/** A 53-bit hash of numbers. */
function mix(...values: number[]): number {
  let [a, b] = [0x9e3779b9, 0x85ebca6b]
  for (const value of values) {
    for (const half of [value | 0, Math.floor(value / 2 ** 32) | 0]) {
      a = Math.imul((a ^ half) + (b >>> 7), 0xcc9e2d51)
      b = Math.imul((b ^ (half + 0x27d4eb2f)) + (a >>> 11), 0x1b873593)
    }
  }
  a ^= a >>> 15
  b ^= b >>> 13
  return (a >>> 0) * 2 ** 21 + ((b >>> 0) >>> 11)
}

/** What has happened so far, but for the order of steps that have nothing to do with each other. */
class History {
  readonly #threads: number[]
  /** By word: the last change, and the reads since then (their order means nothing). */
  readonly #changes = new Map<number, number>()
  readonly #reads = new Map<number, number>()

  constructor(threads: number) {
    this.#threads = Array.from({ length: threads }, (_, index) => index + 1)
  }

  /** An entry's two words count as one. */
  add({ thread, operation, pointer, changed }: Step): void {
    const word = pointer >>> 3
    const change = this.#changes.get(word) ?? 0
    const reads = this.#reads.get(word) ?? 0
    const own = mix(this.#threads[thread]!, operation.charCodeAt(1), pointer, change, changed ? reads : -1)
    this.#threads[thread] = own
    if (changed) {
      this.#changes.set(word, own)
      this.#reads.set(word, 0)
    } else {
      this.#reads.set(word, (reads + own) % 2 ** 53)
    }
  }

  signature(...more: number[]): number {
    return mix(...more, ...this.#threads)
  }
}

type RunSchedule = (schedule: readonly number[]) => Run

/** Runs a scenario of so many threads again and again, until nothing new can come or a run goes wrong. */
export function explore(run: RunSchedule, threads: number, options: ExploreOptions = {}): Exploration {
  return new Explorer(threads, options).explore(run)
}

class Explorer {
  readonly #threads: number
  readonly #preemptionsMax: number
  readonly #runsMax: number
  readonly #reduces: boolean
  /** How runs that are still to be made begin. */
  readonly #schedules: number[][] = [[]]
  /** Points seen, with the fewest preemptions that have led there. */
  readonly #seen = new Map<number, number>()
  #runs = 0
  #points = 0

  constructor(threads: number, options: ExploreOptions) {
    this.#threads = threads
    this.#preemptionsMax = options.preemptionsMax ?? Number.POSITIVE_INFINITY
    this.#runsMax = options.runsMax ?? 400_000
    this.#reduces = options.reduces ?? true
  }

  explore(run: RunSchedule): Exploration {
    for (let schedule = this.#schedules.pop(); schedule; schedule = this.#schedules.pop()) {
      if (this.#runs === this.#runsMax) return this.#result(false)
      this.#runs++
      const { steps, problem } = run(schedule)
      if (problem !== undefined) {
        return { ...this.#result(false), failure: { problem, schedule: steps.map(({ thread }) => thread) } }
      }
      this.#branch(steps, schedule.length)
    }
    return this.#result(true)
  }

  #result(complete: boolean): Exploration {
    return { runs: this.#runs, points: this.#points, complete }
  }

  /** Notes the other ways that a run could have gone, after the part that its schedule gave. */
  #branch(steps: readonly Step[], from: number): void {
    const history = new History(this.#threads)
    const made: number[] = []
    let preemptions = 0
    for (const step of steps) {
      const current = made.at(-1) ?? -1
      const couldGoOn = current >= 0 && (step.enabled & (1 << current)) !== 0
      if (made.length >= from) {
        if (this.#isOld(history.signature(step.enabled, this.#isBounded ? current : -1), preemptions)) return
        this.#points++
        for (const other of this.#others(step)) {
          const cost = couldGoOn && other !== current ? 1 : 0
          if (preemptions + cost <= this.#preemptionsMax) this.#schedules.push([...made, other])
        }
      }
      if (couldGoOn && step.thread !== current) preemptions++
      history.add(step)
      made.push(step.thread)
    }
  }

  get #isBounded(): boolean {
    return this.#preemptionsMax !== Number.POSITIVE_INFINITY
  }

  #isOld(signature: number, preemptions: number): boolean {
    if (!this.#reduces) return false
    if ((this.#seen.get(signature) ?? Number.POSITIVE_INFINITY) <= preemptions) return true
    this.#seen.set(signature, this.#isBounded ? preemptions : 0)
    return false
  }

  #others({ thread, enabled }: Step): number[] {
    return Array.from({ length: this.#threads }, (_, other) => other).filter(
      (other) => other !== thread && (enabled & (1 << other)) !== 0,
    )
  }
}
