/** Test material: bit patterns that find the edges of floating-point arithmetic. */
import type { Random } from '../../../base/random.js'
import { DOUBLE, type FloatFormat } from '../format.js'

/**
 * Random bits of a format: zeroes, infinities, NaNs of both kinds, subnormals, numbers next to the ends of the range
 * and to powers of two, small integers, significands with long runs, and plain random ones.
 */
export function sampleFloat(format: FloatFormat, random: Random): bigint {
  const { exponent, fraction } = pickParts(format, random)
  const sign = random.chance(0.5) ? 1n << BigInt(format.width - 1) : 0n
  return sign | (BigInt(exponent) << BigInt(format.precision - 1)) | fraction
}

function pickParts(format: FloatFormat, random: Random): { exponent: number; fraction: bigint } {
  const fieldMax = 2 * format.exponentMax + 1
  const middle = format.exponentMax
  switch (random.below(13)) {
    case 0:
      return { exponent: random.pick([0, fieldMax]), fraction: 0n }
    case 1:
      return { exponent: fieldMax, fraction: sampleFraction(format, random) }
    case 2:
      return { exponent: 0, fraction: sampleFraction(format, random) }
    case 3:
      return { exponent: random.between(1, 3), fraction: sampleFraction(format, random) }
    case 4:
      return { exponent: fieldMax - random.between(1, 3), fraction: sampleFraction(format, random) }
    case 5:
      return { exponent: random.between(0, fieldMax), fraction: sampleFraction(format, random) }
    case 6:
      return { exponent: middle + integerExponent(random), fraction: sampleFraction(format, random) }
    case 7:
      return { exponent: (middle >> 1) + random.between(-2, 2), fraction: sampleFraction(format, random) }
    case 8:
      return smallInteger(format, random)
    case 9:
      return {
        exponent: middle - random.between(0, 2 * format.precision),
        fraction: sampleFraction(format, random),
      }
    case 10:
      return { exponent: middle + narrowExponent(format, random), fraction: sampleFraction(format, random) }
    default:
      return { exponent: middle + random.between(-3, 3), fraction: sampleFraction(format, random) }
  }
}

/** Around the ends of the integer types and of what is exact in a float. */
function integerExponent(random: Random): number {
  return random.chance(0.5) ? random.pick([30, 31, 32, 52, 53, 62, 63, 64]) : random.between(20, 66)
}

/** In a double: around the ends of the normal and of the subnormal singles. */
function narrowExponent(format: FloatFormat, random: Random): number {
  if (format !== DOUBLE) return random.between(-30, 30)
  return random.pick([-151, -150, -149, -128, -127, -126, 127, 128, random.between(-150, -126)])
}

function smallInteger(format: FloatFormat, random: Random): { exponent: number; fraction: bigint } {
  const value = BigInt(random.between(1, 1000))
  const length = value.toString(2).length
  const fraction = (value << BigInt(format.precision - length)) & ((1n << BigInt(format.precision - 1)) - 1n)
  return { exponent: format.exponentMax + length - 1, fraction }
}

export function sampleFraction(format: FloatFormat, random: Random): bigint {
  const mask = (1n << BigInt(format.precision - 1)) - 1n
  const bits = randomBits64(random) & mask
  switch (random.below(7)) {
    case 0:
      return BigInt(random.below(3))
    case 1:
      return mask - BigInt(random.below(3))
    case 2:
      return 1n << BigInt(random.below(format.precision - 1))
    case 3:
      return (bits << BigInt(random.below(format.precision))) & mask
    case 4:
      return (mask << BigInt(random.below(format.precision))) & mask
    case 5:
      return mask - (bits >> BigInt(random.below(format.precision)))
    default:
      return bits
  }
}

export function randomBits64(random: Random): bigint {
  return (BigInt(random.uint32()) << 32n) | BigInt(random.uint32())
}

/** Three operands, often related: equal, negated, or a few units apart, so that sums cancel. */
export function sampleOperands(format: FloatFormat, random: Random): [bigint, bigint, bigint] {
  const a = sampleFloat(format, random)
  const b = random.chance(0.25) ? neighbour(format, a, random) : sampleFloat(format, random)
  const c = random.chance(0.25) ? neighbour(format, random.pick([a, b]), random) : sampleFloat(format, random)
  return [a, b, c]
}

function neighbour(format: FloatFormat, bits: bigint, random: Random): bigint {
  const flipped = random.chance(0.5) ? bits ^ (1n << BigInt(format.width - 1)) : bits
  return BigInt.asUintN(format.width, flipped + BigInt(random.between(-2, 2)))
}

/** The JavaScript number that bits of either format stand for. */
export function numberOfBits(format: FloatFormat, bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8))
  if (format === DOUBLE) view.setBigUint64(0, bits)
  else view.setUint32(0, Number(bits))
  return format === DOUBLE ? view.getFloat64(0) : view.getFloat32(0)
}

/** The bits of a number rounded to the format, to nearest. */
export function bitsOfNumber(format: FloatFormat, value: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  if (format === DOUBLE) view.setFloat64(0, value)
  else view.setFloat32(0, value)
  return format === DOUBLE ? view.getBigUint64(0) : BigInt(view.getUint32(0))
}
