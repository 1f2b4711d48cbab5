import { describe, expect, test } from 'vitest'
import { NO_FRAME, NULL, type Pfn, type Ptr, ptrToFrame } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { FrameFlag } from '../frame/frame-table.js'
import { MIB } from '../frame/testing.js'
import { GeneralAllocator } from './general-allocator.js'
import { bootSlab, type SlabMachineOptions } from './testing.js'

function boot(options: SlabMachineOptions = {}) {
  const machine = bootSlab(options)
  return { ...machine, heap: new GeneralAllocator(machine) }
}

describe('GeneralAllocator', () => {
  test('the class is the smallest that is large enough; above 8 KiB there are frames', () => {
    const { heap } = boot()
    const usable = (bytes: number) => heap.usableBytes(heap.allocate(bytes))
    expect([0, 1, 8, 9, 64, 65, 96, 97, 129, 193, 257, 4097, 8192].map(usable)).toEqual([
      8, 8, 8, 16, 64, 96, 96, 128, 192, 256, 512, 8192, 8192,
    ])
    expect([8193, 16384, 16385, MIB].map(usable)).toEqual([16384, 16384, 32768, MIB])
  })

  test('what is larger than half a page comes from frames when there is no room for a slab', () => {
    const { heap, buddy, frames } = boot()
    const all: Pfn[] = []
    for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
    const [first, second] = all.filter((pfn) => pfn % 2 === 0 && pfn > 1024) as [Pfn, Pfn]
    for (const pfn of [first, first + 1]) buddy.free(pfn as Pfn, 0)
    for (const bytes of [8192, 4097]) {
      const ptr = heap.allocate(bytes)
      expect(ptr).toBe(first * 4096)
      expect(frames.flags(first) & FrameFlag.large).not.toBe(0)
      expect(heap.usableBytes(ptr)).toBe(8192)
      expect(heap.allocate(2049)).toBe(NULL)
      heap.free(ptr)
    }
    expect(heap.allocate(2049)).toBe(first * 4096)
    expect(heap.allocate(2048)).toBe(NULL)
    buddy.free(second, 0)
    buddy.check()
  })

  test('up to 8 KiB there are objects, above frames', () => {
    const { heap, frames } = boot()
    const isLarge = (bytes: number) => {
      const pfn = ptrToFrame(heap.allocate(bytes))
      return (frames.flags(pfn) & FrameFlag.large) !== 0
    }
    expect([8191, 8192, 8193].map(isLarge)).toEqual([false, false, true])
  })

  test('powers of two lie at multiples of themselves, up to a cache line', () => {
    const { heap } = boot()
    for (let bytes = 8; bytes <= 8192; bytes *= 2) {
      for (let i = 0; i < 20; i++) expect(heap.allocate(bytes) % Math.min(bytes, 64)).toBe(0)
    }
  })

  test('another size keeps the bytes, and moves only when it must', () => {
    const { heap, memory, buddy, slab } = boot()
    const free = buddy.freeFrames()
    let ptr = heap.resize(NULL, 10)
    for (let i = 0; i < 10; i++) memory.u8[ptr + i] = i + 1
    expect(heap.resize(ptr, 16)).toBe(ptr)
    expect(heap.resize(ptr, 3)).toBe(ptr)
    for (const bytes of [17, 100, 5000, 9000, 100_000]) {
      ptr = heap.resize(ptr, bytes)
      expect([...memory.u8.subarray(ptr, ptr + 10)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    }
    heap.free(ptr)
    heap.free(NULL)
    slab.shrink()
    expect(buddy.freeFrames()).toBe(free)
  })

  test('without memory there is NULL, and what was to grow stays', () => {
    const { heap, faults, memory } = boot()
    const ptr = heap.allocate(100)
    memory.u8.fill(9, ptr, ptr + 100)
    faults.failFrom(1)
    for (const bytes of [10, 300, 5000, 9000, 1e9]) {
      expect(heap.allocate(bytes)).toBe(NULL)
      if (bytes > 128) expect(heap.resize(ptr, bytes)).toBe(NULL)
    }
    faults.reset()
    expect(heap.allocate(2 ** 31)).toBe(NULL)
    expect(memory.u8.subarray(ptr, ptr + 100).every((byte) => byte === 9)).toBe(true)
    heap.free(ptr)
  })

  test('what is no allocation is not given back', () => {
    const { heap, slab, buddy } = boot()
    const other = slab.createCache('other', 64).allocate()
    const large = heap.allocate(20_000)
    for (const ptr of [other, large + 4096, buddy.allocate(0) * 4096, 4096, 0xfffff000]) {
      expect(() => heap.free(ptr as Ptr)).toThrow('of no general allocation')
    }
    const ptr = heap.allocate(64)
    expect(() => heap.free((ptr + 8) as Ptr)).toThrow('no object starts here')
    heap.free(large)
    expect(() => heap.free(large)).toThrow('of no general allocation')
  })
})

test.each<SlabMachineOptions>([{}, { debug: true }, { plain: true }, { shared: true }])(
  `all sizes, against a map of what was given (seed ${SEED}): %o`,
  (options) => {
    const random = new Random(SEED)
    const { heap, memory, slab, buddy } = boot({ bytes: 16 * MIB, ...options })
    const free = buddy.freeFrames()
    const given = new Map<Ptr, { bytes: number; stamp: number }>()
    const isIntact = (ptr: Ptr, bytes: number, stamp: number) =>
      memory.u8.subarray(ptr, ptr + bytes).every((byte) => byte === stamp)
    const remember = (ptr: Ptr, bytes: number) => {
      const stamp = random.between(1, 255)
      expect(heap.usableBytes(ptr)).toBeGreaterThanOrEqual(bytes)
      memory.u8.fill(stamp, ptr, ptr + bytes)
      expect(given.has(ptr)).toBe(false)
      given.set(ptr, { bytes, stamp })
    }
    const forget = (ptr: Ptr): number => {
      const { bytes, stamp } = given.get(ptr)!
      expect(isIntact(ptr, bytes, stamp), `PAGODA_SEED=${SEED}`).toBe(true)
      given.delete(ptr)
      return bytes
    }
    const size = () => random.below(random.pick([16, 200, 3000, 9000, 40_000]))
    for (let step = 0; step < fuzzSteps(1500); step++) {
      const choice = random.below(given.size > 100 ? 5 : 3)
      const [ptr] = given.size > 0 ? [random.pick([...given.keys()])] : [NULL]
      if (choice < 2 || ptr === NULL) {
        const bytes = size()
        const fresh = random.chance(0.5) ? heap.allocate(bytes) : heap.allocateZeroed(bytes)
        if (fresh !== NULL) remember(fresh, bytes)
      } else if (choice === 2) {
        const bytes = size()
        const old = given.get(ptr)!
        const moved = heap.resize(ptr, bytes)
        if (moved === NULL) continue
        expect(isIntact(moved, Math.min(bytes, old.bytes), old.stamp), `PAGODA_SEED=${SEED}`).toBe(true)
        given.delete(ptr)
        remember(moved, bytes)
      } else {
        forget(ptr)
        heap.free(ptr)
      }
      if (step % 100 === 0) slab.check()
    }
    for (const ptr of [...given.keys()]) {
      forget(ptr)
      heap.free(ptr)
    }
    slab.shrink()
    slab.check()
    expect(buddy.freeFrames()).toBe(free)
  },
)
