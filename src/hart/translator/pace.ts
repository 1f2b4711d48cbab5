/** Of a program that has been kept by so many runs. */
interface Stage {
  /** Arrivals after which a place is translated early. What that costs now it saves in all runs to come. */
  readonly early: number
  /**
   * A program that has run for longer will go on for longer, and fewer arrivals are enough: as many as this has instructions that were executed.
   * (With 10,000 arrivals from 120 million instructions on in a first run: node's start took 13 per cent more, Perl and Python with JSON 10,
   * loops of Python 6, sqlite3 as long; with 20e12, sqlite3 2 per cent more, node's start 5 less.)
   */
  readonly patience: number
}

const STAGES: readonly Stage[] = [
  { early: 50_000, patience: 12e12 },
  { early: 25_000, patience: 1.2e12 },
]
const LAST_STAGE: Stage = { early: 6_000, patience: 1.2e12 }
/** When so many instructions were executed, translating keeps pace with executing, */
const LONG_RUN = 120_000_000
/** one instruction at most for so many since. */
const PACE = 3000
/** So many at a time, or a module has too few to be worth its own cost. */
const BATCH = 200
/** Smaller thresholds, for tests, are not paced. */
const PACED_THRESHOLD = 1000

/**
 * How often the hart must come to a place before that is translated. A translated instruction costs some 20 µs, as much as seven thousand
 * interpreted ones, half of it the translator and half V8. So early only what has been executed more often than that is translated, and more when the
 * program has run for long.
 * (Early also what makes up one in 700 of all that was executed: musl's storm of malloc took a tenth less, gzip, C++ containers and Python's
 * start 5 to 10 per cent more. With 50,000 arrivals, not 100,000: md5sum of 64 MiB 410 to 371 ms, sqlite3 2.51 to 2.30 s, gzip 1.36 to 1.30, C++
 * containers and glibc's storm of malloc 2 per cent more, Python's start 5. With 25,000: sqlite3 2.0 s, C++ containers 7 per cent more, glibc's storm 8,
 * Python's start 12; but by the clock nearly all take less the less it is, as V8 compiles on another processor.)
 */
export class Pace {
  readonly #late: number
  readonly #stage: Stage
  readonly #executed: () => number
  #isLong: boolean
  #translatedSince = 0

  /**
   * `threshold` is meant for programs that run for long; `executed`: instructions of the hart so far; `runs`: how many runs have kept what they
   * translated.
   */
  constructor(threshold: number, executed: () => number, runs = 0) {
    this.#late = threshold
    this.#stage = STAGES[runs] ?? LAST_STAGE
    this.#executed = executed
    this.#isLong = threshold < PACED_THRESHOLD
  }

  get threshold(): number {
    if (this.#late < PACED_THRESHOLD) return this.#late
    const executed = this.#executed()
    this.#isLong ||= executed >= LONG_RUN
    const { early, patience } = this.#stage
    return Math.max(this.#late, Math.min(early, Math.ceil(patience / executed)))
  }

  /** The least count of what is translated together with what has reached the threshold. */
  get warm(): number {
    return Math.ceil(this.threshold / 4)
  }

  /** Whether so many more may be translated. */
  allows(instructions = BATCH): boolean {
    if (!this.#isLong || this.#late < PACED_THRESHOLD) return true
    return this.#translatedSince + instructions <= (this.#executed() - LONG_RUN) / PACE + 2 * BATCH
  }

  add(instructions: number): void {
    if (this.#isLong) this.#translatedSince += instructions
  }
}
