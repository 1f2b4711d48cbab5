/**
 * The computational instructions of the F and D extensions. Loads, stores, moves and sign injections, which look at
 * no number, are in instructions/memory.ts.
 *
 * The commonest case of the commonest instructions is written inline: rounding to nearest, the inexact flag set
 * already, a plain result. All else goes to a helper (helpers.ts says when the host's result may be taken).
 */

import { i32, i64, ifElse, op, type Value } from '../../base/wasm/value.js'
import { encoding, encodingFused, encodingWithRs2, type InstructionDefinition } from '../definition.js'
import type { Emitter } from '../emitter.js'
import { FORMAT } from '../format.js'
import { HartField } from '../hart-state.js'
import { all, boxed, HOST_DOUBLE, HOST_SINGLE, type HostFormat, unboxed } from './bits.js'
import { promoted } from './exactness.js'
import { Flag } from './format.js'

const OP_FP = 0x53

function definitionsOf(host: HostFormat): InstructionDefinition[] {
  return [
    ...ARITHMETIC.map((row) => arithmetic(host, row)),
    ...FUSED.map((row) => fused(host, row)),
    ...['min', 'max'].map((name, funct3) => minMax(host, name as 'min' | 'max', funct3)),
    ...['le', 'lt', 'eq'].map((name, funct3) => comparison(host, name as 'le' | 'lt' | 'eq', funct3)),
    ...INTEGERS.flatMap((row, rs2) => [toInteger(host, row, rs2), fromInteger(host, row, rs2)]),
    squareRoot(host),
    classification(host),
  ]
}

const ARITHMETIC = [
  ['add', 0x00],
  ['sub', 0x04],
  ['mul', 0x08],
  ['div', 0x0c],
] as const

function arithmetic(host: HostFormat, [name, funct7]: (typeof ARITHMETIC)[number]): InstructionDefinition {
  return {
    name: `f${name}.${host.suffix}`,
    ...encoding(OP_FP, -1, funct7 | precisionOf(host)),
    format: FORMAT.float2Rounded,
    emit(e) {
      const rounding = e.roundingMode()
      const a = source(e, host, e.frs1)
      const b = source(e, host, e.frs2)
      const result = e.temp(host.type, op(host.op(name), host.number(a), host.number(b)))
      const isDone = all(op('i32_eqz', rounding), inexactIsSet(e), host.isPlain(result))
      const bits = ifElse('i64', isDone, host.bits(result), e.call(`${name}.${host.suffix}`, a, b, rounding))
      setFloat(e, host, bits)
    },
  }
}

function squareRoot(host: HostFormat): InstructionDefinition {
  return {
    name: `fsqrt.${host.suffix}`,
    ...encodingWithRs2(OP_FP, -1, 0x2c | precisionOf(host), 0),
    format: FORMAT.float1Rounded,
    emit(e) {
      const rounding = e.roundingMode()
      setFloat(e, host, e.call(`sqrt.${host.suffix}`, source(e, host, e.frs1), rounding))
    },
  }
}

/** Opcode, and whether the product and the addend change their sign first: only that tells the four apart. */
const FUSED = [
  { name: 'fmadd', opcode: 0x43, negateProduct: false, negateAddend: false },
  { name: 'fmsub', opcode: 0x47, negateProduct: false, negateAddend: true },
  { name: 'fnmsub', opcode: 0x4b, negateProduct: true, negateAddend: false },
  { name: 'fnmadd', opcode: 0x4f, negateProduct: true, negateAddend: true },
] as const

function fused(host: HostFormat, row: (typeof FUSED)[number]): InstructionDefinition {
  return {
    name: `${row.name}.${host.suffix}`,
    ...encodingFused(row.opcode, precisionOf(host)),
    format: FORMAT.float3Rounded,
    emit(e) {
      const rounding = e.roundingMode()
      const a = source(e, host, e.frs1)
      const c = source(e, host, e.frs3)
      const operands = [
        row.negateProduct ? negated(host, a) : a,
        source(e, host, e.frs2),
        row.negateAddend ? negated(host, c) : c,
      ]
      setFloat(e, host, e.call(`fma.${host.suffix}`, ...operands, rounding))
    },
  }
}

function minMax(host: HostFormat, name: 'min' | 'max', funct3: number): InstructionDefinition {
  return {
    name: `f${name}.${host.suffix}`,
    ...encoding(OP_FP, funct3, 0x14 | precisionOf(host)),
    format: FORMAT.float2,
    emit(e) {
      const [a, b] = operandPair(e, host)
      const picked = host.bits(op(host.op(name), host.number(a), host.number(b)))
      const careful = e.call(`${name}.${host.suffix}`, a, b, i32(0))
      setFloat(e, host, ifElse('i64', isOrdered(host, a, b), picked, careful))
    },
  }
}

function comparison(host: HostFormat, name: 'le' | 'lt' | 'eq', funct3: number): InstructionDefinition {
  return {
    name: `f${name}.${host.suffix}`,
    ...encoding(OP_FP, funct3, 0x50 | precisionOf(host)),
    format: FORMAT.floatCompare,
    emit(e) {
      const [a, b] = operandPair(e, host)
      const holds = op('i64_extend_i32_u', op(host.op(name), host.number(a), host.number(b)))
      const careful = e.call(`${name}.${host.suffix}`, a, b, i32(0))
      e.setRd(e.temp('i64', ifElse('i64', isOrdered(host, a, b), holds, careful)))
    },
  }
}

