/** What a run leaves of its translated modules for the next. */
import type { CodeKeeper } from '../../base/wasm/code-keeper.js'
import type { HartCode } from '../hart-code.js'
import type { CodePage, CodePages } from './code-pages.js'
import type { KeptModule, KeptPage, KeptRegion } from './kept-modules.js'
import type { LiveModule } from './live-module.js'

export interface KeepingEnv {
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
    const digested = kept?.pages ?? pages.map((page) => this.#digested(page!))
    return { bytes, code, pages: digested, regions: left, idle: 0 }
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

  #digested({ vpn, pfn }: CodePage): KeptPage {
    return { vpn, digest: Uint32Array.from(this.#env.code.pageDigest(pfn)) }
  }
}
