/** The locks of frames and slabs: with each, no order of single loads and stores goes wrong; without one, some order does. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleThread, type ThreadBundle } from '../state/testing/bundle-thread.js'
import { ControlledScheduler } from '../state/testing/controlled-scheduler.js'
import { type ExploreOptions, explore } from '../state/testing/explorer.js'
import type { Scenario } from '../state/testing/scenario.js'
import { SEEDED_BUGS, WATCHED } from './testing/lock-scenarios.js'

const IS_FULL = process.env.PAGODA_FULL !== undefined
const TIMEOUT = IS_FULL ? 600_000 : 60_000

let thread: ThreadBundle
beforeAll(async () => {
  thread = await bundleThread(fileURLToPath(new URL('testing/lock-thread.ts', import.meta.url)))
})
afterAll(() => thread.remove())

async function exploreAll(scenario: Scenario, options: ExploreOptions) {
  const scheduler = await ControlledScheduler.start(thread.file, scenario)
  try {
    return explore((schedule) => scheduler.run(schedule), scenario.threads.length, options)
  } finally {
    scheduler.stop()
  }
}

test.each(WATCHED)('$name', { timeout: TIMEOUT }, async (scenario) => {
  expect(await exploreAll(scenario, { preemptionsMax: IS_FULL ? 3 : 1 })).toMatchObject({ complete: true })
})

test.each(SEEDED_BUGS)('found: $name', { timeout: TIMEOUT }, async (scenario) => {
  const { failure } = await exploreAll(scenario, { preemptionsMax: 2 })
  expect(failure).toBeDefined()
})
