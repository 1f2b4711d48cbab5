/**
 * Arrivals after which a place is translated early; and in a program whose translated code was kept by so many runs: what it costs now it saves in
 * all runs to come. (With 25,000 in the second run, six runs in a row of C++ containers and Python's start take 4 to 6 per cent longer.)
 */
const EARLY_THRESHOLDS = [80_000, 40_000, 6_000] as const
/**
 * A program that has run for longer will go on for longer, and fewer arrivals are enough: this by the instructions that it has executed.
 * (With 10,000 arrivals from 120 million instructions on: node's start took 13 per cent more, Perl and Python with JSON 10,
 * loops of Python 6, sqlite3 as long; with 20e12, sqlite3 2 per cent more, node's start 5 less. With a tenth of it from the second run on, five runs in a
 * row took as long, of node and JSON 2 per cent longer.)
 */
const PATIENCE = 12e12
/** When so many instructions were executed, translating keeps pace with executing, */
const LONG_RUN = 120_000_000
/** one instruction at most for so many since. */
const PACE = 3000
/** What has this share of the threshold is translated with what has reached it, in a first run and in later ones. */
const WARM_SHARE = 1 / 6
const LATER_WARM_SHARE = 1 / 4
/** So many at a time, or a module has too few to be worth its own cost. */
const BATCH = 200
/** Smaller thresholds, for tests, are not paced. */
const PACED_THRESHOLD = 1000

/**
 * How often the hart must come to a place before that is translated. A translated instruction costs some 20 µs, as much as seven thousand
 * interpreted ones, half of it the translator and half V8. So early only what has been executed more often than that is translated, and more when the
 * program has run for long.
 * (Of twelve programs, in turns: with 50,000 arrivals and what has a quarter of them, storms of malloc, C++ containers, Perl and a shell take 1 to 5
 * per cent more, md5sum of 64 MiB 2 less; with 100,000 and a sixth md5sum 6 more, gzip 4, sqlite3 2; with 80,000 and a fifth sqlite3 3 and Perl 6, with an
 * eighth C++ containers, Perl and glibc's storm 5. What makes up one in 700 of all that was executed is not worth it early: musl's storm took a tenth less,
 * gzip, C++ containers and Python's start 5 to 10 per cent more. By the clock nearly all take less the less it is, as V8 compiles on another processor.)
 */
export class Pace {
  readonly #late: number
  readonly #early: number
  readonly #warmShare: number
  readonly #executed: () => number
  #isLong: boolean
  #translatedSince = 0

  /**
   * `threshold` is meant for programs that run for long; `executed`: instructions of the hart so far; `runs`: how many runs have kept what they
   * translated.
   */
  constructor(threshold: number, executed: () => number, runs = 0) {
    this.#late = threshold
    this.#early = EARLY_THRESHOLDS[runs] ?? EARLY_THRESHOLDS[2]
    this.#warmShare = runs === 0 ? WARM_SHARE : LATER_WARM_SHARE
    this.#executed = executed
    this.#isLong = threshold < PACED_THRESHOLD
  }

  get threshold(): number {
    if (this.#late < PACED_THRESHOLD) return this.#late
    const executed = this.#executed()
    this.#isLong ||= executed >= LONG_RUN
    return Math.max(this.#late, Math.min(this.#early, Math.ceil(PATIENCE / executed)))
  }

  /** The least count of what is translated together with what has reached the threshold. */
  get warm(): number {
    return Math.ceil(this.threshold * this.#warmShare)
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
