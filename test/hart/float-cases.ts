/**
 * The other kind of sequence: ten float instructions that do not depend on each other, each with operands made for
 * it, in registers of its own, and the flags read after each.
 */
import type { Random } from '../../src/base/random.js'
import { DOUBLE, SINGLE } from '../../src/hart/float/format.js'
import { operandsFor } from '../../src/hart/float/testing/float-cases.js'
import { typeI, typeR, typeR4 } from './encode.js'
import { FUSED_OPCODES, type Item, type ItemContext, words } from './items.js'

const CASES = 10
const FFLAGS = 1

export function makeFloatCases(c: ItemContext, record: BigUint64Array): Item[] {
  const free = Array.from({ length: 31 }, (_, i) => i + 1).filter(
    (register) => !c.kept.has(register) && register !== 1,
  )
  return Array.from({ length: CASES }, (_, i) => makeCase(c, record, i * 3, free.slice(i * 2, i * 2 + 2)))
}

/** Operation names as operandsFor takes them, with their funct7 (format 0) and rs2 where that is fixed. */
const ARITHMETIC = { add: 0x00, sub: 0x04, mul: 0x08, div: 0x0c, sqrt: 0x2c } as const
const CONVERSIONS = ['w', 'wu', 'l', 'lu'] as const

/** One instruction on f[first] to f[first + 2]; results to the integer registers given, or f[first]. */
function makeCase(c: ItemContext, record: BigUint64Array, first: number, [flags, result]: number[]): Item {
  const { random } = c
  const precision = random.below(2)
  const rm = random.chance(0.5) ? 7 : random.below(5)
  const [operation, word] = random.pick([arithmeticCase, fusedCase, conversionCase, narrowingCase])(
    random,
    ...[precision, rm, first, result!],
  )
  const format = operation === 's' || precision === 1 ? DOUBLE : SINGLE
  const box = format === SINGLE ? 0xffff_ffffn << 32n : 0n
  const operands = operandsFor(operation, format, random)
  operands.forEach((operand, i) => {
    if (first + i < 32) record[32 + first + i] = operand | box
  })
  const flagsBefore = random.chance(0.8) ? random.below(2) : random.below(32)
  return words(typeI(0x73, 5, 0, flagsBefore, FFLAGS), word, typeI(0x73, 2, flags!, 0, FFLAGS))
}

type Case = readonly [operation: string, word: number]

function arithmeticCase(random: Random, precision: number, rm: number, first: number): Case {
  const operation = random.pick(Object.keys(ARITHMETIC) as (keyof typeof ARITHMETIC)[])
  const rs2 = operation === 'sqrt' ? 0 : first + 1
  return [operation, typeR(0x53, rm, ARITHMETIC[operation] | precision, first, first, rs2)]
}

function fusedCase(random: Random, precision: number, rm: number, first: number): Case {
  return ['fma', typeR4(random.pick(FUSED_OPCODES), precision, rm, first, [first, first + 1, first + 2])]
}

function conversionCase(random: Random, precision: number, rm: number, first: number, result: number): Case {
  const target = random.below(4)
  return [CONVERSIONS[target]!, typeR(0x53, rm, 0x60 | precision, result, first, target)]
}

function narrowingCase(_random: Random, _precision: number, rm: number, first: number): Case {
  return ['s', typeR(0x53, rm, 0x20, first, first, 1)]
}
