import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { AtomicWords } from '../state/atomics.js'
import { Region, regionPtr } from '../state/layout.js'
import { BuddyAllocator } from './buddy-allocator.js'
import { CACHE_FRAMES_MAX, cacheBatch, refillFrames } from './frame-cache.js'
import { FrameFlag, FrameMask, ORDER_MASK } from './frame-table.js'
import { attachFrames, bootFrames, fillFrame, MIB } from './testing.js'

function allocate(buddy: { allocate(order: number): Pfn }, count: number): Pfn[] {
  return Array.from({ length: count }, () => buddy.allocate(0))
}

test('batches are those of Linux: of 16 MiB, 512 MiB, 2 GiB and more', () => {
  expect([4096, 131_072, 498_893, 2 ** 20].map(cacheBatch)).toEqual([1, 31, 63, 63])
  expect([4096, 131_072, 498_893, 2 ** 20].map(refillFrames)).toEqual([8, 32, 64, 64])
})

test('the literal masks are the flags that they name', () => {
  expect(FrameMask.contents).toBe(FrameFlag.dirtyMemory | FrameFlag.poisoned)
  expect(FrameMask.shape).toBe(FrameFlag.free | FrameFlag.cached | ORDER_MASK)
  expect(FrameMask.allocation).toBe(FrameFlag.free | FrameFlag.reserved | ORDER_MASK)
  expect(FrameMask.inCache).toBe(FrameFlag.free | FrameFlag.cached | FrameFlag.dirtyMemory)
})

describe.each([{ shared: false }, { shared: true }])(
  'the caches of two harts, shared: $shared',
  ({ shared }) => {
    function bootTwo() {
      const machine = bootFrames({ shared, bytes: 64 * MIB })
      return { ...machine, other: attachFrames(machine).buddy }
    }

    test('the frame that was freed last comes first, on the hart that freed it', () => {
      const { buddy, other } = bootTwo()
      const [a, b] = allocate(buddy, 2) as [Pfn, Pfn]
      buddy.free(a, 0)
      buddy.free(b, 0)
      expect(other.allocate(0)).not.toBe(b)
      expect(allocate(buddy, 2)).toEqual([b, a])
    })

    test('frames of a fresh machine rise, batch by batch', () => {
      const { buddy } = bootTwo()
      const frames = allocate(buddy, 200)
      expect(frames).toEqual(frames.map((_, i) => frames[0]! + i))
    })

    test('a full cache gives the older half back', () => {
      const { buddy } = bootTwo()
      const frames = allocate(buddy, CACHE_FRAMES_MAX + 1)
      buddy.drainCaches()
      for (const pfn of frames) buddy.free(pfn, 0)
      expect(buddy.stats().cached).toEqual([CACHE_FRAMES_MAX / 2 + 1, 0])
      expect(buddy.allocate(0)).toBe(frames[CACHE_FRAMES_MAX])
      buddy.check()
    })

    test('an allocation fails only when no hart has a free frame: a storm drains all caches', () => {
      const { buddy, other } = bootTwo()
      const total = buddy.freeFrames()
      const mine = allocate(buddy, 300)
      for (const pfn of mine) buddy.free(pfn, 0)
      const all: Pfn[] = []
      for (let pfn = other.allocate(0); pfn !== NO_FRAME; pfn = other.allocate(0)) all.push(pfn)
      expect([all.length, new Set(all).size, buddy.freeFrames()]).toEqual([total, total, 0])
      expect(buddy.allocate(0)).toBe(NO_FRAME)
      for (const pfn of all) buddy.free(pfn, 0)
      expect(buddy.freeFrames()).toBe(total)
      buddy.check()
    })

    test('a block is made of what the caches hold', () => {
      const { buddy, other } = bootTwo()
      const all: Pfn[] = []
      for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
      const aligned = all.filter((pfn) => pfn - (pfn % 4) === 2000)
      for (const pfn of aligned) (pfn % 2 === 0 ? buddy : other).free(pfn, 0)
      expect(buddy.allocate(2)).toBe(2000)
    })

    test('whoever allocates counts, also from a cache', () => {
      const { buddy, other } = bootTwo()
      const before = buddy.allocatedFrames()
      for (let i = 0; i < 1000; i++) buddy.free(buddy.allocate(0), 0)
      other.allocate(3)
      expect(buddy.allocatedFrames() - before).toBe(1008)
      buddy.drainCaches()
      expect(other.allocatedFrames() - before).toBe(1008)
    })
  },
)

test('a thread that is none of the harts works without a cache', () => {
  const machine = bootFrames()
  const { buddy } = attachFrames(machine, { hart: 7 })
  const pfn = buddy.allocate(0)
  buddy.free(pfn, 0)
  expect(buddy.stats().cached).toEqual([0, 0])
  expect(buddy.freeFrames()).toBe(buddy.totalFrames())
  buddy.check()
})

