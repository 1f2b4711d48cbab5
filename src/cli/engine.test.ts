import { expect, test } from 'vitest'
import { Scheduler } from '../linux/scheduler.js'
import { LOOP } from './engine.js'

test('the loop that V8 is told not to optimize is there under its name', () => {
  expect(Scheduler.prototype.runSlice.name).toBe(LOOP)
})
