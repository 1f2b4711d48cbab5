/** RV64I without its loads and stores (unprivileged manual, chapters 2 and 4). */
import type { NumericOp } from '../../base/wasm/opcodes.js'
import { i64, op, signExtendWord, type Value } from '../../base/wasm/value.js'
import { encoding, type InstructionDefinition } from '../definition.js'
import { FORMAT } from '../format.js'

const OP_IMM = 0x13
const OP_IMM_32 = 0x1b
const OP = 0x33
const OP_32 = 0x3b
const BRANCH = 0x63

type Binary = (left: Value, right: Value) => Value

/** Shifts too: WebAssembly takes the count modulo the width, as RISC-V does. */
const plain =
  (name: NumericOp): Binary =>
  (left, right) =>
    op(name, left, right)

const compare =
  (name: NumericOp): Binary =>
  (left, right) =>
    op('i64_extend_i32_u', op(name, left, right))

function register(name: string, funct3: number, funct7: number, combine: Binary): InstructionDefinition {
  return {
    name,
    ...encoding(OP, funct3, funct7),
    format: FORMAT.register,
    emit: (e) => e.setRd(combine(e.rs1, e.rs2)),
  }
}

function registerWord(name: string, funct3: number, funct7: number, combine: Binary): InstructionDefinition {
  return {
    name,
    ...encoding(OP_32, funct3, funct7),
    format: FORMAT.register,
    emit: (e) => e.setRd(signExtendWord(combine(e.rs1Low, e.rs2Low))),
  }
}

function immediate(name: string, funct3: number, combine: Binary): InstructionDefinition {
  return {
    name,
    ...encoding(OP_IMM, funct3),
    format: FORMAT.immediate,
    emit: (e) => e.setRd(combine(e.rs1, e.imm)),
  }
}

function shiftImmediate(
  name: string,
  funct3: number,
  funct6: number,
  combine: Binary,
): InstructionDefinition {
  const { match } = encoding(OP_IMM, funct3, funct6 << 1)
  return {
    name,
    match,
    mask: 0xfc00707f,
    format: FORMAT.shift64,
    emit: (e) => e.setRd(combine(e.rs1, e.imm)),
  }
}

function shiftImmediateWord(
  name: string,
  funct3: number,
  funct7: number,
  combine: Binary,
): InstructionDefinition {
  return {
    name,
    ...encoding(OP_IMM_32, funct3, funct7),
    format: FORMAT.shift32,
    emit: (e) => e.setRd(signExtendWord(combine(e.rs1Low, e.immLow))),
  }
}

function branch(name: string, funct3: number, condition: NumericOp): InstructionDefinition {
  return {
    name,
    ...encoding(BRANCH, funct3),
    format: FORMAT.branch,
    emit: (e) => e.branch(op(condition, e.rs1, e.rs2)),
  }
}

export function integerInstructions(): readonly InstructionDefinition[] {
  return [
    { name: 'lui', ...encoding(0x37), format: FORMAT.upper, emit: (e) => e.setRd(e.imm) },
    {
      name: 'auipc',
      ...encoding(0x17),
      format: FORMAT.upper,
      emit: (e) => e.setRd(op('i64_add', e.pc, e.imm)),
    },
    {
      name: 'jal',
      ...encoding(0x6f),
      format: FORMAT.jump,
      emit: (e) => {
        e.setRd(e.nextPc)
        e.jump()
      },
    },
    {
      name: 'jalr',
      ...encoding(0x67, 0),
      format: FORMAT.load,
      emit: (e) => {
        const target = e.temp('i64', op('i64_and', op('i64_add', e.rs1, e.imm), i64(-2)))
        e.setRd(e.nextPc)
        e.jumpTo(target)
      },
    },

    branch('beq', 0, 'i64_eq'),
    branch('bne', 1, 'i64_ne'),
    branch('blt', 4, 'i64_lt_s'),
    branch('bge', 5, 'i64_ge_s'),
    branch('bltu', 6, 'i64_lt_u'),
    branch('bgeu', 7, 'i64_ge_u'),

    immediate('addi', 0, plain('i64_add')),
    immediate('slti', 2, compare('i64_lt_s')),
    immediate('sltiu', 3, compare('i64_lt_u')),
    immediate('xori', 4, plain('i64_xor')),
    immediate('ori', 6, plain('i64_or')),
    immediate('andi', 7, plain('i64_and')),
    shiftImmediate('slli', 1, 0x00, plain('i64_shl')),
    shiftImmediate('srli', 5, 0x00, plain('i64_shr_u')),
    shiftImmediate('srai', 5, 0x10, plain('i64_shr_s')),

    register('add', 0, 0x00, plain('i64_add')),
    register('sub', 0, 0x20, plain('i64_sub')),
    register('sll', 1, 0x00, plain('i64_shl')),
    register('slt', 2, 0x00, compare('i64_lt_s')),
    register('sltu', 3, 0x00, compare('i64_lt_u')),
    register('xor', 4, 0x00, plain('i64_xor')),
    register('srl', 5, 0x00, plain('i64_shr_u')),
    register('sra', 5, 0x20, plain('i64_shr_s')),
    register('or', 6, 0x00, plain('i64_or')),
    register('and', 7, 0x00, plain('i64_and')),

    {
      name: 'addiw',
      ...encoding(OP_IMM_32, 0),
      format: FORMAT.immediate,
      emit: (e) => e.setRd(signExtendWord(op('i32_add', e.rs1Low, e.immLow))),
    },
    shiftImmediateWord('slliw', 1, 0x00, plain('i32_shl')),
    shiftImmediateWord('srliw', 5, 0x00, plain('i32_shr_u')),
    shiftImmediateWord('sraiw', 5, 0x20, plain('i32_shr_s')),
    registerWord('addw', 0, 0x00, plain('i32_add')),
    registerWord('subw', 0, 0x20, plain('i32_sub')),
    registerWord('sllw', 1, 0x00, plain('i32_shl')),
    registerWord('srlw', 5, 0x00, plain('i32_shr_u')),
    registerWord('sraw', 5, 0x20, plain('i32_shr_s')),

    // Harts meet at shared memory only; on a plain one there is nothing to order.
    {
      name: 'fence',
      ...encoding(0x0f, 0),
      format: FORMAT.none,
      emit: (e) => {
        if (e.shared) e.code.fence()
      },
    },
    // Instructions are fetched from memory every time, so there is nothing to throw away.
    { name: 'fence.i', ...encoding(0x0f, 1), format: FORMAT.none, emit: () => {} },
  ]
}
