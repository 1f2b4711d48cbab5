import { describe, expect, test } from 'vitest'
import { InvariantError } from '../base/assert.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { restoreSnapshot, takeSnapshot } from '../state/snapshot.js'
import { bootSlab } from './testing.js'

function isZero(memory: Memory, ptr: Ptr, bytes: number): boolean {
  return memory.u8.subarray(ptr, ptr + bytes).every((byte) => byte === 0)
}

describe('SlabAllocator', () => {
  test('a number that is of another cache in each of two snapshots', () => {
    const { memory, slab } = bootSlab()
    const before = takeSnapshot(memory)
    const other = slab.createCache('other', 1000)
    const after = takeSnapshot(memory)
    restoreSnapshot(memory, before)
    expect(slab.createCache('lost', 40).id).toBe(other.id)
    restoreSnapshot(memory, after)
    expect(slab.createCache('other', 1000).size).toBe(1000)
  })

  test('a cache that came after a snapshot is made anew when that is put back', () => {
    const { memory, slab } = bootSlab()
    slab.createCache('first', 24)
    const snapshot = takeSnapshot(memory)
    const lost = slab.createCache('lost', 40)
    restoreSnapshot(memory, snapshot)
    const other = slab.createCache('other', 56)
    expect(other.id).toBe(lost.id)
    expect(slab.createCache('lost', 72).id).toBe(lost.id + 1)
    expect(slab.createCache('first', 24).id).toBe(lost.id - 1)
    expect(
      slab
        .stats()
        .map(({ name, size }) => [name, size])
        .slice(-3),
    ).toEqual([
      ['first', 24],
      ['other', 56],
      ['lost', 72],
    ])
  })

  test.each([1, 8, 24, 64, 100, 128, 512, 1000, 2048, 3000, 4096, 8192])(
    'objects of %i bytes: zero, aligned, apart, and all frames come back',
    (size) => {
      const { memory, slab, buddy } = bootSlab()
      const cache = slab.createCache('thing', size)
      const free = buddy.freeFrames()
      const objects: Ptr[] = []
      for (let i = 0; i < 300; i++) {
        const object = cache.allocateZeroed()
        expect(object % 8).toBe(0)
        expect(isZero(memory, object, size)).toBe(true)
        memory.u8.fill(i + 1, object, object + size)
        objects.push(object)
      }
      slab.check()
      buddy.check()
      expect(cache.used).toBe(300)
      objects.forEach((object, i) => {
        const intact = memory.u8.subarray(object, object + size).every((byte) => byte === ((i + 1) & 255))
        expect(intact).toBe(true)
        cache.free(object)
      })
      slab.check()
      expect(cache.used).toBe(0)
      slab.shrink()
      expect(buddy.freeFrames()).toBe(free)
      buddy.check()
    },
  )

  test.each([8, 64, 256, 4096])('aligns to %i', (align) => {
    const { slab } = bootSlab()
    const cache = slab.createCache('thing', 100, align)
    for (let i = 0; i < 50; i++) expect(cache.allocateZeroed() % align).toBe(0)
    slab.check()
  })

  test('a slab wastes at most an eighth, up to 8 frames', () => {
    const { slab } = bootSlab()
    for (let size = 8; size <= 4096; size *= 2) slab.createCache(`size-${size}`, size)
    for (const { name, size, framesPerSlab, objectsPerSlab } of slab.stats()) {
      expect(size * objectsPerSlab, name).toBeGreaterThanOrEqual((framesPerSlab * PAGE_SIZE * 7) / 8)
      expect(framesPerSlab).toBeLessThanOrEqual(8)
    }
  })

  test('constructed objects have the small slabs of others: the first one constructs no more than a frame of them', () => {
    const { slab } = bootSlab()
    let constructed = 0
    const cache = slab.createCache('thing', 24, 8, { construct: () => constructed++ })
    cache.allocate()
    expect(constructed).toBeGreaterThan(100)
    expect(constructed).toBeLessThan(PAGE_SIZE / 24)
  })

  test('a recycled object is zero again', () => {
    for (const size of [8, 128, 1024]) {
      const { memory, slab } = bootSlab()
      const cache = slab.createCache('thing', size)
      const object = cache.allocateZeroed()
      memory.u8.fill(255, object, object + size)
      cache.free(object)
      expect(cache.allocateZeroed()).toBe(object)
      expect(isZero(memory, object, size)).toBe(true)
    }
  })

  test('a fresh object on untouched RAM is not written', () => {
    const { slab, filled } = bootSlab()
    const cache = slab.createCache('thing', 1024)
    for (let i = 0; i < 100; i++) cache.allocate()
    expect(filled).toEqual([])
  })

  test('a pair at the edge of a slab does not fetch and give back frames', () => {
    const { slab, buddy } = bootSlab()
    const cache = slab.createCache('thing', 1024)
    const { objectsPerSlab } = slab.stats()[0]!
    for (let i = 0; i < objectsPerSlab; i++) cache.allocateZeroed()
    cache.free(cache.allocateZeroed())
    const free = buddy.freeFrames()
    cache.free(cache.allocateZeroed())
    expect(buddy.freeFrames()).toBe(free)
  })

  test('catches what must not be freed, and stays as it was', () => {
    const { slab, buddy } = bootSlab()
    const small = slab.createCache('small', 48)
    const other = slab.createCache('other', 48)
    const large = slab.createCache('large', 4096)
    const [a, b, gone] = [small.allocateZeroed(), small.allocateZeroed(), small.allocateZeroed()]
    const page = large.allocateZeroed()
    small.free(gone)
    const stats = slab.stats()
    const wrong: [Ptr, typeof small, string][] = [
      [gone, small, 'freed twice'],
      [(a + 8) as Ptr, small, 'no object starts here'],
      [(b + 16) as Ptr, small, 'no object starts here'],
      [(a + 1) as Ptr, small, 'no object starts here'],
      [(Math.floor(a / 4096) * 4096) as Ptr, small, 'no object starts here'],
      [(a + 48 * 10) as Ptr, small, 'no object starts here'],
      [a, other, 'not of this cache'],
      [a, large, 'not of this cache'],
      [page, small, 'not of this cache'],
      [NULL, small, 'not of this cache'],
      [(buddy.allocate(0) * PAGE_SIZE) as Ptr, small, 'not of this cache'],
      [0xfffff000 as Ptr, small, 'not of this cache'],
    ]
    for (const [ptr, cache, message] of wrong) expect(() => cache.free(ptr)).toThrow(message)
    expect(slab.stats()).toEqual(stats)
    slab.check()
  })

  test('a pointer to the header is not looked up in the map', () => {
    const { slab, memory } = bootSlab()
    const cache = slab.createCache('page', 4096, 4096)
    const header = (cache.allocateZeroed() - 4096) as Ptr
    // Where the bit of "object -1" would be if its number were taken as unsigned.
    const stray = (header >>> 2) + 6 + 0x7fff
    memory.u32[stray] = 0xffffffff
    expect(() => cache.free(header)).toThrow('no object starts here')
    expect(memory.u32[stray]).toBe(0xffffffff)
  })

  test('caches are found by name; a second view sees the same objects', () => {
    const machine = bootSlab({ shared: true, debug: true })
    const cache = machine.slab.createCache('vma', 100, 16)
    expect(machine.slab.createCache('other', 8)).not.toBe(cache)
    const other = machine.attach()
    const seen = other.createCache('vma', 100, 16)
    expect(seen.id).toBe(cache.id)
    const object = cache.allocateZeroed()
    expect(seen.used).toBe(1)
    expect(seen.allocateZeroed()).not.toBe(object)
    seen.free(object)
    expect(() => cache.free(object)).toThrow('freed twice')
    expect(other.stats()).toEqual(machine.slab.stats())
    machine.slab.check()
    other.check()
  })

  test('refuses caches that cannot be', () => {
    const { slab } = bootSlab()
    slab.createCache('vma', 100)
    expect(() => slab.createCache('vma', 104)).toThrow('another size')
    expect(() => slab.createCache('vma', 100, 64)).toThrow('another size or alignment')
    expect(() => slab.createCache('', 8)).toThrow('name')
    expect(() => slab.createCache('a name with spaces', 8)).toThrow('name')
    expect(() => slab.createCache('x'.repeat(25), 8)).toThrow('name')
    expect(() => slab.createCache('a', 0)).toThrow('1 to 8192')
    expect(() => slab.createCache('a', 8193)).toThrow('1 to 8192')
    expect(() => slab.createCache('a', 8, 12)).toThrow('alignment')
    for (let i = 1; i < 96; i++) slab.createCache(`cache-${i}`, 8)
    expect(() => slab.createCache('one-more', 8)).toThrow('too many')
    expect(slab.createCache('vma', 100).id).toBe(0)
    expect(slab.stats().length).toBe(96)
  })

  test('NULL when memory is full; all of it comes back', () => {
    const { slab, buddy } = bootSlab()
    const cache = slab.createCache('thing', 2048)
    const free = buddy.freeFrames()
    const objects: Ptr[] = []
    for (let object = cache.allocateZeroed(); object !== NULL; object = cache.allocateZeroed())
      objects.push(object)
    expect(objects.length).toBeGreaterThan((free * 2 * 3) / 4)
    expect(cache.allocateZeroed()).toBe(NULL)
    slab.check()
    buddy.check()
    for (const object of objects) cache.free(object)
    slab.shrink()
    expect(buddy.freeFrames()).toBe(free)
  })

  test('the nth allocation fails, for every n, with no effect', () => {
    const { slab, buddy, faults } = bootSlab()
    const cache = slab.createCache('thing', 1024)
    for (let n = 1; n <= 20; n++) {
      faults.reset()
      faults.failAt(n)
      const objects = Array.from({ length: 12 }, () => cache.allocateZeroed())
      expect(objects.filter((object) => object === NULL).length).toBe(n <= faults.count ? 1 : 0)
      slab.check()
      for (const object of objects) if (object !== NULL) cache.free(object)
      slab.shrink()
      buddy.check()
      expect(buddy.freeFrames()).toBe(buddy.totalFrames())
    }
  })

  test('dump has the columns of /proc/slabinfo', () => {
    const { slab } = bootSlab()
    const cache = slab.createCache('vm_area_struct', 128)
    cache.allocateZeroed()
    const { objectsPerSlab } = slab.stats()[0]!
    expect(slab.dump().split('\n')[1]!.split(/ +/)).toEqual(
      ['vm_area_struct', 1, objectsPerSlab, 128, objectsPerSlab, 1, ':', 'slabdata', 1].map(String),
    )
  })
})

describe('check finds', () => {
  test.each<[string, (words: Uint32Array, slab: number, object: number) => void]>([
    ['a wrong count', (words, slab) => words[slab + 3]!++],
    ['a corrupt list of recycled objects', (words, slab) => (words[slab + 1] = 12345 * 4)],
    ['a bit in the map that is no object', (words, slab) => (words[slab + 6]! |= 2)],
    ['an object both fresh and used', (words, slab) => (words[slab + 2] = words[slab + 2]! - 96)],
    ['a slab without a cache', (words, slab) => (words[slab] = 60)],
    ['a broken link', (words, slab) => (words[slab + 4] = slab * 4)],
  ])('%s', (_, corrupt) => {
    const { memory, slab } = bootSlab()
    const cache = slab.createCache('thing', 96)
    const kept = cache.allocateZeroed()
    const gone = cache.allocateZeroed()
    cache.allocateZeroed()
    cache.free(gone)
    slab.check()
    corrupt(memory.u32, Math.floor(kept / 4096) * 1024, gone / 4)
    expect(() => slab.check()).toThrow(InvariantError)
  })
})
