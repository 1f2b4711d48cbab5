import { expect, test } from 'vitest'
import { NO_FRAME } from '../base/numbers.js'
import { bootFrames } from './testing.js'

function failures(count: number, { buddy }: ReturnType<typeof bootFrames>): number[] {
  return Array.from({ length: count }, (_, i) => i + 1).filter(() => buddy.allocate(0) === NO_FRAME)
}

test('failAt fails the nth allocation once', () => {
  const machine = bootFrames()
  machine.buddy.allocate(0)
  machine.faults.failAt(3)
  expect(failures(10, machine)).toEqual([3])
})

test('failFrom fails the nth and all after it, until reset', () => {
  const machine = bootFrames()
  machine.faults.failFrom(4)
  expect(failures(6, machine)).toEqual([4, 5, 6])
  expect(machine.faults.count).toBe(6)
  machine.faults.reset()
  expect(failures(6, machine)).toEqual([])
  expect(machine.faults.count).toBe(6)
})

test('a failed allocation leaves everything as it was', () => {
  const machine = bootFrames()
  const before = machine.memory.u8.slice(0, 64 * 4096)
  machine.faults.failFrom(1)
  for (let order = 0; order <= 18; order++) expect(machine.buddy.allocateZeroed(order)).toBe(NO_FRAME)
  expect(machine.memory.u8.slice(0, 64 * 4096)).toEqual(before)
  machine.buddy.check()
})
