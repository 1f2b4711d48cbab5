/** Frames, blocks and objects on real threads: 300,000 steps, 10 million with PAGODA_FULL. Nothing is given out twice, and nothing is lost. */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Pfn, Ptr } from './base/numbers.js'
import { fuzzSteps, SEED } from './base/testing.js'
import { MIB } from './frame/testing.js'
import { mmInit } from './mm.js'
import { OBJECT_BYTES, SLOTS, type StormData } from './slab/testing/allocator-storm.js'
import { bundleThread, type ThreadBundle } from './state/testing/bundle-thread.js'

const STEPS = fuzzSteps(process.env.PAGODA_FULL === undefined ? 300_000 : 10_000_000)

let thread: ThreadBundle
beforeAll(async () => {
  thread = await bundleThread(fileURLToPath(new URL('slab/testing/storm-thread.ts', import.meta.url)))
})
afterAll(() => thread.remove())

function play(workerData: StormData): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(thread.file, { workerData, execArgv: ['--enable-source-maps'] })
    worker.once('message', resolve).once('error', reject)
  })
}

test.each([2, 3])(`%i harts (seed ${SEED})`, { timeout: 600_000 }, async (harts) => {
  const mm = mmInit({ bytes: 8 * MIB, shared: true, harts })
  const { buddy, slab, memory } = mm
  const cache = slab.createCache('storm', OBJECT_BYTES)
  slab.shrink()
  const free = buddy.freeFrames()
  const exchange = new SharedArrayBuffer(SLOTS * 4)
  const data = { memory: memory.raw, seed: SEED, steps: Math.floor(STEPS / harts), exchange }
  const problems = await Promise.all(Array.from({ length: harts }, (_, hart) => play({ ...data, hart })))
  expect(problems).toEqual(new Array(harts).fill(undefined))
  mm.check()
  for (const item of new Int32Array(exchange)) {
    if ((item & 1) === 1) buddy.release((item >>> 1) as Pfn)
    else if (item !== 0) cache.free(item as Ptr)
  }
  expect(cache.used).toBe(0)
  slab.shrink()
  expect(buddy.freeFrames()).toBe(free)
  mm.check()
})
