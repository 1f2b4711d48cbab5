import type { EntryFormat } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { Code } from '../base/wasm/code.js'
import { WasmModule } from '../base/wasm/module.js'
import type { ModuleMaker } from '../base/wasm/module-maker.js'
import type { FrameDropper } from '../frame/frame-dropper.js'
import { addFrameGiving } from '../frame/frame-giving.js'
import { FRAME_ENTRY_BYTES, FrameFlag, FrameMask } from '../frame/frame-table.js'
import { region } from '../state/emitted-values.js'
import { Region, regionPtr } from '../state/layout.js'
import type { Memory } from '../state/memory.js'

/** Words of the results, in front of the list. */
const enum Result {
  present = 0,
  counted = 1,
  anonymous = 2,
  first = 3,
  last = 4,
  dropped = 5,
}
const RESULT_BYTES = 64
export const ENTRY_LOOP_BYTES = PAGE_SIZE
/** Frames that the list has room for. */
export const LIST_MAX = (ENTRY_LOOP_BYTES - RESULT_BYTES) / 4
/** For fewer entries the call costs more than the loop. */
const ENTRIES_MIN = 16
/** Until there were so many, to compile the loops would have cost more: half a millisecond. */
const ENTRIES_WORTH = 1024
const ENTRY_SHIFT = 3
const FRAME_SHIFT = Math.log2(FRAME_ENTRY_BYTES)

interface Loops {
  share(entry: Ptr, target: Ptr, pages: number, writable: number): number
  clear(entry: Ptr, pages: number, list: Ptr): number
  drop(list: Ptr, count: number): number
  giveRuns(list: Ptr, count: number): void
}

/**
 * The loops of fork and munmap over many entries and frames, as WebAssembly: V8 makes some ninety instructions of each turn when they are
 * written in TypeScript, and fifteen of these. They are the same as `RunMapper.share` and `clearRun`, `FrameReferences.releaseAll` and `FreeFrames.giveAll`, for
 * memory that no other thread uses.
 *
 * Results, and frames that wait for a flush, stand in Region.entryLoops.
 */
export class EntryLoops implements FrameDropper {
  /** Where frames wait: LIST_MAX of them. One batch at a time has it. */
  readonly waiting: Uint32Array
  readonly #list: Ptr
  readonly #u32: Uint32Array
  readonly #results: number
  readonly #writable: number
  readonly #compile: () => Loops
  #compiled: Loops | undefined
  /** Of all who have asked until now. */
  #entries = 0

  constructor(memory: Memory, zones: number, format: EntryFormat, modules: ModuleMaker) {
    const region = regionPtr(memory, Region.entryLoops)
    this.#list = (region + RESULT_BYTES) as Ptr
    this.waiting = memory.u32.subarray(this.#list >>> 2, (this.#list >>> 2) + LIST_MAX)
    this.#u32 = memory.u32
    this.#results = region >>> 2
    this.#writable = format.writable
    this.#compile = () => compile(memory, zones, format, modules)
  }

  /** These loops, if they are worth it for so many entries. */
  forEntries(count: number): EntryLoops | undefined {
    if (count < ENTRIES_MIN) return undefined
    this.#entries += count
    return this.#entries < ENTRIES_WORTH ? undefined : this
  }

  /** As a FrameDropper, if they are compiled already. */
  get dropper(): EntryLoops | undefined {
    return this.#compiled === undefined ? undefined : this
  }

  get #loops(): Loops {
    this.#compiled ??= this.#compile()
    return this.#compiled
  }

  /** Of the last call: entries that were present; frames that were counted, and how many of them are anonymous memory. */
  get present(): number {
    return this.#u32[this.#results + Result.present]!
  }
  get counted(): number {
    return this.#u32[this.#results + Result.counted]!
  }
  get anonymous(): number {
    return this.#u32[this.#results + Result.anonymous]!
  }

  /** First and last of the entries that allow less than before, as distances from the first one. `last` is below `first` when there are none. */
  get first(): number {
    return this.#u32[this.#results + Result.first]!
  }
  get last(): number {
    return this.#u32[this.#results + Result.last]! | 0
  }

  /** RunMapper.share. */
  share(entry: Ptr, target: Ptr, pages: number, protects: boolean): void {
    const isSound = this.#loops.share(entry, target, pages, protects ? this.#writable : 0)
    assert(isSound !== 0, 'a free frame is retained')
  }

  /**
   * RunMapper.clearRun, up to the first frame that is not anonymous memory: returns how many entries it went over. The frames
   * are in the list from `room` on.
   */
  clear(entry: Ptr, pages: number, room: number): number {
    return this.#loops.clear(entry, pages, (this.#list + room * 4) as Ptr)
  }

  drop(from: number, count: number): number {
    return this.#loops.drop((this.#list + from * 4) as Ptr, count)
  }

  get dropped(): number {
    return this.#u32[this.#results + Result.dropped]!
  }

  give(from: number, count: number): void {
    this.#loops.giveRuns((this.#list + from * 4) as Ptr, count)
  }
}

