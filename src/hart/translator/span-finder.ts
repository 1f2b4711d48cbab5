/**
 * findSpan(address, span, tag, reach, left): a function of the interpreter's module that makes the span of an access hold its address, which the
 * TLB has: the page, and the pages before and behind it that lie in the buffer in the same order. `tag`: offset in a TLB
 * entry; `reach`: how far behind its address the access reaches; `left`: of the budget.
 *
 * Of those pages the page table is asked, not the TLB, which reaches 16 MiB: what a walk would find, and nothing that it would mark. (Reads by chance
 * in 128 MiB took 230 ns each when the TLB was asked. A miss costs so many instructions that no other one is under way meanwhile.)
 *
 * It looks at more pages each time, so that what is forgotten soon costs little; and it is called more rarely when accesses go hither
 * and thither. When they mostly go elsewhere the span holds nothing for a while: to foresee where is what costs a CPU most. Where they
 * seldom go elsewhere, and to a few pages, it keeps the longer run that it has. (gzip has its chains in 33 pages, of which one lies apart.)
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../../base/numbers.js'
import type { Code, Label, ValueType } from '../../base/wasm/code.js'
import type { WasmModule } from '../../base/wasm/module.js'
import { i32, i64, loadRaw, local, op, storeRaw, type Value } from '../../base/wasm/value.js'
import { TlbEntry, TlbHeader } from '../../paging/tlb-layout.js'
import type { HartLayout } from '../hart-layout.js'
import { tlbEntries, tlbSlot } from '../mmu-access.js'
import {
  frameOf,
  framesOfRam,
  LEVEL_BITS,
  PTE_LEAF,
  PTE_RESERVED,
  Pte,
  ROOT_LEVEL_SHIFT,
} from '../page-table-entry.js'
import { Span } from './page-spans.js'

export const FIND_SPAN_PARAMETERS: readonly ValueType[] = ['i64', 'i32', 'i32', 'i64', 'i32']

/** What an entry says of a page that may be read, and written, and that a walk would not mark: nothing else may be said by bits that are reserved. */
const READABLE = Pte.valid | Pte.read | Pte.user | Pte.accessed
const WRITABLE = READABLE | Pte.write | Pte.dirty

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
const DOUBLINGS = 12
const TABLE_ENTRIES = 512
const ENTRY_BYTES = 8
const HUGE_SHIFT = ROOT_LEVEL_SHIFT - LEVEL_BITS
const HUGE_BYTES = 2 ** HUGE_SHIFT
/** Added to the address of an entry. */
const HUGE = 1

interface Functions {
  readonly leafEntry: number
  readonly hasStamps: number
}

/** Adds the function to the interpreter's module. */
export function addFindSpan(module: WasmModule, layout: HartLayout): void {
  const leafEntry = module.function('leafEntry', ['i64'], ['i32'], (code) => emitLeafEntry(code, layout))
  const hasStamps = module.function('hasStamps', ['i32', 'i32'], ['i32'], (code) =>
    emitHasStamps(code, layout),
  )
  module.function('findSpan', FIND_SPAN_PARAMETERS, [], (code) =>
    new SpanFinder(code, layout, { leafEntry, hasStamps }).emit(),
  )
}

class SpanFinder {
  readonly #code: Code
  readonly #layout: HartLayout
  readonly #functions: Functions
  readonly #address = local(0)
  readonly #span = local(1)
  readonly #tag = local(2)
  readonly #reach = local(3)
  readonly #left = local(4)
  /** i32: where the page-table entry of a page is, small or huge. i64: that page, its bytes, what its entry holds, and has to, and its frame. */
  readonly #entry: number
  readonly #page: number
  readonly #bytes: number
  readonly #pte: number
  readonly #wanted: number
  readonly #frame: number
  readonly #addend: number
  readonly #finds: number
  /** Instructions since the span was looked for last; FEW_INSTRUCTIONS more when it kept what it held. */
  readonly #executed: number
  readonly #isWild: number
  /** i64: the most bytes that it may hold; where it begins and ends. */
  readonly #most: number
  readonly #low: number
  readonly #high: number

