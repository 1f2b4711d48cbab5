/**
 * The shootdown under the controlled scheduler: every interleaving of two harts with PAGODA_FULL (of the longest scenario those with at
 * most four preemptions, of three harts with three), which takes a quarter of an hour; else those with at most two preemptions. Seeded bugs show that the check can fail.
 */
import { describe, expect, test } from 'vitest'
import { SEED } from '../base/testing.js'
import { EXPLORE_TIMEOUT, Explorations, IS_FULL } from '../state/testing/exploration.js'
import { SEEDED_BUGS } from './testing/shootdown-bugs.js'
import { LONG_SCENARIO, SOUND_SCENARIOS, THREE_HARTS } from './testing/shootdown-scenarios.js'

const explorations = new Explorations(new URL('testing/shootdown-thread.ts', import.meta.url))

describe('two harts in every order', () => {
  test.each(SOUND_SCENARIOS)('$name', { timeout: EXPLORE_TIMEOUT }, async (scenario) => {
    const all = scenario === LONG_SCENARIO ? { preemptionsMax: 4 } : {}
    const found = await explorations.explore(scenario, IS_FULL ? all : { preemptionsMax: 2 })
    expect(found).toMatchObject({ complete: true })
    expect(found.points).toBeGreaterThan(50)
  })
})

describe('three harts', () => {
  test.each(THREE_HARTS)('$name', { timeout: EXPLORE_TIMEOUT }, async (scenario) => {
    const found = await explorations.explore(scenario, { preemptionsMax: IS_FULL ? 3 : 1 })
    expect(found).toMatchObject({ complete: true })
  })

  test.each(THREE_HARTS)(`$name, in random order (seed ${SEED})`, { timeout: EXPLORE_TIMEOUT }, (scenario) =>
    explorations.expectSound(scenario, IS_FULL ? 20_000 : 300),
  )
})

describe('a seeded bug is found, and its schedule shows it again', () => {
  test.each(SEEDED_BUGS)('$scenario.name', { timeout: EXPLORE_TIMEOUT }, (bug) =>
    explorations.expectFound(bug, 2),
  )
})
