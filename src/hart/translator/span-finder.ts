/**
 * findSpan(address, span, tag, reach, left): a function of the interpreter's module that makes the span of an access hold its address, which the
 * TLB has: the page, and the pages before and behind it that lie in the buffer in the same order. `tag`: offset in a TLB
 * entry; `reach`: how far behind its address the access reaches; `left`: of the budget.
 *
 * It looks at more pages each time, so that what is forgotten soon costs little; and it is called more rarely when accesses go hither
 * and thither. When they mostly go elsewhere the span holds nothing for a while: to foresee where is what costs a CPU most. Where they
 * seldom go elsewhere, and to a few pages, it keeps the longer run that it has. (gzip has its chains in 33 pages, of which one lies apart.)
 */
import { PAGE_SIZE } from '../../base/numbers.js'
import type { Code, ValueType } from '../../base/wasm/code.js'
import { i32, i64, loadRaw, local, op, storeRaw, type Value } from '../../base/wasm/value.js'
import { TlbEntry } from '../../paging/tlb-layout.js'
import type { HartLayout } from '../hart-layout.js'
import { tlbEntries, tlbSlot } from '../mmu-access.js'
import { Span } from './page-spans.js'

export const FIND_SPAN_PARAMETERS: readonly ValueType[] = ['i64', 'i32', 'i32', 'i64', 'i32']

/** How often a span is looked for at once, and how many misses are waited for then. */
const EAGER_FINDS = 16
const PATIENCE = 64
/** As many misses in so few instructions are too many; how many are waited for then. */
const FEW_INSTRUCTIONS = 2048
const LONG_PATIENCE = 4096
/** As many misses in so many instructions are few. */
const MANY_INSTRUCTIONS = 3 * FEW_INSTRUCTIONS
/** What is looked at the first time; twice as much each time, up to so often. */
const FIRST_BYTES = 16 * PAGE_SIZE
const DOUBLINGS = 8

export function emitFindSpan(code: Code, layout: HartLayout): void {
  new SpanFinder(code, layout).emit()
}

class SpanFinder {
  readonly #code: Code
  readonly #layout: HartLayout
  readonly #address = local(0)
  readonly #span = local(1)
  readonly #tag = local(2)
  readonly #reach = local(3)
  readonly #left = local(4)
  readonly #entry: number
  readonly #addend: number
  readonly #finds: number
  /** Instructions since the span was looked for last; FEW_INSTRUCTIONS more when it kept what it held. */
  readonly #executed: number
  readonly #isWild: number
  /** i64: the most bytes that it may hold; where it begins and ends. */
  readonly #most: number
  readonly #low: number
  readonly #high: number

  constructor(code: Code, layout: HartLayout) {
    this.#code = code
    this.#layout = layout
    this.#entry = code.local('i32')
    this.#addend = code.local('i32')
    this.#finds = code.local('i32')
    this.#executed = code.local('i32')
    this.#isWild = code.local('i32')
    this.#most = code.local('i64')
    this.#low = code.local('i64')
    this.#high = code.local('i64')
  }

  emit(): void {
    this.#count()
    this.#set(this.#low, op('i64_and', this.#address, i64(-PAGE_SIZE)))
    this.#set(this.#entry, this.#slotOf(local(this.#low)))
    this.#set(this.#addend, loadRaw('i32_load', local(this.#entry), TlbEntry.addend))
    this.#set(this.#high, op('i64_add', local(this.#low), i64(PAGE_SIZE)))
    this.#set(this.#most, i64(FIRST_BYTES))
    this.#extendBoth()
    this.#returnIfKept()
    this.#doubleMost()
    this.#extendBoth()
    storeRaw('i64_store', this.#span, local(this.#low), Span.start)(this.#code)
    const limit = op('select', i64(0), op('i64_sub', this.#length(), this.#reach), local(this.#isWild))
    storeRaw('i64_store', this.#span, limit, Span.limit)(this.#code)
    storeRaw('i32_store', this.#span, local(this.#addend), Span.addend)(this.#code)
  }

  #count(): void {
    const finds = local(this.#finds)
    this.#set(this.#finds, op('i32_add', loadRaw('i32_load', this.#span, Span.finds), i32(1)))
    storeRaw('i32_store', this.#span, finds, Span.finds)(this.#code)
    const isEager = op('i32_le_u', finds, i32(EAGER_FINDS))
    this.#set(this.#executed, op('i32_sub', loadRaw('i32_load', this.#span, Span.left), this.#left))
    const areMany = op('i32_lt_u', local(this.#executed), i32(FEW_INSTRUCTIONS))
    this.#set(this.#isWild, op('i32_and', areMany, op('i32_eqz', isEager)))
    storeRaw('i32_store', this.#span, this.#left, Span.left)(this.#code)
    const usual = op('select', i32(0), i32(PATIENCE), isEager)
    const patience = op('select', i32(LONG_PATIENCE), usual, local(this.#isWild))
    storeRaw('i32_store', this.#span, patience, Span.patience)(this.#code)
  }

  #doubleMost(): void {
    const finds = local(this.#finds)
    const doublings = op('select', finds, i32(DOUBLINGS), op('i32_lt_u', finds, i32(DOUBLINGS)))
    this.#set(this.#most, op('i64_shl', i64(FIRST_BYTES), op('i64_extend_i32_u', doublings)))
  }

  /** Leaves what the span holds when that is longer than the few pages that were found, and is missed seldom. */
  #returnIfKept(): void {
    const code = this.#code
    const isLonger = op('i64_gt_u', loadRaw('i64_load', this.#span, Span.limit), this.#length())
    const isShort = op('i64_lt_u', this.#length(), i64(FIRST_BYTES))
    const isSeldom = op('i32_ge_u', local(this.#executed), i32(MANY_INSTRUCTIONS))
    op('i32_and', op('i32_and', isLonger, isShort), isSeldom)(code)
    code.if()
    storeRaw('i32_store', this.#span, op('i32_add', this.#left, i32(FEW_INSTRUCTIONS)), Span.left)(code)
    code.op('return').end()
  }

  #extendBoth(): void {
    this.#extend(local(this.#high), this.#high, op('i64_add', local(this.#high), i64(PAGE_SIZE)))
    const before = op('i64_sub', local(this.#low), i64(PAGE_SIZE))
    this.#extend(before, this.#low, before)
  }

  /** Moves an edge on while there is such a page behind it. */
  #extend(page: Value, edge: number, next: Value): void {
    const code = this.#code
    const again = code.loop()
    this.#set(this.#entry, this.#slotOf(page))
    const entry = local(this.#entry)
    const isThere = op('i64_eq', loadRaw('i64_load', op('i32_add', entry, this.#tag)), page)
    const isNext = op('i32_eq', loadRaw('i32_load', entry, TlbEntry.addend), local(this.#addend))
    const isShort = op('i64_lt_u', this.#length(), local(this.#most))
    op('i32_and', op('i32_and', isThere, isNext), isShort)(code)
    code.if()
    this.#set(edge, next)
    code.br(again).end().end()
  }

  #slotOf(page: Value): Value {
    return tlbSlot(page, tlbEntries(this.#layout))
  }

  #length(): Value {
    return op('i64_sub', local(this.#high), local(this.#low))
  }

  #set(index: number, value: Value): void {
    value(this.#code)
    this.#code.set(index)
  }
}
