/** A module of translated functions that the engine has: made in this run, or kept from an earlier one. */
import type { CodePage } from './code-pages.js'
import type { KeptModule, KeptRegion } from './kept-modules.js'
import { setPage } from './module-pages.js'

export class LiveModule {
  readonly module: WebAssembly.Module
  readonly bytes: Uint8Array
  readonly regions: readonly KeptRegion[]
  /** What it was made of, if it is from an earlier run. */
  readonly kept: KeptModule | undefined
  /** Where its pages are; nothing of those that no function has needed yet. */
  readonly pages: (CodePage | undefined)[]
  readonly #exports: WebAssembly.Exports

  constructor(
    module: WebAssembly.Module,
    { exports }: WebAssembly.Instance,
    { bytes, regions, pages }: Pick<KeptModule, 'bytes' | 'regions'> & { readonly pages: number },
    kept?: KeptModule,
  ) {
    this.module = module
    this.bytes = bytes
    this.regions = regions
    this.kept = kept
    this.pages = new Array(pages).fill(undefined)
    this.#exports = exports
  }

  setPage(index: number, page: CodePage): void {
    this.pages[index] = page
    setPage(this.#exports, index, page)
  }
}
