import { Flag, type FloatContext, type FloatFormat, isNan, type Unpacked, unpack } from './format.js'

/** feq: quiet, only a signalling NaN is invalid. */
export function equal(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): boolean {
  const x = unpack(format, a)
  const y = unpack(format, b)
  if (x.kind === 'signalling' || y.kind === 'signalling') context.flags |= Flag.invalid
  return !isNan(x) && !isNan(y) && order(format, a) === order(format, b)
}

/** flt: any NaN is invalid. */
export function less(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): boolean {
  return isOrdered(format, a, b, context) && order(format, a) < order(format, b)
}

/** fle: any NaN is invalid. */
export function lessOrEqual(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): boolean {
  return isOrdered(format, a, b, context) && order(format, a) <= order(format, b)
}

function isOrdered(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): boolean {
  const ordered = !isNan(unpack(format, a)) && !isNan(unpack(format, b))
  if (!ordered) context.flags |= Flag.invalid
  return ordered
}

/** An integer that orders the numbers of a format as their values are; both zeroes give 0. */
function order(format: FloatFormat, bits: bigint): bigint {
  const sign = 1n << BigInt(format.width - 1)
  return bits < sign ? bits : sign - bits
}

/**
 * fmin and fmax (IEEE 754-2019 minimumNumber, maximumNumber): of a number and a NaN the number, of two NaNs the
 * canonical one, and -0 is less than +0.
 */
export function minimum(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): bigint {
  return pickNumber(format, a, b, context, isBelow(format, a, b) ? a : b)
}

export function maximum(format: FloatFormat, a: bigint, b: bigint, context: FloatContext): bigint {
  return pickNumber(format, a, b, context, isBelow(format, a, b) ? b : a)
}

/** a < b, with the zeroes told apart. */
function isBelow(format: FloatFormat, a: bigint, b: bigint): boolean {
  const difference = order(format, a) - order(format, b)
  return difference < 0n || (difference === 0n && a > b)
}

function pickNumber(
  format: FloatFormat,
  a: bigint,
  b: bigint,
  context: FloatContext,
  picked: bigint,
): bigint {
  const x = unpack(format, a)
  const y = unpack(format, b)
  if (x.kind === 'signalling' || y.kind === 'signalling') context.flags |= Flag.invalid
  if (isNan(x)) return isNan(y) ? format.canonicalNaN : b
  return isNan(y) ? a : picked
}

/** fclass: one of ten bits (unprivileged manual, table 28). */
export function classify(format: FloatFormat, bits: bigint): number {
  const x = unpack(format, bits)
  if (x.kind === 'signalling') return 1 << 8
  if (x.kind === 'quiet') return 1 << 9
  const size = sizeClass(format, x)
  return 1 << (x.negative ? 3 - size : 4 + size)
}

/** 0 zero, 1 subnormal, 2 normal, 3 infinite: the order in which the classes stand on both sides of zero. */
function sizeClass(format: FloatFormat, x: Unpacked): number {
  if (x.kind === 'infinite') return 3
  if (x.significand === 0n) return 0
  return x.significand >> BigInt(format.precision - 1) === 0n ? 1 : 2
}
