import type { Emitter } from './emitter.js'
import type { Format } from './format.js'

/**
 * One instruction: its encoding and its meaning, defined here once. The interpreter, the translator, the assembler of the
 * tests and the disassembler are made from these.
 *
 *     { name: 'add', ...encoding(0x33, 0, 0), format: FORMAT.register,
 *       emit: (e) => e.setRd(op('i64_add', e.rs1, e.rs2)) }
 */
export interface InstructionDefinition {
  /** The assembler's mnemonic: "addi", "fadd.s", "amoadd.w", "c.addi4spn". */
  readonly name: string
  /** The word is this instruction when `(word & mask) === match`; both unsigned. */
  readonly match: number
  readonly mask: number
  readonly format: Format
  /** Compressed instructions only: words that match but are reserved or another instruction's. */
  readonly excludes?: readonly Encoding[]
  /** Compressed instructions only: the name of the one that means the same. */
  readonly expandsTo?: string
  readonly emit: (emitter: Emitter) => void
}

/** Bits of a word: match and mask. */
export interface Encoding {
  readonly match: number
  readonly mask: number
}

/** opcode (7 bits), funct3 (-1: any, as where it is a rounding mode), funct7 (-1: any). */
export function encoding(opcode: number, funct3 = -1, funct7 = -1): Encoding {
  let match = opcode
  let mask = 0x7f
  if (funct3 >= 0) {
    match |= funct3 << 12
    mask |= 7 << 12
  }
  if (funct7 >= 0) {
    match |= funct7 << 25
    mask |= 0x7f << 25
  }
  return { match: match >>> 0, mask: mask >>> 0 }
}

/** As `encoding`, with the rs2 field fixed too (fcvt, fsqrt, fmv, fclass, lr). */
export function encodingWithRs2(opcode: number, funct3: number, funct7: number, rs2: number): Encoding {
  const { match, mask } = encoding(opcode, funct3, funct7)
  return { match: (match | (rs2 << 20)) >>> 0, mask: (mask | (31 << 20)) >>> 0 }
}

/** Fused multiply-add: opcode and the format field in bits 25-26 (0 single, 1 double). */
export function encodingFused(opcode: number, precision: 0 | 1): Encoding {
  return { match: (opcode | (precision << 25)) >>> 0, mask: (0x7f | (3 << 25)) >>> 0 }
}

export function matches({ match, mask, excludes = [] }: InstructionDefinition, word: number): boolean {
  return isOf(word, { match, mask }) && !excludes.some((encoding) => isOf(word, encoding))
}

function isOf(word: number, { match, mask }: Encoding): boolean {
  return ((word ^ match) & mask) === 0
}
