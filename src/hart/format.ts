/**
 * Where the operands of an instruction stand in its word. A format is data, so that a decoder, an assembler and
 * the interpreter's own decoding are all made from it.
 */

/** `width` bits of the word from bit `from` are bits `to` and up of the value. */
export type Slice = readonly [from: number, width: number, to: number]

export interface Immediate {
  readonly slices: readonly Slice[]
  /** Whether the highest bit of the value is its sign. */
  readonly signed: boolean
}

/** A register field: five bits at `from`; or three, naming x8 … x15; or a fixed register. */
export type RegisterField =
  | { readonly from: number; readonly bits: 5 | 3 }
  | { readonly fixed: number; readonly from?: undefined }

export interface Format {
  readonly rd?: RegisterField
  readonly rs1?: RegisterField
  readonly rs2?: RegisterField
  readonly rs3?: RegisterField
  readonly imm?: Immediate
  /**
   * Operands as the assembler writes them: rd rs1 rs2 rs3 frd frs1 frs2 frs3 imm target uimm rm; "imm(rs1)".
   * A fixed register is not written.
   */
  readonly syntax: string
}

const RD = { from: 7, bits: 5 } as const
const RS1 = { from: 15, bits: 5 } as const
const RS2 = { from: 20, bits: 5 } as const
const RS3 = { from: 27, bits: 5 } as const

export const IMM_I: Immediate = { slices: [[20, 12, 0]], signed: true }
export const IMM_S: Immediate = { slices: [[7, 5, 0], [25, 7, 5]], signed: true } // biome-ignore format: a row
export const IMM_B: Immediate = { slices: [[8, 4, 1], [25, 6, 5], [7, 1, 11], [31, 1, 12]], signed: true } // biome-ignore format: a row
export const IMM_U: Immediate = { slices: [[12, 20, 12]], signed: true }
export const IMM_J: Immediate = { slices: [[21, 10, 1], [20, 1, 11], [12, 8, 12], [31, 1, 20]], signed: true } // biome-ignore format: a row
const SHIFT_64: Immediate = { slices: [[20, 6, 0]], signed: false }
const SHIFT_32: Immediate = { slices: [[20, 5, 0]], signed: false }
const CSR: Immediate = { slices: [[20, 12, 0]], signed: false }

/** The formats of 32-bit instructions (unprivileged manual 2.2 and 2.3), by what the assembler writes. */
export const FORMAT = {
  register: { rd: RD, rs1: RS1, rs2: RS2, syntax: 'rd, rs1, rs2' },
  immediate: { rd: RD, rs1: RS1, imm: IMM_I, syntax: 'rd, rs1, imm' },
  shift64: { rd: RD, rs1: RS1, imm: SHIFT_64, syntax: 'rd, rs1, imm' },
  shift32: { rd: RD, rs1: RS1, imm: SHIFT_32, syntax: 'rd, rs1, imm' },
  load: { rd: RD, rs1: RS1, imm: IMM_I, syntax: 'rd, imm(rs1)' },
  store: { rs1: RS1, rs2: RS2, imm: IMM_S, syntax: 'rs2, imm(rs1)' },
  branch: { rs1: RS1, rs2: RS2, imm: IMM_B, syntax: 'rs1, rs2, target' },
  upper: { rd: RD, imm: IMM_U, syntax: 'rd, upper' },
  jump: { rd: RD, imm: IMM_J, syntax: 'rd, target' },
  none: { syntax: '' },
  atomic: { rd: RD, rs1: RS1, rs2: RS2, syntax: 'rd, rs2, (rs1)' },
  loadReserved: { rd: RD, rs1: RS1, syntax: 'rd, (rs1)' },
  csr: { rd: RD, rs1: RS1, imm: CSR, syntax: 'rd, csr, rs1' },
  csrImmediate: { rd: RD, rs1: RS1, imm: CSR, syntax: 'rd, csr, uimm' },
  floatLoad: { rd: RD, rs1: RS1, imm: IMM_I, syntax: 'frd, imm(rs1)' },
  floatStore: { rs1: RS1, rs2: RS2, imm: IMM_S, syntax: 'frs2, imm(rs1)' },
  /** fsgnj, fmin, fmax. */
  float2: { rd: RD, rs1: RS1, rs2: RS2, syntax: 'frd, frs1, frs2' },
  /** fadd and the like, with a rounding mode. */
  float2Rounded: { rd: RD, rs1: RS1, rs2: RS2, syntax: 'frd, frs1, frs2, rm' },
  /** fsqrt, fcvt between float formats. */
  float1Rounded: { rd: RD, rs1: RS1, syntax: 'frd, frs1, rm' },
  /** fmadd and the like. */
  float3Rounded: { rd: RD, rs1: RS1, rs2: RS2, rs3: RS3, syntax: 'frd, frs1, frs2, frs3, rm' },
  /** feq, flt, fle. */
  floatCompare: { rd: RD, rs1: RS1, rs2: RS2, syntax: 'rd, frs1, frs2' },
  /** fclass, fmv.x. */
  floatToInteger: { rd: RD, rs1: RS1, syntax: 'rd, frs1' },
  floatToIntegerRounded: { rd: RD, rs1: RS1, syntax: 'rd, frs1, rm' },
  /** fmv.w.x, fmv.d.x. */
  integerToFloat: { rd: RD, rs1: RS1, syntax: 'frd, rs1' },
  integerToFloatRounded: { rd: RD, rs1: RS1, syntax: 'frd, rs1, rm' },
} as const satisfies Record<string, Format>

/** The value of an immediate in a word. */
export function immediateOf(word: number, { slices, signed }: Immediate): number {
  let value = 0
  let top = 0
  for (const [from, width, to] of slices) {
    value |= ((word >>> from) & ((1 << width) - 1)) << to
    top = Math.max(top, to + width)
  }
  return signed ? (value << (32 - top)) >> (32 - top) : value
}

/** The register that a field names. */
export function registerOf(word: number, field: RegisterField): number {
  if (field.from === undefined) return field.fixed
  return field.bits === 5 ? (word >>> field.from) & 31 : 8 + ((word >>> field.from) & 7)
}
