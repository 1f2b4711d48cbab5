/** What many mappings cost as a multiple of what few cost. */
import { type TreeTimes, timeTree } from '../src/space/vma-tree.bench.js'
import type { Benchmark, Contender } from './benchmark.js'

type Measure = Exclude<keyof TreeTimes, 'mappings'>

const FEW = 100
/** The most that Linux allows a process. */
const MANY = 65_530

const rows: readonly { readonly measure: Measure; readonly name: string }[] = [
  { measure: 'lookup', name: 'look-up of one of 4,096 addresses (cache misses)' },
  { measure: 'lookupNear', name: 'look-up of one of 64 addresses' },
  { measure: 'gap', name: 'gap search, one gap fits' },
  { measure: 'gapBelow', name: 'gap search below a random address' },
]

/** One run times everything in both sizes; the rows share the runs. */
class TreeRuns {
  readonly #few: TreeTimes[] = []
  readonly #many: TreeTimes[] = []

  /** Sees to it that there were so many runs. */
  atLeast(runs: number): void {
    while (this.#few.length < runs) {
      this.#few.push(timeTree(FEW))
      this.#many.push(timeTree(MANY))
    }
  }

  /** Of the two minima. */
  ratio(measure: Measure): number {
    const [few, many] = [this.#few, this.#many].map((runs) =>
      Math.min(...runs.map((times) => times[measure])),
    )
    return many! / few!
  }
}

class TreeRatio implements Contender {
  readonly #runs: TreeRuns
  readonly #measure: Measure
  #rounds = 0

  constructor(runs: TreeRuns, measure: Measure) {
    this.#runs = runs
    this.#measure = measure
  }

  round(): void {
    this.#runs.atLeast(++this.#rounds)
  }

  best(): number {
    return this.#runs.ratio(this.#measure)
  }
}

export function treeBenchmarks(): Benchmark[] {
  const runs = new TreeRuns()
  return rows.map(({ measure, name }) => ({
    group: 'VMA tree, 65,530 mappings as a multiple of 100',
    name,
    unit: 'times',
    goal: { atMost: 3 },
    sides: () => ({ ours: new TreeRatio(runs, measure), peers: {} }),
  }))
}
