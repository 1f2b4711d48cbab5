/** What is asked to be forgotten, against a set of pages; also after it went through a mailbox. */
import { expect, test } from 'vitest'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { Region, regionPtr } from '../state/layout.js'
import { Memory } from '../state/memory.js'
import { Forgetting, PAGES_MAX, RUNS_MAX } from './forgetting.js'
import { forget } from './forgetting-tlbs.js'
import { Mailboxes } from './mailboxes.js'
import { TLB_ENTRIES } from './tlb-layout.js'

/** The pages that a TLB is told to forget; undefined: all. */
function pagesOf(what: Forgetting): Set<number> | undefined {
  const pages = new Set<number>()
  let isAll = false
  const tlb = {
    flushAll: () => (isAll = true),
    flushPage: (_: number, vpn: number) => pages.add(vpn),
    flushRun: (_: number, vpn: number, length: number) => {
      // A run is one piece of the table.
      expect((vpn & (TLB_ENTRIES - 1)) + length).toBeLessThanOrEqual(TLB_ENTRIES)
      for (let i = 0; i < length; i++) pages.add(vpn + i)
    },
  }
  forget(tlb as never, 0, what)
  return isAll ? undefined : pages
}

function mailbox(): (what: Forgetting) => Forgetting {
  const memory = Memory.allocate(2 ** 23, true)
  Mailboxes.boot(memory, { allocateBytes: () => 4096 as never }, 2)
  expect(regionPtr(memory, Region.mailboxes)).toBe(4096)
  const mailboxes = Mailboxes.attach(memory, 2)
  const received = new Forgetting()
  return (what) => {
    mailboxes.write(0, 7 as never, 1, what)
    mailboxes.read(0, received)
    return received
  }
}

test(`the pages that were touched, and no others unless all are (seed ${SEED})`, () => {
  const random = new Random(SEED)
  const what = new Forgetting()
  const send = mailbox()
  let exact = 0
  for (let round = 0; round < fuzzSteps(1000); round++) {
    const touched = new Set<number>()
    const size = 2 ** random.between(7, 12)
    what.clear()
    expect([what.isEmpty, pagesOf(what)]).toEqual([true, new Set()])
    for (let change = random.between(1, random.pick([1, 3, 12])); change > 0; change--) {
      const pages = random.chance(0.8) ? size : 2 ** random.between(0, 12)
      const vpn = (random.below(2 ** 10) - 512) * pages
      const kind = random.below(4)
      const [first, length] = [vpn + (kind === 2 ? random.below(pages) : 0), kind === 0 ? 1 : pages]
      if (kind === 0) what.addPage(first)
      else if (kind === 1) what.addRun(first, length)
      else what.addPages(first, length)
      for (let i = 0; i < length; i++) touched.add(first + i)
    }
    for (const asked of [what, send(what)]) {
      const forgotten = pagesOf(asked)
      if (forgotten !== undefined) expect(forgotten, `PAGODA_SEED=${SEED}, round ${round}`).toEqual(touched)
      expect(asked.isEmpty).toBe(false)
    }
    if (!what.isAll) exact++
  }
  expect(exact).toBeGreaterThan(200)
})

test.each<[string, (what: Forgetting) => void, pages: number]>([
  ['as many pages as are listed', (what) => addEach(what, PAGES_MAX), PAGES_MAX],
  ['one more', (what) => addEach(what, PAGES_MAX + 1), Number.POSITIVE_INFINITY],
  ['the same side by side', (what) => what.addPages(1, PAGES_MAX), PAGES_MAX],
  ['one more side by side', (what) => what.addPages(1, PAGES_MAX + 1), Number.POSITIVE_INFINITY],
  ['as many huge leaves as are listed', (what) => addRuns(what, RUNS_MAX), 512 * RUNS_MAX],
  ['one more huge leaf', (what) => addRuns(what, RUNS_MAX + 1), Number.POSITIVE_INFINITY],
  ['one more table, page by page', (what) => addTables(what, RUNS_MAX + 1), 512 * (RUNS_MAX + 1)],
  ['and another one', (what) => addTables(what, RUNS_MAX + 2), Number.POSITIVE_INFINITY],
  ['a leaf that the TLB does not hold', (what) => what.addRun(0, 2 ** 18), Number.POSITIVE_INFINITY],
])('%s', (_, add, pages) => {
  const what = new Forgetting()
  const send = mailbox()
  add(what)
  for (const asked of [what, send(what)]) expect(pagesOf(asked)?.size ?? Number.POSITIVE_INFINITY).toBe(pages)
  what.clear()
  what.addPage(5)
  expect(pagesOf(send(what))).toEqual(new Set([5]))
})

function addEach(what: Forgetting, pages: number): void {
  for (let i = 0; i < pages; i++) what.addPage(i * 3)
}

function addRuns(what: Forgetting, runs: number): void {
  for (let i = 0; i < runs; i++) what.addRun(i * 512, 512)
}

function addTables(what: Forgetting, tables: number): void {
  for (let i = 0; i < tables; i++) what.addPages(i * 512, 512)
}
