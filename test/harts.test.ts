/**
 * Harts on real threads: each has a TLB that keeps whatever it is not told to forget, and uses pages, huge ones and those of an object that all
 * spaces map too, while others unmap, protect, move, fork, free and reclaim them. A stale access is never seen; a flush that is left out is, and is named. Longer with PAGODA_FULL.
 */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PAGE_SIZE } from '../src/base/numbers.js'
import { SEED } from '../src/base/testing.js'
import { type MemoryManager, mmInit } from '../src/mm.js'
import { ObjectKind } from '../src/space/object-records.js'
import { Counter, counted } from '../src/state/counters.js'
import { bundleThread, type ThreadBundle } from '../src/state/testing/bundle-thread.js'
import {
  ASIDS,
  Book,
  CHANGES,
  type Change,
  KINDS,
  Kind,
  SPACES,
  type StormData,
  type StormReport,
  SWITCHING,
  type Switching,
} from './harts/storm.js'

const ACCESSES = process.env.PAGODA_FULL ? 10_000_000 : 150_000

let thread: ThreadBundle
beforeAll(async () => {
  thread = await bundleThread(fileURLToPath(new URL('harts/storm-thread.ts', import.meta.url)))
})
afterAll(() => thread.remove())

/** Harts 1 to `harts` on threads; this one boots and looks at what is left. */
async function storm(
  harts: number,
  accesses: number,
  forgets?: Change | Switching,
): Promise<{ reports: StormReport[]; mm: MemoryManager }> {
  const mm = mmInit({ bytes: 64 * 2 ** 20, shared: true, harts: harts + 1, asids: ASIDS, debug: true })
  const spaces = Array.from({ length: SPACES }, () => mm.spaces.create())
  const sharedPages = harts * KINDS[Kind.shared].count
  const object = mm.objects.create(ObjectKind.tmpfs, sharedPages * PAGE_SIZE)
  const book = new Book(harts).buffer
  const reports = Array.from({ length: harts }, (_, index) => {
    const hart = index + 1
    const workerData: StormData = {
      memory: mm.memory.raw,
      book,
      spaces,
      object,
      harts,
      hart,
      seed: SEED,
      accesses: accesses / harts,
      forgets,
    }
    return new Promise<StormReport>((resolve, reject) => {
      const worker = new Worker(thread.file, { workerData, execArgv: ['--enable-source-maps'] })
      worker.once('message', resolve).once('error', reject)
    })
  })
  return { reports: await Promise.all(reports), mm }
}

test.each([2, 3])(`%i harts never see a stale page (seed ${SEED})`, { timeout: 1_800_000 }, async (harts) => {
  const { reports, mm } = await storm(harts, ACCESSES)
  expect(reports.map(({ failure }) => failure)).toEqual(reports.map(() => undefined))
  for (const { changes, hits } of reports) {
    expect(hits).toBeGreaterThan(ACCESSES / 20 / harts)
    expect(changes.munmap).toBeGreaterThan(10)
    expect(changes.punch).toBeGreaterThan(0)
  }
  expect(reports.some(({ reclaimed }) => reclaimed > 0)).toBe(true)
  expect(counted(mm.memory, Counter.hugeFault)).toBeGreaterThan(0)
  expect(counted(mm.memory, Counter.hugeSplit)).toBeGreaterThan(0)
  mm.check()
})

test.each(CHANGES)(
  `a flush that %s forgets is found (seed ${SEED})`,
  { timeout: 120_000 },
  async (change) => {
    const { reports } = await storm(2, 2_000_000, change)
    const failures = reports.flatMap(({ failure }) => failure ?? [])
    // Who has the frame now may be the first to find what was stored through a stale translation: no change of its own page led to that.
    const isNamed = `after ([a-z ]+ or )*${change}`
    const isVictim = `another owner's frame at .* after no change`
    expect(failures.join('\n')).toMatch(new RegExp(`${isNamed}|${isVictim}`))
  },
)

test.each(SWITCHING)(`%s that forgets is found (seed ${SEED})`, { timeout: 120_000 }, async (forgets) => {
  const { reports } = await storm(2, 2_000_000, forgets)
  const failures = reports.flatMap(({ failure }) => failure ?? [])
  expect(failures.join('\n')).toMatch(/stale|another owner/)
})
