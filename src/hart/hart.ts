import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { fromHalves, type Pfn, type Ptr } from '../base/numbers.js'
import type { Shootdown } from '../paging/shootdown.js'
import type { Tlbs } from '../paging/tlb.js'
import { CODE_ENTRIES_STRIDE, Region, regionBytes, regionPtr } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { DECODE_TABLE_BYTES, writeDecodeTables } from './decode-table.js'
import { Exit } from './exit.js'
import { HartCode } from './hart-code.js'
import { type HartParts, NEW_PARTS } from './hart-parts.js'
import { HART_BYTES, HartField } from './hart-state.js'
import { EPOCHS_END } from './translator/code-epoch.js'
import type { KeptTranslations } from './translator/kept-translations.js'
import { Translator, type TranslatorStats } from './translator/translator.js'

/** What a hart needs of the machine. */
export interface HartEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly tlbs: Tlbs
  /** Of the thread that runs the hart; needed when other threads change page tables meanwhile. */
  readonly shootdown?: Shootdown
}

export interface HartOptions {
  /**
   * How often the hart must come to a place before what is there is translated to WebAssembly; 0 = never, all is interpreted. The
   * guest cannot tell. Default 0.
   */
  readonly threshold?: number
  /** Default: made anew. */
  readonly parts?: HartParts
  /** What earlier runs of the program translated; and what `keepTranslations` adds to. Not where harts have threads of their own. */
  readonly kept?: KeptTranslations
  /** Calls what it is given, which translates; may tell the engine before and after. Default: only calls it. */
  readonly aroundTranslating?: (translate: () => void) => void
}

/** A place that is come to less often costs more to translate than to interpret. */
export const TRANSLATE_THRESHOLD = 10_000

/** Instructions between returns to JavaScript: V8 replaces baseline code only when the function is called again. */
const SLICE = 20_000
/**
 * With a translator, whose functions return much sooner: near its end a slice is interpreted. Later on V8 has replaced what it replaces, and only other
 * threads make it necessary to look up now and then.
 */
const TRANSLATED_SLICE = 100_000
const LATER_SLICE = 1_000_000
const LATER = 10_000_000

/**
 * One emulated RV64GC core in user mode. Its state is the record at `ptr` (hart-state.ts); this object holds the
 * compiled interpreter.
 */
export class Hart {
  readonly ptr: Ptr
  readonly index: number
  readonly #memory: Memory
  readonly #tlbs: Tlbs
  /** Where there are no other threads, nothing. */
  readonly #shootdown: Shootdown | undefined
  readonly #code: HartCode
  readonly #translator: Translator | undefined

