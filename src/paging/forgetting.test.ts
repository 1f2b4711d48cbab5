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
      expect(length).toBeLessThanOrEqual(TLB_ENTRIES)
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
    let next = 0
    what.clear()
    expect([what.isEmpty, pagesOf(what)]).toEqual([true, new Set()])
    for (let change = random.between(1, random.pick([1, 3, 12, 600])); change > 0; change--) {
      const pages = random.chance(0.6) ? 1 : 2 ** random.between(0, 11)
      const vpn = random.chance(0.4) ? next : random.below(2 ** 20) - 2 ** 19
      const length = random.between(1, pages)
      if (length === 1 && random.chance(0.5)) what.addPage(vpn)
      else what.addPages(vpn, length)
      for (let i = 0; i < length; i++) touched.add(vpn + i)
      next = vpn + length
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
  ['as many runs as are listed', (what) => addEach(what, RUNS_MAX), RUNS_MAX],
  ['one more', (what) => addEach(what, RUNS_MAX + 1), Number.POSITIVE_INFINITY],
  ['as many pages side by side as are worth it', (what) => what.addPages(1, PAGES_MAX), PAGES_MAX],
  ['one more side by side', (what) => what.addPages(1, PAGES_MAX + 1), Number.POSITIVE_INFINITY],
  ['one by one', (what) => addTouching(what, PAGES_MAX), PAGES_MAX],
  ['and one more', (what) => addTouching(what, PAGES_MAX + 1), Number.POSITIVE_INFINITY],
  ['huge leaves', (what) => addTables(what, PAGES_MAX / 512), PAGES_MAX],
  ['one more huge leaf', (what) => addTables(what, PAGES_MAX / 512 + 1), Number.POSITIVE_INFINITY],
  ['a leaf that the TLB does not hold', (what) => what.addPages(0, 2 ** 18), Number.POSITIVE_INFINITY],
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

function addTouching(what: Forgetting, pages: number): void {
  for (let i = 0; i < pages; i++) what.addPage(70 + i)
}

function addTables(what: Forgetting, tables: number): void {
  for (let i = 0; i < tables; i++) what.addPages(i * 1024, 512)
}
