/** The controlled scheduler itself: that it finds all outcomes, and every way to get stuck. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleThread, type ThreadBundle } from './testing/bundle-thread.js'
import { ControlledScheduler } from './testing/controlled-scheduler.js'
import {
  COUNTER,
  CROSSED_LOCKS,
  FAILING,
  HAND_OVER,
  LOCKED,
  LOST_UPDATE,
} from './testing/counter-scenarios.js'
import { type ExploreOptions, explore } from './testing/explorer.js'
import type { Scenario } from './testing/scenario.js'

let thread: ThreadBundle
beforeAll(async () => {
  thread = await bundleThread(fileURLToPath(new URL('testing/counter-thread.ts', import.meta.url)))
})
afterAll(() => thread.remove())

/** What is found, and every value that the counter has in the end. */
async function outcomes(scenario: Scenario, options?: ExploreOptions) {
  const values = new Set<number>()
  const check: Scenario['check'] = (memory) => {
    values.add(memory.u32[COUNTER >>> 2]!)
  }
  const scheduler = await ControlledScheduler.start(thread.file, { ...scenario, check })
  try {
    const found = explore((schedule) => scheduler.run(schedule), 2, options)
    return { ...found, values: [...values].sort() }
  } finally {
    scheduler.stop()
  }
}

test('every outcome of a race is found, with and without the reduction', async () => {
  const reduced = await outcomes(LOST_UPDATE)
  const whole = await outcomes(LOST_UPDATE, { reduces: false })
  expect(reduced).toMatchObject({ complete: true, values: [1, 2] })
  // Each thread starts, loads and stores: 6! / (3! × 3!) orders.
  expect(whole).toMatchObject({ complete: true, values: [1, 2], runs: 20 })
  expect(reduced.runs).toBeLessThan(whole.runs)
})

test('the race takes one preemption', async () => {
  expect(await outcomes(LOST_UPDATE, { preemptionsMax: 0 })).toMatchObject({ complete: true, values: [2] })
  expect(await outcomes(LOST_UPDATE, { preemptionsMax: 1 })).toMatchObject({ complete: true, values: [1, 2] })
})

test('under a lock there is one outcome, and who spins waits for the lock', async () => {
  expect(await outcomes(LOCKED)).toMatchObject({ complete: true, values: [2] })
})

test('locks taken in different orders are a deadlock', async () => {
  const { failure } = await outcomes(CROSSED_LOCKS)
  expect(failure?.problem).toBe('every thread waits')
})

test('who waits for another goes on when it has come', async () => {
  expect(await outcomes(HAND_OVER)).toMatchObject({ complete: true, values: [1] })
})

test('a thread that throws ends the run, in some orders only', async () => {
  const { failure, runs } = await outcomes(FAILING)
  expect(failure?.problem).toContain('a thread has failed: Error: seen too early')
  expect(runs).toBeGreaterThan(1)
})
