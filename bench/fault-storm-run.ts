import { spawnSync } from 'node:child_process'
import type { Contender } from './benchmark.js'

/** fault-storm.ts in a process of its own: threads take an event loop, and rounds are made in one call. */
export class FaultStormRun implements Contender {
  readonly #spaces: string
  #best = Number.POSITIVE_INFINITY

  constructor(spaces: 'private' | 'one') {
    this.#spaces = spaces
  }

  round(): void {
    const args = ['scripts/run-ts.mjs', 'bench/fault-storm.ts', this.#spaces]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    const ratio = Number(stdout)
    if (status !== 0 || !(ratio > 0)) throw new Error(`fault-storm ${this.#spaces}: ${stdout}${stderr}`)
    this.#best = Math.min(this.#best, ratio)
  }

  best(): number {
    return this.#best
  }
}
