import { describe, expect, test } from 'vitest'
import { EFBIG, EIO, ENOMEM, ENOSPC, ENXIO } from '../base/errno.js'
import type { Pfn, Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { OBJECT_PAGES_MAX, PageCache } from './page-cache.js'
import { OBJECT_BYTES_MAX, ObjectKind } from './page-object.js'
import { bootMachine } from './testing.js'
import { punchHole, truncateObject } from './truncate.js'

const seed = Number(process.env.PAGODA_SEED ?? 5)
const steps = Number(process.env.PAGODA_FUZZ_STEPS ?? 3000)

describe('page cache', () => {
  function boot() {
    const { mm, faults } = bootMachine()
    const handle = mm.slab.createCache('test_handle', 8).allocateZeroed()
    return { mm, faults, handle, cache: new PageCache(mm.memory, mm.slab) }
  }

  test('random inserts, removals and cuts agree with a Map', () => {
    const { mm, handle, cache } = boot()
    const random = new Random(seed)
    const model = new Map<number, number>()
    const index = () => random.below(2 ** random.pick([2, 6, 7, 12, 13, 18, 24, 30]))
    for (let step = 0; step < steps; step++) {
      const at = index()
      const what = random.below(20)
      if (what < 10 && !model.has(at) && model.size < 500) {
        expect(cache.insert(handle, at, (step + 1) as Pfn)).toBe(0)
        model.set(at, step + 1)
      } else if (what < 19) {
        expect(cache.remove(handle, at)).toBe(model.get(at) ?? 0)
        model.delete(at)
      } else {
        const end = random.chance(0.5) ? OBJECT_PAGES_MAX : at + index()
        const dropped = new Map<number, number>()
        cache.removeRange(handle, at, end, (i, pfn) => dropped.set(i, pfn))
        const expected = [...model].filter(([i]) => i >= at && i < end).sort(([a], [b]) => a - b)
        expect([...dropped], `seed ${seed} step ${step}`).toEqual(expected)
        for (const [i] of expected) model.delete(i)
      }
      expect(cache.find(handle, at)).toBe(model.get(at) ?? 0)
      if (step % 50 === 0) expect(cache.check(handle).pages, `seed ${seed} step ${step}`).toBe(model.size)
    }
    const seen: number[] = []
    cache.forEach(handle, (i) => seen.push(i))
    expect(seen).toEqual([...model.keys()].sort((a, b) => a - b))
    cache.removeRange(handle, 0, OBJECT_PAGES_MAX, () => undefined)
    expect(mm.memory.u32[handle >>> 2]).toBe(0)
    expect(mm.slab.createCache('page_cache_node', 264).used).toBe(0)
  })

  test('an insert that finds no memory leaves nothing behind', () => {
    const { mm, faults, handle, cache } = boot()
    for (const start of [-1, 0, 70, 2 ** 29]) {
      if (start >= 0) cache.insert(handle, start, 1 as Pfn)
      const nodes = () => mm.slab.createCache('page_cache_node', 264).used
      for (let n = 1; ; n++) {
        const before = nodes()
        faults.failAt(n)
        const result = cache.insert(handle, 2 ** 28 + 5, 9 as Pfn)
        faults.reset()
        if (result === 0) break
        expect(result).toBe(-ENOMEM)
        expect(cache.find(handle, 2 ** 28 + 5)).toBe(0)
        if (start < 0) expect(nodes()).toBe(before)
        if (start >= 0) expect(cache.find(handle, start)).toBe(1)
        if (mm.memory.u32[handle >>> 2] !== 0) cache.check(handle)
      }
      cache.removeRange(handle, 0, OBJECT_PAGES_MAX, () => undefined)
    }
  })
})

describe('objects', () => {
  test('random reads, writes, truncations and holes agree with an array of bytes', () => {
    const { mm } = bootMachine()
    const { objects } = mm
    const random = new Random(seed)
    const object = objects.create(ObjectKind.tmpfs, 0)
    const quota = objects.quotas.create(100)
    objects.setQuota(object, quota)
    const model = new Uint8Array(128 * 4096)
    let size = 0
    for (let step = 0; step < steps / 5; step++) {
      const offset = random.chance(0.5) ? random.below(60 * 4096) : random.below(60) * 4096
      const length = random.below(random.pick([3, 12, 40]) * 4096)
      const label = `seed ${seed} step ${step}`
      const what = random.below(8)
      if (what < 3) {
        const bytes = new Uint8Array(length).map((_, i) => i * 31 + step)
        expect(objects.write(object, offset, bytes), label).toBe(length)
        model.set(bytes, offset)
        if (length > 0) size = Math.max(size, offset + length)
      } else if (what < 6) {
        const bytes = new Uint8Array(length).fill(0xee)
        const expected = Math.max(0, Math.min(length, size - offset))
        expect(objects.read(object, offset, bytes), label).toBe(expected)
        const same = Buffer.compare(bytes.subarray(0, expected), model.subarray(offset, offset + expected))
        expect(same, label).toBe(0)
      } else if (what === 6) {
        truncateObject(mm, object, offset)
        model.fill(0, Math.min(offset, size))
        size = offset
      } else {
        const first = offset >>> 12
        punchHole(mm, object, first, 2)
        model.fill(0, first * 4096, (first + 2) * 4096)
      }
      expect(objects.size(object)).toBe(size)
      expect(objects.quotas.used(quota), label).toBe(objects.pages(object))
    }
    mm.check()
    objects.release(object)
    mm.check()
    expect(objects.stats()).toEqual({ objects: 0, pages: 0 })
  })

  test('pages that are written together come in blocks of frames, as far as there are any', () => {
    const { mm, faults } = bootMachine()
    const { objects } = mm
    const bytes = new Uint8Array(45 * 4096).map((_, i) => i >>> 4)
    const quota = objects.quotas.create(50)
    for (let n = 1, isWhole = false; !isWhole; n++) {
      const object = objects.create(ObjectKind.tmpfs, 0)
      objects.setQuota(object, quota)
      objects.write(object, 7 * 4096, new Uint8Array(4096)) // in the way of the first block
      faults.reset()
      faults.failAt(n)
      const result = objects.write(object, 4096, bytes)
      isWhole = faults.count < n
      faults.reset()
      expect(result === -ENOMEM || result % 4096 === 0, `allocation ${n}: ${result}`).toBe(true)
      const written = Math.max(0, result)
      expect(objects.quotas.used(quota)).toBe(objects.pages(object))
      const back = new Uint8Array(written)
      objects.read(object, 4096, back)
      expect(Buffer.compare(back, bytes.subarray(0, written)), `allocation ${n}`).toBe(0)
      mm.check()
      if (isWhole) {
        expect(written).toBe(bytes.length)
        const first = objects.find(object, 8)
        expect(Array.from({ length: 32 }, (_, i) => objects.find(object, 8 + i) - first)).toEqual([
          ...Array(32).keys(),
        ])
        expect(objects.write(object, 46 * 4096, bytes)).toBe(5 * 4096) // the quota has no more
      }
      objects.release(object)
      mm.check()
      expect(objects.quotas.used(quota)).toBe(0)
    }
  })

  test('limits and refusals', () => {
    const { mm, faults } = bootMachine()
    const { objects } = mm
    const object = objects.create(ObjectKind.tmpfs, 10)
    expect(objects.get(object, 1)).toBe(-ENXIO)
    expect(objects.get(object, 0)).toBeGreaterThan(0)
    expect(objects.write(object, OBJECT_BYTES_MAX, new Uint8Array(1))).toBe(-EFBIG)
    expect(objects.write(object, OBJECT_PAGES_MAX * 4096 - 1, new Uint8Array(2))).toBe(1)
    expect(objects.write(object, OBJECT_PAGES_MAX * 4096, new Uint8Array(1))).toBe(-ENOSPC)
    expect(objects.size(object)).toBe(OBJECT_PAGES_MAX * 4096)
    truncateObject(mm, object, OBJECT_BYTES_MAX)
    expect(objects.read(object, 2 ** 60, new Uint8Array(3))).toBe(3)
    expect(objects.get(object, 2 ** 48)).toBe(-ENOSPC)
    truncateObject(mm, object, 10)
    const orphan = objects.create(ObjectKind.provided, 10, 5)
    expect(objects.get(orphan, 0)).toBe(-EIO)
    expect(objects.read(orphan, 0, new Uint8Array(4))).toBe(-EIO)
    faults.failFrom(1)
    expect(objects.create(ObjectKind.tmpfs, 0)).toBe(0)
    expect(objects.write(object, 5 * 4096, new Uint8Array(1))).toBe(-ENOMEM)
    faults.reset()
    mm.check()
  })

  test('identities are never used twice, and release twice is caught', () => {
    const { mm } = bootMachine()
    const { objects } = mm
    const first = objects.create(ObjectKind.tmpfs, 0)
    const identity = objects.identity(first)
    objects.retain(first)
    objects.release(first)
    objects.release(first)
    const second = objects.create(ObjectKind.tmpfs, 0)
    expect(objects.identity(second)).toBeGreaterThan(identity)
    objects.release(second)
    // The record is free: its bytes are the debug build's, and who writes to it is named.
    expect(() => {
      objects.release(second as Ptr)
      mm.check()
    }).toThrow(/once per reference|of page_object was used after it was freed/)
  })
})
