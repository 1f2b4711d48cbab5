/** What a run leaves of its translated modules for the next. */
import { frameToPtr, PAGE_SIZE, type Pfn, type Vpn } from '../../base/numbers.js'
import type { CodeKeeper } from '../../base/wasm/code-keeper.js'
import type { Memory } from '../../state/memory.js'
import type { HartCode } from '../hart-code.js'
import type { CodePage, CodePages } from './code-pages.js'
import type { KeptModule, KeptPage, KeptRegion } from './kept-modules.js'
import type { LiveModule } from './live-module.js'
import { isSamePage } from './restorer.js'

export interface KeepingEnv {
  readonly memory: Memory
  readonly pages: CodePages
  readonly code: HartCode
  readonly keeper: CodeKeeper | undefined
  /** Whether a function has been given up for another one. */
  readonly isSuperseded: (region: KeptRegion) => boolean
  /** Instructions whose functions may be compiled in full for the sake of later runs. */
  readonly compileMax: number
}

export class Keeping {
  readonly #env: KeepingEnv
  /** Of each page what it holds: one only, though several modules are of it. */
  readonly #contents = new Map<Vpn, Uint32Array[]>()
  readonly #ofFrames = new Map<Pfn, Uint32Array>()
  #hasGrown = false
  #compileLeft: number

  constructor(env: KeepingEnv) {
    this.#env = env
    this.#compileLeft = env.compileMax
  }

  /** Whether something is kept that was not, or more of it is compiled. */
  get hasGrown(): boolean {
    return this.#hasGrown
  }

  /** Nothing when nothing of it is worth keeping. */
  module({ module, bytes, regions, pages, kept }: LiveModule): KeptModule | undefined {
    const { code: live, keeper, isSuperseded } = this.#env
    const left = regions.filter(
      (one) => !isSuperseded(one) && (kept !== undefined || this.#isThere(one, pages)),
    )
    if (left.length === 0) return undefined
    for (const region of left) this.#compile(region)
    const functions = left.map(({ place }) => live.functionAt(place))
    const code = keeper?.keep(module, functions) ?? kept?.code ?? new Uint8Array(0)
    if (kept === undefined || code.length > kept.code.length) this.#hasGrown = true
    for (const { vpn, contents } of kept?.pages ?? []) this.#knowContents(vpn, contents)
    const contents = kept?.pages ?? pages.map((page) => this.#contentsOf(page!))
    return { bytes, code, pages: contents, regions: left, idle: 0 }
  }

  /** What the engine has compiled in haste only is not kept: it would be compiled so again in each run. */
  #compile({ place, length }: KeptRegion): void {
    const { code, keeper } = this.#env
    if (keeper === undefined || length > this.#compileLeft) return
    if (keeper.compile(code.functionAt(place))) this.#compileLeft -= length
  }

  /** Whether what a function was translated from is where it was. */
  #isThere(region: KeptRegion, pages: readonly (CodePage | undefined)[]): boolean {
    return region.pages.every((index) => {
      const page = pages[index]!
      return this.#env.pages.stampOf(page.pfn) === page.stamp
    })
  }

  #contentsOf({ vpn, pfn }: CodePage): KeptPage {
    const contents = this.#ofFrames.get(pfn) ?? this.#read(vpn, pfn)
    this.#ofFrames.set(pfn, contents)
    return { vpn, contents }
  }

  #read(vpn: Vpn, pfn: Pfn): Uint32Array {
    const { memory } = this.#env
    const known = this.#contents.get(vpn)?.find((one) => isSamePage(memory, pfn, one))
    if (known !== undefined) return known
    const first = frameToPtr(pfn) >>> 2
    const contents = memory.u32.slice(first, first + PAGE_SIZE / 4)
    this.#knowContents(vpn, contents)
    return contents
  }

  #knowContents(vpn: Vpn, contents: Uint32Array): void {
    const known = this.#contents.get(vpn) ?? []
    if (!known.includes(contents)) this.#contents.set(vpn, [...known, contents])
  }
}
