/** Loads and stores of RV64I, F and D; the moves and sign injections of F and D, which look at no number. */
import type { MemoryOp } from '../../base/wasm/opcodes.js'
import { i64, op, signExtendWord, type Value } from '../../base/wasm/value.js'
import { encoding, encodingWithRs2, type InstructionDefinition } from '../definition.js'
import type { Emitter } from '../emitter.js'
import { FORMAT } from '../format.js'

const OP_FP = 0x53
/** The upper half of a single in a 64-bit float register (unprivileged manual, "NaN Boxing"). */
const BOX = i64(0xffff_ffff_0000_0000n)
const SINGLE_SIGN = i64(0x8000_0000)
const DOUBLE_SIGN = i64(0x8000_0000_0000_0000n)

const address = (e: Emitter): Value => op('i64_add', e.rs1, e.imm)

function load(name: string, funct3: number, operation: MemoryOp): InstructionDefinition {
  return {
    name,
    ...encoding(0x03, funct3),
    format: FORMAT.load,
    emit: (e) => e.setRd(e.load(operation, address(e))),
  }
}

function store(name: string, funct3: number, operation: MemoryOp): InstructionDefinition {
  return {
    name,
    ...encoding(0x23, funct3),
    format: FORMAT.store,
    emit: (e) => e.store(operation, address(e), e.rs2),
  }
}

/** A single's bits, zero-extended; the canonical NaN when the register holds no boxed single. */
function unboxed(register: Value): Value {
  const isBoxed = op('i64_ge_u', register, BOX)
  return op('i64_and', op('select', register, i64(0x7fc0_0000), isBoxed), i64(0xffff_ffff))
}

type Signs = (sign: Value, other: Value) => Value

/** The sign of the result: that of the second, its opposite, or both combined. */
const SIGNS: readonly (readonly [suffix: string, sign: Signs])[] = [
  ['', (_, other) => other],
  ['n', (_, other) => op('i64_xor', other, i64(-1))],
  ['x', (own, other) => op('i64_xor', own, other)],
]

function signInject(suffix: string, funct3: number, sign: Signs): InstructionDefinition[] {
  const inject = (own: Value, other: Value, signBit: Value) =>
    op(
      'i64_or',
      op('i64_and', own, op('i64_xor', signBit, i64(-1))),
      op('i64_and', sign(own, other), signBit),
    )
  return [
    {
      name: `fsgnj${suffix}.s`,
      ...encoding(OP_FP, funct3, 0x10),
      format: FORMAT.float2,
      emit: (e) => {
        const own = e.temp('i64', unboxed(e.frs1))
        const other = e.temp('i64', unboxed(e.frs2))
        e.setFrd(op('i64_or', inject(own, other, SINGLE_SIGN), BOX))
      },
    },
    {
      name: `fsgnj${suffix}.d`,
      ...encoding(OP_FP, funct3, 0x11),
      format: FORMAT.float2,
      emit: (e) => e.setFrd(inject(e.frs1, e.frs2, DOUBLE_SIGN)),
    },
  ]
}

export function memoryInstructions(): readonly InstructionDefinition[] {
  return [
    load('lb', 0, 'i64_load8_s'),
    load('lh', 1, 'i64_load16_s'),
    load('lw', 2, 'i64_load32_s'),
    load('ld', 3, 'i64_load'),
    load('lbu', 4, 'i64_load8_u'),
    load('lhu', 5, 'i64_load16_u'),
    load('lwu', 6, 'i64_load32_u'),
    store('sb', 0, 'i64_store8'),
    store('sh', 1, 'i64_store16'),
    store('sw', 2, 'i64_store32'),
    store('sd', 3, 'i64_store'),
  ]
}

export function floatMoveInstructions(): readonly InstructionDefinition[] {
  return [
    {
      name: 'flw',
      ...encoding(0x07, 2),
      format: FORMAT.floatLoad,
      emit: (e) => e.setFrd(op('i64_or', e.load('i64_load32_u', address(e)), BOX)),
    },
    {
      name: 'fld',
      ...encoding(0x07, 3),
      format: FORMAT.floatLoad,
      emit: (e) => e.setFrd(e.load('i64_load', address(e))),
    },
    {
      name: 'fsw',
      ...encoding(0x27, 2),
      format: FORMAT.floatStore,
      emit: (e) => e.store('i64_store32', address(e), e.frs2),
    },
    {
      name: 'fsd',
      ...encoding(0x27, 3),
      format: FORMAT.floatStore,
      emit: (e) => e.store('i64_store', address(e), e.frs2),
    },
    ...SIGNS.flatMap(([suffix, sign], funct3) => signInject(suffix, funct3, sign)),
    {
      name: 'fmv.x.w',
      ...encodingWithRs2(OP_FP, 0, 0x70, 0),
      format: FORMAT.floatToInteger,
      emit: (e) => e.setRd(signExtendWord(op('i32_wrap_i64', e.frs1))),
    },
    {
      name: 'fmv.w.x',
      ...encodingWithRs2(OP_FP, 0, 0x78, 0),
      format: FORMAT.integerToFloat,
      emit: (e) => e.setFrd(op('i64_or', op('i64_extend_i32_u', e.rs1Low), BOX)),
    },
    {
      name: 'fmv.x.d',
      ...encodingWithRs2(OP_FP, 0, 0x71, 0),
      format: FORMAT.floatToInteger,
      emit: (e) => e.setRd(e.frs1),
    },
    {
      name: 'fmv.d.x',
      ...encodingWithRs2(OP_FP, 0, 0x79, 0),
      format: FORMAT.integerToFloat,
      emit: (e) => e.setFrd(e.rs1),
    },
  ]
}