describe('check finds', () => {
  test.each<[string, (machine: ReturnType<typeof bootFrames>, pfn: Pfn) => void]>([
    [
      'a cached frame in no cache',
      ({ frames, buddy }) => frames.set(buddy.allocate(0), 0, FrameMask.inCache, 0, 0),
    ],
    ['a used frame in a cache', ({ frames }, pfn) => frames.set(pfn, 1, 0, 0, 0)],
    ['a frame twice in a cache', ({ memory }, pfn) => doubleEntry(memory.u32, pfn)],
  ])('%s', (_, corrupt) => {
    const machine = bootFrames()
    const [pfn, other] = allocate(machine.buddy, 2) as [Pfn, Pfn]
    machine.buddy.free(other, 0)
    machine.buddy.free(pfn, 0)
    machine.buddy.check()
    corrupt(machine, pfn)
    expect(() => machine.buddy.check()).toThrow(/buddy|frames/)
  })
})

/** Overwrites the cache's entry below `pfn` with `pfn`. */
function doubleEntry(u32: Uint32Array, pfn: Pfn): void {
  const at = u32.findIndex((word, i) => word === pfn && u32[i - 1]! > 0 && u32[i + 1] === 0)
  expect(at).toBeGreaterThan(0)
  u32[at - 1] = pfn
}

describe('debug builds', () => {
  const boot = () => bootFrames({ debug: true })

  test.each([0, 3])('a store to a freed block of order %i is found when it is given out again', (order) => {
    const { buddy, memory } = boot()
    const pfn = buddy.allocate(order)
    fillFrame(memory, pfn, 1)
    buddy.free(pfn, order)
    memory.u8[pfn * 4096 + 4095] = 0
    expect(() => buddy.allocate(order)).toThrow('a freed frame was written to')
  })

  test.each([0, 3])('and when just that block of order %i is asked for', (order) => {
    const { buddy, memory } = boot()
    const pfn = buddy.allocate(order)
    fillFrame(memory, pfn, 1)
    buddy.free(pfn, order)
    buddy.drainCaches()
    memory.u8[(pfn + 2 ** order) * 4096 - 1] = 0
    expect(() => buddy.allocateZeroedAt(pfn, order)).toThrow('a freed frame was written to')
  })

  test('a store to a frame that nobody had is found', () => {
    const { buddy, memory, frames } = boot()
    const pfn = (frames.frameCount - 1) as Pfn
    memory.u8[pfn * 4096 + 1] = 1
    expect(() => buddy.allocateRun(1, 1)).not.toThrow()
    expect(() => {
      while (buddy.allocate(0) !== NO_FRAME);
    }).toThrow('before anybody had it')
  })

  test('a view without debug may free in between', () => {
    const machine = boot()
    const other = attachFrames(machine).buddy
    const pfn = machine.buddy.allocate(2)
    machine.buddy.free(pfn, 2)
    const again = other.allocateZeroed(2)
    fillFrame(machine.memory, again, 7)
    other.free(again, 2)
    expect(machine.buddy.allocate(2)).toBe(again)
  })

  test('zeroed frames are zero, whatever the poison', () => {
    const { buddy, memory } = boot()
    const pfn = buddy.allocate(1)
    buddy.free(pfn, 1)
    expect(buddy.allocateZeroed(1)).toBe(pfn)
    expect(memory.u32.subarray(pfn * 1024, (pfn + 2) * 1024).every((word) => word === 0)).toBe(true)
  })
})

test.each([{ shared: false }, { shared: true }])(
  'what was translated from a frame is forgotten when it is freed, and what from its neighbour is not, shared: $shared',
  ({ shared }) => {
    const { buddy: watched, memory, frames } = bootFrames({ shared, bytes: 64 * MIB })
    const stamps = regionPtr(memory, Region.codeStamps) >>> 1
    const fast = BuddyAllocator.attach(memory, new AtomicWords(memory, { owner: 1 }), frames)
    for (const buddy of [watched, fast]) {
      const two = allocate(buddy, 2)
      for (const [i, pfn] of two.entries()) memory.u16[stamps + pfn] = i + 1
      const free = buddy.freeFrames()
      for (const [i, pfn] of two.entries()) {
        buddy.free(pfn, 0)
        expect(two.map((each) => frames.codeStamp(each))).toEqual(i === 0 ? [0, 2] : [0, 0])
      }
      expect(buddy.freeFrames()).toBe(free + 2)
      buddy.check()
      const block = buddy.allocate(2)
      const four = [0, 1, 2, 3].map((i) => (block + i) as Pfn)
      for (const pfn of four) memory.u16[stamps + pfn] = 1
      buddy.free(block, 2)
      expect(four.map((each) => frames.codeStamp(each))).toEqual([0, 0, 0, 0])
    }
  },
)