function classification(host: HostFormat): InstructionDefinition {
  return {
    name: `fclass.${host.suffix}`,
    ...encodingWithRs2(OP_FP, 1, 0x70 | precisionOf(host), 0),
    format: FORMAT.floatToInteger,
    emit: (e) => e.setRd(e.temp('i64', e.call(`class.${host.suffix}`, source(e, host, e.frs1), i32(0)))),
  }
}

/** Integer types in the order of the rs2 field; `extend` makes a register the 64-bit integer that is meant. */
const INTEGERS: readonly { name: 'w' | 'wu' | 'l' | 'lu'; extend: (register: Value) => Value }[] = [
  { name: 'w', extend: (register) => op('i64_extend32_s', register) },
  { name: 'wu', extend: zeroExtended },
  { name: 'l', extend: (register) => register },
  { name: 'lu', extend: (register) => register },
]

function toInteger(
  host: HostFormat,
  { name }: (typeof INTEGERS)[number],
  rs2: number,
): InstructionDefinition {
  return {
    name: `fcvt.${name}.${host.suffix}`,
    ...encodingWithRs2(OP_FP, -1, 0x60 | precisionOf(host), rs2),
    format: FORMAT.floatToIntegerRounded,
    emit(e) {
      const rounding = e.roundingMode()
      // Converted in any case: the flags are due even when the destination is x0.
      const integer = e.temp('i64', e.call(`${name}.${host.suffix}`, source(e, host, e.frs1), rounding))
      e.setRd(integer)
    },
  }
}

function fromInteger(host: HostFormat, row: (typeof INTEGERS)[number], rs2: number): InstructionDefinition {
  // A word of either kind is an ordinary long once it is extended.
  const helper = `${host.suffix}.${row.name === 'lu' ? 'lu' : 'l'}`
  return {
    name: `fcvt.${host.suffix}.${row.name}`,
    ...encodingWithRs2(OP_FP, -1, 0x68 | precisionOf(host), rs2),
    format: FORMAT.integerToFloatRounded,
    emit(e) {
      const rounding = e.roundingMode()
      const integer = row.extend(e.rs1)
      const isExact = host === HOST_DOUBLE && row.name.startsWith('w')
      const exact = host.bits(op('f64_convert_i64_s', integer))
      setFloat(e, host, isExact ? exact : e.call(helper, integer, rounding))
    },
  }
}

function narrow(e: Emitter): void {
  const rounding = e.roundingMode()
  setFloat(e, HOST_SINGLE, e.call('s.d', e.frs1, rounding))
}

function widen(e: Emitter): void {
  const rounding = e.roundingMode()
  const bits = source(e, HOST_SINGLE, e.frs1)
  const single = e.temp('f32', HOST_SINGLE.number(bits))
  const exact = HOST_DOUBLE.bits(promoted(single))
  setFloat(e, HOST_DOUBLE, ifElse('i64', op('f32_eq', single, single), exact, e.call('d.s', bits, rounding)))
}

function operandPair(e: Emitter, host: HostFormat): [a: Value, b: Value] {
  return [source(e, host, e.frs1), source(e, host, e.frs2)]
}

/** Neither is a NaN. */
function isOrdered(host: HostFormat, a: Value, b: Value): Value {
  const isNumber = (bits: Value) => op(host.op('eq'), host.number(bits), host.number(bits))
  return all(isNumber(a), isNumber(b))
}

/** The bits of a float source; what a single costs to unbox is paid once. */
function source(e: Emitter, host: HostFormat, register: Value): Value {
  return e.temp('i64', host === HOST_SINGLE ? unboxed(e.temp('i64', register)) : register)
}

function setFloat(e: Emitter, host: HostFormat, bits: Value): void {
  e.setFrd(host === HOST_SINGLE ? boxed(bits) : bits)
}

function inexactIsSet(e: Emitter): Value {
  return op('i32_and', e.loadField('i32_load', HartField.fcsr), i32(Flag.inexact))
}

function negated(host: HostFormat, bits: Value): Value {
  return op('i64_xor', bits, i64(signOf(host)))
}

function signOf(host: HostFormat): bigint {
  return 1n << (host === HOST_SINGLE ? 31n : 63n)
}

/** The format field of the encoding. */
function precisionOf(host: HostFormat): 0 | 1 {
  return host === HOST_SINGLE ? 0 : 1
}

function zeroExtended(register: Value): Value {
  return op('i64_and', register, i64(0xffff_ffffn))
}

export function floatInstructions(): readonly InstructionDefinition[] {
  return [
    ...definitionsOf(HOST_SINGLE),
    ...definitionsOf(HOST_DOUBLE),
    { name: 'fcvt.s.d', ...encodingWithRs2(OP_FP, -1, 0x20, 1), format: FORMAT.float1Rounded, emit: narrow },
    { name: 'fcvt.d.s', ...encodingWithRs2(OP_FP, -1, 0x21, 0), format: FORMAT.float1Rounded, emit: widen },
  ]
}
