import {
  Flag,
  type FloatContext,
  type FloatFormat,
  infinity,
  isNan,
  isZero,
  Rounding,
  type Unpacked,
  unpack,
  zero,
} from './format.js'
import { bitLength, roundAndPack } from './round.js'

/** The exact operations of the F and D extensions (unprivileged manual, 20.6 and 21.4) on bit patterns. */

export function add(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): bigint {
  return sum(format, unpack(format, a), unpack(format, b), context)
}

export function subtract(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): bigint {
  return sum(format, unpack(format, a), negated(unpack(format, b)), context)
}

export function multiply(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): bigint {
  const x = unpack(format, a)
  const y = unpack(format, b)
  const negative = x.negative !== y.negative
  if (isNan(x) || isNan(y)) return propagateNaN(format, [x, y], context)
  if (isInvalidProduct(x, y)) return invalid(format, context)
  if (x.kind === 'infinite' || y.kind === 'infinite') return infinity(format, negative)
  return roundAndPack(format, negative, x.significand * y.significand, x.exponent + y.exponent, context)
}

export function divide(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): bigint {
  const x = unpack(format, a)
  const y = unpack(format, b)
  const negative = x.negative !== y.negative
  if (isNan(x) || isNan(y)) return propagateNaN(format, [x, y], context)
  if (x.kind === 'infinite')
    return y.kind === 'infinite' ? invalid(format, context) : infinity(format, negative)
  if (y.kind === 'infinite') return zero(format, negative)
  if (isZero(y)) {
    if (isZero(x)) return invalid(format, context)
    context.flags |= Flag.divideByZero
    return infinity(format, negative)
  }
  return quotient(format, negative, x, y, context)
}

/** Enough bits of the dividend give a quotient with two bits more than the format, and a sticky one. */
function quotient(format: FloatFormat, negative: boolean, x: Unpacked, y: Unpacked, context: FloatContext) {
  const shift = 2 * format.precision + 2
  const dividend = x.significand << BigInt(shift)
  const whole = dividend / y.significand
  const sticky = whole * y.significand === dividend ? 0n : 1n
  return roundAndPack(format, negative, (whole << 1n) | sticky, x.exponent - y.exponent - shift - 1, context)
}

export function squareRoot(format: FloatFormat, a: bigint, context: FloatContext): bigint {
  const x = unpack(format, a)
  if (isNan(x)) return propagateNaN(format, [x], context)
  if (isZero(x)) return a
  if (x.negative) return invalid(format, context)
  if (x.kind === 'infinite') return a
  const shift = 2 * format.precision + 4 + (x.exponent & 1)
  const radicand = x.significand << BigInt(shift)
  const root = integerSquareRoot(radicand)
  const sticky = root * root === radicand ? 0n : 1n
  return roundAndPack(format, false, (root << 1n) | sticky, (x.exponent - shift) / 2 - 1, context)
}

/** floor(√value) by Newton's iteration from above. */
function integerSquareRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1)
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/** a × b + c, rounded once. Infinity times zero is invalid even when c is a quiet NaN. */
export function multiplyAdd(
  format: FloatFormat,
  a: bigint,
  b: bigint,
  c: bigint,
  context: FloatContext,
): bigint {
  const x = unpack(format, a)
  const y = unpack(format, b)
  const z = unpack(format, c)
  if (isInvalidProduct(x, y)) context.flags |= Flag.invalid
  if (isNan(x) || isNan(y) || isNan(z)) return propagateNaN(format, [x, y, z], context)
  if (isInvalidProduct(x, y)) return format.canonicalNaN
  const product: Unpacked = {
    kind: x.kind === 'infinite' || y.kind === 'infinite' ? 'infinite' : 'finite',
    negative: x.negative !== y.negative,
    significand: x.significand * y.significand,
    exponent: x.exponent + y.exponent,
  }
  return sum(format, product, z, context)
}

function sum(format: FloatFormat, x: Unpacked, y: Unpacked, context: FloatContext): bigint {
  if (isNan(x) || isNan(y)) return propagateNaN(format, [x, y], context)
  if (x.kind === 'infinite') {
    const opposed = y.kind === 'infinite' && x.negative !== y.negative
    return opposed ? invalid(format, context) : infinity(format, x.negative)
  }
  if (y.kind === 'infinite') return infinity(format, y.negative)
  const exponent = Math.min(x.exponent, y.exponent)
  const total = aligned(x, exponent) + aligned(y, exponent)
  if (total === 0n) return zero(format, zeroSumIsNegative(x, y, context))
  return roundAndPack(format, total < 0n, total < 0n ? -total : total, exponent, context)
}

/** The signed significand in units of 2^exponent. */
function aligned(x: Unpacked, exponent: number): bigint {
  const magnitude = x.significand << BigInt(x.exponent - exponent)
  return x.negative ? -magnitude : magnitude
}

/** Of two zeroes with one sign the sum has that sign; otherwise it is -0 only when rounding down. */
function zeroSumIsNegative(x: Unpacked, y: Unpacked, context: FloatContext): boolean {
  return x.negative === y.negative ? x.negative : context.rounding === Rounding.down
}

function isInvalidProduct(x: Unpacked, y: Unpacked): boolean {
  return (x.kind === 'infinite' && isZero(y)) || (isZero(x) && y.kind === 'infinite')
}

function negated(x: Unpacked): Unpacked {
  return { ...x, negative: !x.negative }
}

function invalid(format: FloatFormat, context: FloatContext): bigint {
  context.flags |= Flag.invalid
  return format.canonicalNaN
}

function propagateNaN(format: FloatFormat, operands: readonly Unpacked[], context: FloatContext): bigint {
  if (operands.some((x) => x.kind === 'signalling')) context.flags |= Flag.invalid
  return format.canonicalNaN
}
