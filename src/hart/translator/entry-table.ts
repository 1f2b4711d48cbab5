/**
 * Where translated code begins: a table for each hart, in the buffer, looked at on every jump that the interpreter takes
 * and whenever translated code leaves for another place.
 *
 *     Region.codeEntries   hart 0: sets | hart 1: sets | …      (CODE_ENTRIES_STRIDE apart)
 *     set     two entries; an address has set number (pc >>> 1) & (CODE_SETS - 1)
 *     entry   +0   i64  pc        0 = empty
 *     16 B    +8   i32  function  place in the function table; 0 = not translated
 *             +12  i32  count     without a function: arrivals so far, more for those by long ways; with one: how often it was not valid;
 *                                 of both, newcomers to the set are taken off (emitTakeOver)
 *     behind the sets   i64  instructions that were interpreted
 *                       i32  threshold: arrivals after which a place is hot
 *                       i32  newcomers: how often an address had no entry
 *                       i32  the epoch (code-epoch.ts)
 *                       i32  hart 0: how often stamps of frames began anew (code-pages.ts)
 *             64 bytes on    spans (page-spans.ts), and then epochs of functions
 */
import type { Ptr } from '../../base/numbers.js'
import type { Code, Label } from '../../base/wasm/code.js'
import type { WasmModule } from '../../base/wasm/module.js'
import { i32, loadRaw, local, op, select, storeRaw, type Value } from '../../base/wasm/value.js'
import type { Memory } from '../../state/memory.js'
import type { HartCode } from '../hart-code.js'
import type { HartLayout } from '../hart-layout.js'

/** Twice as many gain as much as `emitTakeOver` does, and take 256 KiB more for each hart. */
export const CODE_SETS = 8192
export const CODE_ENTRY_BYTES = 16
const SET_BYTES = 2 * CODE_ENTRY_BYTES
export const CODE_TABLE_BYTES = CODE_SETS * SET_BYTES
/** Offset of the count of interpreted instructions. */
export const INTERPRETED = CODE_TABLE_BYTES
/** Offset of the threshold, which is lower when a program has run for long (pace.ts). */
const THRESHOLD = INTERPRETED + 8
/** Offset, in hart 0's table, of how often the stamps began anew. */
export const STAMP_GENERATION = INTERPRETED + 20
/** Offset of how often an address had no entry. */
const NEWCOMERS = INTERPRETED + 12
export const CodeEntry = { pc: 0, function: 8, count: 12 } as const

/** What `arrive` says of an address that should be translated. */
export const HOT = -1
/** So often may an entry's code be found not valid until somebody looks into it. */
const REFUSALS_MAX = 16
/** A count at which every place is hot, and that stays below 2^31 for as long as a machine may run. */
const EXPECTED = 2 ** 30
/** A count that stays below every threshold for as long as a machine may run. */
export const NEVER = -(2 ** 31)

/** Offset of an address's set in a hart's table, i32. */
export function setOffset(pc: Value): Value {
  return op('i32_and', op('i32_shl', op('i32_wrap_i64', pc), i32(4)), i32((CODE_SETS - 1) * SET_BYTES))
}

/**
 * Adds `arrive(pc)` → place of a function, 0 or HOT, which counts; `refuse(pc)` → 1 when an entry has been found not valid
 * too often; and for JavaScript `nextWarm(entry, count)`.
 */
export function addEntryTable(module: WasmModule, layout: HartLayout): Map<string, number> {
  const arrive = module.function('arrive', ['i64'], ['i32'], (code) => emitArrive(code, layout))
  const refuse = module.function('refuse', ['i64'], ['i32'], (code) => emitRefuse(code, layout))
  module.function('nextWarm', ['i32', 'i32'], ['i32'], (code) => emitNextWarm(code, layout))
  return new Map(Object.entries({ arrive, refuse }))
}

class EntryEmitter {
  readonly code: Code
  /** i32: the entry. */
  readonly entry: number

  constructor(code: Code, { codeEntries }: HartLayout) {
    this.code = code
    this.entry = code.local('i32')
    op('i32_add', setOffset(local(0)), i32(codeEntries))(code)
    code.set(this.entry)
  }

  field(offset: number, way = 0): Value {
    return loadRaw('i32_load', local(this.entry), offset + way * CODE_ENTRY_BYTES)
  }

  isHere(way: number): Value {
    return op('i64_eq', loadRaw('i64_load', local(this.entry), way * CODE_ENTRY_BYTES), local(0))
  }

  toSecondWay(): void {
    this.code.get(this.entry).i32(CODE_ENTRY_BYTES).op('i32_add').set(this.entry)
  }

  /** Adds one to the count and leaves the sum. */
  count(): void {
    const { code } = this
    const count = code.local('i32')
    op('i32_add', this.field(CodeEntry.count), i32(1))(code)
    code.set(count)
    storeRaw('i32_store', local(this.entry), local(count), CodeEntry.count)(code)
    code.get(count)
  }
}

