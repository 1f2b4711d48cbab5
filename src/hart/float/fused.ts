/** Fast paths of the fused multiply-add: a × b + c with one rounding, on a host that has none. */
import type { Value } from '../../base/wasm/value.js'
import { i64, ifElse, op } from '../../base/wasm/value.js'
import { all, any, HOST_DOUBLE, HOST_SINGLE, type HostFormat } from './bits.js'
import { promoted, sumError } from './exactness.js'
import { inexactIsSet, isNearestEven } from './fcsr.js'
import type { HelperFrame } from './helpers.js'
import { isNan, takeQuietNan } from './special-values.js'

/** Veltkamp's constant for splitting a double into two halves of 26 bits. */
const SPLITTER = 2 ** 27 + 1
/** In these bounds, of the product and of the addend, nothing below overflows and every error term is representable. */
const LOWEST = 2 ** -900
const HIGHEST = 2 ** 900

/**
 * Singles: the product is exact in double arithmetic; the sum, rounded to odd there, has more than two bits to spare
 * and rounds to the right single (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved
 * algorithms using rounding to odd", 2008).
 */
export function fusedSingle(f: HelperFrame): void {
  const [a, b, c] = [f.a, f.b, f.c].map((bits) => f.temp('f64', promoted(HOST_SINGLE.number(bits))))
  const product = f.temp('f64', op('f64_mul', a!, b!))
  const sum = f.temp('f64', op('f64_add', product, c!))
  const error = sumError(f, 'f64', product, c!, sum)
  const result = f.temp('f32', op('f32_demote_f64', roundedToOdd(sum, error)))
  const exact = all(isZero(error), op('f64_eq', promoted(result), sum))
  const plain = all(HOST_SINGLE.isPlain(result), any(inexactIsSet(f.hart), exact))
  f.returnIf(all(isNearestEven(f.rounding), any(plain, isZero(sum))), HOST_SINGLE.bits(result))
  takeQuietNan(f, HOST_SINGLE, [f.a, f.b, f.c], isNoInvalidProduct(HOST_SINGLE, f))
}

/**
 * Doubles, by the same paper: product and sums are split into a rounded part and its exact error, the two smallest
 * terms are added with rounding to odd, and one ordinary addition rounds the whole.
 */
export function fusedDouble(f: HelperFrame): void {
  const [a, b, c] = [f.a, f.b, f.c].map((bits) => f.temp('f64', HOST_DOUBLE.number(bits)))
  const product = f.temp('f64', op('f64_mul', a!, b!))
  const plainSum = f.temp('f64', op('f64_add', product, c!))
  const exactZero = all(any(isZero(a!), isZero(b!)), isBelowInfinity(plainSum))
  f.returnIf(all(isNearestEven(f.rounding), exactZero), HOST_DOUBLE.bits(plainSum))

  const low = productError(f, a!, b!, product)
  const isUsual = all(isBetween(product), any(isBetween(c!), isZero(c!)))
  takeIfClear(f, product, c!, low, plainSum, isUsual)
  const sumHigh = f.temp('f64', op('f64_add', c!, low))
  const sumLow = sumError(f, 'f64', c!, low, sumHigh)
  const high = f.temp('f64', op('f64_add', product, sumHigh))
  const middle = sumError(f, 'f64', product, sumHigh, high)
  const tail = f.temp('f64', op('f64_add', sumLow, middle))
  const tailError = sumError(f, 'f64', sumLow, middle, tail)
  const odd = f.temp('f64', roundedToOdd(tail, tailError))
  const result = f.temp('f64', op('f64_add', high, odd))
  const exact = all(isZero(tailError), isZero(sumError(f, 'f64', high, odd, result)))
  const inBounds = all(isUsual, isBelowInfinity(result))
  const take = all(isNearestEven(f.rounding), inBounds, any(inexactIsSet(f.hart), exact))
  f.returnIf(take, HOST_DOUBLE.bits(result))
  takeQuietNan(f, HOST_DOUBLE, [f.a, f.b, f.c], isNoInvalidProduct(HOST_DOUBLE, f))
}

/** Infinity times zero is invalid even when a NaN is added. */
function isNoInvalidProduct(host: HostFormat, { a, b }: HelperFrame): Value {
  const product = op(host.op('mul'), host.number(a), host.number(b))
  return any(isNan(host, a), isNan(host, b), op(host.op('eq'), product, product))
}

/**
 * The commonest case, with less work: product + c is sum + middle exactly, and middle + low, rounded, is off by half a unit at most. When
 * the sum with a little more and with a little less of it round to the same, that is the result. It is inexact, or it does not matter.
 */
function takeIfClear(f: HelperFrame, product: Value, c: Value, low: Value, sum: Value, isUsual: Value): void {
  const rest = f.temp('f64', op('f64_add', sumError(f, 'f64', product, c, sum), low))
  const margin = f.temp('f64', op('f64_mul', op('f64_abs', rest), constant(2 ** -51)))
  const above = f.temp('f64', op('f64_add', sum, op('f64_add', rest, margin)))
  const below = op('f64_add', sum, op('f64_sub', rest, margin))
  const isClear = all(op('f64_eq', above, below), isBelowInfinity(above))
  f.returnIf(all(isNearestEven(f.rounding), inexactIsSet(f.hart), isUsual, isClear), HOST_DOUBLE.bits(above))
}

/** a × b - product, exactly (Dekker). An operand too large to split makes it a NaN. */
function productError(f: HelperFrame, a: Value, b: Value, product: Value): Value {
  const aHigh = highHalf(f, a)
  const bHigh = highHalf(f, b)
  const aLow = f.temp('f64', op('f64_sub', a, aHigh))
  const bLow = f.temp('f64', op('f64_sub', b, bHigh))
  const first = op('f64_sub', op('f64_mul', aHigh, bHigh), product)
  const second = op('f64_add', first, op('f64_mul', aHigh, bLow))
  const third = op('f64_add', second, op('f64_mul', aLow, bHigh))
  return f.temp('f64', op('f64_add', third, op('f64_mul', aLow, bLow)))
}

function highHalf(f: HelperFrame, x: Value): Value {
  const scaled = f.temp('f64', op('f64_mul', x, constant(SPLITTER)))
  return f.temp('f64', op('f64_sub', scaled, op('f64_sub', scaled, x)))
}

/**
 * `sum` + `error` rounded to odd, where `sum` is its rounding to nearest: an inexact result with an even significand
 * goes to the neighbour on the side of the error, which is odd.
 */
function roundedToOdd(sum: Value, error: Value): Value {
  const bits = op('i64_reinterpret_f64', sum)
  const outwards = op('i32_eq', op('f64_gt', error, constant(0)), op('f64_gt', sum, constant(0)))
  const step = op('i64_sub', op('i64_shl', op('i64_extend_i32_u', outwards), i64(1)), i64(1))
  const isEven = op('i64_eqz', op('i64_and', bits, i64(1)))
  const moves = all(op('f64_ne', error, constant(0)), isEven)
  return ifElse('f64', moves, op('f64_reinterpret_i64', op('i64_add', bits, step)), sum)
}

function isBetween(x: Value): Value {
  return all(
    op('f64_ge', op('f64_abs', x), constant(LOWEST)),
    op('f64_le', op('f64_abs', x), constant(HIGHEST)),
  )
}

function isBelowInfinity(x: Value): Value {
  return op('f64_lt', op('f64_abs', x), constant(Number.POSITIVE_INFINITY))
}

function isZero(x: Value): Value {
  return op('f64_eq', x, constant(0))
}

function constant(value: number): Value {
  return (code) => void code.f64(value)
}
