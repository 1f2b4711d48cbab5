import type { Ptr } from '../base/numbers.js'
import type { WasmModule } from '../base/wasm/module.js'
import type { Memory } from '../state/memory.js'

/**
 * Functions beside the interpreter in its module that instructions call by name (`Emitter.call`). `float/` gives
 * one such set (`FLOAT_HELPERS` in float/helpers.ts) together with its definitions (`FLOAT_DEFINITIONS`).
 */
export interface HelperSet {
  /**
   * Adds imports first and then functions to the module; called before any other function is added. `hart`: the
   * place of the hart's record, a constant of the module. Returns the function index of each helper by name.
   */
  declare(module: WasmModule, hart: Ptr): ReadonlyMap<string, number>
  /** What the imports that `declare` made stand for, by name. */
  imports(memory: Memory, hart: Ptr): Record<string, (...parameters: never[]) => unknown>
}
