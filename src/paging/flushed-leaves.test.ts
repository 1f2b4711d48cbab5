/** Whoever replaces a leaf, or takes something from it, has every hart forget all of its pages: the first, the last and what is between. */
import { expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from './flush-batch.js'
import { LargeMapper } from './large-mapper.js'
import { newTable } from './page-mapper.js'
import { FakeHart } from './testing/fake-hart.js'
import { PagingMachine } from './testing/paging-machine.js'
import type { UserMapper } from './user-mapper.js'

const { read, write, user, accessed, dirty } = EntryFlag
const RW = read | write | user
const SPAN = 512
const START = (3 * SPAN) as Vpn
const END = (START + SPAN) as Vpn
const ELSEWHERE = (1000 * SPAN) as Vpn
const PAGES = [START, START + 200, END - 1] as Vpn[]
const NOBODY = { markDirty: () => {} }
const tally = () => ({ anonymous: 0, others: 0 })

/** Uses the leaf's pages, makes the change, and says which of them the hart still knows. */
function knownAfter(machine: PagingMachine, root: Pfn, change: (batch: FlushBatch) => void): Vpn[] {
  machine.tlbs.activate(0, root)
  const hart = new FakeHart(machine, 0)
  for (const vpn of PAGES) expect(hart.access(vpn, write)).toBe(true)
  const batch = machine.flusher.batch(root)
  change(batch)
  batch.finish()
  machine.tlbs.check()
  return PAGES.filter((vpn) => hart.knows(vpn))
}

test.each<[string, (mapper: LargeMapper, batch: FlushBatch) => number | boolean]>([
  ['split', (mapper, batch) => mapper.splitLarge(PAGES[1]!, batch)],
  ['protected', (mapper, batch) => mapper.protectLarge(START, END, write, 0, batch)],
  ['protected in part', (mapper, batch) => mapper.protectLarge(START, (END - 1) as Vpn, write, 0, batch)],
  ['unmapped', (mapper, batch) => mapper.unmapLarge(START, END, batch)],
  ['unmapped in part', (mapper, batch) => mapper.unmapLarge(START, (END - 1) as Vpn, batch)],
  ['replaced', (mapper, batch) => mapper.mapLarge(START, 1, 512 as Pfn, RW, batch)],
])('a leaf of any mapper that is %s', (_, change) => {
  const machine = new PagingMachine(new Riscv64Sv39(), { harts: 1 })
  const mapper = new LargeMapper(machine, newTable(machine))
  const batch = machine.flusher.batch(mapper.root)
  expect(mapper.mapLarge(START, 1, 1024 as Pfn, RW, batch)).toBe(0)
  batch.finish()
  expect(knownAfter(machine, mapper.root, (batch) => expect(change(mapper, batch)).toBe(0))).toEqual([])
})

test('leaves that become one', () => {
  const machine = new PagingMachine(new Riscv64Sv39(), { harts: 1 })
  const mapper = new LargeMapper(machine, newTable(machine))
  const batch = machine.flusher.batch(mapper.root)
  expect(mapper.mapLarge(START, 1, 1024 as Pfn, RW | accessed | dirty, batch)).toBe(0)
  expect(mapper.splitLarge(START, batch)).toBe(0)
  batch.finish()
  const merge = (batch: FlushBatch) => expect(mapper.mergeLarge(START, 1, batch)).toBe(true)
  expect(knownAfter(machine, mapper.root, merge)).toEqual([])
})

function mapHuge(machine: PagingMachine, mapper: UserMapper): void {
  const block = machine.buddy.allocate(9)
  expect(block).not.toBe(NO_FRAME)
  machine.buddy.divide(block, 9, FrameFlag.anonymous, 0, 0)
  mapper.setHuge(mapper.makeSlot(START), block, RW, mapper.newDeposit())
}

type HugeChange = (mapper: UserMapper, machine: PagingMachine, batch: FlushBatch) => void

test.each<[string, HugeChange]>([
  ['split', (mapper, _, batch) => mapper.split(mapper.slot(START), START, batch)],
  ['protected', (mapper, _, batch) => void mapper.changeHuge(mapper.slot(START), PAGES[1]!, write, 0, batch)],
  ['protected in part', (mapper, _, batch) => mapper.protectRange(START, PAGES[2]!, write, 0, batch)],
  ['unmapped', (mapper, _, batch) => mapper.clearRange(START, END, batch, tally(), NOBODY)],
  ['unmapped in part', (mapper, _, batch) => mapper.clearRange(START, PAGES[2]!, batch, tally(), NOBODY)],
  ['moved', (mapper, _, batch) => void mapper.move(START, ELSEWHERE, SPAN, batch)],
  ['moved, askew', (mapper, _, batch) => void mapper.move(START, (ELSEWHERE + 1) as Vpn, SPAN, batch)],
  [
    'shared with a child',
    (mapper, machine, batch) => {
      const child = machine.newUser()
      const target = child.makeSlot(START)
      mapper.shareHuge(mapper.slot(START), START, child, target, child.newDeposit(), batch)
      expect(child.flags(target) & write).toBe(0)
    },
  ],
])('a huge leaf of a user that is %s', (_, change) => {
  const machine = new PagingMachine(new Riscv64Sv39(), { harts: 1 })
  const mapper = machine.newUser()
  mapHuge(machine, mapper)
  expect(knownAfter(machine, mapper.root, (batch) => change(mapper, machine, batch))).toEqual([])
  mapper.check()
  machine.buddy.check()
})

test('a table that moves with all its pages', () => {
  const machine = new PagingMachine(new Riscv64Sv39(), { harts: 1 })
  const mapper = machine.newUser()
  const batch = machine.flusher.batch(mapper.root)
  for (const vpn of PAGES) expect(mapper.map(vpn, machine.newFrame(), RW, batch)).toBe(0)
  batch.finish()
  const move = (batch: FlushBatch) => expect(mapper.move(START, ELSEWHERE, SPAN, batch)).toBe(0)
  expect(knownAfter(machine, mapper.root, move)).toEqual([])
  expect(mapper.translate((ELSEWHERE + 200) as Vpn)).toBe(true)
  mapper.check()
})
