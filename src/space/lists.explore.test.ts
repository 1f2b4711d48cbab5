/** Who goes through all spaces and objects while some come and go: every order with one preemption, of two harts with PAGODA_FULL two. */
import { describe, expect, test } from 'vitest'
import { EXPLORE_TIMEOUT, Explorations, IS_FULL } from '../state/testing/exploration.js'
import { SEEDED_BUGS, SOUND_SCENARIOS } from './testing/list-scenarios.js'

const explorations = new Explorations(new URL('testing/list-thread.ts', import.meta.url))

test.each(SOUND_SCENARIOS)('$name', { timeout: EXPLORE_TIMEOUT }, async (scenario) => {
  const preemptionsMax = IS_FULL && scenario.threads.length === 2 ? 2 : 1
  const found = await explorations.explore(scenario, { preemptionsMax })
  expect(found).toMatchObject({ complete: true })
  expect(found.points).toBeGreaterThan(50)
})

describe('a seeded bug is found, and its schedule shows it again', () => {
  test.each(SEEDED_BUGS)('$scenario.name', { timeout: EXPLORE_TIMEOUT }, (bug) =>
    explorations.expectFound(bug, 1),
  )
})
