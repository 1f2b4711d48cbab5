import { beforeEach, expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { NULL, type Pfn, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { Word, wordIndex } from '../state/layout.js'
import type { FlushBatch } from './flush-batch.js'
import { PagingMachine } from './testing/paging-machine.js'
import type { UserMapper } from './user-mapper.js'

const { read, write, user, special } = EntryFlag
const RW = read | write | user
const SPAN = 512
const NOBODY = { markDirty: () => {} }
const page = (n: number) => n as Vpn

let machine: PagingMachine
let mapper: UserMapper
let free: number

beforeEach(() => {
  machine = new PagingMachine(new Riscv64Sv39(), { bytes: 16 * 2 ** 20, harts: 1 })
  mapper = machine.newUser()
  free = machine.buddy.freeFrames()
})

function change(body: (batch: FlushBatch) => void): void {
  const batch = machine.flusher.batch(mapper.root)
  body(batch)
  batch.finish()
  mapper.check()
}

/** Huge leaf number n. */
function mapHuge(n: number): Pfn {
  const block = machine.buddy.allocate(9)
  machine.buddy.divide(block, 9, FrameFlag.anonymous, 0, 0)
  mapper.setHuge(mapper.makeSlot(page(n * SPAN)), block, RW, mapper.newDeposit())
  return block
}

const clear = (start: number, end: number) =>
  change((batch) => mapper.clearRange(page(start), page(end), batch, { anonymous: 0, others: 0 }, NOBODY))

test('each leaf keeps the table that is set aside for it, whichever goes first', () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    for (let n = 0; n < 3; n++) mapHuge(n)
    mapper.check()
    expect(mapper.tableFrames()).toBe(2 + 3)
    clear(order[0]! * SPAN, (order[0]! + 1) * SPAN)
    const rest = page(order[1]! * SPAN)
    change((batch) => mapper.split(mapper.slot(rest), rest, batch))
    expect(mapper.tableFrames()).toBe(2 + 2)
    clear(0, 3 * SPAN)
    change((batch) => mapper.prune(page(0), page(3 * SPAN), batch))
    expect(machine.buddy.freeFrames()).toBe(free)
  }
})

test.each([0, 1, 2, 511])('a change that begins or ends at page %i of a leaf is of no other page', (at) => {
  mapHuge(1)
  mapHuge(2)
  const [start, end] = [SPAN + at, 2 * SPAN + at]
  change((batch) => mapper.protectRange(page(start), page(end), write, 0, batch))
  const within = (vpn: number) => vpn >= SPAN && vpn < 3 * SPAN
  for (const vpn of [SPAN, start - 1, start, start + 1, end - 1, end, end + 1].filter(within)) {
    expect(mapper.translate(page(vpn))).toBe(true)
    expect([vpn, mapper.lastFlags & write]).toEqual([vpn, vpn >= start && vpn < end ? 0 : write])
  }
  expect(mapper.hugeLeaf(page(SPAN)) !== NULL).toBe(at === 0)
  clear(start, end)
  for (const vpn of [SPAN, start - 1, start, end - 1, end, 3 * SPAN - 1].filter(within)) {
    expect(mapper.translate(page(vpn))).toBe(vpn < start || vpn >= end)
  }
  clear(SPAN, 3 * SPAN)
  change((batch) => mapper.prune(page(0), page(4 * SPAN), batch))
  expect(machine.buddy.freeFrames()).toBe(free)
})

test('the huge zero page has a reference for each leaf, and none for small pages of zeroes', () => {
  const zeroFrame = machine.newFrame()
  machine.memory.u32[wordIndex(Word.zeroFrame)] = zeroFrame
  const zeroes = machine.buddy.allocateZeroed(9)
  for (let n = 0; n < 3; n++) {
    machine.buddy.retain(zeroes)
    mapper.setHuge(mapper.makeSlot(page(n * SPAN)), zeroes, read | user | special, mapper.newDeposit())
  }
  expect(machine.frames.refCount(zeroes)).toBe(4)
  change((batch) => mapper.split(mapper.slot(page(0)), page(0), batch))
  expect(machine.frames.refCount(zeroes)).toBe(3)
  expect([mapper.translate(page(511)), mapper.lastPfn]).toEqual([true, zeroFrame])
  clear(SPAN, 2 * SPAN)
  expect(machine.frames.refCount(zeroes)).toBe(2)
  clear(2 * SPAN + 7, 3 * SPAN)
  expect([machine.frames.refCount(zeroes), machine.frames.refCount(zeroFrame)]).toEqual([1, 1])
  expect([mapper.translate(page(2 * SPAN + 6)), mapper.lastPfn]).toEqual([true, zeroFrame])
  expect(mapper.translate(page(2 * SPAN + 7))).toBe(false)
  clear(0, 3 * SPAN)
  change((batch) => mapper.prune(page(0), page(3 * SPAN), batch))
  machine.buddy.release(zeroes)
  machine.buddy.release(zeroFrame)
  expect(machine.buddy.freeFrames()).toBe(free)
})
