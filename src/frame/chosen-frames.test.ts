import { expect, test } from 'vitest'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { attachFrames, bootFrames, MIB } from './testing.js'

/** A view without a cache: every frame that it takes is out of the zone. */
function boot() {
  const { buddy } = attachFrames(bootFrames({ bytes: 64 * MIB }), { hart: 7 })
  return { buddy, zone: buddy.zones.all[0]! }
}

test('there is room while more than half of the memory is free', () => {
  const { buddy, zone } = boot()
  while (zone.freeFrames > zone.managedFrames / 2 + 1) {
    if (zone.freeFrames % 512 === 0) expect(zone.startsFree(buddy.room(3))).toBe(true)
    buddy.allocate(0)
  }
  expect(buddy.room(3)).not.toBe(NO_FRAME)
  buddy.allocate(0)
  expect(buddy.room(3)).toBe(NO_FRAME)
})

test('a certain frame is had only while more is free than the high watermark', () => {
  const { buddy, zone } = boot()
  buddy.zones.setWatermarks(4000, 10)
  const { high } = zone.watermarks
  const chosen = (zone.end - 1) as Pfn
  expect(buddy.allocateZeroedAt(chosen, 0)).toBe(chosen)
  buddy.free(chosen, 0)
  const taken: Pfn[] = []
  while (zone.freeFrames > high) taken.push(buddy.allocate(0))
  expect(buddy.allocateZeroedAt(chosen, 0)).toBe(NO_FRAME)
  buddy.free(taken.pop()!, 0)
  expect(buddy.allocateZeroedAt(chosen, 0)).toBe(chosen)
  buddy.check()
})

test('no block is at a place that is no multiple of its size, or beyond RAM', () => {
  const { buddy, zone } = boot()
  const free = buddy.freeFrames()
  for (const pfn of [8193, 8194, 8196, zone.end - 4, zone.end, zone.end + 8]) {
    expect(buddy.allocateZeroedAt(pfn as Pfn, 3)).toBe(NO_FRAME)
  }
  expect(buddy.allocateZeroedAt(8192 as Pfn, 3)).toBe(8192)
  buddy.check()
  expect(buddy.freeFrames()).toBe(free - 8)
})

test('one that comes out of a cache counts as one out of a block does', () => {
  const { buddy } = bootFrames()
  const pfn = buddy.allocate(0)
  buddy.free(pfn, 0)
  for (const isCached of [true, false]) {
    if (!isCached) buddy.drainCaches()
    const before = buddy.allocatedFrames()
    expect(buddy.allocateZeroedAt(pfn, 0)).toBe(pfn)
    expect(buddy.allocatedFrames() - before).toBe(1)
    buddy.free(pfn, 0)
  }
})
