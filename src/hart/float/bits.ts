/** Emitted expressions on the bits of floats, for both formats. */
import type { ValueType } from '../../base/wasm/code.js'
import type { NumericOp } from '../../base/wasm/opcodes.js'
import { i32, i64, op, select, type Value } from '../../base/wasm/value.js'

/** How the operations of one format are written in WebAssembly, whose bits stand in an i64 (a single in its low half). */
export interface HostFormat {
  readonly suffix: 's' | 'd'
  readonly type: ValueType & ('f32' | 'f64')
  /** Bits to number, and back. */
  readonly number: (bits: Value) => Value
  readonly bits: (number: Value) => Value
  /** Whether this number is finite, normal and not of the smallest normal binade. */
  readonly isPlain: (number: Value) => Value
  readonly op: (
    name: 'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'eq' | 'ne' | 'lt' | 'le' | 'min' | 'max',
  ) => NumericOp
}

export const HOST_SINGLE: HostFormat = {
  suffix: 's',
  type: 'f32',
  number: (bits) => op('f32_reinterpret_i32', op('i32_wrap_i64', bits)),
  bits: (number) => op('i64_extend_i32_u', op('i32_reinterpret_f32', number)),
  // Twice the bits drops the sign; then an exponent field of 2 to 0xfe is one unsigned range.
  isPlain: (number) =>
    op(
      'i32_lt_u',
      op('i32_sub', op('i32_shl', op('i32_reinterpret_f32', number), i32(1)), i32(2 << 24)),
      i32(0xfd << 24),
    ),
  op: (name) => `f32_${name}`,
}

export const HOST_DOUBLE: HostFormat = {
  suffix: 'd',
  type: 'f64',
  number: (bits) => op('f64_reinterpret_i64', bits),
  bits: (number) => op('i64_reinterpret_f64', number),
  isPlain: (number) =>
    op(
      'i64_lt_u',
      op('i64_sub', op('i64_shl', op('i64_reinterpret_f64', number), i64(1)), i64(2n << 53n)),
      i64(0x7fdn << 53n),
    ),
  op: (name) => `f64_${name}`,
}

const CANONICAL_SINGLE = 0x7fc0_0000

/** The single in a float register's 64 bits, in the low half; what is not NaN-boxed reads as the canonical NaN. */
export function unboxed(register: Value): Value {
  const isBoxed = op('i64_eq', op('i64_shr_s', register, i64(32)), i64(-1))
  return op('i64_extend_i32_u', select(isBoxed, op('i32_wrap_i64', register), i32(CANONICAL_SINGLE)))
}

/** A single in the low half (the upper one zero) as the register holds it. */
export function boxed(single: Value): Value {
  return op('i64_or', single, i64(0xffff_ffffn << 32n))
}

export function all(first: Value, ...rest: Value[]): Value {
  return rest.reduce((both, condition) => op('i32_and', both, condition), first)
}

export function any(first: Value, ...rest: Value[]): Value {
  return rest.reduce((either, condition) => op('i32_or', either, condition), first)
}
