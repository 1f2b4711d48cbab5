/**
 * The shootdown under the controlled scheduler: every interleaving of two harts with PAGODA_FULL, else those with at most two
 * preemptions. Seeded bugs show that the check can fail.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SEED } from '../base/testing.js'
import { bundleThread, type ThreadBundle } from '../state/testing/bundle-thread.js'
import { ControlledScheduler } from '../state/testing/controlled-scheduler.js'
import { type ExploreOptions, explore } from '../state/testing/explorer.js'
import type { Scenario } from '../state/testing/scenario.js'
import { SEEDED_BUGS } from './testing/shootdown-bugs.js'
import { SOUND_SCENARIOS, THREE_HARTS } from './testing/shootdown-scenarios.js'

let thread: ThreadBundle
beforeAll(async () => {
  thread = await bundleThread(fileURLToPath(new URL('testing/shootdown-thread.ts', import.meta.url)))
})
afterAll(() => thread.remove())
const IS_FULL = process.env.PAGODA_FULL !== undefined
const TIMEOUT = IS_FULL ? 600_000 : 60_000

async function control<T>(scenario: Scenario, body: (scheduler: ControlledScheduler) => T): Promise<T> {
  const scheduler = await ControlledScheduler.start(thread.file, scenario)
  try {
    return body(scheduler)
  } finally {
    scheduler.stop()
  }
}

const exploreAll = (scenario: Scenario, options: ExploreOptions) =>
  control(scenario, (scheduler) =>
    explore((schedule) => scheduler.run(schedule), scenario.threads.length, options),
  )

describe('two harts in every order', () => {
  test.each(SOUND_SCENARIOS)('$name', { timeout: TIMEOUT }, async (scenario) => {
    const found = await exploreAll(scenario, IS_FULL ? {} : { preemptionsMax: 2 })
    expect(found).toMatchObject({ complete: true })
    expect(found.points).toBeGreaterThan(50)
  })
})

describe('three harts', () => {
  test('with a bounded number of preemptions', { timeout: TIMEOUT }, async () => {
    const found = await exploreAll(THREE_HARTS, { preemptionsMax: IS_FULL ? 3 : 1 })
    expect(found).toMatchObject({ complete: true })
  })

  test(`in random order (seed ${SEED})`, async () => {
    await control(THREE_HARTS, (scheduler) => {
      for (let run = 1; run <= (IS_FULL ? 20_000 : 300); run++) {
        expect({ run, problem: scheduler.run([], SEED + run).problem }).toEqual({ run, problem: undefined })
      }
    })
  })
})

describe('a seeded bug is found, and its schedule shows it again', () => {
  test.each(SEEDED_BUGS)('$scenario.name', async ({ scenario, shows, preemptionsMax = 2 }) => {
    await control(scenario, (scheduler) => {
      const run = (schedule: readonly number[]) => scheduler.run(schedule)
      const { failure } = explore(run, scenario.threads.length, { preemptionsMax })
      expect(failure?.problem).toMatch(shows)
      expect(run(failure!.schedule).problem).toBe(failure!.problem)
    })
  })
})
