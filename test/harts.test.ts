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

interface StormOptions {
  readonly harts: number
  readonly accesses: number
  readonly seed?: number
  readonly forgets?: Change | Switching
}

/** Harts 1 to `harts` on threads, which `workers` is given; this one boots and looks at what is left. */
async function storm(
  { harts, accesses, seed = SEED, forgets }: StormOptions,
  workers: Worker[] = [],
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
      seed,
      accesses: accesses / harts,
      forgets,
    }
    return new Promise<StormReport>((resolve, reject) => {
      const worker = new Worker(thread.file, { workerData, execArgv: ['--enable-source-maps'] })
      workers.push(worker)
      worker.once('message', resolve).once('error', reject)
    })
  })
  return { reports: await Promise.all(reports), mm }
}

test.each([2, 3])(`%i harts never see a stale page (seed ${SEED})`, { timeout: 1_800_000 }, async (harts) => {
  const { reports, mm } = await storm({ harts, accesses: ACCESSES })
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

/** Long enough for a storm that finds what was forgotten; nearly all take less than a second. */
const STORM_MILLISECONDS = 25_000
const STORMS_MAX = 4

/**
 * What harts that forget something find. A store through a stale translation may also hit what the kernel has in the frame by now, a lock for
 * instance, and then the storm never ends: it is given up, and one with another seed begins.
 */
async function findings(forgets: Change | Switching): Promise<string> {
  for (let seed = SEED; seed < SEED + STORMS_MAX; seed++) {
    const workers: Worker[] = []
    const ended = storm({ harts: 2, accesses: 2_000_000, seed, forgets }, workers)
    const late = new Promise<undefined>((resolve) =>
      setTimeout(resolve, STORM_MILLISECONDS, undefined).unref(),
    )
    const result = await Promise.race([ended, late])
    if (result !== undefined) return result.reports.flatMap(({ failure }) => failure ?? []).join('\n')
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  throw new Error(`none of ${STORMS_MAX} storms came to an end`)
}

test.each(CHANGES)(
  `a flush that %s forgets is found (seed ${SEED})`,
  { timeout: 120_000 },
  async (change) => {
    // Who has the frame now may be the first to find what was stored through a stale translation: no change of its own page led to that.
    const isNamed = `after ([a-z ]+ or )*${change}`
    const isVictim = `another owner's frame at .* after no change`
    expect(await findings(change)).toMatch(new RegExp(`${isNamed}|${isVictim}`))
  },
)

test.each(SWITCHING)(`%s that forgets is found (seed ${SEED})`, { timeout: 120_000 }, async (forgets) => {
  expect(await findings(forgets)).toMatch(/stale|another owner/)
})