  constructor(code: Code, layout: HartLayout, functions: Functions) {
    this.#code = code
    this.#layout = layout
    this.#functions = functions
    this.#entry = code.local('i32')
    this.#page = code.local('i64')
    this.#bytes = code.local('i64')
    this.#pte = code.local('i64')
    this.#wanted = code.local('i64')
    this.#frame = code.local('i64')
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
    this.#returnIfWild()
    this.#set(this.#low, op('i64_and', this.#address, i64(-PAGE_SIZE)))
    const slot = tlbSlot(local(this.#low), tlbEntries(this.#layout))
    this.#set(this.#addend, loadRaw('i32_load', slot, TlbEntry.addend))
    this.#set(this.#wanted, op('select', i64(WRITABLE), i64(READABLE), this.#tag))
    this.#set(this.#high, op('i64_add', local(this.#low), i64(PAGE_SIZE)))
    this.#set(this.#most, i64(FIRST_BYTES))
    this.#extendBoth()
    this.#returnIfKept()
    this.#doubleMost()
    this.#extendBoth()
    storeRaw('i64_store', this.#span, local(this.#low), Span.start)(this.#code)
    storeRaw('i64_store', this.#span, op('i64_sub', this.#length(), this.#reach), Span.limit)(this.#code)
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

  /** Accesses go hither and thither: it holds nothing. */
  #returnIfWild(): void {
    const code = this.#code
    code.get(this.#isWild).if()
    storeRaw('i64_store', this.#span, i64(0), Span.limit)(code)
    code.op('return').end()
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
    const code = this.#code
    this.#extend(local(this.#high), 1, () => {
      code.get(this.#page).get(this.#bytes).op('i64_add').tee(this.#high).set(this.#page)
    })
    this.#extend(op('i64_sub', local(this.#low), i64(PAGE_SIZE)), -1, () => {
      code.get(this.#page).tee(this.#low).i64(PAGE_SIZE).op('i64_sub').set(this.#page)
    })
  }

  /** Moves an edge on, with `next`, while there is such a page behind it, or a huge one. */
  #extend(first: Value, step: 1 | -1, next: () => void): void {
    const code = this.#code
    this.#set(this.#page, first)
    this.#set(this.#entry, i32(0))
    const done = code.block()
    const again = code.loop()
    op('i64_ge_u', this.#length(), local(this.#most))(code)
    code.brIf(done)
    this.#enterTable(step === 1 ? 0 : TABLE_ENTRIES - 1, done)
    this.#leaveUnlessNext(done)
    next()
    const isHuge = op('i64_gt_u', local(this.#bytes), i64(PAGE_SIZE))
    const beside = op('i32_add', local(this.#entry), i32(step * ENTRY_BYTES))
    this.#set(this.#entry, op('select', i32(0), beside, isHuge))
    code.br(again).end().end()
  }

  /** Looks for the page's entry where no table has been entered yet, or the page's is the first one of its table. Of a huge page the first one is next. */
  #enterTable(first: number, done: Label): void {
    const code = this.#code
    const index = op('i32_wrap_i64', op('i64_shr_u', local(this.#page), i64(PAGE_SHIFT)))
    const isFirst = op('i32_eq', op('i32_and', index, i32(TABLE_ENTRIES - 1)), i32(first))
    op('i32_or', op('i32_eqz', local(this.#entry)), isFirst)(code)
    code.if()
    code.get(this.#page).call(this.#functions.leafEntry).tee(this.#entry).op('i32_eqz').brIf(done)
    const isHuge = op('i32_and', local(this.#entry), i32(HUGE))
    this.#set(this.#bytes, op('select', i64(HUGE_BYTES), i64(PAGE_SIZE), isHuge))
    this.#set(this.#page, op('i64_and', local(this.#page), op('i64_sub', i64(0), local(this.#bytes))))
    this.#set(this.#entry, op('i32_and', local(this.#entry), i32(~HUGE)))
    code.end()
  }

  /** Goes on when the entry says what is wanted of frames that lie where the next ones have to, in RAM, and have no stamps if they are written to. */
  #leaveUnlessNext(done: Label): void {
    const code = this.#code
    loadRaw('i64_load', local(this.#entry))(code)
    code.set(this.#pte)
    const bits = op('i64_and', local(this.#pte), op('i64_or', local(this.#wanted), i64(PTE_RESERVED)))
    op('i64_ne', bits, local(this.#wanted))(code)
    code.brIf(done)
    this.#set(this.#frame, frameOf(local(this.#pte), this.#layout.physBasePfn))
    const frames = op('i64_shr_u', local(this.#bytes), i64(PAGE_SHIFT))
    const isAligned = op('i64_eqz', op('i64_and', local(this.#frame), op('i64_sub', frames, i64(1))))
    const isInRam = op(
      'i64_lt_u',
      local(this.#frame),
      op('i64_sub', framesOfRam, op('i64_sub', frames, i64(1))),
    )
    const place = op('i32_shl', op('i32_wrap_i64', local(this.#frame)), i32(PAGE_SHIFT))
    const next = op('i32_add', op('i32_wrap_i64', local(this.#page)), local(this.#addend))
    op('i32_and', op('i32_and', isAligned, isInRam), op('i32_eq', place, next))(code)
    code.op('i32_eqz').brIf(done)
    this.#tag(code)
    code.if()
    code.get(this.#frame).op('i32_wrap_i64')
    op('i32_wrap_i64', frames)(code)
    code.call(this.#functions.hasStamps).brIf(done).end()
  }

  #length(): Value {
    return op('i64_sub', local(this.#high), local(this.#low))
  }

  #set(index: number, value: Value): void {
    value(this.#code)
    this.#code.set(index)
  }
}

/** leafEntry(page) → where its entry is, with HUGE added when that is of a huge page; 0: there is no table for it. */
function emitLeafEntry(code: Code, layout: HartLayout): void {
  const page = local(0)
  const [frame, pte, shift, place] = [
    code.local('i64'),
    code.local('i64'),
    code.local('i64'),
    code.local('i32'),
  ]
  op('i64_extend_i32_u', loadRaw('i32_load', i32(layout.tlb), TlbHeader.activeRoot))(code)
  code.set(frame).i64(ROOT_LEVEL_SHIFT).set(shift)
  const down = code.loop()
  const index = op('i64_and', op('i64_shr_u', page, local(shift)), i64(TABLE_ENTRIES - 1))
  const table = op('i64_shl', local(frame), i64(PAGE_SHIFT))
  op('i32_wrap_i64', op('i64_add', table, op('i64_shl', index, i64(3))))(code)
  code.set(place)
  op('i64_eq', local(shift), i64(PAGE_SHIFT))(code)
  code.if()
  code.get(place).op('return').end()
  loadRaw('i64_load', local(place))(code)
  code.set(pte)
  frameOf(local(pte), layout.physBasePfn)(code)
  code.set(frame)
  const kind = op('i64_and', local(pte), i64(Pte.valid | PTE_LEAF))
  op('i32_and', op('i64_eq', kind, i64(Pte.valid)), op('i64_lt_u', local(frame), framesOfRam))(code)
  code.if()
  code.get(shift).i64(LEVEL_BITS).op('i64_sub').set(shift).br(down).end().end()
  const isHuge = op('i64_eq', local(shift), i64(HUGE_SHIFT))
  op('select', op('i32_or', local(place), i32(HUGE)), i32(0), isHuge)(code)
}

/** hasStamps(frame, frames) → whether code was translated from one of them. */
function emitHasStamps(code: Code, { codeStamps }: HartLayout): void {
  const [frame, left] = [0, 1]
  const again = code.loop()
  loadRaw('i32_load16_u', op('i32_shl', local(frame), i32(1)), codeStamps)(code)
  code.if()
  code.i32(1).op('return').end()
  code.get(frame).i32(1).op('i32_add').set(frame).get(left).i32(1).op('i32_sub').tee(left).brIf(again).end()
  code.i32(0)
}
