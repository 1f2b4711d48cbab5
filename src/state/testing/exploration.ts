/** What tests share that go through the orders of some harts: the module of the threads, and what is expected of a scenario. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect } from 'vitest'
import { SEED } from '../../base/testing.js'
import { bundleThread, type ThreadBundle } from './bundle-thread.js'
import { ControlledScheduler } from './controlled-scheduler.js'
import { type Exploration, type ExploreOptions, explore } from './explorer.js'
import type { Scenario, SeededBug } from './scenario.js'

/** Whether to do all that there is, where a test otherwise does a part. */
export const IS_FULL = process.env.PAGODA_FULL !== undefined
export const EXPLORE_TIMEOUT = IS_FULL ? 600_000 : 60_000

/** To be called once in a test file, with the module of its threads. */
export class Explorations {
  #thread: ThreadBundle | undefined

  constructor(module: URL) {
    beforeAll(async () => {
      this.#thread = await bundleThread(fileURLToPath(module))
    })
    afterAll(() => this.#thread?.remove())
  }

  async #control<T>(scenario: Scenario, body: (scheduler: ControlledScheduler) => T): Promise<T> {
    const scheduler = await ControlledScheduler.start(this.#thread!.file, scenario)
    try {
      // The first run interrupts nobody: the harts attach in it.
      scheduler.run([])
      return body(scheduler)
    } finally {
      scheduler.stop()
    }
  }

  explore(scenario: Scenario, options: ExploreOptions): Promise<Exploration> {
    return this.#control(scenario, (scheduler) =>
      explore((schedule) => scheduler.run(schedule), scenario.threads.length, options),
    )
  }

  /** So many runs in random order show no problem. */
  async expectSound(scenario: Scenario, runs: number): Promise<void> {
    await this.#control(scenario, (scheduler) => {
      for (let run = 1; run <= runs; run++) {
        expect({ run, problem: scheduler.run([], SEED + run).problem }).toEqual({ run, problem: undefined })
      }
    })
  }

  /** The bug is found, and its schedule shows it again. */
  async expectFound({ scenario, shows, preemptionsMax }: SeededBug, usual: number): Promise<void> {
    await this.#control(scenario, (scheduler) => {
      const run = (schedule: readonly number[]) => scheduler.run(schedule)
      const options = { preemptionsMax: preemptionsMax ?? usual }
      const { failure } = explore(run, scenario.threads.length, options)
      expect(failure?.problem).toMatch(shows)
      expect(run(failure!.schedule).problem).toBe(failure!.problem)
    })
  }
}
