import { describe, expect, test } from 'vitest'
import { InvariantError } from '../base/assert.js'
import type { Ptr } from '../base/numbers.js'
import type { SlabCache } from './slab-cache.js'
import { bootSlab } from './testing.js'

function firstSite(cache: SlabCache): Ptr {
  return cache.allocate()
}

function secondSite(cache: SlabCache, object: Ptr): void {
  cache.free(object)
}

/** The message of what is thrown. */
function messageOf(operation: () => unknown): string {
  try {
    operation()
  } catch (error) {
    expect(error).toBeInstanceOf(InvariantError)
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}

function boot(size = 50) {
  const machine = bootSlab({ debug: true })
  const cache = machine.slab.createCache('thing', size)
  return { ...machine, cache, object: firstSite(cache) }
}

describe('debug caches name both sites of', () => {
  test('a double free', () => {
    const { cache, object } = boot()
    secondSite(cache, object)
    const message = messageOf(() => cache.free(object))
    expect(message).toMatch(/of thing was freed twice/)
    expect(message).toMatch(/it was given out\n(.|\n)*firstSite(.|\n)*it was freed last\n(.|\n)*secondSite/)
  })

  test.each([0, 17, 49])('a use after free, of byte %i', (byte) => {
    const { memory, cache, object } = boot()
    secondSite(cache, object)
    memory.u8[object + byte] = 1
    const message = messageOf(() => cache.allocate())
    expect(message).toMatch(/was used after it was freed/)
    expect(message).toMatch(/firstSite(.|\n)*secondSite/)
  })

  test.each([50, 51, 57, 63])('an overflow, of byte %i', (byte) => {
    const { memory, cache, object } = boot()
    memory.u8[object + byte] = 1
    expect(messageOf(() => cache.free(object))).toMatch(/written to beyond its end(.|\n)*firstSite/)
  })

  test.each([-1, -8])('an underflow, of byte %i', (byte) => {
    const { memory, cache, object } = boot()
    memory.u8[object + byte] = 1
    expect(messageOf(() => cache.free(object))).toMatch(/written to before its start(.|\n)*firstSite/)
  })

  test('nobody, when the slab that they knew is gone', () => {
    const { slab, memory, cache, object } = boot()
    const next = firstSite(cache)
    for (const one of [object, next]) secondSite(cache, one)
    slab.shrink()
    expect(cache.allocate()).toBe(object)
    memory.u8[next] = 1
    const message = messageOf(() => cache.allocate())
    expect(message).toMatch(/was used after it was freed(.|\n)*in another thread, or never/)
    expect(message).not.toMatch(/firstSite|secondSite/)
  })

  test('what check sees first', () => {
    const { slab, memory, cache, object } = boot()
    memory.u8[object + 50] = 1
    expect(messageOf(() => slab.check())).toMatch(/beyond its end/)
    memory.u8[object + 50] = 0xcc
    slab.check()
    cache.free(object)
    memory.u8[object + 3] = 1
    expect(messageOf(() => slab.check())).toMatch(/used after it was freed/)
  })
})

test('an object may be written from its first byte to its last, at every alignment', () => {
  const { slab, memory } = bootSlab({ debug: true })
  for (const size of [1, 8, 13, 64, 100, 4096, 8192]) {
    for (const align of [8, 64, 4096]) {
      const cache = slab.createCache(`thing-${size}-${align}`, size, align)
      const objects = Array.from({ length: 5 }, () => cache.allocate())
      for (const object of objects) {
        expect(object % align).toBe(0)
        memory.u8.fill(0xff, object, object + size)
      }
      slab.check()
      for (const object of objects) cache.free(object)
      const zeroed = cache.allocateZeroed()
      expect(memory.u8.subarray(zeroed, zeroed + size).every((byte) => byte === 0)).toBe(true)
      slab.check()
    }
  }
})

test('a new object is no zeroes by chance', () => {
  const { slab, memory } = bootSlab({ debug: true })
  const object = slab.createCache('thing', 24).allocate()
  expect(memory.u8.subarray(object, object + 24).every((byte) => byte === 0x5a)).toBe(true)
})

test('another view that does not debug keeps to what the cache is', () => {
  const machine = bootSlab({ debug: true })
  const cache = machine.slab.createCache('thing', 50)
  const { attach } = machine
  const object = attach().cache(cache.id).allocate()
  machine.memory.u8[object + 50] = 1
  expect(messageOf(() => cache.free(object))).toMatch(/in another thread/)
})
