/** What the TLB has forgotten is in no span afterwards; the other spans stay. */
import { expect, test } from 'vitest'
import { Riscv64Sv39 } from '../../arch/riscv64/sv39.js'
import type { Ptr, Vpn } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { fuzzSteps, SEED } from '../../base/testing.js'
import { Region, regionPtr } from '../../state/layout.js'
import { HartCode } from '../hart-code.js'
import { NEW_PARTS } from '../hart-parts.js'
import { BareMachine } from '../testing/bare-machine.js'
import { PageSpans, SPAN_BYTES, Span } from './page-spans.js'

const PAGE = 4096
const USED = 20

interface SpanPages {
  readonly ptr: Ptr
  readonly first: number
  readonly pages: number
}

class Spans {
  readonly machine = new BareMachine({ threshold: 20 })
  readonly spans: PageSpans
  /** Those of another hart at the same place. */
  readonly another: () => PageSpans
  readonly #random: Random
  readonly #ptrs: Ptr[]

  constructor(random: Random) {
    this.#random = random
    const { memory, tlbs, hart } = this.machine
    const layout = {
      ...{ hart: hart.ptr, tlb: tlbs.ptr(0), decode: regionPtr(memory, Region.scratch) },
      ...{ codeEntries: regionPtr(memory, Region.codeEntries), translates: true },
      ...{ codeStamps: regionPtr(memory, Region.codeStamps), physBasePfn: new Riscv64Sv39().physBasePfn },
      ...{ shared: false, inSharedBuffer: false },
    }
    this.another = () => new PageSpans(memory, layout, new HartCode(memory, layout, NEW_PARTS))
    this.spans = this.another()
    this.#ptrs = Array.from({ length: USED }, () => this.spans.take() as Ptr)
    this.spans.update()
  }

  /** A span as if an access had found it, which reaches a few bytes behind its address. */
  #fill(ptr: Ptr): SpanPages {
    const random = this.#random
    const { f64, u32 } = this.machine.memory
    const first = random.below(400)
    const pages = random.between(1, 40)
    const limit = pages * PAGE - random.pick([1, 7, 255])
    const words = new BigInt64Array(f64.buffer, f64.byteOffset + ptr, SPAN_BYTES / 8)
    words.fill(-1n)
    words[Span.start / 8] = BigInt(first * PAGE)
    words[Span.limit / 8] = BigInt(limit)
    u32[(ptr + Span.addend) >>> 2] = random.below(2 ** 20)
    return { ptr, first, pages }
  }

  fill(): SpanPages[] {
    return this.#ptrs.map((ptr) => this.#fill(ptr))
  }

  words(ptr: Ptr): readonly number[] {
    return [...this.machine.memory.u32.subarray(ptr >>> 2, (ptr + SPAN_BYTES) >>> 2)]
  }
}

test(`a span with a page that was forgotten holds nothing, the others hold what they held (seed ${SEED})`, () => {
  const random = new Random(SEED)
  const spans = new Spans(random)
  const { tlbs } = spans.machine
  let kept = 0
  for (let round = 0; round < fuzzSteps(500); round++) {
    const all = spans.fill()
    const before = all.map(({ ptr }) => spans.words(ptr))
    const first = random.below(450)
    const pages = random.pick([1, 1, 3, 70])
    for (let i = 0; i < pages; i += random.between(1, 2)) tlbs.flushPage(0, (first + i) as Vpn)
    if (pages > 1) tlbs.flushRun(0, first as Vpn, pages)
    spans.spans.update()
    for (const [i, span] of all.entries()) {
      const now = spans.words(span.ptr)
      const isInside = span.first < first + pages && first < span.first + span.pages
      const name = `PAGODA_SEED=${SEED}, round ${round}: ${first}+${pages}, span ${span.first}+${span.pages}`
      if (isInside) expect(now, name).toEqual(new Array(SPAN_BYTES / 4).fill(0))
      else expect(now, name).toEqual(before[i])
      if (!isInside) kept++
    }
    spans.spans.update()
  }
  expect(kept).toBeGreaterThan(USED * 100)
})

test('what an earlier hart on the memory left in a span is not what later code knows', () => {
  const earlier = new Spans(new Random(SEED))
  const [{ ptr }] = earlier.fill() as [SpanPages]
  expect(earlier.words(ptr)).not.toEqual(new Array(SPAN_BYTES / 4).fill(0))
  // Nothing was forgotten since.
  const later = earlier.another()
  later.reserve(USED)
  later.update()
  expect(earlier.words(ptr)).toEqual(new Array(SPAN_BYTES / 4).fill(0))
})

test('nothing is left of any span when all was forgotten, or nobody knows what', () => {
  const spans = new Spans(new Random(SEED))
  const { tlbs, hart, frame } = { ...spans.machine, frame: spans.machine.frame() }
  const changes: (() => void)[] = [
    () => tlbs.flushAll(0),
    () => tlbs.noteChange(0),
    () => tlbs.flushPage(0, (2 ** 32 + 1) as Vpn),
    () => tlbs.flushPage(0, -5 as Vpn),
    () => tlbs.flushRun(0, -5 as Vpn, 3),
    () => hart.setRoot(frame),
  ]
  for (const change of changes) {
    const all = spans.fill()
    const before = all.map(({ ptr }) => spans.words(ptr))
    spans.spans.update()
    expect(all.map(({ ptr }) => spans.words(ptr))).toEqual(before)
    change()
    spans.spans.update()
    for (const { ptr } of all) expect(spans.words(ptr)).toEqual(new Array(SPAN_BYTES / 4).fill(0))
  }
})