/** What the loops' code depends on: not how much RAM there is. */
interface LoopPlaces {
  readonly shared: boolean
  readonly results: Ptr
  readonly codeStamps: Ptr
  readonly zones: number
  readonly format: EntryFormat
}

function compile(memory: Memory, zones: number, format: EntryFormat, modules: ModuleMaker): Loops {
  const [results, codeStamps] = [Region.entryLoops, Region.codeStamps].map((each) =>
    regionPtr(memory, each),
  ) as [Ptr, Ptr]
  const places = { shared: memory.inSharedBuffer, results, codeStamps, zones, format }
  const make = modules.module(JSON.stringify(['loops', places]), () => loopBytes(places))
  return make({ env: { memory: memory.raw } }).exports as unknown as Loops
}

function loopBytes(places: LoopPlaces): Uint8Array {
  const module = new WasmModule()
  const emitter = new Emitter(places)
  module.importMemory('memory', { shared: places.shared })
  module.function('share', ['i32', 'i32', 'i32', 'i32'], ['i32'], (code) => emitter.share(code))
  module.function('clear', ['i32', 'i32', 'i32'], ['i32'], (code) => emitter.clear(code))
  module.function('drop', ['i32', 'i32'], ['i32'], (code) => emitter.drop(code))
  addFrameGiving(module, places.zones)
  return module.bytes()
}

/** Writes the three functions for one format of entries. */
class Emitter {
  readonly #format: EntryFormat
  readonly #results: number
  readonly #codeStamps: number

  constructor({ results, codeStamps, format }: LoopPlaces) {
    this.#format = format
    this.#results = results
    this.#codeStamps = codeStamps
  }

  /**
   * An entry, and the count and flags of its frame, are each loaded and stored as one word. What is rare is counted, in memory: absent entries,
   * special ones, frames that are no anonymous memory. With more variables that change in the loop V8 keeps some of them on the stack, and a
   * turn takes twice as long.
   */
  share(code: Code): void {
    const { present, accessed } = this.#format
    const [entry, target, pages, writable] = [0, 1, 2, 3]
    const [start, end, low, frame] = locals(code, 4)
    const [first, last] = locals(code, 2)
    const [absent, special, other] = [Result.present, Result.counted, Result.anonymous]
    const [both, state] = [code.local('i64'), code.local('i64')]
    for (const word of [absent, special, other]) this.#result(code, word, () => code.i32(0))
    code.i32(-1).set(last)
    code.get(entry).tee(start).get(pages).i32(ENTRY_SHIFT).op('i32_shl').op('i32_add').set(end)
    code.get(target).get(entry).op('i32_sub').set(target)
    const [out, again] = [code.block(), code.loop()]
    code.get(entry).get(end).op('i32_ge_u').brIf(out)
    const next = code.block()
    code.get(entry).memory('i64_load').tee(both).op('i32_wrap_i64').tee(low)
    code.i32(present).op('i32_and').op('i32_eqz').ifUnlikely()
    this.#countResult(code, absent)
    code.br(next).end()
    code.get(low).get(writable).op('i32_and').if()
    code.get(entry)
    code.get(both).get(writable).op('i64_extend_i32_u').op('i64_xor').tee(both).memory('i64_store')
    code.get(entry).get(start).op('i32_sub').i32(ENTRY_SHIFT).op('i32_shr_u').set(frame)
    noteRange(code, frame, first, last)
    code.end()
    code.get(entry).get(target).op('i32_add')
    code.get(both).i64(~BigInt(accessed)).op('i64_and').memory('i64_store')
    code.get(low).i32(this.#format.special).op('i32_and').ifUnlikely()
    this.#countResult(code, special)
    code.br(next).end()
    this.#frameOf(code, low, frame)
    code.get(frame).memory('i64_load').tee(state).op('i32_wrap_i64').op('i32_eqz').ifUnlikely()
    code.i32(0).byte(RETURN).end()
    code.get(frame)
    code.get(state).i64(1).op('i64_add').i64(NOT_EXCLUSIVE).op('i64_and').memory('i64_store')
    code.get(state).i64(ANONYMOUS).op('i64_and').op('i64_eqz').ifUnlikely()
    this.#countResult(code, other)
    code.end()
    code.end()
    add(code, entry, 1 << ENTRY_SHIFT)
    code.br(again).end().end()
    const [found, counted, anonymous] = [pages, low, frame]
    this.#subtractResult(code, found, pages, absent)
    this.#subtractResult(code, counted, found, special)
    this.#subtractResult(code, anonymous, counted, other)
    this.#store(code, [found, counted, anonymous, first, last])
    code.i32(1)
  }

  clear(code: Code): void {
    const { present, special } = this.#format
    const [entry, pages, list] = [0, 1, 2]
    const [at, low, frame] = locals(code, 3)
    const [found, counted, first, last] = locals(code, 4)
    code.i32(-1).set(last)
    const [out, again] = [code.block(), code.loop()]
    code.get(at).get(pages).op('i32_ge_u').brIf(out)
    const next = code.block()
    code.get(entry).memory('i32_load').tee(low).i32(present).op('i32_and').op('i32_eqz').brIf(next)
    code.get(low).i32(special).op('i32_and').op('i32_eqz')
    code.if()
    this.#frameOf(code, low, frame)
    code
      .get(frame)
      .memory('i32_load', FLAGS_AT)
      .i32(FrameFlag.anonymous)
      .op('i32_and')
      .op('i32_eqz')
      .brIf(out)
    code.get(list)
    this.#number(code, low)
    code.memory('i32_store')
    add(code, list, 4)
    increment(code, counted)
    code.end()
    code.get(entry).i64(0).memory('i64_store')
    noteRange(code, at, first, last)
    increment(code, found)
    code.end()
    increment(code, at)
    add(code, entry, 1 << ENTRY_SHIFT)
    code.br(again).end().end()
    this.#store(code, [found, counted, counted, first, last])
    code.get(at)
  }

  /** FrameTable.forgetCode: a line that no stamp stands in is not written. */
  #forgetCode(code: Code, pfn: number): void {
    code.get(pfn).i32(1).op('i32_shl').memory('i32_load16_u', this.#codeStamps).if()
    code.get(pfn).i32(1).op('i32_shl').i32(0).memory('i32_store16', this.#codeStamps).end()
  }

  drop(code: Code): void {
    const [list, count] = [0, 1]
    const [at, from, pfn, frame] = locals(code, 4)
    const [references, freed] = locals(code, 2)
    code.get(list).set(from)
    const [out, again] = [code.block(), code.loop()]
    code.get(at).get(count).op('i32_ge_u').brIf(out)
    this.#entryOf(code, () => code.get(from).memory('i32_load').tee(pfn))
    code.tee(frame).memory('i32_load').tee(references).i32(1).op('i32_gt_u')
    code.if()
    code.get(frame).get(references).i32(1).op('i32_sub').memory('i32_store')
    code.else()
    code.get(references).op('i32_eqz')
    code.get(frame).memory('i32_load', FLAGS_AT).i32(FrameMask.allocation).op('i32_and')
    code.op('i32_or').brIf(out)
    code.get(frame).i64(INSIDE_FREE).memory('i64_store')
    this.#forgetCode(code, pfn)
    code.get(list).get(pfn).memory('i32_store')
    add(code, list, 4)
    increment(code, freed)
    code.end()
    add(code, from, 4)
    increment(code, at)
    code.br(again).end().end()
    this.#result(code, Result.dropped, () => code.get(at))
    code.get(freed)
  }

  /** The number of the frame that an entry's low word names. */
  #number(code: Code, low: number): void {
    code.get(low).i32(this.#format.frameShift).op('i32_shr_u').i32(this.#format.firstFrame).op('i32_sub')
  }

  /** Sets `frame` to the address of its entry in the frame table. */
  #frameOf(code: Code, low: number, frame: number): void {
    this.#entryOf(code, () => this.#number(code, low))
    code.set(frame)
  }

  #entryOf(code: Code, number: () => void): void {
    number()
    code.i32(FRAME_SHIFT).op('i32_shl')
    region(Region.frameTable)(code)
    code.op('i32_add')
  }

