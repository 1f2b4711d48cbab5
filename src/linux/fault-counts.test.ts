import { expect, test } from 'vitest'
import { bootMachine } from '../space/testing.js'
import { Counter, count } from '../state/counters.js'
import { FaultCounts } from './fault-counts.js'
import type { ThreadRecord } from './thread-record.js'

const threads = () =>
  [1, 2].map(() => ({ minorFaults: 0, majorFaults: 0 }) as ThreadRecord) as [ThreadRecord, ThreadRecord]
const faultsOf = ({ minorFaults, majorFaults }: ThreadRecord) => [minorFaults, majorFaults]

test('faults are given to a thread once, and those that nobody made to the next', () => {
  const { mm } = bootMachine()
  const [one, other] = threads()
  count(mm.memory, Counter.resolvedMinor, 7)
  const faults = new FaultCounts(mm.memory)
  faults.charge(one)
  expect(faultsOf(one)).toEqual([0, 0])
  count(mm.memory, Counter.resolvedMinor, 3)
  count(mm.memory, Counter.resolvedMajor)
  faults.charge(undefined)
  faults.charge(one)
  faults.charge(one)
  expect(faultsOf(one)).toEqual([3, 1])
  count(mm.memory, Counter.resolvedMinor, 2)
  faults.charge(other)
  expect([...faultsOf(one), ...faultsOf(other)]).toEqual([3, 1, 2, 0])
})
