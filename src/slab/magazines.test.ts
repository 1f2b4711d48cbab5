import { describe, expect, test } from 'vitest'
import { NULL, type Ptr } from '../base/numbers.js'
import type { SlabCache } from './slab-cache.js'
import { bootSlab } from './testing.js'

/** A machine as it is used: nothing fails on purpose, and nobody watches. */
function bootPlain() {
  return bootSlab({ plain: true })
}

function allocate(cache: SlabCache, count: number): Ptr[] {
  return Array.from({ length: count }, () => cache.allocate())
}

describe.each([{ plain: true }, { shared: true }, {}])('magazines: %o', (options) => {
  test('the object that was freed last comes first', () => {
    const { slab } = bootSlab(options)
    const cache = slab.createCache('thing', 64)
    const [a, b] = allocate(cache, 2) as [Ptr, Ptr]
    cache.free(a)
    cache.free(b)
    expect(allocate(cache, 2)).toEqual([b, a])
  })

  test('objects that they hold are not in use, and their slabs come back with shrink', () => {
    const { slab, buddy } = bootSlab(options)
    const free = buddy.freeFrames()
    for (const size of [8, 64, 500, 2048, 8192]) {
      const cache = slab.createCache(`thing-${size}`, size)
      const objects = allocate(cache, 500 / size < 1 ? 20 : 500)
      expect(cache.used).toBe(objects.length)
      expect(new Set(objects).size).toBe(objects.length)
      slab.check()
      for (const object of objects) cache.free(object)
      expect(cache.used).toBe(0)
      slab.check()
    }
    slab.shrink()
    slab.check()
    expect(buddy.freeFrames()).toBe(free)
  })

  test('a cache gives its slabs back as objects come, but for a magazine and an empty one', () => {
    const { slab } = bootSlab(options)
    const cache = slab.createCache('thing', 1024)
    const objects = allocate(cache, 400)
    for (const object of objects) cache.free(object)
    const { slabs, objectsPerSlab } = slab.stats()[0]!
    expect(slabs).toBeLessThanOrEqual(Math.ceil(8 / objectsPerSlab) + 9)
    expect(slabs).toBeLessThan(400 / objectsPerSlab / 2)
  })
})

test('an object is found in another hart’s magazine before an allocation fails', () => {
  const machine = bootSlab({ shared: true })
  const cache = machine.slab.createCache('thing', 4096)
  const other = machine.attach().cache(cache.id)
  const all: Ptr[] = []
  for (let object = other.allocate(); object !== NULL; object = other.allocate()) all.push(object)
  cache.free(all[0]!)
  expect(other.allocate()).toBe(all[0])
  expect(other.allocate()).toBe(NULL)
  machine.slab.check()
})

describe('without a lock', () => {
  test('what is freed twice is found when the magazine is emptied', () => {
    const { slab } = bootPlain()
    const cache = slab.createCache('thing', 64)
    const object = cache.allocate()
    cache.free(object)
    cache.free(object)
    expect(() => slab.check()).toThrow('twice in a magazine')
    expect(() => slab.shrink()).toThrow('freed twice')
  })

  test('zeroed objects are zero, of every size', () => {
    const { slab, memory } = bootPlain()
    for (const size of [1, 8, 12, 64, 100, 256, 264, 4096]) {
      const cache = slab.createCache(`thing-${size}`, size)
      const object = cache.allocate()
      memory.u8.fill(255, object, object + size)
      cache.free(object)
      expect(cache.allocateZeroed()).toBe(object)
      expect(memory.u8.subarray(object, object + size).every((byte) => byte === 0)).toBe(true)
    }
  })
})

describe('many at once', () => {
  test('all of them, or none', () => {
    const { slab, faults } = bootSlab()
    const cache = slab.createCache('thing', 200)
    const objects = new Uint32Array(100)
    expect(cache.allocateMany(objects, 100)).toBe(true)
    expect([new Set(objects).size, cache.used]).toEqual([100, 100])
    cache.freeMany(objects, 100)
    expect(cache.used).toBe(0)
    for (const n of [1, 2, 50, 100]) {
      faults.reset()
      faults.failAt(n)
      expect(cache.allocateMany(objects, 100)).toBe(false)
      expect(cache.used).toBe(0)
      slab.check()
    }
  })
})

describe.each([{}, { debug: true }])('whether an object is there, whoever has it: %o', (options) => {
  test.each([8, 60, 100, 3000])('of %i bytes', (size) => {
    const { slab, memory } = bootSlab(options)
    const cache = slab.createCache('thing', size)
    const other = slab.createCache('other', size).allocate()
    const object = cache.allocate()
    const { objectsPerSlab, framesPerSlab } = slab.stats()[0]!
    const start = object - (object % (framesPerSlab * 4096))
    let found = 0
    for (let pointer = start; pointer < start + framesPerSlab * 4096; pointer++) {
      if (cache.whileThere(pointer, () => true)) found++
    }
    expect(found).toBe(objectsPerSlab)
    expect(cache.whileThere(object, () => false)).toBe(false)
    for (const pointer of [other, 0, 4096, memory.bytes, 2 ** 32 - 8]) {
      expect(cache.whileThere(pointer, () => true)).toBe(false)
    }
  })
})

describe('constructors', () => {
  test.each([{}, { plain: true }, { debug: true }])(
    'an object is as its constructor made it: %o',
    (options) => {
      const { slab, memory } = bootSlab(options)
      const made: Ptr[] = []
      const construct = (object: Ptr) => {
        made.push(object)
        memory.u8.fill(0x77, object, object + 30)
      }
      const cache = slab.createCache('thing', 30, 8, { construct })
      const isMade = (object: Ptr) => memory.u8.subarray(object, object + 30).every((byte) => byte === 0x77)
      for (let round = 0; round < 3; round++) {
        const objects = allocate(cache, 200)
        expect(objects.every((object) => made.includes(object) && isMade(object))).toBe(true)
        slab.check()
        for (const object of objects) cache.free(object)
      }
      slab.shrink()
      slab.check()
    },
  )

  test.each([{}, { debug: true }])(
    'what may be used of it ends before what the cache keeps there: %o',
    (options) => {
      const { slab, memory } = bootSlab(options)
      for (const size of [8, 30, 60, 64]) {
        const cache = slab.createCache(`thing-${size}`, size, 8, { construct: () => {} })
        expect(cache.usableBytes).toBe(size)
        const objects = allocate(cache, 5)
        for (const object of objects) memory.u8.fill(0xff, object, object + cache.usableBytes)
        for (const object of objects) cache.free(object)
        slab.shrink()
        slab.check()
        for (const object of allocate(cache, 5)) memory.u8.fill(0xff, object, object + cache.usableBytes)
        slab.check()
      }
    },
  )

  test('another thread says its own', () => {
    const machine = bootSlab({ shared: true })
    const cache = machine.slab.createCache('thing', 30, 8, { construct: () => {} })
    const view = machine.attach()
    const other = view.cache(cache.id)
    expect(() => other.allocate()).toThrow('no constructor')
    expect(view.createCache('thing', 30, 8, { construct: () => {} })).toBe(other)
    expect(other.allocate()).not.toBe(NULL)
  })
})
