import type { Ptr } from '../../base/numbers.js'
import type { Memory } from '../../state/memory.js'
import { HartField } from '../hart-state.js'
import * as arithmetic from './arithmetic.js'
import * as compare from './compare.js'
import { changeFormat, fromInteger, type IntegerFormat, toInteger } from './convert.js'
import { DOUBLE, type FloatContext, type FloatFormat, type Rounding, SINGLE } from './format.js'

/** Operands and result are 64 bits wide, unsigned; a single stands in the low 32 bits, not NaN-boxed. */
type Run = (a: bigint, b: bigint, c: bigint, context: FloatContext) => bigint

export interface SoftOperation {
  readonly name: string
  readonly operands: 1 | 2 | 3
  readonly run: Run
}

/**
 * Every floating-point operation that can raise a flag or meet a NaN, exact: "add.d", "w.s" (single to word),
 * "d.l" (long to double), "s.d" (double to single). A place in this list is what a helper names an operation by.
 */
export const SOFT_OPERATIONS: readonly SoftOperation[] = [
  ...operationsOf('s', SINGLE),
  ...operationsOf('d', DOUBLE),
  unary('s.d', (a, context) => changeFormat(DOUBLE, SINGLE, a, context)),
  unary('d.s', (a, context) => changeFormat(SINGLE, DOUBLE, a, context)),
]

function operationsOf(suffix: 's' | 'd', format: FloatFormat): SoftOperation[] {
  return [
    binary(`add.${suffix}`, format, arithmetic.add),
    binary(`sub.${suffix}`, format, arithmetic.subtract),
    binary(`mul.${suffix}`, format, arithmetic.multiply),
    binary(`div.${suffix}`, format, arithmetic.divide),
    binary(`min.${suffix}`, format, compare.minimum),
    binary(`max.${suffix}`, format, compare.maximum),
    binary(`le.${suffix}`, format, compare.lessOrEqual),
    binary(`lt.${suffix}`, format, compare.less),
    binary(`eq.${suffix}`, format, compare.equal),
    unary(`sqrt.${suffix}`, (a, context) => arithmetic.squareRoot(format, a, context)),
    unary(`class.${suffix}`, (a) => BigInt(compare.classify(format, a))),
    { name: `fma.${suffix}`, operands: 3, run: (a, b, c, x) => arithmetic.multiplyAdd(format, a, b, c, x) },
    unary(`w.${suffix}`, integer(format, { bits: 32, signed: true })),
    unary(`wu.${suffix}`, integer(format, { bits: 32, signed: false })),
    unary(`l.${suffix}`, integer(format, { bits: 64, signed: true })),
    unary(`lu.${suffix}`, integer(format, { bits: 64, signed: false })),
    unary(`${suffix}.l`, (a, context) => fromInteger(format, BigInt.asIntN(64, a), context)),
    unary(`${suffix}.lu`, (a, context) => fromInteger(format, a, context)),
  ]
}

function unary(name: string, run: (a: bigint, context: FloatContext) => bigint): SoftOperation {
  return { name, operands: 1, run: (a, _b, _c, context) => run(a, context) }
}

type Binary = (format: FloatFormat, a: bigint, b: bigint, context: FloatContext) => bigint | boolean

function binary(name: string, format: FloatFormat, run: Binary): SoftOperation {
  return { name, operands: 2, run: (a, b, _c, context) => BigInt(run(format, a, b, context)) }
}

/** Words, unsigned ones too, are sign-extended to the register. */
function integer(format: FloatFormat, target: IntegerFormat): (a: bigint, context: FloatContext) => bigint {
  return (a, context) => BigInt.asUintN(64, BigInt.asIntN(target.bits, toInteger(format, a, target, context)))
}

/** Byte offsets in a hart's record where a helper leaves the operands; the result replaces the first one. */
export const OPERAND_OFFSETS = [0, 8, 16].map((offset) => HartField.floatScratch + offset)

/**
 * The exact path of the emitted helpers: an import of the interpreter's module. Operands and result pass through the
 * hart's record as 32-bit halves, because an i64 across the border is slow. Flags are added to fcsr.
 */
export function softFloat(memory: Memory, hart: Ptr, operation: number, rounding: number): void {
  const context: FloatContext = { rounding: rounding as Rounding, flags: 0 }
  const [a, b, c] = OPERAND_OFFSETS.map((offset) => load(memory, hart + offset))
  const result = SOFT_OPERATIONS[operation]!.run(a!, b!, c!, context)
  const at = (hart + OPERAND_OFFSETS[0]!) >>> 2
  memory.u32[at] = Number(result & 0xffff_ffffn)
  memory.u32[at + 1] = Number(result >> 32n)
  memory.u32[(hart + HartField.fcsr) >>> 2]! |= context.flags
}

function load({ u32 }: Memory, offset: number): bigint {
  return (BigInt(u32[(offset >>> 2) + 1]!) << 32n) | BigInt(u32[offset >>> 2]!)
}
