/**
 * Ten million steps with PAGODA_FULL, else a hundredth of that: frames, blocks and objects against a plain list of what is taken,
 * as the kernel uses them, without locks. A bitmap says which frames are taken, so that a step costs next to nothing.
 */
import { expect, test } from 'vitest'
import { NO_FRAME, NULL, type Pfn, type Ptr } from './base/numbers.js'
import { Random } from './base/random.js'
import { fuzzSteps, SEED } from './base/testing.js'
import { MIB } from './frame/testing.js'
import { mmInit } from './mm.js'

const STEPS = fuzzSteps(process.env.PAGODA_FULL === undefined ? 100_000 : 10_000_000)
const HELD = 512
const CHECKS = 20
const TIMEOUT = 900_000

/** Steps between two looks at everything. */
const EVERY = Math.ceil(STEPS / CHECKS)

test(`frames and blocks, ${STEPS} steps (seed ${SEED})`, { timeout: TIMEOUT }, () => {
  const random = new Random(SEED)
  const { buddy } = mmInit({ bytes: 32 * MIB, lowFrames: 3001 })
  const free = buddy.freeFrames()
  const taken = new Uint8Array(32 * 256)
  const held = new Array<{ pfn: Pfn; order: number } | undefined>(HELD).fill(undefined)
  const mark = (pfn: Pfn, order: number, from: number, to: number): boolean => {
    for (let i = 0; i < 1 << order; i++) {
      if (taken[pfn + i] !== from) return false
      taken[pfn + i] = to
    }
    return true
  }
  let failures = 0
  for (let step = 0; step < STEPS; step++) {
    const at = random.below(HELD)
    const block = held[at]
    if (block !== undefined) {
      if (!mark(block.pfn, block.order, 1, 0)) expect.fail(`PAGODA_SEED=${SEED}, step ${step}: lost`)
      buddy.free(block.pfn, block.order)
      held[at] = undefined
    } else {
      const order = random.chance(0.8) ? 0 : random.below(10)
      const pfn = random.chance(0.5) ? buddy.allocate(order) : buddy.allocateZeroed(order)
      if (pfn === NO_FRAME) failures++
      else {
        const isNew = pfn % (1 << order) === 0 && mark(pfn, order, 0, 1)
        if (!isNew) expect.fail(`PAGODA_SEED=${SEED}, step ${step}: frame ${pfn} was given out twice`)
        held[at] = { pfn, order }
      }
    }
    if (step % EVERY === 0) buddy.check()
  }
  for (const block of held) if (block !== undefined) buddy.free(block.pfn, block.order)
  buddy.check()
  expect(buddy.freeFrames()).toBe(free)
  expect(failures).toBeLessThan(STEPS / 2)
})

test(`objects of all sizes, ${STEPS} steps (seed ${SEED})`, { timeout: TIMEOUT }, () => {
  const random = new Random(SEED)
  const { heap, slab, buddy, memory } = mmInit({ bytes: 32 * MIB })
  slab.shrink()
  const free = buddy.freeFrames()
  const held = new Uint32Array(HELD)
  const bytesOf = new Uint32Array(HELD)
  /** The first and the last byte of what is held say which it is. */
  const isMine = (ptr: Ptr, at: number) =>
    memory.u8[ptr] === (at & 255) && memory.u8[ptr + bytesOf[at]! - 1] === (at & 255)
  for (let step = 0; step < STEPS; step++) {
    const at = random.below(HELD)
    const ptr = held[at]! as Ptr
    if (ptr !== NULL) {
      if (!isMine(ptr, at)) expect.fail(`PAGODA_SEED=${SEED}, step ${step}: ${ptr} is not as it was`)
      heap.free(ptr)
      held[at] = NULL
    } else {
      const bytes = 1 + random.below(random.pick([64, 64, 64, 500, 3000, 12_000]))
      const made = heap.allocate(bytes)
      if (made === NULL) continue
      held[at] = made
      bytesOf[at] = bytes
      memory.u8[made] = at
      memory.u8[made + bytes - 1] = at
    }
    if (step % EVERY === 0) slab.check()
  }
  for (const ptr of held) heap.free(ptr as Ptr)
  slab.shrink()
  slab.check()
  buddy.check()
  expect(buddy.freeFrames()).toBe(free)
})
