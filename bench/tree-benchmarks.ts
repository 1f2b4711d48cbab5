/** What many mappings cost as a multiple of what few cost. */

import type { Benchmark, Contender } from './benchmark.js'
import { type TreeTimes, timeTree } from './tree-times.js'

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

/** A round times both sizes; the ratio is that of the two minima. */
class TreeRatio implements Contender {
  readonly #measure: Measure
  #few = Number.POSITIVE_INFINITY
  #many = Number.POSITIVE_INFINITY

  constructor(measure: Measure) {
    this.#measure = measure
  }

  round(): void {
    this.#few = Math.min(this.#few, timeTree(FEW)[this.#measure])
    this.#many = Math.min(this.#many, timeTree(MANY)[this.#measure])
  }

  best(): number {
    return this.#many / this.#few
  }
}

export function treeBenchmarks(): Benchmark[] {
  return rows.map(({ measure, name }) => ({
    group: 'VMA tree, 65,530 mappings as a multiple of 100',
    name,
    unit: 'times',
    goal: { atMost: 3 },
    roundsMax: 4,
    sides: () => ({ ours: new TreeRatio(measure), peers: {} }),
  }))
}