  private constructor(env: HartEnv, index: number, ptr: Ptr, options: HartOptions) {
    const { memory, arch, tlbs } = env
    const { threshold = 0, parts = NEW_PARTS, aroundTranslating = (translate) => translate() } = options
    const decode = regionPtr(memory, Region.scratch)
    writeDecodeTables(memory, decode, () => parts.decodeTables())
    this.ptr = ptr
    this.index = index
    this.#memory = memory
    this.#tlbs = tlbs
    this.#shootdown = memory.shared ? env.shootdown : undefined
    const layout = {
      hart: ptr,
      tlb: tlbs.ptr(index),
      decode,
      codeStamps: regionPtr(memory, Region.codeStamps),
      codeEntries: (regionPtr(memory, Region.codeEntries) + index * CODE_ENTRIES_STRIDE) as Ptr,
      translates: threshold > 0,
      physBasePfn: arch.physBasePfn,
      shared: memory.shared,
      inSharedBuffer: memory.inSharedBuffer,
    }
    const code = new HartCode(memory, layout, parts)
    this.#code = code
    if (!layout.translates) return
    const executed = () => this.instructions()
    this.#translator = new Translator({
      ...{ memory, arch, tlbs, hart: index, layout, threshold, executed, code, aroundTranslating },
      shootdown: this.#shootdown,
      kept: layout.shared ? undefined : options.kept,
    })
  }

  /** The hart `index` of the machine; registers are as its record says (zero after boot). Compiles for some ms. */
  static create(env: HartEnv, index: number, options: HartOptions = {}): Hart {
    const { memory } = env
    assert(index >= 0 && (index + 1) * HART_BYTES <= regionBytes(memory, Region.harts), 'the hart exists')
    assert(regionBytes(memory, Region.scratch) >= DECODE_TABLE_BYTES, 'there is room for the decode tables')
    const entries = regionBytes(memory, Region.codeEntries)
    assert(entries >= (index + 1) * CODE_ENTRIES_STRIDE, 'there is room for the table of translated code')
    assert(EPOCHS_END <= CODE_ENTRIES_STRIDE, 'all parts of it have room')
    return new Hart(env, index, (regionPtr(memory, Region.harts) + index * HART_BYTES) as Ptr, options)
  }

  /**
   * Executes `budget` instructions or fewer (a whole number up to 2^53) and says why it stopped. The count is
   * exact: an instruction that traps, ecall too, has not been executed.
   */
  run(budget: number): Exit {
    this.#shootdown?.enter()
    let exit: Exit = Exit.budget
    for (let left = budget; left > 0; ) {
      const slice = Math.min(left, this.#slice())
      const before = this.low(HartField.instret)
      this.#translator?.beforeRun()
      exit = this.#code.interpreter.run(slice) as Exit
      this.#shootdown?.serve()
      if (exit === Exit.budget) left -= slice
      else if (exit !== Exit.hot && exit !== Exit.replaced) break
      else {
        left -= (this.low(HartField.instret) - before) >>> 0
        if (exit === Exit.hot) this.#translator!.attend(this.pc)
        exit = Exit.budget
      }
    }
    this.#shootdown?.leave()
    return exit
  }

  #slice(): number {
    if (this.#translator === undefined) return SLICE
    return this.#memory.shared || this.instructions() < LATER ? TRANSLATED_SLICE : LATER_SLICE
  }

  /** What was translated so far; nothing without a translator. */
  get translation(): TranslatorStats | undefined {
    return this.#translator?.stats
  }

  /**
   * What is translated until now, for a later run with the same options: `packed` of its KeptTranslations. Nothing when this run has not added to
   * what it was given, or was not given any KeptTranslations.
   */
  keepTranslations(): Uint8Array | undefined {
    return this.#translator?.keep()
  }

  /** Translates by the tables at `root` from now on. */
  setRoot(root: Pfn): void {
    this.#tlbs.activate(this.index, root)
  }

  /**
   * From now on a function answers page faults at once, where the entry of a 4 KiB page is all zero or does not allow the access: (address, place of the
   * entry in the buffer, MmuAccess) → 0: it is a fault; 1: the entry allows it now; 2: and maps another frame, of which the hart's TLB knows. It is
   * `exported` of a module that imports the memory; `bytes` makes that, if nobody has kept it under the name, which says all that it depends on. It is asked
   * while HartField.answersLeft is not 0: who answers counts that down. Not where other threads change page tables.
   */
  answerFaults(name: string, bytes: () => Uint8Array, exported: string): void {
    assert(!this.#memory.shared, 'page faults are answered at once where there is one thread')
    this.#code.answerWith(name, bytes, exported)
  }

  /** Low and high half of a 64-bit field of the record (HartField). */
  low(field: number): number {
    return this.#memory.u32[(this.ptr + field) >>> 2]!
  }

  high(field: number): number {
    return this.#memory.u32[((this.ptr + field) >>> 2) + 1]!
  }

  setHalves(field: number, low: number, high: number): void {
    this.#memory.u32[(this.ptr + field) >>> 2] = low
    this.#memory.u32[((this.ptr + field) >>> 2) + 1] = high
  }

  /** As a signed number: exact below 2^53. */
  number(field: number): number {
    const { u32 } = this.#memory
    const word = (this.ptr + field) >>> 2
    return fromHalves(u32[word]!, u32[word + 1]!)
  }

  setNumber(field: number, value: number): void {
    const { u32 } = this.#memory
    const word = (this.ptr + field) >>> 2
    u32[word] = value
    u32[word + 1] = Math.floor(value / 2 ** 32)
  }

  /** x0 … x31 as a signed number, exact below 2^53. */
  x(register: number): number {
    return this.number(HartField.x + register * 8)
  }

  setX(register: number, value: number): void {
    if (register !== 0) this.setNumber(HartField.x + register * 8, value)
  }

  xLow(register: number): number {
    return this.low(HartField.x + register * 8)
  }

  xHigh(register: number): number {
    return this.high(HartField.x + register * 8)
  }

  get pc(): number {
    return this.number(HartField.pc)
  }

  set pc(value: number) {
    this.setNumber(HartField.pc, value)
  }

  /** scause's exception code of the last exit that has one. */
  get cause(): number {
    return this.low(HartField.cause)
  }

  get tvalLow(): number {
    return this.low(HartField.tval)
  }

  get tvalHigh(): number {
    return this.high(HartField.tval)
  }

  /** Instructions retired since boot. */
  instructions(): number {
    return this.number(HartField.instret)
  }
}
