import type { EntryFormat } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { Code } from '../base/wasm/code.js'
import { WasmModule } from '../base/wasm/module.js'
import type { FrameDropper } from '../frame/frame-dropper.js'
import { FRAME_ENTRY_BYTES, FrameFlag, FrameMask } from '../frame/frame-table.js'
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
export const LOOP_PAGES_MIN = 16
const ENTRY_SHIFT = 3
const FRAME_SHIFT = Math.log2(FRAME_ENTRY_BYTES)
const WASM_PAGE = 65536

interface Loops {
  share(entry: Ptr, target: Ptr, pages: number, writable: number): number
  clear(entry: Ptr, pages: number, list: Ptr): number
  drop(list: Ptr, count: number): number
}

/**
 * The loops of fork and munmap over many entries, as WebAssembly: V8 makes some ninety instructions of each turn when they are
 * written in TypeScript, and fifteen of these. They are the same as `RunMapper.share` and `clearRun` and `FrameReferences.releaseAll`, for
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
  readonly #loops: Loops

  constructor(memory: Memory, frameTable: Ptr, format: EntryFormat) {
    const region = regionPtr(memory, Region.entryLoops)
    this.#list = (region + RESULT_BYTES) as Ptr
    this.waiting = memory.u32.subarray(this.#list >>> 2, (this.#list >>> 2) + LIST_MAX)
    this.#u32 = memory.u32
    this.#results = region >>> 2
    this.#writable = format.writable
    this.#loops = compile(memory, new Emitter(memory, format, frameTable))
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
}

function compile({ raw, bytes, shared }: Memory, emitter: Emitter): Loops {
  const module = new WasmModule()
  module.importMemory('memory', { pages: bytes / WASM_PAGE, shared })
  module.function('share', ['i32', 'i32', 'i32', 'i32'], ['i32'], (code) => emitter.share(code))
  module.function('clear', ['i32', 'i32', 'i32'], ['i32'], (code) => emitter.clear(code))
  module.function('drop', ['i32', 'i32'], ['i32'], (code) => emitter.drop(code))
  const compiled = new WebAssembly.Module(module.bytes() as BufferSource)
  return new WebAssembly.Instance(compiled, { env: { memory: raw } }).exports as unknown as Loops
}

/** Writes the three functions for one format of entries. */
class Emitter {
  readonly #format: EntryFormat
  readonly #results: number
  readonly #frameTable: number
  readonly #codeStamps: number

  constructor(memory: Memory, format: EntryFormat, frameTable: Ptr) {
    this.#format = format
    this.#results = regionPtr(memory, Region.entryLoops)
    this.#frameTable = frameTable
    this.#codeStamps = regionPtr(memory, Region.codeStamps)
  }

  share(code: Code): void {
    const { present, special, accessed } = this.#format
    const [entry, target, pages, writable] = [0, 1, 2, 3]
    const [at, low, frame, flags] = locals(code, 4)
    const [found, counted, anonymous, first, last] = locals(code, 5)
    code.i32(-1).set(last)
    const [out, again] = [code.block(), code.loop()]
    code.get(at).get(pages).op('i32_ge_u').brIf(out)
    const next = code.block()
    code.get(entry).memory('i32_load').tee(low).i32(present).op('i32_and').op('i32_eqz').brIf(next)
    code.get(low).get(writable).op('i32_and')
    code.if()
    code.get(entry).get(low).get(writable).op('i32_xor').tee(low).memory('i32_store')
    noteRange(code, at, first, last)
    code.end()
    code.get(target).get(entry).memory('i32_load', 4).memory('i32_store', 4)
    code.get(target).get(low).i32(~accessed).op('i32_and').memory('i32_store')
    increment(code, found)
    code.get(low).i32(special).op('i32_and').brIf(next)
    this.#frameOf(code, low, frame)
    code.get(frame).memory('i32_load').op('i32_eqz')
    code.if()
    code.i32(0).byte(RETURN)
    code.end()
    code.get(frame).get(frame).memory('i32_load').i32(1).op('i32_add').memory('i32_store')
    code.get(frame).memory('i32_load', FLAGS_AT).set(flags)
    code.get(frame).get(flags).i32(~FrameFlag.exclusive).op('i32_and').memory('i32_store', FLAGS_AT)
    increment(code, counted)
    code.get(flags).i32(ANONYMOUS_BIT).op('i32_shr_u').i32(1).op('i32_and').get(anonymous).op('i32_add')
    code.set(anonymous)
    code.end()
    increment(code, at)
    code
      .get(entry)
      .i32(1 << ENTRY_SHIFT)
      .op('i32_add')
      .set(entry)
    code
      .get(target)
      .i32(1 << ENTRY_SHIFT)
      .op('i32_add')
      .set(target)
    code.br(again).end().end()
    this.#store(code, { found, counted, anonymous, first, last })
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
    code.get(list).i32(4).op('i32_add').set(list)
    increment(code, counted)
    code.end()
    code.get(entry).i64(0).memory('i64_store')
    noteRange(code, at, first, last)
    increment(code, found)
    code.end()
    increment(code, at)
    code
      .get(entry)
      .i32(1 << ENTRY_SHIFT)
      .op('i32_add')
      .set(entry)
    code.br(again).end().end()
    this.#store(code, { found, counted, anonymous: counted, first, last })
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
    code.get(list).i32(4).op('i32_add').set(list)
    increment(code, freed)
    code.end()
    code.get(from).i32(4).op('i32_add').set(from)
    increment(code, at)
    code.br(again).end().end()
    code
      .i32(this.#results + Result.dropped * 4)
      .get(at)
      .memory('i32_store')
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
    code.i32(FRAME_SHIFT).op('i32_shl').i32(this.#frameTable).op('i32_add')
  }

  #store(
    code: Code,
    results: Readonly<Record<'found' | 'counted' | 'anonymous' | 'first' | 'last', number>>,
  ): void {
    const { found, counted, anonymous, first, last } = results
    const words = [found, counted, anonymous, first, last]
    words.forEach((local, word) => {
      code
        .i32(this.#results + word * 4)
        .get(local)
        .memory('i32_store')
    })
  }
}

const RETURN = 0x0f
const FLAGS_AT = 4
/** Reference count and flags of a used frame inside a free block. */
const INSIDE_FREE = BigInt(FrameFlag.dirtyMemory) << 32n
const ANONYMOUS_BIT = Math.log2(FrameFlag.anonymous)

function locals(code: Code, count: number): number[] {
  return Array.from({ length: count }, () => code.local('i32'))
}

function increment(code: Code, local: number): void {
  code.get(local).i32(1).op('i32_add').set(local)
}

/** `at` belongs to the range from first to last. Nothing did yet when `last` is -1. */
function noteRange(code: Code, at: number, first: number, last: number): void {
  code.get(last).i32(-1).op('i32_eq')
  code.if()
  code.get(at).set(first)
  code.end()
  code.get(at).set(last)
}
