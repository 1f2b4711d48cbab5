/** Test material: operands made for one operation, so that its rounding, range and flags are at stake. */
import type { Random } from '../../../base/random.js'
import { DOUBLE, type FloatFormat, SINGLE } from '../format.js'
import { bitsOfNumber, numberOfBits, sampleFloat, sampleFraction, sampleOperands } from './float-samples.js'

export type Operands = [a: bigint, b: bigint, c: bigint]
type MakeCase = (format: FloatFormat, random: Random) => Operands

/** By the operation's name without the format: "add", "fma", "w"; "s" is double to single. */
const CASES: Readonly<Record<string, MakeCase>> = {
  add: nearbyTerms,
  sub: nearbyTerms,
  mul: (format, random) => productNearEdge(format, random, 1),
  div: (format, random) => productNearEdge(format, random, -1),
  sqrt: nearSquare,
  fma: fusedCase,
  w: nearInteger,
  wu: nearInteger,
  l: nearInteger,
  lu: nearInteger,
  s: (_format, random) => nearSingle(random),
}

/** Three operands for the operation, of the format that it reads; a fifth of them made for no operation at all. */
export function operandsFor(operation: string, format: FloatFormat, random: Random): Operands {
  const make = CASES[operation]
  return make === undefined || random.chance(0.2) ? sampleOperands(format, random) : make(format, random)
}

/** A number with this exponent (of its leading bit), or the nearest that a normal number has. */
function withExponent(format: FloatFormat, random: Random, exponent: number): bigint {
  const inRange = Math.min(Math.max(exponent, format.exponentMin), format.exponentMax)
  const sign = BigInt(random.below(2)) << BigInt(format.width - 1)
  const field = BigInt(inRange + format.exponentMax) << BigInt(format.precision - 1)
  return sign | field | sampleFraction(format, random)
}

function anyExponent(format: FloatFormat, random: Random): number {
  return random.pick([random.between(-10, 10), random.between(format.exponentMin, format.exponentMax)])
}

/** Terms whose digits overlap, or end just where rounding looks. */
function nearbyTerms(format: FloatFormat, random: Random): Operands {
  const exponent = anyExponent(format, random)
  const distance = random.between(-format.precision - 2, format.precision + 2)
  const b = withExponent(format, random, exponent + distance)
  return [withExponent(format, random, exponent), b, 0n]
}

/** Factors (or, with `sign` -1, dividend and divisor) whose result lies at an end of the range, or anywhere. */
function productNearEdge(format: FloatFormat, random: Random, sign: 1 | -1): Operands {
  const { exponentMin, exponentMax, precision } = format
  const target = random.pick([
    random.between(exponentMin - 2, exponentMin + 1),
    random.between(exponentMin - precision - 1, exponentMin),
    random.between(exponentMax - 1, exponentMax + 1),
    random.between(-5, 5),
  ])
  const first = sign > 0 ? Math.round(target / 2) + random.between(-20, 20) : Math.round(target / 2)
  const a = withExponent(format, random, first)
  const b = withExponent(format, random, sign * (target - first))
  return random.chance(0.7) ? [a, b, 0n] : [allOnes(format, a), nearPower(format, b, random), 0n]
}

/** The number below the next power of two, in magnitude. */
function allOnes(format: FloatFormat, bits: bigint): bigint {
  return bits | fractionMask(format)
}

function nearPower(format: FloatFormat, bits: bigint, random: Random): bigint {
  return (bits & ~fractionMask(format)) | BigInt(random.below(3))
}

function fractionMask(format: FloatFormat): bigint {
  return (1n << BigInt(format.precision - 1)) - 1n
}

/** Squares of integers and their neighbours. */
function nearSquare(format: FloatFormat, random: Random): Operands {
  const root = random.below(2 ** random.between(1, format === SINGLE ? 12 : 26))
  const scale = 2 ** (2 * random.between(-60, 30))
  const square = bitsOfNumber(format, root * root * scale)
  return [random.chance(0.5) ? square : square + BigInt(random.below(3)), 0n, 0n]
}

function fusedCase(format: FloatFormat, random: Random): Operands {
  const make = random.pick([cancellingAddend, halfUnitProduct, halfUnitProduct, distantAddend, tinyTogether])
  return make(format, random)
}

/** An addend next to minus the product: what is left are the digits that an ordinary product drops. */
function cancellingAddend(format: FloatFormat, random: Random): Operands {
  const exponent = random.between(-20, 20)
  const a = withExponent(format, random, exponent)
  const b = withExponent(format, random, random.between(-20, 20))
  const product = bitsOfNumber(format, -numberOfBits(format, a) * numberOfBits(format, b))
  return [a, b, product + BigInt(random.between(-1, 1))]
}

/**
 * 2^k (1 + ε) (1 - ε) is less than 2^k by less than a rounded product can show; with 2^k half a unit of the
 * addend, that decides how the sum is rounded. Other ε put it above, or exactly there.
 */
function halfUnitProduct(format: FloatFormat, random: Random): Operands {
  const { precision } = format
  const exponent = random.between(-30, 30)
  const c = withExponent(format, random, exponent)
  const epsilon = 2 ** -random.between(precision >> 1, precision - 1)
  const half = 2 ** (exponent - precision + random.pick([0, 0, 0, 1, -1]))
  const signs = [random.pick([1, -1]), random.pick([1, -1, 0]), random.pick([1, -1])]
  const a = bitsOfNumber(format, half * (1 + signs[0]! * epsilon))
  const b = bitsOfNumber(format, signs[2]! * (1 + signs[1]! * epsilon))
  return [a, b, c]
}

function distantAddend(format: FloatFormat, random: Random): Operands {
  const [first, second] = [anyExponent(format, random), random.between(-30, 30)]
  const distance = random.between(-2 * format.precision - 3, 2 * format.precision + 3)
  return [
    withExponent(format, random, first),
    withExponent(format, random, second),
    withExponent(format, random, first + second + distance),
  ]
}

/** Product and addend both where numbers become subnormal. */
function tinyTogether(format: FloatFormat, random: Random): Operands {
  const [a, b] = productNearEdge(format, random, 1)
  const addend = random.chance(0.5) ? 1n << BigInt(format.precision - 1) : BigInt(random.below(5))
  return [a, b, addend | (BigInt(random.below(2)) << BigInt(format.width - 1))]
}

/** Integers, halves and quarters around powers of two, and their neighbours. */
function nearInteger(format: FloatFormat, random: Random): Operands {
  const power = random.pick([0, 1, 2, 8, 31, 31, 32, 32, 52, 53, 63, 63, 64, 64, random.below(64)])
  const value = (2 ** power + random.between(-6, 6)) / random.pick([1, 1, 2, 4])
  const bits = bitsOfNumber(format, random.chance(0.4) ? -value : value)
  return [BigInt.asUintN(format.width, bits + BigInt(random.pick([0, 0, 1, -1]))), 0n, 0n]
}

/** Doubles that are singles, lie half-way between two, or next to these. */
function nearSingle(random: Random): Operands {
  const single = numberOfBits(SINGLE, sampleFloat(SINGLE, random))
  const unit = Math.max(2 ** (Math.floor(Math.log2(Math.abs(single) || 1)) - 23), 2 ** -149)
  const value = single + random.pick([0, 0.5, -0.5, 0.25, 1]) * unit
  const bits = bitsOfNumber(DOUBLE, value) + BigInt(random.pick([0, 0, 1, -1]))
  return [BigInt.asUintN(64, bits), 0n, 0n]
}
