/** What earlier runs of a program translated: where it begins, and what of it this run has found to be the same. */
import type { CodeKeeper } from '../../base/wasm/code-keeper.js'
import {
  type KeptModule,
  type KeptModules,
  type KeptRegion,
  packModules,
  unpackModules,
} from './kept-modules.js'
import type { LiveModule } from './live-module.js'

/** What has not been used for so many times that something was added is not kept any longer. */
const IDLE_MAX = 20
/** The pace of translating changes for so many runs (pace.ts). */
const YOUNG_RUNS = 2
/** What is kept of one program, in bytes. */
const BYTES_MAX = 16 * 2 ** 20

/** A function of a kept module. */
export interface KeptFunction {
  readonly module: KeptModule
  readonly region: KeptRegion
}

const NOTHING: KeptModules = { runs: 0, places: 1, spans: 0, modules: [] }

export class KeptTranslations {
  readonly keeper: CodeKeeper | undefined
  readonly #kept: KeptModules
  readonly #functions = new Map<number, KeptFunction[]>()
  readonly #live = new Map<KeptModule, LiveModule>()

  /**
   * For one hart. `packed`: of an earlier run with the same options of the same version of Pagoda, which nothing here can tell; at a multiple
   * of four bytes. Without a keeper the engine compiles again what was translated. Throws when it cannot be read.
   */
  constructor(packed?: Uint8Array, keeper?: CodeKeeper) {
    this.keeper = keeper
    this.#kept = packed === undefined ? NOTHING : unpackModules(packed)
    for (const module of this.#kept.modules) {
      for (const region of module.regions) {
        const others = this.#functions.get(region.pc)
        if (others === undefined) this.#functions.set(region.pc, [{ module, region }])
        else others.push({ module, region })
      }
    }
  }

  /** How many have kept something. */
  get runs(): number {
    return this.#kept.runs
  }

  /** Whether the next run translates more than this one, and so has to know of it. */
  get isYoung(): boolean {
    return this.runs > 0 && this.runs < YOUNG_RUNS
  }

  /** Places of the function table, and spans, that are given away: all below these numbers. */
  get places(): number {
    return this.#kept.places
  }

  get spans(): number {
    return this.#kept.spans
  }

  /** Where functions begin. */
  addresses(): Iterable<number> {
    return this.#functions.keys()
  }

  has(pc: number): boolean {
    return this.#functions.has(pc)
  }

  at(pc: number): readonly KeptFunction[] {
    return this.#functions.get(pc) ?? []
  }

  /** There is something else at the address. */
  forget(pc: number): void {
    this.#functions.delete(pc)
  }

  /** Nothing is used any more: places and spans are given away anew. */
  forgetAll(): void {
    this.#functions.clear()
    this.#live.clear()
  }

  live(module: KeptModule): LiveModule | undefined {
    return this.#live.get(module)
  }

  allLive(): Iterable<LiveModule> {
    return this.#live.values()
  }

  setLive(module: KeptModule, live: LiveModule): void {
    this.#live.set(module, live)
  }

  /** As if there had been no run. */
  packNothing(): Uint8Array {
    return packModules(NOTHING)
  }

  /** All of this run (`places` and `spans` are given away until now) and of earlier ones, for the next. */
  pack(modules: readonly KeptModule[], places: number, spans: number): Uint8Array {
    const idle = this.#kept.modules.filter((one) => !this.#live.has(one) && one.idle < IDLE_MAX)
    const all = [...modules, ...idle.map((one) => ({ ...one, idle: one.idle + 1 }))]
    let room = BYTES_MAX
    const fitting = all.filter((one) => {
      room -= one.bytes.length + one.code.length
      return room >= 0
    })
    return packModules({ runs: this.runs + 1, places, spans, modules: fitting })
  }
}
