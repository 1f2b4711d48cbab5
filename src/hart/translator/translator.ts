/** Translates what a hart executes often to WebAssembly, and keeps account of what was translated. */

import type { MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { monotonic } from '../../base/monotonic.js'
import { pageOf, type Vpn } from '../../base/numbers.js'
import { WasmModule } from '../../base/wasm/module.js'
import type { Shootdown } from '../../paging/shootdown.js'
import type { Tlbs } from '../../paging/tlb.js'
import type { Memory } from '../../state/memory.js'
import type { HartLayout } from '../hart-layout.js'
import { type CodePage, CodePages } from './code-pages.js'
import { REGION_PARAMETERS, REGION_RESULTS } from './dispatcher.js'
import { EntryTable, NEVER } from './entry-table.js'
import { HELPER_TYPES } from './helper-types.js'
import { OperandTable } from './operands.js'
import { Pace } from './pace.js'
import { PageSpans } from './page-spans.js'
import { type Arrivals, findRegion, type Region } from './region.js'
import { emitRegion } from './region-function.js'
import { RegionReader } from './region-reader.js'
import { CROSSED_PLACE, SHARED_GLOBALS } from './shared-globals.js'
import { Templates } from './templates.js'

/** Places in the function table; the first is none. */
export const FUNCTIONS_MAX = 8192
/** Each live module takes a mapping of the host. */
const MODULES_MAX = 512
/** A module costs as much as many of its functions: what is nearly worth translating goes with what is. */
const FUNCTIONS_IN_MODULE_MAX = 32
/** The count of what cannot be translated now: so many arrivals on, it may be. */
const LATER = -64
/** A function whose windows cross a page's end so often is made again without. */
const CROSSINGS_MAX = 16
const WASM_PAGE = 65536

/** What a translator needs of the hart that it translates for. */
export interface TranslatorEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly tlbs: Tlbs
  readonly hart: number
  /** When other harts run on threads of their own. */
  readonly shootdown: Shootdown | undefined
  readonly layout: HartLayout
  /** Instructions that the hart has executed. */
  readonly executed: () => number
  /** Functions of the interpreter's module, by name. */
  readonly helpers: WebAssembly.Exports
  readonly table: WebAssembly.Table
  /** Calls what it is given. */
  readonly aroundTranslating: (translate: () => void) => void
}

interface Translation {
  readonly pc: number
  readonly pages: readonly CodePage[]
  /** In the function table. */
  readonly place: number
  /** How often it was left because a window crosses a page's end. */
  crossings: number
}

/** A region that is about to be translated. */
interface Candidate {
  readonly pc: number
  readonly region: Region
  readonly pages: readonly CodePage[]
}

export interface TranslatorStats {
  /** Since boot. */
  readonly modules: number
  readonly regions: number
  readonly instructions: number
  readonly wasmBytes: number
  /** Instructions that were interpreted since boot, all before they were worth translating. */
  readonly interpreted: number
  /** What translating took, but for what V8 does in other threads. */
  readonly milliseconds: number
  /** How often all was thrown away, because there was too much of it. */
  readonly evictions: number
}

export class Translator {
  readonly #env: TranslatorEnv
  readonly #pages: CodePages
  readonly #entries: EntryTable
  readonly #pace: Pace
  readonly #spans: PageSpans
  readonly #operands = new OperandTable()
  readonly #templates: Templates
  readonly #crossedPlace: WebAssembly.Global<'i64'>
  /** By the address where they begin: of several programs, or of contents that a frame had one after another. */
  #translations = new Map<number, Translation[]>()
  #byPlace: Translation[] = []
  /** Addresses where functions begin whose windows often crossed a page's end. */
  #withoutWindows = new Set<number>()
  #nextPlace = 1
  #liveModules = 0
  #stats = { modules: 0, regions: 0, instructions: 0, wasmBytes: 0, milliseconds: 0, evictions: 0 }

  constructor(env: TranslatorEnv) {
    this.#env = env
    this.#pages = new CodePages(env)
    this.#entries = new EntryTable(env.memory, env.layout.codeEntries, env.helpers)
    this.#entries.clear()
    this.#templates = new Templates(env.layout.shared)
    this.#spans = new PageSpans(env.memory, env.layout)
    this.#pace = new Pace(env.layout.threshold, env.executed)
    this.#entries.threshold = this.#pace.threshold
    this.#crossedPlace = env.helpers[SHARED_GLOBALS[CROSSED_PLACE]] as WebAssembly.Global<'i64'>
  }

