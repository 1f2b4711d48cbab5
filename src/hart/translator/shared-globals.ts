/**
 * Global variables of the interpreter's module, which each translated one imports. They are no part of the buffer: a snapshot that is
 * put back must not bring an old number back.
 */
import type { Code } from '../../base/wasm/code.js'
import type { WasmModule } from '../../base/wasm/module.js'

/**
 * A number that grows with every run of the hart, and in a run when a store has changed code. While it stays the same, nobody has
 * changed a page-table entry that said anything, made the TLB forget or taken a stamp away. (Empty entries may be filled meanwhile: Hart.answerFaults.)
 */
export const CODE_EPOCH = 0
/** Place of a function that was left because a window of it crosses a page's end (page-windows.ts); 0 = none since somebody looked. */
export const CROSSED_PLACE = 1
export const SHARED_GLOBALS = ['codeEpoch', 'crossedPlace'] as const

export function growEpoch(code: Code): void {
  code.globalGet(CODE_EPOCH).i64(1).op('i64_add').globalSet(CODE_EPOCH)
}

/** To be called before the module has other globals. */
export function exportSharedGlobals(module: WasmModule): void {
  for (const name of SHARED_GLOBALS) module.global(name)
}
