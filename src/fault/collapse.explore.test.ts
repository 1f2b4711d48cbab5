/**
 * Shared memory that becomes a huge page while pages of it fault, under the controlled scheduler: every order with one preemption with
 * PAGODA_FULL, which are two thousand of each, else some at random.
 */
import { describe, expect, test } from 'vitest'
import { SEED } from '../base/testing.js'
import { EXPLORE_TIMEOUT, Explorations, IS_FULL } from '../state/testing/exploration.js'
import { COLLAPSE_BUGS, COLLAPSE_SCENARIOS } from './testing/collapse-scenarios.js'

const explorations = new Explorations(new URL('testing/fault-thread.ts', import.meta.url))

test.each(COLLAPSE_SCENARIOS)(
  `$name, in random order (seed ${SEED})`,
  { timeout: EXPLORE_TIMEOUT },
  (scenario) => explorations.expectSound(scenario, IS_FULL ? 1_000 : 100),
)

test.runIf(IS_FULL).each(COLLAPSE_SCENARIOS)('$name', { timeout: EXPLORE_TIMEOUT }, async (scenario) => {
  expect(await explorations.explore(scenario, { preemptionsMax: 1 })).toMatchObject({ complete: true })
})

describe('a seeded bug is found, and its schedule shows it again', () => {
  test.each(COLLAPSE_BUGS)('$scenario.name', { timeout: EXPLORE_TIMEOUT }, (bug) =>
    explorations.expectFound(bug, 1),
  )
})
