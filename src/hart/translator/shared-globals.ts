/** Global variables of the interpreter's module, which each translated one imports. They are no part of the buffer. */
import type { WasmModule } from '../../base/wasm/module.js'

/** Place of a function that was left because a window of it crosses a page's end (page-windows.ts); 0 = none since somebody looked. */
export const CROSSED_PLACE = 0
export const SHARED_GLOBALS = ['crossedPlace'] as const

/** To be called before the module has other globals. */
export function exportSharedGlobals(module: WasmModule): void {
  for (const name of SHARED_GLOBALS) module.global(name)
}
