/**
 * The two formats of the F and D extensions, and what a bit pattern means. Bit patterns are unsigned BigInts of
 * the format's width: this is the exact model, not the fast path.
 */

export interface FloatFormat {
  /** Bits of the whole format. */
  readonly width: number
  /** Bits of a normal number's significand, with the hidden one. */
  readonly precision: number
  /** Exponent of the smallest and of the largest normal number, as a power of two of the leading bit. */
  readonly exponentMin: number
  readonly exponentMax: number
  /** What every operation that makes a NaN makes (unprivileged manual, 20.3). */
  readonly canonicalNaN: bigint
}

export const SINGLE: FloatFormat = {
  width: 32,
  precision: 24,
  exponentMin: -126,
  exponentMax: 127,
  canonicalNaN: 0x7fc0_0000n,
}

export const DOUBLE: FloatFormat = {
  width: 64,
  precision: 53,
  exponentMin: -1022,
  exponentMax: 1023,
  canonicalNaN: 0x7ff8_0000_0000_0000n,
}

/** The bits of fcsr's low five, by their names in the manual (20.2). */
export const Flag = {
  inexact: 1,
  underflow: 2,
  overflow: 4,
  divideByZero: 8,
  invalid: 16,
} as const

/** Values of a rounding-mode field; 5 and 6 are reserved, 7 in an instruction means "the one in fcsr". */
export const Rounding = {
  nearestEven: 0,
  towardsZero: 1,
  down: 2,
  up: 3,
  nearestAway: 4,
  dynamic: 7,
} as const
export type Rounding = 0 | 1 | 2 | 3 | 4

/** What an operation is told (how to round) and what it reports (Flag bits, added to those there). */
export interface FloatContext {
  rounding: Rounding
  flags: number
}

/** A number taken apart. The value of a finite one is (-1)^negative × significand × 2^exponent. */
export interface Unpacked {
  readonly kind: 'finite' | 'infinite' | 'quiet' | 'signalling'
  readonly negative: boolean
  /** 0 for both zeroes. */
  readonly significand: bigint
  readonly exponent: number
}

export function unpack(format: FloatFormat, bits: bigint): Unpacked {
  const fractionBits = BigInt(format.precision - 1)
  const negative = bits >> BigInt(format.width - 1) === 1n
  const fraction = bits & ((1n << fractionBits) - 1n)
  const field = Number((bits >> fractionBits) & BigInt(2 * format.exponentMax + 1))
  if (field === 2 * format.exponentMax + 1) return special(negative, fraction, fractionBits)
  const hidden = field === 0 ? 0n : 1n << fractionBits
  const exponent = Math.max(field, 1) - format.exponentMax - (format.precision - 1)
  return { kind: 'finite', negative, significand: fraction | hidden, exponent }
}

function special(negative: boolean, fraction: bigint, fractionBits: bigint): Unpacked {
  const quiet = fraction >> (fractionBits - 1n) === 1n
  const kind = fraction === 0n ? 'infinite' : quiet ? 'quiet' : 'signalling'
  return { kind, negative, significand: 0n, exponent: 0 }
}

export function isNan(x: Unpacked): boolean {
  return x.kind === 'quiet' || x.kind === 'signalling'
}

export function isZero(x: Unpacked): boolean {
  return x.kind === 'finite' && x.significand === 0n
}

export function zero(format: FloatFormat, negative: boolean): bigint {
  return negative ? 1n << BigInt(format.width - 1) : 0n
}

export function infinity(format: FloatFormat, negative: boolean): bigint {
  return zero(format, negative) | (BigInt(2 * format.exponentMax + 1) << BigInt(format.precision - 1))
}

/** The largest finite number: one below infinity. */
export function largest(format: FloatFormat, negative: boolean): bigint {
  return infinity(format, negative) - 1n
}
