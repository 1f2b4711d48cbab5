/**
 * Emitted tests of whether the host's rounded result is exact. Each may say no to an exact one (it then costs the
 * slow path, nothing else) and never yes to an inexact one. All assume that the result is plain (HostFormat.isPlain).
 */
import { i64, op, type Value } from '../../base/wasm/value.js'
import { all } from './bits.js'
import type { HelperFrame } from './helpers.js'

type Wide = 'f32' | 'f64'

/**
 * What rounding took from `sum` = a + b, itself a float (Knuth's TwoSum): exact for all operands unless something
 * overflows on the way; then it is a NaN or an infinity, and not zero.
 */
export function sumError(f: HelperFrame, type: Wide, a: Value, b: Value, sum: Value): Value {
  const bPart = f.temp(type, op(`${type}_sub`, sum, a))
  const aPart = op(`${type}_sub`, sum, bPart)
  return f.temp(type, op(`${type}_add`, op(`${type}_sub`, a, aPart), op(`${type}_sub`, b, bPart)))
}

/** The product of two singles has at most 48 bits: in double arithmetic it is exact. */
export function isExactSingleProduct(a: Value, b: Value, product: Value): Value {
  return op('f64_eq', op('f64_mul', promoted(a), promoted(b)), promoted(product))
}

/** The significands' trailing zeroes add up in a product of at most 106 bits: with 53 of them the rest fits. */
export function isExactDoubleProduct(a: Value, b: Value): Value {
  return op('i64_ge_u', op('i64_add', trailingZeroes(a), trailingZeroes(b)), i64(53))
}

/** a / b = quotient exactly if quotient × b is exact and a; a subnormal `a` could be met by a product that underflowed. */
export function isExactDoubleQuotient(a: Value, b: Value, quotient: Value): Value {
  return all(op('f64_eq', op('f64_mul', quotient, b), a), isExactDoubleProduct(quotient, b), isNormal(a))
}

export function isExactDoubleRoot(a: Value, root: Value): Value {
  return all(op('f64_eq', op('f64_mul', root, root), a), isExactDoubleProduct(root, root), isNormal(a))
}

function isNormal(x: Value): Value {
  return op('f64_ge', op('f64_abs', x), (code) => void code.f64(2 ** -1022))
}

/** Of the significand with its hidden bit; at most 52. */
function trailingZeroes(x: Value): Value {
  return op('i64_ctz', op('i64_or', op('i64_reinterpret_f64', x), i64(1n << 52n)))
}

export function promoted(single: Value): Value {
  return op('f64_promote_f32', single)
}
