import { Flag, type FloatContext, type FloatFormat, infinity, isNan, unpack } from './format.js'
import { roundAndPack, shiftRounded } from './round.js'

export interface IntegerFormat {
  readonly bits: 32 | 64
  readonly signed: boolean
}

/**
 * fcvt to an integer, as a mathematical integer in the target's range. What does not fit (a NaN counts as plus
 * infinity) is invalid, not inexact, and gives the nearest end of the range.
 */
export function toInteger(
  format: FloatFormat,
  bits: bigint,
  target: IntegerFormat,
  context: FloatContext,
): bigint {
  const low = target.signed ? -(1n << BigInt(target.bits - 1)) : 0n
  const high = low + (1n << BigInt(target.bits)) - 1n
  const x = unpack(format, bits)
  if (x.kind !== 'finite') {
    context.flags |= Flag.invalid
    return x.negative && !isNan(x) ? low : high
  }
  const magnitude = shiftRounded(x.significand, -x.exponent, x.negative, context.rounding)
  const value = x.negative ? -magnitude : magnitude
  if (value < low || value > high) {
    context.flags |= Flag.invalid
    return value < low ? low : high
  }
  if (x.exponent < 0 && magnitude << BigInt(-x.exponent) !== x.significand) context.flags |= Flag.inexact
  return value
}

export function fromInteger(format: FloatFormat, value: bigint, context: FloatContext): bigint {
  return roundAndPack(format, value < 0n, value < 0n ? -value : value, 0, context)
}

/** fcvt between the two formats. */
export function changeFormat(
  from: FloatFormat,
  to: FloatFormat,
  bits: bigint,
  context: FloatContext,
): bigint {
  const x = unpack(from, bits)
  if (x.kind === 'signalling') context.flags |= Flag.invalid
  if (isNan(x)) return to.canonicalNaN
  if (x.kind === 'infinite') return infinity(to, x.negative)
  return roundAndPack(to, x.negative, x.significand, x.exponent, context)
}
