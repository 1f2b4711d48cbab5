import { expect, test } from 'vitest'
import { NULL, type Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import type { SlabCache } from './slab-cache.js'
import { bootSlab, type SlabMachineOptions } from './testing.js'

interface Given {
  readonly cache: SlabCache
  readonly size: number
  readonly stamp: number
}

function bootTwoViews(options: SlabMachineOptions) {
  const machine = bootSlab(options)
  return { ...machine, slabs: [machine.slab, machine.attach()] }
}

test.each<SlabMachineOptions>([{}, { debug: true }, { shared: true }, { plain: true }])(
  'objects of many caches, against a map of what was given, from two views, with failures: %o',
  (options) => {
    const random = new Random(SEED)
    const { memory, buddy, faults, slabs } = bootTwoViews(options)
    const caches = [8, 20, 40, 72, 96, 200, 512, 1000, 4096].map((size) => ({
      size,
      cache: slabs[0]!.createCache(`fuzz-${size}`, size, random.pick([8, 8, 16, 64])),
    }))
    const free = buddy.freeFrames()
    const given = new Map<Ptr, Given>()
    const frames = new Set<number>()
    let crowd = 100

    function allocate(where: string): void {
      const { cache, size } = random.pick(caches)
      const injected = !options.plain && random.chance(0.02)
      if (injected) faults.failAt(1)
      const object = (injected ? slabs[0]! : random.pick(slabs)).cache(cache.id).allocateZeroed()
      if (injected) expect(object, where).toBe(NULL)
      if (object === NULL) {
        expect(injected || buddy.freeFrames() < 8, where).toBe(true)
        return
      }
      const bytes = memory.u8.subarray(object, object + size)
      expect(
        bytes.every((byte) => byte === 0),
        where,
      ).toBe(true)
      const stamp = random.between(1, 255)
      bytes.fill(stamp)
      expect(given.has(object), where).toBe(false)
      given.set(object, { cache, size, stamp })
      frames.add(object >>> 12)
    }

    /** The object's bytes are as they were written: nothing else was given the same ones. */
    function release(object: Ptr, where: string): void {
      const { cache, size, stamp } = given.get(object)!
      const intact = memory.u8.subarray(object, object + size).every((byte) => byte === stamp)
      expect(intact, where).toBe(true)
      random.pick(slabs).cache(cache.id).free(object)
      given.delete(object)
    }

    function check(where: string): void {
      random.pick(slabs).check()
      for (const { cache } of caches) {
        const expected = [...given.values()].filter((it) => it.cache === cache).length
        expect(slabs[1]!.cache(cache.id).used, where).toBe(expected)
      }
    }

    for (let step = 0; step < fuzzSteps(1000); step++) {
      const where = `PAGODA_SEED=${SEED}, step ${step}`
      if (step % 200 === 0) crowd = random.pick([10, 100, 1000])
      const grow = given.size === 0 || random.chance(given.size < crowd ? 0.7 : 0.2)
      if (grow) allocate(where)
      else release(random.pick([...given.keys()]), where)
      check(where)
      if (step % 16 === 0) buddy.check()
    }
    for (const object of [...given.keys()]) release(object, `PAGODA_SEED=${SEED}, at the end`)
    slabs[0]!.shrink()
    slabs[0]!.check()
    buddy.check()
    expect(frames.size).toBeGreaterThan(10)
    expect(buddy.freeFrames(), `PAGODA_SEED=${SEED}`).toBe(free)
  },
)
