import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { BootMemoryMap } from './boot-memory-map.js'
import { fragmentationIndex, unusableIndex } from './fragmentation.js'
import { attachFrames, bootFrames, MIB } from './testing.js'

const LOW = 1000

describe('two zones', () => {
  const boot = () => bootFrames({ bytes: 64 * MIB, lowFrames: LOW })

  test('the upper one is used first, the lower one down to what it keeps', () => {
    const { buddy, frames } = boot()
    const [lower, upper] = buddy.zones.all
    expect(lower!.protection).toBe(Math.floor(upper!.managedFrames / 256))
    const all: Pfn[] = []
    for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
    expect(all.slice(0, upper!.managedFrames).every((pfn) => pfn >= LOW)).toBe(true)
    expect(lower!.freeFrames).toBe(lower!.protection)
    const last = buddy.allocateBelow(LOW, 0)
    expect(last).toBeLessThan(LOW)
    expect(frames.refCount(last)).toBe(1)
    for (const pfn of [...all, last]) buddy.free(pfn, 0)
    buddy.drainCaches()
    buddy.check()
    expect(buddy.freeFrames()).toBe(buddy.totalFrames())
  })

  test('a block never merges with its buddy of the other zone', () => {
    const { buddy } = boot()
    const below = buddy.allocateRun(8, 1, LOW)
    const blocks: Pfn[] = []
    for (let order = 12; order >= 0; order--) {
      for (let pfn = buddy.allocate(order); pfn !== NO_FRAME; pfn = buddy.allocate(order)) blocks.push(pfn)
    }
    // 992 to 999 are the last eight frames of the lower zone; their buddy of order 3 begins the upper one.
    expect(blocks).toContain(LOW)
    buddy.freeRun(below, 8)
    buddy.drainCaches()
    buddy.check()
  })

  test('another view knows the same zones', () => {
    const machine = boot()
    const { buddy } = attachFrames(machine)
    expect(buddy.zones.all.map(({ start, end }) => [start, end])).toEqual([
      [0, LOW],
      [LOW, 16384],
    ])
    expect(buddy.stats()).toEqual(machine.buddy.stats())
  })
})

describe('runs of frames', () => {
  test('any number at any alignment; what is beside them stays free', () => {
    const { buddy, frames } = bootFrames()
    for (const [count, align] of [
      [1, 1],
      [3, 1],
      [7, 64],
      [100, 8],
      [513, 512],
    ] as const) {
      const free = buddy.freeFrames()
      const pfn = buddy.allocateRun(count, align)
      expect(pfn % align).toBe(0)
      expect(buddy.freeFrames()).toBe(free - count)
      for (let i = 0; i < count; i++) expect(frames.refCount((pfn + i) as Pfn)).toBe(1)
      buddy.check()
      buddy.freeRun(pfn, count)
      expect(buddy.freeFrames()).toBe(free)
    }
    buddy.drainCaches()
    buddy.check()
  })

  test('neighbouring blocks make one run that no block is large enough for', () => {
    const map = BootMemoryMap.wholeRam(2048).remove(0x500, 0x300).remove(0x1, 0x200)
    const { buddy } = bootFrames({ map: map.reserve(0x201, 0x1f) })
    const { perOrder } = buddy.stats()
    const largest = perOrder.reduce((size, count, order) => (count > 0 ? 2 ** order : size), 0)
    const run = buddy.allocateRun(largest + 100, 1)
    expect(run).not.toBe(NO_FRAME)
    buddy.check()
  })

  test('cached frames do not stand in the way, and a run in use does', () => {
    const { buddy } = bootFrames()
    const all: Pfn[] = []
    for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
    for (const pfn of all.slice(100, 111)) buddy.free(pfn, 0)
    expect(buddy.allocateRun(12)).toBe(NO_FRAME)
    expect(buddy.allocateRun(11)).toBe(all[100])
    expect(buddy.allocateRun(1)).toBe(NO_FRAME)
  })

  test('below a limit, though the block reaches beyond it', () => {
    const { buddy } = bootFrames()
    const first = buddy.allocateRun(1)
    buddy.freeRun(first, 1)
    const pfn = buddy.allocateBelow(first + 3, 1)
    expect([pfn >= first, pfn + 2 <= first + 3]).toEqual([true, true])
    expect(buddy.allocateBelow(first, 0)).toBe(NO_FRAME)
    buddy.free(pfn, 1)
    buddy.check()
  })

  test('up to a limit and no frame further, in the middle of a block too', () => {
    const { buddy } = bootFrames()
    const first = buddy.allocateRun(64, 64)
    buddy.freeRun(first, 64)
    while (buddy.allocateRun(1, 1, first) !== NO_FRAME);
    expect(buddy.allocateRun(40, 64, first + 39)).toBe(NO_FRAME)
    expect(buddy.allocateBelow(first + 7, 3)).toBe(NO_FRAME)
    expect(buddy.allocateBelow(first + 8, 3)).toBe(first)
    expect(buddy.allocateRun(40, 8, first + 48)).toBe(first + 8)
    expect(buddy.allocateRun(1, 1, first + 48)).toBe(NO_FRAME)
    buddy.check()
  })

  test('an injected failure has no effect', () => {
    const { buddy, faults } = bootFrames()
    const before = buddy.stats()
    faults.failAt(1)
    expect(buddy.allocateRun(5)).toBe(NO_FRAME)
    faults.failAt(1)
    expect(buddy.allocateBelow(2048, 2)).toBe(NO_FRAME)
    expect(buddy.stats()).toEqual(before)
  })
})

describe('fragmentation, by the formulas of Linux', () => {
  test('a block that can be had, no memory at all, memory in pieces', () => {
    expect(fragmentationIndex([0, 0, 0, 1], 2)).toBe(-1000)
    expect(fragmentationIndex([0, 0, 0, 0], 2)).toBe(0)
    // 256 single frames, order 4 wanted: 1000 - (1000 + 16000) / 256.
    expect(fragmentationIndex([256], 4)).toBe(934)
    // Two frames are few, however they lie: 1000 - (1000 + 2) / 2.
    expect(fragmentationIndex([2], 9)).toBe(499)
  })

  test('of a machine whose every second frame is free', () => {
    const { buddy } = bootFrames()
    const all: Pfn[] = []
    for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
    const even = all.filter((pfn) => pfn % 2 === 0)
    for (const pfn of even) buddy.free(pfn, 0)
    buddy.drainCaches()
    const { fragmentation, unusable, perOrder } = buddy.stats()
    expect(perOrder[0]).toBe(even.length)
    const wanted = 1000 - Math.floor((1000 + Math.floor((even.length * 1000) / 512)) / even.length)
    expect([fragmentation[0], fragmentation[9], unusable[0], unusable[1]]).toEqual([-1000, wanted, 0, 1000])
    expect(wanted).toBeGreaterThan(950)
  })

  test('the part that is in blocks too small', () => {
    expect(unusableIndex([0, 0], 1)).toBe(1000)
    expect(unusableIndex([2, 1], 1)).toBe(500)
    expect(unusableIndex([0, 0, 3], 1)).toBe(0)
  })
})
