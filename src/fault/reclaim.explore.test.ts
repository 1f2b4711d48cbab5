/**
 * Reclaim beside other harts, under the controlled scheduler: every order with at most two preemptions with PAGODA_FULL (of three harts one),
 * else one (of three harts none, and some random orders). Seeded bugs show that the check can fail.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SEED } from '../base/testing.js'
import { bundleThread, type ThreadBundle } from '../state/testing/bundle-thread.js'
import { ControlledScheduler } from '../state/testing/controlled-scheduler.js'
import { explore } from '../state/testing/explorer.js'
import type { Scenario } from '../state/testing/scenario.js'
import { SEEDED_BUGS, SLABS_GO, SOUND_SCENARIOS, THREE_HARTS } from './testing/reclaim-scenarios.js'

let thread: ThreadBundle
beforeAll(async () => {
  thread = await bundleThread(fileURLToPath(new URL('testing/reclaim-thread.ts', import.meta.url)))
})
afterAll(() => thread.remove())
const IS_FULL = process.env.PAGODA_FULL !== undefined
const TIMEOUT = IS_FULL ? 600_000 : 60_000

async function control<T>(scenario: Scenario, body: (scheduler: ControlledScheduler) => T): Promise<T> {
  const scheduler = await ControlledScheduler.start(thread.file, scenario)
  try {
    // The first run interrupts nobody: the harts attach in it.
    scheduler.run([])
    return body(scheduler)
  } finally {
    scheduler.stop()
  }
}

const exploreAll = (scenario: Scenario, preemptionsMax: number) =>
  control(scenario, (scheduler) =>
    explore((schedule) => scheduler.run(schedule), scenario.threads.length, { preemptionsMax }),
  )

describe('two harts', () => {
  test.each(SOUND_SCENARIOS)('$name', { timeout: TIMEOUT }, async (scenario) => {
    const found = await exploreAll(scenario, IS_FULL ? 2 : 1)
    expect(found).toMatchObject({ complete: true })
    expect(found.points).toBeGreaterThan(30)
  })
})

test.each(SLABS_GO)('$name', { timeout: TIMEOUT }, async (scenario) => {
  expect(await exploreAll(scenario, 1)).toMatchObject({ complete: true })
})

describe('three harts', () => {
  test.each(THREE_HARTS)('$name', { timeout: TIMEOUT }, async (scenario) => {
    expect(await exploreAll(scenario, IS_FULL ? 1 : 0)).toMatchObject({ complete: true })
  })

  test.each(THREE_HARTS)(`$name, in random order (seed ${SEED})`, { timeout: TIMEOUT }, async (scenario) => {
    await control(scenario, (scheduler) => {
      for (let run = 1; run <= (IS_FULL ? 5_000 : 200); run++) {
        expect({ run, problem: scheduler.run([], SEED + run).problem }).toEqual({ run, problem: undefined })
      }
    })
  })
})

describe('a seeded bug is found, and its schedule shows it again', () => {
  test.each(SEEDED_BUGS)('$scenario.name', { timeout: TIMEOUT }, async ({ scenario, shows }) => {
    await control(scenario, (scheduler) => {
      const run = (schedule: readonly number[]) => scheduler.run(schedule)
      const { failure } = explore(run, scenario.threads.length, { preemptionsMax: 1 })
      expect(failure?.problem).toMatch(shows)
      expect(run(failure!.schedule).problem).toBe(failure!.problem)
    })
  })
})
