/** Defects that the frame and slab allocators of other kernels have or had, each as a test of ours. */
import { describe, expect, test } from 'vitest'
import { NO_FRAME, NULL, type Pfn, type Ptr, ptrToFrame } from '../src/base/numbers.js'
import { BootMemoryMap } from '../src/frame/boot-memory-map.js'
import { FrameFlag } from '../src/frame/frame-table.js'
import { type MemoryManager, mmInit } from '../src/mm.js'
import { Region, regionBytes, regionPtr } from '../src/state/layout.js'

const MIB = 2 ** 20

function takeAll({ buddy }: MemoryManager): Pfn[] {
  const all: Pfn[] = []
  for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
  return all
}

describe('free lists leaked the pages that they were kept in', () => {
  test('every usable frame is given out by an allocator, or reserved, once', () => {
    const map = BootMemoryMap.wholeRam(4096).reserve(0x200, 16).remove(0x400, 7).noMap(0x800, 3)
    const mm = mmInit({ bytes: 16 * MIB, map })
    const { total, free, reserved } = mm.buddy.stats()
    expect(total + reserved).toBe(4096 - 7)
    const inUse = total - free
    expect(takeAll(mm).length).toBe(total - inUse)
    mm.check()
  })
})

describe('the buddy of a block was sought in the wrong zone', () => {
  test('two blocks that touch where zones meet stay apart, whichever is freed last', () => {
    for (const order of [0, 3, 8]) {
      const limit = 1024 + 2 ** order
      const mm = mmInit({ bytes: 16 * MIB, lowFrames: limit, debug: true })
      const lower = mm.buddy.allocateBelow(limit, order)
      const rest = takeAll(mm)
      for (const pfn of rest) mm.buddy.free(pfn, 0)
      mm.buddy.free(lower, order)
      mm.buddy.drainCaches()
      mm.check()
      for (const zone of mm.buddy.zones.all) {
        for (let size = 0; size <= 18; size++) {
          zone.eachFree(size, (pfn) => {
            expect(pfn >= zone.start && pfn + 2 ** size <= zone.end).toBe(true)
          })
        }
      }
    }
  })
})

describe('low memory was freed while it was in use', () => {
  test('no frame of the header or of a boot table is ever given out, or taken back', () => {
    const mm = mmInit({ bytes: 16 * MIB, harts: 4 })
    const tables = [
      Region.harts,
      Region.tlbs,
      Region.frameTable,
      Region.zones,
      Region.slabCaches,
      Region.magazines,
    ]
    const kept = new Set<number>([0])
    for (const region of tables) {
      const start = regionPtr(mm.memory, region)
      for (let at = 0; at < regionBytes(mm.memory, region); at += 4096)
        kept.add(ptrToFrame((start + at) as Ptr))
    }
    expect(takeAll(mm).filter((pfn) => kept.has(pfn))).toEqual([])
    for (const pfn of kept) {
      expect(mm.frames.flags(pfn as Pfn) & FrameFlag.reserved).not.toBe(0)
      expect(() => mm.buddy.free(pfn as Pfn, 0)).toThrow('reserved')
      expect(() => mm.buddy.release(pfn as Pfn)).toThrow('reserved')
    }
  })
})

describe('an empty list was filled under its own lock, which was taken again', () => {
  // In debug builds no magazine holds an object; without them a plain memory asserts that a lock is free.
  test.each([
    { shared: true, debug: true },
    { shared: false, debug: false },
  ])(
    'with nothing in any cache, magazine and list every allocation answers, and every lock is free: %o',
    (options) => {
      const mm = mmInit({ bytes: 8 * MIB, ...options })
      const cache = mm.slab.createCache('thing', 4000)
      const objects: Ptr[] = []
      for (let object = cache.allocate(); object !== NULL; object = cache.allocate()) objects.push(object)
      takeAll(mm)
      for (let order = 0; order <= 18; order++) expect(mm.buddy.allocate(order)).toBe(NO_FRAME)
      expect([mm.heap.allocate(10_000), mm.buddy.allocateRun(3), mm.buddy.drainCaches()]).toEqual([
        NULL,
        NO_FRAME,
        0,
      ])
      expect(cache.allocate()).toBe(NULL)
      expect(mm.atomics.holdsNone).toBe(true)
      for (const object of objects) cache.free(object)
      expect(cache.allocate()).not.toBe(NULL)
      expect(mm.atomics.holdsNone).toBe(true)
    },
  )
})

describe('an iterator over memory went past its end', () => {
  test('the last frames of RAM and of each range are used, and what is after them is not', () => {
    const map = new BootMemoryMap(2048 + 16).add(0, 1999).add(2010, 54)
    const mm = mmInit({ bytes: 8 * MIB + 65536, map })
    takeAll(mm)
    expect([1998, 2010, 2063].map((pfn) => mm.frames.refCount(pfn as Pfn))).toEqual([1, 1, 1])
    expect([1999, 2009].map((pfn) => mm.frames.refCount(pfn as Pfn))).toEqual([0, 0])
    expect(mm.buddy.freeFrames()).toBe(0)
    mm.check()
  })
})

describe('a storm of allocations ran the reserve dry while it was being filled', () => {
  test('frames, blocks and objects in one go until there are none; all come back, again and again', () => {
    const mm = mmInit({ bytes: 16 * MIB, debug: true })
    const cache = mm.slab.createCache('thing', 200)
    mm.slab.shrink()
    const free = mm.buddy.freeFrames()
    for (let round = 0; round < 3; round++) {
      const frames: [Pfn, number][] = []
      const objects: Ptr[] = []
      for (let i = 0, misses = 0; misses < 40; i++) {
        const order = i % 5
        const pfn = mm.buddy.allocate(order)
        const object = cache.allocate()
        if (pfn !== NO_FRAME) frames.push([pfn, order])
        if (object !== NULL) objects.push(object)
        if (pfn === NO_FRAME || object === NULL) misses++
      }
      for (const object of objects) cache.free(object)
      for (const [pfn, order] of frames) mm.buddy.free(pfn, order)
      mm.slab.shrink()
      expect(mm.buddy.freeFrames()).toBe(free)
      mm.buddy.drainCaches()
      mm.check()
    }
  })
})
