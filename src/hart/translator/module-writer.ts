/** Writes a module of translated functions, one for each region. */
import { assert } from '../../base/assert.js'
import type { Vpn } from '../../base/numbers.js'
import { WasmModule } from '../../base/wasm/module.js'
import type { Memory } from '../../state/memory.js'
import type { HartLayout } from '../hart-layout.js'
import type { CodePage } from './code-pages.js'
import { REGION_PARAMETERS, REGION_RESULTS, REGION_TYPE } from './dispatcher.js'
import { HELPER_TYPES } from './helper-types.js'
import { pageName } from './module-pages.js'
import type { PageSpans } from './page-spans.js'
import type { Region } from './region.js'
import { emitRegion } from './region-function.js'
import type { RegionTools } from './region-tools.js'
import { SHARED_GLOBALS } from './shared-globals.js'

const WASM_PAGE = 65536

/** A region that is about to be translated. */
export interface Candidate {
  readonly pc: number
  readonly region: Region
  readonly pages: readonly CodePage[]
}

export interface ModuleInput {
  readonly candidates: readonly Candidate[]
  /** Of all of them (`modulePages`). */
  readonly pages: readonly CodePage[]
  /** In the function table, of the first one; the others follow. */
  readonly firstPlace: number
  readonly memory: Memory
  readonly layout: HartLayout
  readonly tools: RegionTools
  /** Nothing where harts run at the same time. */
  readonly spans: PageSpans | undefined
  /** Addresses where functions begin whose accesses do not share looks into the TLB. */
  readonly withoutWindows: ReadonlySet<number>
}

/** The module's bytes. Behind the shared globals each page has one. */
export function writeModule(input: ModuleInput): Uint8Array {
  const { candidates, pages: modulePages, firstPlace, memory, layout, tools, spans } = input
  const module = new WasmModule()
  const type = module.type(REGION_PARAMETERS, REGION_RESULTS)
  assert(type === REGION_TYPE, 'it is the first signature')
  const imported: string[] = []
  const helper = (name: string): number => {
    const index = imported.indexOf(name)
    return index >= 0 ? index : imported.push(name) - 1
  }
  const firstPage = SHARED_GLOBALS.length
  const codes = candidates.map(({ pc, region, pages }, i) => {
    const place = firstPlace + i
    const hasWindows = !input.withoutWindows.has(pc)
    const where = pages.map(({ vpn }) => ({ vpn, global: firstPage + indexOfPage(modulePages, vpn) }))
    return emitRegion({
      ...{ region, pages: where, layout, helper, tools, spans },
      ...{ place, hasWindows },
    })
  })
  tools.end()
  module.importMemory('memory', { pages: memory.bytes / WASM_PAGE, shared: layout.inSharedBuffer })
  module.importTable('table', 0)
  for (const name of SHARED_GLOBALS) module.importGlobal(name)
  for (const name of imported) {
    const { parameters, results } = HELPER_TYPES.get(name)!
    module.importFunction(name, parameters, results)
  }
  for (let i = 0; i < modulePages.length; i++) module.global(pageName(i))
  const functions = codes.map((code) => module.written(REGION_PARAMETERS, REGION_RESULTS, code))
  module.fillTable(firstPlace, functions)
  return module.bytes()
}

/** The pages of all. */
export function modulePages(candidates: readonly Candidate[]): CodePage[] {
  const all: CodePage[] = []
  for (const { pages } of candidates) {
    for (const page of pages) if (indexOfPage(all, page.vpn) < 0) all.push(page)
  }
  return all
}

export function indexOfPage(pages: readonly CodePage[], vpn: Vpn): number {
  return pages.findIndex((page) => page.vpn === vpn)
}
