/**
 * The fast paths of frames and objects under the controlled scheduler: with PAGODA_FULL every interleaving of two harts that want
 * a frame, and of the longer scenarios those with at most four preemptions; else those with at most two. Seeded bugs show that the
 * check can fail.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleThread, type ThreadBundle } from '../state/testing/bundle-thread.js'
import { ControlledScheduler } from '../state/testing/controlled-scheduler.js'
import { explore } from '../state/testing/explorer.js'
import type { Scenario } from '../state/testing/scenario.js'
import { SEEDED_BUGS, SOUND_SCENARIOS, THREE_HARTS, UNBOUNDED } from './testing/allocator-scenarios.js'

let thread: ThreadBundle
beforeAll(async () => {
  thread = await bundleThread(fileURLToPath(new URL('testing/allocator-thread.ts', import.meta.url)))
})
afterAll(() => thread.remove())
const IS_FULL = process.env.PAGODA_FULL !== undefined
const TIMEOUT = IS_FULL ? 600_000 : 60_000

async function exploreAll(scenario: Scenario, preemptionsMax: number) {
  const scheduler = await ControlledScheduler.start(thread.file, scenario)
  const run = (schedule: readonly number[]) => scheduler.run(schedule)
  try {
    const found = explore(run, scenario.threads.length, { preemptionsMax })
    const again = found.failure && run(found.failure.schedule).problem
    return { ...found, again }
  } finally {
    scheduler.stop()
  }
}

describe('two harts in every order', () => {
  test.each(SOUND_SCENARIOS)('$name', { timeout: TIMEOUT }, async (scenario) => {
    const most = UNBOUNDED.includes(scenario) ? Number.POSITIVE_INFINITY : 4
    const found = await exploreAll(scenario, IS_FULL ? most : 2)
    expect(found).toMatchObject({ complete: true })
    expect(found.runs).toBeGreaterThan(1)
  })
})

test('three harts, with a bounded number of preemptions', { timeout: TIMEOUT }, async () => {
  expect(await exploreAll(THREE_HARTS, IS_FULL ? 3 : 1)).toMatchObject({ complete: true })
})

describe('a seeded bug is found, and its schedule shows it again', () => {
  test.each(SEEDED_BUGS)('$scenario.name', async ({ scenario, shows }) => {
    const { failure, again } = await exploreAll(scenario, 2)
    expect(failure?.problem).toMatch(shows)
    expect(again).toBe(failure!.problem)
  })
})
