/** Translates what a hart executes often to WebAssembly, and keeps account of what was translated. */

import type { MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { monotonic } from '../../base/monotonic.js'
import { pageOf, type Vpn } from '../../base/numbers.js'
import type { Shootdown } from '../../paging/shootdown.js'
import type { Tlbs } from '../../paging/tlb.js'
import { Word, wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { HartCode } from '../hart-code.js'
import type { HartLayout } from '../hart-layout.js'
import { keepEpochSmall, PLACES_MAX } from './code-epoch.js'
import { type CodePage, CodePages } from './code-pages.js'
import { EntryTable, NEVER } from './entry-table.js'
import { Keeping } from './keeping.js'
import type { KeptModule, KeptRegion } from './kept-modules.js'
import type { KeptTranslations } from './kept-translations.js'
import { LiveModule } from './live-module.js'
import { type Candidate, indexOfPage, modulePages, writeModule } from './module-writer.js'
import { OperandTable } from './operands.js'
import { Pace } from './pace.js'
import { PageSpans } from './page-spans.js'
import { type Arrivals, findRegion, type Region } from './region.js'
import { RegionReader } from './region-reader.js'
import { RegionTools } from './region-tools.js'
import { Restorer } from './restorer.js'
import { CROSSED_PLACE, SHARED_GLOBALS } from './shared-globals.js'

const RESTORES = wordIndex(Word.restores)
/** What is kept leaves places for what is translated anew. */
const KEPT_PLACES_MAX = PLACES_MAX / 2
/** Each live module takes a mapping of the host. */
const MODULES_MAX = 512
/**
 * A module costs as much as many of its functions: what is nearly worth translating goes with what is. There is seldom so much. (With at most 32, the first
 * by address, what was left over had to wait for another place to become hot: sqlite3 interpreted a sixth more and took a tenth longer, Lua 4 per cent.)
 */
const FUNCTIONS_IN_MODULE_MAX = 256
/** Nor may it take too long at a time: the guest waits, and harts on other threads do. This takes some 30 ms. */
const INSTRUCTIONS_IN_MODULE_MAX = 3000
/** The count of what cannot be translated now: so many arrivals on, it may be. */
const LATER = -64
/** A function whose windows cross a page's end so often is made again without. */
const CROSSINGS_MAX = 16
/**
 * In a program that is run again and again, one instruction of translated code is compiled in full for later runs for so many that were executed: it takes
 * as long as some 40,000 of them. (With 100,000 the fourth run of C++ containers takes a tenth less and the fifth 6 per cent more, seven in a row 1 to 2 per cent
 * less, and of node's start 1 per cent more; with 15,000 the third run of Python's start takes a seventh more than with that.)
 */
const COMPILE_PACE = 40_000

/** What a translator needs of the hart that it translates for. */
export interface TranslatorEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly tlbs: Tlbs
  readonly hart: number
  /** When other harts run on threads of their own. */
  readonly shootdown: Shootdown | undefined
  readonly layout: HartLayout
  /** Arrivals that make an address worth translating in a program that has run for long. */
  readonly threshold: number
  /** Instructions that the hart has executed. */
  readonly executed: () => number
  readonly code: HartCode
  /** Calls what it is given. */
  readonly aroundTranslating: (translate: () => void) => void
  /** Of earlier runs, and for later ones. */
  readonly kept: KeptTranslations | undefined
}

/** What only who translates needs. */
interface Writing {
  readonly operands: OperandTable
  readonly tools: RegionTools
}

interface Translation {
  readonly pc: number
  readonly pages: readonly CodePage[]
  /** In the function table. */
  readonly place: number
  /** How often it was left because a window crosses a page's end. */
  crossings: number
}

export interface TranslatorStats {
  /** Since boot. */
  readonly modules: number
  readonly regions: number
  readonly instructions: number
  readonly wasmBytes: number
  /** Functions that an earlier run had translated. */
  readonly restored: number
  /** Instructions that were interpreted since boot, all before they were worth translating. */
  readonly interpreted: number
  /** What translating took, but for what V8 does in other threads. */
  readonly milliseconds: number
  /** How often all was thrown away, because there was too much of it, here or on another hart of the memory. */
  readonly evictions: number
}

export class Translator {
  readonly #env: TranslatorEnv
  readonly #pages: CodePages
  readonly #entries: EntryTable
  readonly #pace: Pace
  readonly #spans: PageSpans
  #writing: Writing | undefined
  readonly #restorer: Restorer | undefined
  /** Made in this run. */
  #made: LiveModule[] = []
  /** By the address where they begin: of several programs, or of contents that a frame had one after another. */
  #translations = new Map<number, Translation[]>()
  #byPlace: Translation[] = []
  /** Addresses where functions begin whose windows often crossed a page's end. */
  #withoutWindows = new Set<number>()
  #nextPlace = 1
  #liveModules = 0
  /** Snapshots that had been put back when it was last looked. */
  #restores: number
  /** Of the stamps, when this hart's translations were none. */
  #generation: number
  #wasRestored = false
  #stats = {
    modules: 0,
    regions: 0,
    instructions: 0,
    wasmBytes: 0,
    restored: 0,
    milliseconds: 0,
    evictions: 0,
  }

  constructor(env: TranslatorEnv) {
    this.#env = env
    this.#pages = new CodePages(env)
    this.#entries = new EntryTable(env.memory, env.layout.codeEntries, env.code)
    this.#spans = new PageSpans(env.memory, env.layout, env.code)
    this.#pace = new Pace(env.threshold, env.executed, env.kept?.runs)
    this.#entries.threshold = this.#pace.threshold
    this.#restores = env.memory.u32[RESTORES]!
    this.#generation = this.#pages.generation
    const { kept, code } = env
    if (kept === undefined) return
    this.#restorer = new Restorer(code, this.#pages, kept)
    this.#nextPlace = kept.places
    code.makePlaces(kept.places)
    this.#spans.reserve(kept.spans)
    for (const pc of kept.addresses()) this.#entries.expect(pc)
  }

  get stats(): TranslatorStats {
    return { ...this.#stats, interpreted: this.#entries.interpreted }
  }

  /** To be called before each run of the hart. */
  beforeRun(): void {
    const { memory } = this.#env
    if (memory.u32[RESTORES] !== this.#restores) this.#forgetRestored()
    else if (this.#pages.generation !== this.#generation) this.#evict()
    this.#spans.update()
    keepEpochSmall(memory, this.#env.layout)
  }

  /** The hart has come to `pc` so often that it is worth translating, or finds the code that is entered for it not valid. */
  attend(pc: number): void {
    this.#pages.useActiveTables()
    this.#entries.threshold = this.#pace.threshold
    const crossedPlace = this.#env.code.exports[SHARED_GLOBALS[CROSSED_PLACE]] as WebAssembly.Global<'i64'>
    const crossed = Number(crossedPlace.value)
    crossedPlace.value = 0n
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
    else if (this.#restorer?.has(pc)) this.#restore(word, pc, this.#restorer)
    else if (this.#pace.allows()) this.#translateTimed(pc)
    else this.#entries.set(word, 0, threshold >>> 1)
  }

  /** Enters what an earlier run translated, if the program has the same code here now. */
  #restore(word: number, pc: number, restorer: Restorer): void {
    if (this.#liveModules >= MODULES_MAX || this.#pages.isExhausted) {
      this.#evictAll()
      return
    }
    const restored = restorer.restore(pc)
    if (restored === undefined) this.#entries.set(word, 0, 0)
    else if (typeof restored === 'number')
      this.#entries.set(word, 0, Math.max(0, this.#pace.threshold - restored))
    else {
      const { place, pages, isFirst } = restored
      if (isFirst) this.#liveModules++
      this.#stats.restored++
      this.#add({ pc, pages, place, crossings: 0 })
    }
  }

  /** A window of a function crosses a page's end, and so it is left early. If that is often so, it is to be made without windows. */
  #noteCrossing(place: number): void {
    const old = this.#byPlace[place]
    if (old === undefined || ++old.crossings !== CROSSINGS_MAX) return
    this.#withoutWindows.add(old.pc)
    this.#env.kept?.forget(old.pc)
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
    this.#writing ??= { operands: new OperandTable(), tools: new RegionTools(layout) }
    const reader = new RegionReader(memory, layout.decode, this.#pages, this.#writing.operands)
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
      const isFull =
        candidates.length === FUNCTIONS_IN_MODULE_MAX || instructions >= INSTRUCTIONS_IN_MODULE_MAX
      if (isFull || !this.#pace.allows(instructions)) break
      if (!covered.has(each) && !this.#restorer?.has(each)) add(each)
    }
    this.#translate(candidates)
  }

  #makeRoom(): void {
    const isFull = this.#nextPlace + FUNCTIONS_IN_MODULE_MAX > PLACES_MAX || this.#liveModules >= MODULES_MAX
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
    const pages = modulePages(candidates)
    const bytes = this.#write(candidates, pages)
    const { code } = this.#env
    let module: WebAssembly.Module
    try {
      module = new WebAssembly.Module(bytes as BufferSource)
    } catch (error) {
      // A browser's main thread compiles small modules only.
      if (error instanceof RangeError) return
      throw error
    }
    const regions = candidates.map(({ pc, region, pages: own }, i) => ({
      ...{ pc, place: this.#nextPlace + i, length: region.length },
      pages: own.map(({ vpn }) => indexOfPage(pages, vpn)),
    }))
    code.makePlaces(this.#nextPlace + candidates.length)
    const live = new LiveModule(module, code.instantiate(module), { bytes, regions, pages: pages.length })
    for (let i = 0; i < pages.length; i++) live.setPage(i, pages[i]!)
    if (this.#env.kept !== undefined) this.#made.push(live)
    this.#account(candidates, bytes.length)
    for (const { pc, pages } of candidates) this.#add({ pc, pages, place: this.#nextPlace++, crossings: 0 })
  }

  #write(candidates: readonly Candidate[], pages: readonly CodePage[]): Uint8Array {
    const { memory, layout } = this.#env
    return writeModule({
      ...{ candidates, pages, memory, layout, tools: this.#writing!.tools, firstPlace: this.#nextPlace },
      spans: layout.shared ? undefined : this.#spans,
      withoutWindows: this.#withoutWindows,
    })
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

  /** What this run and earlier ones translated, for the next; nothing when that is no more than what earlier ones left. */
  keep(): Uint8Array | undefined {
    const { kept, code } = this.#env
    if (kept === undefined || this.#wasRestored) return undefined
    // A program that fills the table by itself has nothing to keep; what many runs have filled it with makes room.
    if (this.#stats.evictions > 0 || this.#nextPlace > KEPT_PLACES_MAX) {
      return kept.runs > 0 ? kept.packNothing() : undefined
    }
    const isSuperseded = ({ pc, place }: KeptRegion) =>
      this.#byPlace[place] !== undefined && !this.#translations.get(pc)?.some((one) => one.place === place)
    const keeping = new Keeping({
      ...{ code, pages: this.#pages, keeper: kept.keeper, isSuperseded },
      compileMax: kept.runs === 0 ? 0 : this.#env.executed() / COMPILE_PACE,
    })
    const modules: KeptModule[] = []
    for (const live of [...kept.allLive(), ...this.#made]) {
      const module = keeping.module(live)
      if (module !== undefined) modules.push(module)
    }
    return keeping.hasGrown || kept.isYoung
      ? kept.pack(modules, this.#nextPlace, this.#spans.used)
      : undefined
  }

  /** A snapshot was put back, which knows no stamps: they are given anew from the first one on, and one of them may say that old code is current. */
  #forgetRestored(): void {
    this.#restores = this.#env.memory.u32[RESTORES]!
    this.#generation = this.#pages.generation
    this.#entries.threshold = this.#pace.threshold
    if (this.#liveModules === 0) return
    this.#wasRestored = true
    this.#forgetAll()
  }

  /** There is too much; or the stamps are used up, which are those of other harts too. */
  #evictAll(): void {
    this.#pages.forgetAll()
    this.#evict()
  }

  #evict(): void {
    this.#forgetAll()
    this.#stats.evictions++
  }

  /** Nothing is translated any more: what is executed often will be again. */
  #forgetAll(): void {
    this.#entries.clear()
    this.#generation = this.#pages.generation
    this.#spans.releaseAll()
    this.#env.code.renew()
    this.#translations = new Map()
    this.#byPlace = []
    this.#withoutWindows = new Set()
    this.#nextPlace = 1
    this.#liveModules = 0
    this.#made = []
    this.#env.kept?.forgetAll()
  }
}
