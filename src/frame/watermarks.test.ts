/** Numbers of real riscv64 machines (Debian's 6.12, /proc/zoneinfo), what allocations make of them, and blocks larger than Linux's. */
import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { BuddyAllocator } from './buddy-allocator.js'
import { buddyInfo, linuxOrders } from './buddy-info.js'
import { Reach } from './reach.js'
import { attachFrames, bootFrames, MIB } from './testing.js'
import { minimumFreeKib, watermarksFor } from './watermarks.js'

test('watermarks of a machine with 2 GiB', () => {
  expect(minimumFreeKib(498_893)).toBe(22_528)
  expect(watermarksFor(498_893)).toEqual({ min: 5632, low: 7040, high: 8448, promotion: 9856 })
})

test('of one with 3 GiB in two zones', () => {
  const [dma32, normal] = [500_253, 239_343]
  const minimum = minimumFreeKib(dma32 + normal, 2)
  expect(minimum).toBe(45_056)
  const { min, low, high } = watermarksFor(normal, minimum, 10, dma32 + normal)
  // 3,649 when they were made, before the memory of the kernel's own start was freed.
  expect([min, low - min, high - low]).toEqual([3645, 911, 911])
})

test('a small machine keeps a twentieth, and never less than the root says', () => {
  for (const pages of [1500, 4000, 60_000, 120_000, 1_000_000]) {
    const { min, low, high } = watermarksFor(pages)
    expect(min).toBeGreaterThanOrEqual(Math.floor(Math.sqrt(pages * 64) / 4))
    expect(low).toBeGreaterThan(min)
    expect(high - low).toBe(low - min)
    expect(high).toBeLessThan(pages / 5)
  }
})

test('blocks above order 10 are shown as several, and no frame is lost', () => {
  const perOrder = [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 2]
  const frames = (counts: readonly number[]) =>
    counts.reduce((sum, count, order) => sum + count * 2 ** order, 0)
  expect(linuxOrders(perOrder)).toEqual([1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3 + 2 + 16])
  expect(frames(linuxOrders(perOrder))).toBe(frames(perOrder))
  expect(buddyInfo(perOrder)).toMatch(/^Node 0, zone {4}DMA32( +\d+){11} \n$/)
})

describe.each([{}, { lowFrames: 2000 }, { shared: true }])(
  'allocations stop at the watermarks: %o',
  (options) => {
    const KIB = 4
    function boot() {
      const machine = bootFrames({ bytes: 64 * MIB, ...options })
      const { zones } = machine.buddy
      zones.setWatermarks(800 * KIB, 10)
      const kept = zones.all.reduce((sum, { protection }) => sum + protection, 0)
      return { ...machine, minimum: zones.minimum, kept }
    }
    const takeAll = (buddy: BuddyAllocator): Pfn[] => {
      const taken: Pfn[] = []
      for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) taken.push(pfn)
      return taken
    }

    test('everybody at min, who is ended at half of it, who reclaims at the last frame', () => {
      const { buddy, minimum, kept } = boot()
      expect(minimum).toBeGreaterThanOrEqual(799)
      const taken = takeAll(buddy)
      expect(buddy.freeFrames()).toBe(minimum + kept)
      expect([1, 3, 9].map((order) => buddy.allocate(order))).toEqual([NO_FRAME, NO_FRAME, NO_FRAME])
      buddy.reach = Reach.half
      taken.push(...takeAll(buddy))
      expect(Math.abs(buddy.freeFrames() - minimum / 2 - kept)).toBeLessThanOrEqual(1)
      buddy.reach = Reach.all
      taken.push(...takeAll(buddy))
      expect(buddy.freeFrames()).toBe(0)
      buddy.reach = Reach.min
      for (const pfn of taken) buddy.free(pfn, 0)
      buddy.check()
    })

    test('the reserve does not get into a cache, where anybody would find it', () => {
      const { buddy } = boot()
      takeAll(buddy)
      buddy.reach = Reach.all
      buddy.allocate(0)
      expect(buddy.stats().cached).toEqual([0, 0])
      buddy.reach = Reach.min
      expect(buddy.allocate(0)).toBe(NO_FRAME)
    })

    test('below low reclaim is asked for, not before', () => {
      const { buddy, memory } = boot()
      const request = wordIndex(Word.reclaimRequest)
      const { all } = buddy.zones
      while (!buddy.zones.areLow) {
        expect(memory.u32[request]).toBe(0)
        buddy.allocate(0)
      }
      expect(memory.u32[request]).toBe(1)
      expect(buddy.allocate(0)).not.toBe(NO_FRAME)
      expect(all.every((zone) => zone.missingToHigh > 0)).toBe(true)
    })

    test('the frame that makes it one less than low is the one that asks', () => {
      const machine = boot()
      const { memory } = machine
      // It has no cache: every frame counts.
      const { buddy } = attachFrames(machine, { hart: 7 })
      const lowest = buddy.zones.all[0]!
      while (memory.u32[wordIndex(Word.reclaimRequest)] === 0) expect(buddy.allocate(0)).not.toBe(NO_FRAME)
      expect(lowest.freeFrames).toBe(lowest.watermarks.low + lowest.protection - 1)
    })
  },
)
