/** Numbers of real riscv64 machines (Debian's 6.12, /proc/zoneinfo), and blocks larger than Linux's. */
import { expect, test } from 'vitest'
import { buddyInfo, linuxOrders } from './buddy-info.js'
import { minimumFreeKib, watermarksFor } from './watermarks.js'

test('watermarks of a machine with 2 GiB', () => {
  expect(minimumFreeKib(498_893)).toBe(22_528)
  expect(watermarksFor(498_893)).toEqual({ min: 5632, low: 7040, high: 8448, promotion: 9856 })
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
