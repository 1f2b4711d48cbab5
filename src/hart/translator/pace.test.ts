import { expect, test } from 'vitest'
import { Pace } from './pace.js'

const LONG = 120_000_000

test('the longer a program has run, the fewer arrivals are enough', () => {
  let executed = 0
  const pace = new Pace(10_000, () => executed)
  const early = pace.threshold
  expect(early).toBeGreaterThan(10_000)
  expect(pace.warm).toBeLessThan(early)
  executed = LONG
  expect(pace.threshold).toBe(early)
  const thresholds = [1, 2, 4, 8, 16].map((times) => {
    executed = LONG * times
    return pace.threshold
  })
  expect(thresholds).toEqual([early, 50_000, 25_000, 12_500, 10_000])
  expect(pace.warm).toBeLessThan(10_000)
})

test('what is kept for later runs is worth more', () => {
  const thresholds = (runs: number) =>
    [0, LONG, 4 * LONG].map((executed) => new Pace(10_000, () => executed, runs).threshold)
  expect(thresholds(0)).toEqual([80_000, 80_000, 25_000])
  expect(thresholds(1)).toEqual([40_000, 40_000, 25_000])
  expect(thresholds(2)).toEqual([10_000, 10_000, 10_000])
  expect(new Pace(2000, () => 0, 5).threshold).toBe(6000)
  expect([0, 1, 2].map((runs) => new Pace(10_000, () => 0, runs).warm)).toEqual([13_334, 10_000, 2500])
})

test('then translating keeps pace with executing', () => {
  let executed = LONG
  const pace = new Pace(10_000, () => executed)
  expect(pace.threshold).toBe(80_000)
  let translated = 0
  while (pace.allows()) {
    pace.add(200)
    translated += 200
  }
  expect(translated).toBeLessThan(1000)
  executed += 3_000_000
  expect(pace.allows()).toBe(true)
  expect(pace.allows(1_000_000)).toBe(false)
})

test('what is translated early does not count later', () => {
  let executed = 0
  const pace = new Pace(10_000, () => executed)
  pace.add(1_000_000)
  expect(pace.allows()).toBe(true)
  executed = LONG
  expect(pace.threshold).toBe(80_000)
  expect(pace.allows()).toBe(true)
})

test('a higher threshold than the early one is kept, a small one is not paced', () => {
  expect(new Pace(10_000_000, () => 0).threshold).toBe(10_000_000)
  const eager = new Pace(20, () => 0)
  eager.add(1_000_000)
  expect([eager.threshold, eager.warm, eager.allows(1_000_000)]).toEqual([20, 4, true])
})
