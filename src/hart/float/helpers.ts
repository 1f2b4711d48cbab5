/**
 * The float helpers: WebAssembly functions of the interpreter's module, one for each entry of SOFT_OPERATIONS and
 * of the same name. Each tries to get along with the host's own operation and otherwise calls `softFloat`.
 *
 * The host rounds to nearest and reports no flags. Its result may therefore be taken when
 *   - rounding is to nearest, ties to even;
 *   - the result is normal, and above the smallest normal binade: then nothing underflowed, overflowed or was
 *     invalid, and whatever the operands were, inexact is the only flag that can be due;
 *   - and either that flag is set already, or the operation was exact (exactness.ts).
 * The first inexact operation of a program thus takes the slow path, and sets the flag for all others.
 */
import type { Ptr } from '../../base/numbers.js'
import type { Code, ValueType } from '../../base/wasm/code.js'
import type { WasmModule } from '../../base/wasm/module.js'
import { local, type Value } from '../../base/wasm/value.js'
import type { Memory } from '../../state/memory.js'
import { FAST_PATHS } from './fast-paths.js'
import { OPERAND_OFFSETS, SOFT_OPERATIONS, softFloat } from './soft-float.js'

/** Functions of the interpreter's module that are JavaScript's, by name: what `addFloatHelpers` imports. */
export function floatImports(memory: Memory, hart: Ptr): Record<string, (...parameters: number[]) => void> {
  return {
    softFloat: (operation: number, rounding: number) => softFloat(memory, hart, operation, rounding),
  }
}

/**
 * Adds the helpers, imports first: before any other function is added. `hart`: the place of the hart's record, a constant of the module. Returns
 * the function index of each by name, for `Emitter.call`.
 *
 * A helper takes the bits of its operands (i64; a single in the low half, not boxed) and the rounding mode (i32, 0
 * to 4; any where there is nothing to round), and returns the result in the same form; an integer result is i64.
 */
export function addFloatHelpers(module: WasmModule, hart: Ptr): ReadonlyMap<string, number> {
  const slow = module.importFunction('softFloat', ['i32', 'i32'], [])
  return new Map(
    SOFT_OPERATIONS.map(({ name, operands }, number) => {
      const parameters: ValueType[] = [...new Array<ValueType>(operands).fill('i64'), 'i32']
      const index = module.function(undefined, parameters, ['i64'], (code) => {
        FAST_PATHS.get(name)?.(new HelperFrame(code, hart, operands))
        callSoftFloat(code, hart, operands, number, slow)
      })
      return [name, index]
    }),
  )
}

/** What a fast path is written against: a helper's parameters, and a way to return early. */
export class HelperFrame {
  /** Bits of the operands. */
  readonly a = local(0)
  readonly b = local(1)
  readonly c = local(2)
  readonly rounding: Value
  readonly code: Code
  readonly hart: Ptr

  constructor(code: Code, hart: Ptr, operands: number) {
    this.code = code
    this.hart = hart
    this.rounding = local(operands)
  }

  /** Evaluates now and keeps the result. */
  temp(type: ValueType, value: Value): Value {
    const index = this.code.local(type)
    value(this.code)
    this.code.set(index)
    return local(index)
  }

  /** Leaves the helper with these bits (i64) when the i32 is not zero. */
  returnIf(condition: Value, bits: Value): void {
    condition(this.code)
    this.code.if()
    bits(this.code)
    this.code.op('return').end()
  }
}

function callSoftFloat(code: Code, hart: Ptr, operands: number, operation: number, slow: number): void {
  for (let i = 0; i < operands; i++) code.i32(hart).get(i).memory('i64_store', OPERAND_OFFSETS[i])
  code.i32(operation).get(operands).call(slow)
  code.i32(hart).memory('i64_load', OPERAND_OFFSETS[0])
}
