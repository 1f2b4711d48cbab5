/** Takes functions that earlier runs translated, where the program has the same code as then. */
import { NO_FRAME, type Pfn } from '../../base/numbers.js'
import { DIGEST_WORDS } from '../../base/wasm/digest.js'
import type { HartCode } from '../hart-code.js'
import type { CodePage, CodePages } from './code-pages.js'
import type { KeptModule, KeptPage } from './kept-modules.js'
import type { KeptFunction, KeptTranslations } from './kept-translations.js'
import { LiveModule } from './live-module.js'

/** So often a function's pages may not be there yet: it is looked for again after one more arrival, after two, four and so on. */
const ABSENCES_MAX = 8

/** A page of the function is not there yet, or nothing has been fetched from it. */
const ABSENT = 'absent'

export interface Restored {
  readonly place: number
  readonly pages: readonly CodePage[]
  /** Of its module it is the first one. */
  readonly isFirst: boolean
}

export class Restorer {
  readonly #code: HartCode
  readonly #pages: CodePages
  readonly #kept: KeptTranslations
  readonly #absences = new Map<number, number>()

  constructor(code: HartCode, pages: CodePages, kept: KeptTranslations) {
    this.#code = code
    this.#pages = pages
    this.#kept = kept
  }

  has(pc: number): boolean {
    return this.#kept.has(pc)
  }

  /**
   * The function for an address; or after how many arrivals it is to be looked for again; or nothing when the program has other code there, which
   * is not looked for again.
   */
  restore(pc: number): Restored | number | undefined {
    let isAbsent = false
    for (const each of this.#kept.at(pc)) {
      const restored = this.#try(each)
      if (restored === ABSENT) isAbsent = true
      else if (restored !== undefined) return restored
    }
    const absences = this.#absences.get(pc) ?? 0
    if (isAbsent && absences < ABSENCES_MAX) {
      this.#absences.set(pc, absences + 1)
      return 2 ** absences
    }
    this.#kept.forget(pc)
    return undefined
  }

  #try({ module, region }: KeptFunction): Restored | typeof ABSENT | undefined {
    const live = this.#kept.live(module)
    const pages: CodePage[] = []
    for (const index of region.pages) {
      const page = this.#pageNow(module.pages[index]!, live?.pages[index])
      if (page === undefined || page === ABSENT) return page
      pages.push(page)
    }
    const used = live ?? this.#use(module)
    region.pages.forEach((index, i) => {
      if (used.pages[index] === undefined) used.setPage(index, pages[i]!)
    })
    return { place: region.place, pages, isFirst: live === undefined }
  }

  /** `known`: where the page was when a function of the module first needed it; its module has no second place for it. */
  #pageNow({ vpn, digest }: KeptPage, known: CodePage | undefined): CodePage | typeof ABSENT | undefined {
    if (known !== undefined) return this.#pages.isCurrent(known) ? known : undefined
    const pfn = this.#pages.frameOf(vpn)
    if (pfn === NO_FRAME) return ABSENT
    if (!this.#isSame(pfn, digest)) return undefined
    return { vpn, pfn, stamp: this.#pages.stamp(pfn) }
  }

  #isSame(pfn: Pfn, digest: Uint32Array): boolean {
    const words = this.#code.pageDigest(pfn)
    for (let i = 0; i < DIGEST_WORDS; i++) if (words[i]! >>> 0 !== digest[i]) return false
    return true
  }

  #use(kept: KeptModule): LiveModule {
    const { bytes, code, regions, pages } = kept
    const restored = code.length === 0 ? undefined : this.#kept.keeper?.restore(bytes, code)
    const module = restored ?? new WebAssembly.Module(bytes as BufferSource)
    const instance = this.#code.instantiate(module)
    const live = new LiveModule(module, instance, { bytes, regions, pages: pages.length }, kept)
    this.#kept.setLive(kept, live)
    return live
  }
}