  get stats(): TranslatorStats {
    return { ...this.#stats, interpreted: this.#entries.interpreted }
  }

  /** To be called before each run of the hart. */
  beforeRun(): void {
    this.#spans.update()
  }

  /** The hart has come to `pc` so often that it is worth translating, or finds the code that is entered for it not valid. */
  attend(pc: number): void {
    this.#pages.useActiveTables()
    this.#entries.threshold = this.#pace.threshold
    const crossed = Number(this.#crossedPlace.value)
    this.#crossedPlace.value = 0n
    if (crossed !== 0) this.#noteCrossing(crossed)
    else this.#attendTo(pc)
  }

  #attendTo(pc: number): void {
    const { threshold } = this.#pace
    const word = this.#entries.find(pc)
    if (word < 0) return
    const place = this.#entries.functionAt(word)
    const known = this.#byPlace[place] ?? this.#known(pc)
    if (known !== undefined && this.#isCurrent(known)) this.#enter(word, known)
    else if (place !== 0) this.#entries.set(word, 0, threshold)
    else if (this.#pace.allows()) this.#translateTimed(pc)
    else this.#entries.set(word, 0, threshold >>> 1)
  }

  /** A window of a function crosses a page's end, and so it is left early. If that is often so, it is to be made without windows. */
  #noteCrossing(place: number): void {
    const old = this.#byPlace[place]
    if (old === undefined || ++old.crossings !== CROSSINGS_MAX) return
    this.#withoutWindows.add(old.pc)
    const others = this.#translations.get(old.pc)?.filter((one) => one !== old)
    if (others !== undefined) this.#translations.set(old.pc, others)
    const word = this.#entries.find(old.pc)
    if (word >= 0 && this.#entries.functionAt(word) === place) {
      this.#entries.set(word, 0, this.#pace.threshold >>> 1)
    }
  }

  #isCurrent({ pages }: Translation): boolean {
    return pages.every((page) => this.#pages.isCurrent(page))
  }

  #known(pc: number): Translation | undefined {
    const all = this.#translations.get(pc)
    if (all === undefined) return undefined
    const live = all.filter(({ pages }) =>
      pages.every(({ pfn, stamp }) => this.#pages.stampOf(pfn) === stamp),
    )
    if (live.length > 0) this.#translations.set(pc, live)
    else this.#translations.delete(pc)
    return live.find((one) => this.#isCurrent(one))
  }

  #enter(word: number, { place, pages }: Translation): void {
    this.#entries.set(word, place, 0)
    for (const page of pages) this.#pages.fill(page)
  }

  #translateTimed(pc: number): void {
    const start = monotonic()
    this.#env.aroundTranslating(() => this.#translateWith(pc))
    this.#stats.milliseconds += monotonic() - start
  }

  /** Translates `pc` and what is nearly as worthwhile. */
  #translateWith(pc: number): void {
    this.#makeRoom()
    const { memory, layout } = this.#env
    const warm = this.#entries.warm(this.#pace.warm)
    const reader = new RegionReader(memory, layout.decode, this.#pages, this.#operands)
    const least = this.#pace.threshold >>> 5
    const arrivals: Arrivals = {
      isWarm: (at) => this.#entries.isWarm(at, least),
      isTranslated: (at) => this.#entries.isTranslated(at),
    }
    const candidates: Candidate[] = []
    const covered = new Set<number>()
    let instructions = 0
    const add = (each: number): void => {
      const candidate = this.#candidate(each, reader, arrivals)
      if (candidate === undefined) return
      candidates.push(candidate)
      instructions += candidate.region.length
      for (const block of candidate.region.blocks) covered.add(block.pc)
    }
    add(pc)
    if (candidates.length === 0) return
    // Ascending: what comes before in a function has the rest of it, which then is not translated for itself.
    for (const each of warm) {
      if (candidates.length === FUNCTIONS_IN_MODULE_MAX || !this.#pace.allows(instructions)) break
      if (!covered.has(each)) add(each)
    }
    this.#translate(candidates)
  }

  #makeRoom(): void {
    const isFull =
      this.#nextPlace + FUNCTIONS_IN_MODULE_MAX > FUNCTIONS_MAX || this.#liveModules >= MODULES_MAX
    if (isFull || this.#pages.isExhausted) this.#evictAll()
  }

  #candidate(pc: number, reader: RegionReader, arrivals: Arrivals): Candidate | undefined {
    const region = findRegion(pc, reader, arrivals)
    const word = this.#entries.find(pc)
    if (word < 0) return undefined
    this.#entries.set(word, 0, region === undefined ? LATER : NEVER)
    return region === undefined ? undefined : { pc, region, pages: this.#pagesOf(region, reader) }
  }

  #pagesOf({ blocks }: Region, reader: RegionReader): CodePage[] {
    const pages: CodePage[] = []
    let last = -1
    const add = (vpn: Vpn): void => {
      last = vpn
      if (pages.some((page) => page.vpn === vpn)) return
      const pfn = reader.frameOf(vpn)
      pages.push({ vpn, pfn, stamp: this.#pages.stamp(pfn) })
    }
    for (const { instructions } of blocks) {
      for (let i = 0; i < instructions.length; i++) {
        const { pc, bytes } = instructions[i]!
        if (pageOf(pc) !== last) add(pageOf(pc))
        if (pageOf(pc + bytes - 1) !== last) add(pageOf(pc + bytes - 1))
      }
    }
    return pages
  }

  #translate(candidates: readonly Candidate[]): void {
    const bytes = this.#moduleBytes(candidates)
    const { memory, table, helpers } = this.#env
    let module: WebAssembly.Module
    try {
      module = new WebAssembly.Module(bytes as BufferSource)
    } catch (error) {
      // A browser's main thread compiles small modules only.
      if (error instanceof RangeError) return
      throw error
    }
    new WebAssembly.Instance(module, { env: { ...helpers, memory: memory.raw, table } })
    this.#account(candidates, bytes.length)
    for (const { pc, pages } of candidates) this.#add({ pc, pages, place: this.#nextPlace++, crossings: 0 })
  }

  #moduleBytes(candidates: readonly Candidate[]): Uint8Array {
    const { memory, layout } = this.#env
    const spans = layout.shared ? undefined : this.#spans
    const module = new WasmModule()
    const type = module.type(REGION_PARAMETERS, REGION_RESULTS)
    const imported: string[] = []
    const helper = (name: string): number => {
      const index = imported.indexOf(name)
      return index >= 0 ? index : imported.push(name) - 1
    }
    // Behind the shared globals each function has one.
    const codes = candidates.map(({ pc, region, pages }, i) => {
      const [epoch, place] = [SHARED_GLOBALS.length + i, this.#nextPlace + i]
      const hasWindows = !this.#withoutWindows.has(pc)
      return emitRegion({
        ...{ region, pages, layout, helper, templates: this.#templates, spans },
        ...{ type, epoch, place, hasWindows },
      })
    })
    module.importMemory('memory', { pages: memory.bytes / WASM_PAGE, shared: layout.inSharedBuffer })
    module.importTable('table', FUNCTIONS_MAX)
    for (const name of SHARED_GLOBALS) module.importGlobal(name)
    for (const name of imported) {
      const { parameters, results } = HELPER_TYPES.get(name)!
      module.importFunction(name, parameters, results)
    }
    for (let i = 0; i < codes.length; i++) module.global()
    const functions = codes.map((code) => module.written(REGION_PARAMETERS, REGION_RESULTS, code))
    module.fillTable(this.#nextPlace, functions)
    return module.bytes()
  }

  #add(translation: Translation): void {
    const { pc, place } = translation
    this.#translations.set(pc, [...(this.#translations.get(pc) ?? []), translation])
    this.#byPlace[place] = translation
    const word = this.#entries.find(pc)
    if (word >= 0) this.#enter(word, translation)
  }

  #account(candidates: readonly Candidate[], bytes: number): void {
    this.#liveModules++
    this.#stats.modules++
    this.#stats.regions += candidates.length
    this.#stats.wasmBytes += bytes
    const instructions = candidates.reduce((sum, { region }) => sum + region.length, 0)
    this.#stats.instructions += instructions
    this.#pace.add(instructions)
  }

  /** Nothing is translated any more: what is executed often will be again. */
  #evictAll(): void {
    this.#entries.clear()
    this.#pages.forgetAll()
    this.#spans.releaseAll()
    for (let place = 1; place < this.#nextPlace; place++) this.#env.table.set(place, null)
    this.#translations = new Map()
    this.#byPlace = []
    this.#withoutWindows = new Set()
    this.#nextPlace = 1
    this.#liveModules = 0
    this.#stats.evictions++
  }
}
