import { Flag, type FloatContext, type FloatFormat, infinity, largest, Rounding, zero } from './format.js'

/** Position of the highest set bit plus one. */
export function bitLength(value: bigint): number {
  const hex = value.toString(16)
  return hex.length * 4 - (Math.clz32(Number.parseInt(hex[0]!, 16)) - 28)
}

/**
 * `value / 2^shift` as an integer in the given rounding. A negative `shift` multiplies. `value` is a magnitude;
 * the sign matters to the directed roundings.
 */
export function shiftRounded(value: bigint, shift: number, negative: boolean, rounding: Rounding): bigint {
  if (shift <= 0) return value << BigInt(-shift)
  const kept = value >> BigInt(shift)
  const rest = value - (kept << BigInt(shift))
  return roundsUp(kept, rest, 1n << BigInt(shift - 1), negative, rounding) ? kept + 1n : kept
}

function roundsUp(kept: bigint, rest: bigint, half: bigint, negative: boolean, rounding: Rounding): boolean {
  if (rest === 0n) return false
  switch (rounding) {
    case Rounding.nearestEven:
      return rest > half || (rest === half && (kept & 1n) === 1n)
    case Rounding.nearestAway:
      return rest >= half
    case Rounding.towardsZero:
      return false
    case Rounding.down:
      return negative
    case Rounding.up:
      return !negative
  }
}

/**
 * The float nearest to ±significand × 2^exponent in the context's rounding, with the flags that this raises. A result
 * that is known only to lie between two integers is passed with one more low bit, set ("sticky"); it must
 * have two bits more than the format then.
 */
export function roundAndPack(
  format: FloatFormat,
  negative: boolean,
  significand: bigint,
  exponent: number,
  context: FloatContext,
): bigint {
  if (significand === 0n) return zero(format, negative)
  const { precision, exponentMin } = format
  const leading = exponent + bitLength(significand) - 1
  const unit = Math.max(leading, exponentMin) - (precision - 1)
  const rounded = shiftRounded(significand, unit - exponent, negative, context.rounding)
  const inexact = unit > exponent && rounded << BigInt(unit - exponent) !== significand
  if (inexact) context.flags |= Flag.inexact
  if (inexact && isTiny(format, negative, significand, exponent, context)) context.flags |= Flag.underflow
  return pack(format, negative, rounded, unit, context)
}

/**
 * Tiny after rounding (unprivileged manual, 20.2): below the smallest normal number even when rounded as if the
 * exponent had no lower bound.
 */
function isTiny(
  format: FloatFormat,
  negative: boolean,
  significand: bigint,
  exponent: number,
  context: FloatContext,
): boolean {
  const leading = exponent + bitLength(significand) - 1
  if (leading !== format.exponentMin - 1) return leading < format.exponentMin
  const unit = leading - (format.precision - 1)
  const rounded = shiftRounded(significand, unit - exponent, negative, context.rounding)
  return bitLength(rounded) === format.precision
}

/** `rounded` has at most precision + 1 bits, and the last only when it is a power of two. */
function pack(format: FloatFormat, negative: boolean, rounded: bigint, unit: number, context: FloatContext) {
  const { precision, exponentMin, exponentMax } = format
  const leading = unit + bitLength(rounded) - 1
  if (leading > exponentMax) return overflow(format, negative, context)
  // The hidden bit adds one to the exponent field; a carry out of a subnormal does so as well.
  const field = BigInt(unit + (precision - 1) - exponentMin)
  return zero(format, negative) | ((field << BigInt(precision - 1)) + rounded)
}

function overflow(format: FloatFormat, negative: boolean, context: FloatContext): bigint {
  context.flags |= Flag.overflow | Flag.inexact
  const { rounding } = context
  const stops = rounding === (negative ? Rounding.up : Rounding.down) || rounding === Rounding.towardsZero
  return stops ? largest(format, negative) : infinity(format, negative)
}
