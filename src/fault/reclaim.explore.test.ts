/**
 * Reclaim beside other harts, under the controlled scheduler: every order with at most two preemptions with PAGODA_FULL (of three harts one),
 * else one (of three harts none, and some random orders). Seeded bugs show that the check can fail.
 */
import { describe, expect, test } from 'vitest'
import { SEED } from '../base/testing.js'
import { EXPLORE_TIMEOUT, Explorations, IS_FULL } from '../state/testing/exploration.js'
import { SEEDED_BUGS, SLABS_GO, SOUND_SCENARIOS, THREE_HARTS } from './testing/reclaim-scenarios.js'

const explorations = new Explorations(new URL('testing/reclaim-thread.ts', import.meta.url))

describe('two harts', () => {
  test.each(SOUND_SCENARIOS)('$name', { timeout: EXPLORE_TIMEOUT }, async (scenario) => {
    const found = await explorations.explore(scenario, { preemptionsMax: IS_FULL ? 2 : 1 })
    expect(found).toMatchObject({ complete: true })
    expect(found.points).toBeGreaterThan(30)
  })
})

test.each(SLABS_GO)('$name', { timeout: EXPLORE_TIMEOUT }, async (scenario) => {
  expect(await explorations.explore(scenario, { preemptionsMax: 1 })).toMatchObject({ complete: true })
})

describe('three harts', () => {
  test.each(THREE_HARTS)('$name', { timeout: EXPLORE_TIMEOUT }, async (scenario) => {
    const preemptionsMax = IS_FULL ? 1 : 0
    expect(await explorations.explore(scenario, { preemptionsMax })).toMatchObject({ complete: true })
  })

  test.each(THREE_HARTS)(`$name, in random order (seed ${SEED})`, { timeout: EXPLORE_TIMEOUT }, (scenario) =>
    explorations.expectSound(scenario, IS_FULL ? 5_000 : 200),
  )
})

describe('a seeded bug is found, and its schedule shows it again', () => {
  test.each(SEEDED_BUGS)('$scenario.name', { timeout: EXPLORE_TIMEOUT }, (bug) =>
    explorations.expectFound(bug, 1),
  )
})