  #result(code: Code, word: Result, value: () => void): void {
    code.i32(this.#results + word * 4)
    value()
    code.memory('i32_store')
  }

  #load(code: Code, word: Result): Code {
    return code.i32(this.#results + word * 4).memory('i32_load')
  }

  #countResult(code: Code, word: Result): void {
    this.#result(code, word, () => this.#load(code, word).i32(1).op('i32_add'))
  }

  #subtractResult(code: Code, result: number, from: number, word: Result): void {
    code.get(from)
    this.#load(code, word).op('i32_sub').set(result)
  }

  /** The first words of the results. */
  #store(code: Code, words: readonly number[]): void {
    words.forEach((local, word) => {
      this.#result(code, word, () => code.get(local))
    })
  }
}

const RETURN = 0x0f
const FLAGS_AT = 4
/** Reference count and flags of a used frame inside a free block. */
const INSIDE_FREE = BigInt(FrameFlag.dirtyMemory) << 32n
/** In a frame's count and flags as one word: a flag, and all but another. */
const ANONYMOUS = BigInt(FrameFlag.anonymous) << 32n
const NOT_EXCLUSIVE = ~(BigInt(FrameFlag.exclusive) << 32n)

function locals(code: Code, count: number): number[] {
  return Array.from({ length: count }, () => code.local('i32'))
}

function add(code: Code, local: number, value: number): void {
  code.get(local).i32(value).op('i32_add').set(local)
}

function increment(code: Code, local: number): void {
  add(code, local, 1)
}

/** `at` belongs to the range from first to last. Nothing did yet when `last` is -1. */
function noteRange(code: Code, at: number, first: number, last: number): void {
  code.get(last).i32(-1).op('i32_eq')
  code.if()
  code.get(at).set(first)
  code.end()
  code.get(at).set(last)
}