function emitArrive(code: Code, layout: HartLayout): void {
  const e = new EntryEmitter(code, layout)
  op('i32_eqz', e.isHere(0))(code)
  code.if()
  e.isHere(1)(code)
  code.if()
  e.toSecondWay()
  code.else()
  emitTakeOver(e, layout)
  code.end().end()
  e.field(CodeEntry.function)(code)
  code.if()
  e.field(CodeEntry.function)(code)
  code.op('return').end()
  const isHot: Value = () => {
    e.count()
    loadRaw('i32_load', i32(layout.codeEntries), THRESHOLD)(code)
    code.op('i32_ge_s')
  }
  op('select', i32(HOT), i32(0), isHot)(code)
}

/** Each 2^5 instructions without a jump count as 2^2 arrivals more. */
const LONG_WAY_SHIFT = 5
const ARRIVALS_SHIFT = 2

/**
 * The commonest case of `arrive` where the interpreter stands: the address (local `pc`) has an entry, and no code, and is not hot. Counts
 * and goes to `next`; of all else it does nothing. (A call would take all registers of the host.) `executed` since the last
 * jump, i32: to begin early pays for a loop of sixty instructions sooner than for one of six.
 */
export function emitUsualArrival(
  code: Code,
  layout: HartLayout,
  pc: number,
  executed: Value,
  next: Label,
): void {
  const [entry, count] = [code.local('i32'), code.local('i32')]
  const tag = loadRaw('i64_load', local(entry))
  op('i32_add', setOffset(local(pc)), i32(layout.codeEntries))(code)
  code.set(entry)
  op('i64_ne', tag, local(pc))(code)
  code.if()
  op('i32_add', local(entry), i32(CODE_ENTRY_BYTES))(code)
  code.set(entry).end()
  const isEmpty = op('i32_eqz', loadRaw('i32_load', local(entry), CodeEntry.function))
  op('i32_and', op('i64_eq', tag, local(pc)), isEmpty)(code)
  code.ifLikely()
  const longWays = op('i32_shr_u', executed, i32(LONG_WAY_SHIFT))
  const weight = op('i32_add', op('i32_shl', longWays, i32(ARRIVALS_SHIFT)), i32(1))
  op('i32_add', loadRaw('i32_load', local(entry), CodeEntry.count), weight)(code)
  code.set(count)
  op('i32_lt_s', local(count), loadRaw('i32_load', i32(layout.codeEntries), THRESHOLD))(code)
  code.ifLikely()
  storeRaw('i32_store', local(entry), local(count), CodeEntry.count)(code)
  code.br(next).end().end()
}

/**
 * The address has no entry. It takes the way without a function, or the one that is arrived at less often, if nothing is left of its
 * count; else every second time one is taken off, and 0 returned. So of many places in a set the hottest are translated, even if the others come in
 * between each time. A function stands for twice as many arrivals as make a place hot (one of two functions for four times as many), and then makes room for
 * one that is hot at once.
 * (Two places of sqlite3 that shared a set with a function were come to 500,000 times, counted from 0 by turns, and never translated.)
 */
function emitTakeOver(e: EntryEmitter, { codeEntries }: HartLayout): void {
  const { code } = e
  const table = i32(codeEntries)
  const newcomers = code.local('i32')
  op('i32_add', loadRaw('i32_load', table, NEWCOMERS), i32(1))(code)
  code.set(newcomers)
  storeRaw('i32_store', table, local(newcomers), NEWCOMERS)(code)
  chooseWay(e, local(newcomers))
  const threshold = loadRaw('i32_load', table, THRESHOLD)
  const atFirst = select(e.field(CodeEntry.function), threshold, i32(0))
  const left = op('i32_add', e.field(CodeEntry.count), atFirst)
  // What is expected (EXPECTED) may never come, and what has a count below 0 cannot be translated now: these make room at once.
  op('i32_lt_u', op('i32_sub', left, i32(1)), threshold)(code)
  code.if()
  const less = op('i32_sub', e.field(CodeEntry.count), op('i32_and', local(newcomers), i32(1)))
  storeRaw('i32_store', local(e.entry), less, CodeEntry.count)(code)
  code.i32(0).op('return').end()
  storeRaw('i32_store', local(e.entry), atFirst, CodeEntry.count)(code)
  storeRaw('i32_store', local(e.entry), i32(0), CodeEntry.function)(code)
  storeRaw('i64_store', local(e.entry), local(0))(code)
}

/** Of two functions one may not be come to any more: by turns, as `newcomers` counts. */
function chooseWay(e: EntryEmitter, newcomers: Value): void {
  const { code } = e
  const isLess = op('i32_gt_s', e.field(CodeEntry.count), e.field(CodeEntry.count, 1))
  const isFirstKept = select(
    e.field(CodeEntry.function, 1),
    select(e.field(CodeEntry.function), op('i32_and', newcomers, i32(2)), i32(0)),
    select(e.field(CodeEntry.function), i32(1), isLess),
  )
  isFirstKept(code)
  code.if()
  e.toSecondWay()
  code.end()
}

