/**
 * Where accesses of translated loops go without a look into the TLB: a *span* is a stretch of virtual pages that lie in the buffer one
 * behind the other, as what a program touches in order mostly does. Each access in a loop has one of its own, which it last went to, or
 * mostly goes to:
 *
 *     SPANS_OFFSET behind the hart's table of translated code (entry-table.ts), SPANS_MAX of them:
 *     span    +0   i64  start     of the first page, virtual
 *     32 B    +8   i64  limit     what begins so far behind it, or farther, is not wholly inside; 0 = it holds nothing
 *             +16  i32  addend    as in the TLB
 *             +20  i32  finds     how often it was looked for since it was forgotten
 *             +24  i32  patience  misses until it is looked for again
 *             +28  i32  left      of the budget when it was looked for last
 *
 * A span says what the page table said when it was found (span-finder.ts): of each page of it, that a walk for that kind of access would find it there and
 * mark nothing. It holds until the hart forgets a page of it or turns to another address space, which never happens in a run, or until a frame gets a
 * stamp, when stores to it must be noticed (code-pages.ts). Whether the TLB has the page does not matter.
 */
import type { Ptr } from '../../base/numbers.js'
import { ALL_FORGOTTEN, TlbHeader } from '../../paging/tlb-layout.js'
import type { Memory } from '../../state/memory.js'
import type { HartCode } from '../hart-code.js'
import type { HartLayout } from '../hart-layout.js'
import { CODE_TABLE_BYTES } from './entry-table.js'

export const Span = { start: 0, limit: 8, addend: 16, finds: 20, patience: 24, left: 28 } as const

export const SPANS_OFFSET = CODE_TABLE_BYTES + 64
const SPANS_MAX = 1024
export const SPAN_BYTES = 32
export const SPANS_END = SPANS_OFFSET + SPANS_MAX * SPAN_BYTES

type ForgetSpans = (span: number, end: number, fromPage: number, endPage: number) => void

/** The spans of a hart. */
export class PageSpans {
  readonly #memory: Memory
  readonly #base: Ptr
  /** The header of the hart's TLB. */
  readonly #tlb: Ptr
  readonly #code: HartCode
  #used = 0

  constructor(memory: Memory, { codeEntries, tlb }: HartLayout, code: HartCode) {
    this.#memory = memory
    this.#code = code
    this.#base = (codeEntries + SPANS_OFFSET) as Ptr
    this.#tlb = tlb
  }

  /** How many are given away. */
  get used(): number {
    return this.#used
  }

  /** The first ones belong to what an earlier run translated. An earlier hart on this memory may have left something there. */
  reserve(spans: number): void {
    this.#used = spans
    this.#memory.fill(this.#base, 0, spans * SPAN_BYTES)
  }

  /** A span for an access; 0 when none is left. */
  take(): Ptr | 0 {
    if (this.#used === SPANS_MAX) return 0
    const span = this.#base + SPAN_BYTES * this.#used++
    this.#memory.fill(span as Ptr, 0, SPAN_BYTES)
    return span as Ptr
  }

  /** To be called before each run: forgets those with pages that the TLB has forgotten, and all when it is another address space's. */
  update(): void {
    const { u32 } = this.#memory
    const header = this.#tlb >>> 2
    const end = u32[header + TlbHeader.forgottenEnd / 4]!
    if (end === 0) return
    const from = u32[header + TlbHeader.forgottenFrom / 4]!
    u32[header + TlbHeader.forgottenFrom / 4] = ALL_FORGOTTEN
    u32[header + TlbHeader.forgottenEnd / 4] = 0
    const bytes = this.#used * SPAN_BYTES
    if (end === ALL_FORGOTTEN) this.#memory.fill(this.#base, 0, bytes)
    else (this.#code.exports.forgetSpans as ForgetSpans)(this.#base, this.#base + bytes, from, end)
  }

  /** No translated code is left that uses any. */
  releaseAll(): void {
    this.#used = 0
  }
}
