/**
 * Instruction words, made from the manual's encoding tables and independently of src/hart: a mistake there must not
 * repeat itself here. Operands are not checked; immediates are cut to their field.
 */

/** R, and with a rounding mode in funct3 the float instructions. */
export function typeR(opcode: number, funct3: number, funct7: number, rd: number, rs1: number, rs2: number) {
  return (opcode | (rd << 7) | (funct3 << 12) | (rs1 << 15) | (rs2 << 20) | (funct7 << 25)) >>> 0
}

export function typeR4(opcode: number, precision: number, rm: number, rd: number, rs: readonly number[]) {
  return typeR(opcode, rm, (rs[2]! << 2) | precision, rd, rs[0]!, rs[1]!)
}

export function typeI(opcode: number, funct3: number, rd: number, rs1: number, imm: number): number {
  return (opcode | (rd << 7) | (funct3 << 12) | (rs1 << 15) | ((imm & 0xfff) << 20)) >>> 0
}

export function typeS(opcode: number, funct3: number, rs1: number, rs2: number, imm: number): number {
  return typeR(opcode, funct3, (imm >> 5) & 0x7f, imm & 31, rs1, rs2)
}

export function typeB(funct3: number, rs1: number, rs2: number, offset: number): number {
  const low = (((offset >> 1) & 15) << 1) | ((offset >> 11) & 1)
  const high = (((offset >> 12) & 1) << 6) | ((offset >> 5) & 63)
  return typeR(0x63, funct3, high, low, rs1, rs2)
}

/** `imm` is the upper 20 bits, as a number of pages. */
export function typeU(opcode: number, rd: number, imm: number): number {
  return (opcode | (rd << 7) | (imm << 12)) >>> 0
}

export function typeJ(rd: number, offset: number): number {
  const field =
    (bits(offset, 20, 1) << 19) |
    (bits(offset, 1, 10) << 9) |
    (bits(offset, 11, 1) << 8) |
    bits(offset, 12, 8)
  return typeU(0x6f, rd, field)
}

/** `width` bits of a number from bit `from`. */
export function bits(value: number, from: number, width: number): number {
  return (value >> from) & (2 ** width - 1)
}

export const addi = (rd: number, rs1: number, imm: number) => typeI(0x13, 0, rd, rs1, imm)
export const lui = (rd: number, address: number) => typeU(0x37, rd, address >>> 12)
export const ld = (rd: number, rs1: number, imm: number) => typeI(0x03, 3, rd, rs1, imm)
export const sd = (rs2: number, rs1: number, imm: number) => typeS(0x23, 3, rs1, rs2, imm)
export const fld = (rd: number, rs1: number, imm: number) => typeI(0x07, 3, rd, rs1, imm)
export const fsd = (rs2: number, rs1: number, imm: number) => typeS(0x27, 3, rs1, rs2, imm)
export const ECALL = 0x73
export const EBREAK = 0x00100073