function emitRefuse(code: Code, layout: HartLayout): void {
  const e = new EntryEmitter(code, layout)
  op('i32_eqz', e.isHere(0))(code)
  code.if()
  e.toSecondWay()
  code.end()
  const isLess = op('i32_lt_s', e.field(CodeEntry.count), i32(0))
  const count = select(isLess, i32(0), e.field(CodeEntry.count))
  storeRaw('i32_store', local(e.entry), count, CodeEntry.count)(code)
  e.count()
  code.i32(REFUSALS_MAX).op('i32_ge_s')
}

/**
 * nextWarm(entry, count): the first entry from that one on, by its place in the buffer, that has no function and was arrived at `count` times
 * or more; the end of the table when there is none. (V8 optimized this loop in JavaScript, in C++ containers twice, which took it 4 to 17 ms
 * each time.)
 */
function emitNextWarm(code: Code, layout: HartLayout): void {
  const [entry, count] = [0, 1]
  const done = code.block()
  const again = code.loop()
  op('i32_ge_u', local(entry), i32(layout.codeEntries + CODE_TABLE_BYTES))(code)
  code.brIf(done)
  const isUntranslated = op('i32_eqz', loadRaw('i32_load', local(entry), CodeEntry.function))
  const isWarm = op('i32_ge_s', loadRaw('i32_load', local(entry), CodeEntry.count), local(count))
  op('i32_and', isUntranslated, isWarm)(code)
  code.brIf(done).get(entry).i32(CODE_ENTRY_BYTES).op('i32_add').set(entry).br(again).end().end()
  code.get(entry)
}

/** A hart's table as JavaScript sees it. */
export class EntryTable {
  readonly #memory: Memory
  readonly #base: Ptr
  readonly #code: HartCode

  constructor(memory: Memory, base: Ptr, code: HartCode) {
    this.#memory = memory
    this.#base = base
    this.#code = code
    // Memory that no hart has had is empty, and costs the host nothing before somebody touches it.
    if (memory.i32[(base + THRESHOLD) >>> 2] !== 0) this.clear()
  }

  /** Index of the first word of an address's entry; -1 when it has none. */
  find(pc: number): number {
    const { u32 } = this.#memory
    const low = pc >>> 0
    const set = this.#setOf(pc)
    const second = set + CODE_ENTRY_BYTES / 4
    if (u32[set] === low && this.pcAt(set) === pc) return set
    return u32[second] === low && this.pcAt(second) === pc ? second : -1
  }

  /** Index of the first word of an address's set. */
  #setOf(pc: number): number {
    return (this.#base + ((pc >>> 1) & (CODE_SETS - 1)) * SET_BYTES) >>> 2
  }

  pcAt(word: number): number {
    const { u32 } = this.#memory
    return u32[word]! + u32[word + 1]! * 2 ** 32
  }

  functionAt(word: number): number {
    return this.#memory.u32[word + 2]!
  }

  /** Makes the first arrival at an address hot, if its set has room. */
  expect(pc: number): void {
    const set = this.#setOf(pc)
    const word = this.pcAt(set) === 0 ? set : set + CODE_ENTRY_BYTES / 4
    if (this.pcAt(word) !== 0) return
    this.#memory.u32[word] = pc >>> 0
    this.#memory.u32[word + 1] = Math.floor(pc / 2 ** 32)
    this.set(word, 0, EXPECTED)
  }

  set(word: number, place: number, count: number): void {
    this.#memory.u32[word + 2] = place
    this.#memory.i32[word + 3] = count
  }

  /** Whether jumps have led to an address that often, or it was translated. */
  isWarm(pc: number, count: number): boolean {
    const word = this.find(pc)
    if (word < 0) return false
    const arrivals = this.#memory.i32[word + 3]!
    return this.functionAt(word) !== 0 || arrivals >= count || arrivals < NEVER / 2
  }

  /** Whether a region begins at an address, or is about to. */
  isTranslated(pc: number): boolean {
    const word = this.find(pc)
    return word >= 0 && (this.functionAt(word) !== 0 || this.#memory.i32[word + 3]! < NEVER / 2)
  }

  /** Addresses without a function that were arrived at `count` times or more, in ascending order. */
  warm(count: number): number[] {
    const found: number[] = []
    const end = this.#base + CODE_TABLE_BYTES
    const nextWarm = this.#code.exports.nextWarm as (entry: number, count: number) => number
    for (let entry: number = this.#base; ; entry += CODE_ENTRY_BYTES) {
      entry = nextWarm(entry, count)
      if (entry >= end) return found.sort((a, b) => a - b)
      found.push(this.pcAt(entry >>> 2))
    }
  }

  /** Instructions interpreted so far. */
  get interpreted(): number {
    const { u32 } = this.#memory
    const word = (this.#base + INTERPRETED) >>> 2
    return u32[word]! + u32[word + 1]! * 2 ** 32
  }

  set threshold(arrivals: number) {
    this.#memory.i32[(this.#base + THRESHOLD) >>> 2] = arrivals
  }

  clear(): void {
    this.#memory.fill(this.#base, 0, CODE_TABLE_BYTES)
  }
}
