/** Emitted access to the hart's fcsr, from helpers. */
import type { Ptr } from '../../base/numbers.js'
import { i32, op, type Value } from '../../base/wasm/value.js'
import { HartField } from '../hart-state.js'
import { Flag } from './format.js'

export function isNearestEven(rounding: Value): Value {
  return op('i32_eqz', rounding)
}

/** 1 when the inexact flag is set, else 0. */
export function inexactIsSet(hart: Ptr): Value {
  return op('i32_and', fcsr(hart), i32(Flag.inexact))
}

/** Sets the inexact flag when the condition (0 or 1) holds; a statement. */
export function raiseInexactIf(hart: Ptr, condition: Value): Value {
  return (code) => {
    code.i32(hart)
    op('i32_or', fcsr(hart), condition)(code)
    code.memory('i32_store', HartField.fcsr)
  }
}

/** Sets flags; a statement. */
export function raise(hart: Ptr, flags: number): Value {
  return (code) => {
    code.i32(hart)
    op('i32_or', fcsr(hart), i32(flags))(code)
    code.memory('i32_store', HartField.fcsr)
  }
}

function fcsr(hart: Ptr): Value {
  return (code) => void code.i32(hart).memory('i32_load', HartField.fcsr)
}
