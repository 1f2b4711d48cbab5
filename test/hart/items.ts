/**
 * Kinds of instructions that a random sequence is made of, one function each. An item is a few instructions that
 * belong together; jumps stay inside the sequence and addresses inside the scratch pages, by construction.
 */
import type { Random } from '../../src/base/random.js'
import { addi, bits, typeB, typeI, typeJ, typeR, typeR4, typeS, typeU } from './encode.js'

/** What an item may use. */
export interface ItemContext {
  readonly random: Random
  /** Registers that hold addresses in the scratch pages, and are not written. The first is one of x8 to x15. */
  readonly bases: readonly number[]
  /** Whether x2 is one of the bases, so that instructions relative to it may be used. */
  readonly stackIsBase: boolean
  /** Registers that nothing may write. */
  readonly kept: Set<number>
  /** Float registers written lately: preferred as sources, so that results meet. */
  readonly recentFloats: number[]
}

/** Bytes of an item, as halfwords; or a jump over the next `skip` items, which is written when those are known. */
export type Item =
  | { readonly halves: readonly number[] }
  | { readonly skip: number; readonly bytes: number; readonly encode: (offset: number) => readonly number[] }

export const words = (...list: number[]): Item => ({
  halves: list.flatMap((word) => [word & 0xffff, word >>> 16]),
})
const half = (value: number): Item => ({ halves: [value & 0xffff] })

export function destination(c: ItemContext): number {
  for (;;) {
    const register = c.random.below(32)
    if (!c.kept.has(register)) return register
  }
}

/** One of x8 to x15 that may be written, as a three-bit field; -1 when all are kept. */
function smallDestination(c: ItemContext): number {
  const free = [0, 1, 2, 3, 4, 5, 6, 7].filter((field) => !c.kept.has(field + 8))
  return c.random.pick(free)
}

const source = (c: ItemContext) => c.random.below(32)
const smallSource = (c: ItemContext) => c.random.below(8)
const imm12 = (c: ItemContext) =>
  c.random.chance(0.2) ? c.random.pick([0, 1, -1, 2047, -2048]) : c.random.below(4096)

/** opcode, funct3, funct7 of the register-register instructions of I and M. */
const REGISTER_OPS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((funct3) => [0x33, funct3, 0]),
  ...[0, 5].map((funct3) => [0x33, funct3, 0x20]),
  ...[0, 1, 5].map((funct3) => [0x3b, funct3, 0]),
  ...[0, 5].map((funct3) => [0x3b, funct3, 0x20]),
]
const MULTIPLY_OPS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((funct3) => [0x33, funct3, 1]),
  ...[0, 4, 5, 6, 7].map((funct3) => [0x3b, funct3, 1]),
]

export function registerOp(c: ItemContext): Item {
  const [opcode, funct3, funct7] = c.random.pick(c.random.chance(0.5) ? MULTIPLY_OPS : REGISTER_OPS)
  return words(typeR(opcode!, funct3!, funct7!, destination(c), source(c), source(c)))
}

export function immediateOp(c: ItemContext): Item {
  const { random } = c
  const [rd, rs1] = [destination(c), source(c)]
  switch (random.below(5)) {
    case 0:
      return words(typeI(0x13, random.pick([1, 5]), rd, rs1, random.below(64)))
    case 1:
      return words(typeI(0x13, 5, rd, rs1, 0x400 | random.below(64)))
    case 2:
      return words(typeI(0x1b, random.pick([1, 5]), rd, rs1, random.below(32)))
    case 3:
      return words(
        random.chance(0.5)
          ? typeI(0x1b, 0, rd, rs1, imm12(c))
          : typeI(0x1b, 5, rd, rs1, 0x400 | random.below(32)),
      )
    default:
      return words(typeI(0x13, random.pick([0, 2, 3, 4, 6, 7]), rd, rs1, imm12(c)))
  }
}

/** Of few registers: pairs of shifts that are rotations and extensions, or nearly, and operations on bits of what they leave. */
export function bitsOp(c: ItemContext): Item {
  const { random } = c
  const registers = [destination(c), destination(c), destination(c)]
  const pick = () => random.pick(registers)
  const shift = (opcode: number, kind: number, rd: number, rs1: number, count: number) =>
    typeI(opcode, kind === 0 ? 1 : 5, rd, rs1, (kind === 2 ? 0x400 : 0) | count)
  const bits = () =>
    random.chance(0.5)
      ? typeR(0x33, random.pick([4, 6, 7]), 0, pick(), pick(), pick())
      : typeI(0x13, random.pick([4, 6, 7]), pick(), pick(), imm12(c))
  const word = () =>
    random.chance(0.5)
      ? typeR(0x3b, 0, random.pick([0, 0x20]), pick(), pick(), pick())
      : typeI(0x1b, 0, pick(), pick(), random.pick([0, imm12(c)]))
  const pair = () => {
    const isWord = random.chance(0.5)
    const [opcode, width] = isWord ? [0x1b, 32] : [0x13, 64]
    const up = random.chance(0.3) ? random.pick([16, 24, width - 16, width - 8]) : random.below(width)
    const from = pick()
    if (random.chance(0.5)) {
      const [high, low] = [pick(), pick()]
      const down = (random.chance(0.9) ? width - up : random.below(width)) % width
      const pieces = [shift(opcode, 0, high, from, up), shift(opcode, 1, low, from, down)]
      if (random.chance(0.5)) pieces.reverse()
      if (random.chance(0.3)) pieces.push(random.chance(0.5) ? bits() : word())
      return [...pieces, typeR(0x33, random.chance(0.9) ? 6 : 4, 0, pick(), high, low)]
    }
    const amount = random.chance(0.4) ? (isWord ? 0 : 32) : up
    const [kind, middle] = [random.between(1, 2), pick()]
    const down = random.chance(0.7) ? amount : random.below(width)
    const between = random.chance(0.3) ? [random.chance(0.5) ? bits() : word()] : []
    return [shift(opcode, 0, middle, from, amount), ...between, shift(opcode, kind, pick(), middle, down)]
  }
  return words(
    ...Array.from({ length: random.between(2, 5) }, () => random.pick([pair, pair, bits, word])()).flat(),
  )
}

export function upperOp(c: ItemContext): Item {
  return words(typeU(c.random.pick([0x37, 0x17]), destination(c), c.random.below(2 ** 20)))
}

/** Compressed integer instructions without memory and jumps. */
export function compressedOp(c: ItemContext): Item {
  const { random } = c
  const rd = destination(c)
  const imm6 = (random.below(2) << 12) | (random.below(32) << 2)
  const small = smallDestination(c) << 7
  switch (random.below(9)) {
    case 0: // c.addi, c.nop and hints
      return half(0x0001 | (rd << 7) | imm6)
    case 1: // c.addiw; x0 is reserved
      return half(0x2001 | ((rd || writable(c)) << 7) | imm6)
    case 2: // c.li
      return half(0x4001 | (rd << 7) | imm6)
    case 3: // c.lui: not x2, not zero
      return half(0x6001 | ((rd === 2 ? writable(c) : rd) << 7) | (imm6 || 0x7c))
    case 4: // c.srli, c.srai, c.andi
      return half(0x8001 | (random.below(3) << 10) | small | imm6)
    case 5: // c.sub, c.xor, c.or, c.and
      return half(0x8c01 | small | (random.below(4) << 5) | (smallSource(c) << 2))
    case 6: // c.subw, c.addw
      return half(0x9c01 | small | (random.below(2) << 5) | (smallSource(c) << 2))
    case 7: // c.slli
      return half(0x0002 | (rd << 7) | imm6)
    default: // c.mv, c.add; rs2 = x0 is another instruction
      return half(0x8002 | (random.below(2) << 12) | (rd << 7) | (random.between(1, 31) << 2))
  }
}

/** c.addi4spn, and c.addi16sp where x2 may be written. */
export function compressedStackOp(c: ItemContext): Item {
  const field = c.random.between(1, 255)
  if (c.kept.has(2) || c.random.chance(0.5)) return half((field << 5) | (smallDestination(c) << 2))
  return half(0x6101 | (c.random.below(2) << 12) | (c.random.between(1, 31) << 2))
}

/** A register that may be written, not x0 and not x2. */
export function writable(c: ItemContext): number {
  for (;;) {
    const register = destination(c)
    if (register !== 0 && register !== 2) return register
  }
}

/** Loads and stores of integers and floats. */
export function memoryOp(c: ItemContext): Item {
  const { random } = c
  const base = random.pick(c.bases)
  const imm = random.chance(0.5) ? random.between(-32, 32) : random.below(4096)
  switch (random.below(5)) {
    case 0:
    case 1:
      return words(typeI(0x03, random.below(7), destination(c), base, imm))
    case 2:
      return words(typeI(0x07, random.pick([2, 3]), floatDestination(c), base, imm))
    case 3:
      return words(typeS(0x27, random.pick([2, 3]), base, floatSource(c), imm))
    default:
      return words(typeS(0x23, random.below(4), base, source(c), imm))
  }
}

export function compressedMemoryOp(c: ItemContext): Item {
  const { random } = c
  if (c.stackIsBase && random.chance(0.4)) return compressedStackMemoryOp(c)
  // c.fld c.lw c.ld . c.fsd c.sw c.sd, by funct3; base and data registers are x8 to x15.
  const funct3 = random.pick([1, 2, 3, 5, 6, 7])
  const isIntegerLoad = funct3 === 2 || funct3 === 3
  const data = isIntegerLoad ? smallDestination(c) : random.below(8)
  return half(
    (funct3 << 13) |
      (random.below(8) << 10) |
      ((c.bases[0]! - 8) << 7) |
      (random.below(4) << 5) |
      (data << 2),
  )
}

function compressedStackMemoryOp(c: ItemContext): Item {
  const { random } = c
  const funct3 = random.pick([1, 2, 3, 5, 6, 7])
  if (funct3 >= 5) return half(2 | (funct3 << 13) | (random.below(64) << 7) | (random.below(32) << 2))
  const rd = funct3 === 1 ? floatDestination(c) : writable(c)
  return half(2 | (funct3 << 13) | (random.below(2) << 12) | (rd << 7) | (random.below(32) << 2))
}

const AMO_FUNCT5 = [0x00, 0x01, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c]

/** Takes an aligned address into a register, then an AMO, or LR … SC on it. */
export function atomicOp(c: ItemContext): Item {
  const { random } = c
  const address = writable(c)
  const width = random.pick([2, 3])
  const aligned = [
    addi(address, random.pick(c.bases), random.between(-64, 64)),
    typeI(0x13, 7, address, address, -8),
  ]
  const order = random.below(4)
  const amo = (funct5: number, rd: number, rs2: number) =>
    typeR(0x2f, width, (funct5 << 2) | order, rd, address, rs2)
  if (random.chance(0.6)) return words(...aligned, amo(random.pick(AMO_FUNCT5), destination(c), source(c)))
  c.kept.add(address)
  const loadReserved = amo(2, destination(c), 0)
  const between = betweenReservation(c, address, width)
  const storeConditional = amo(3, destination(c), source(c))
  c.kept.delete(address)
  return words(...aligned, loadReserved, ...between, storeConditional)
}

/** What may happen between LR and SC: nothing, a store to the place, another SC, a narrower or wider store. */
function betweenReservation(c: ItemContext, address: number, width: number): number[] {
  switch (c.random.below(5)) {
    case 0:
      return [typeS(0x23, width, address, source(c), 0)]
    case 1:
      return [typeR(0x2f, width, 3 << 2, destination(c), address, source(c))]
    case 2:
      return [typeS(0x23, c.random.below(4), address, source(c), c.random.below(8))]
    default:
      return []
  }
}

export function csrOp(c: ItemContext): Item {
  const { random } = c
  const csr = random.pick([1, 2, 3])
  // Mostly values that leave a valid rounding mode.
  const funct3 = random.pick(random.chance(0.25) ? [1, 2, 3] : [5, 6, 7])
  const operand = funct3 >= 5 ? random.below(csr === 2 ? 5 : 32) : source(c)
  return words(typeI(0x73, funct3, destination(c), operand, csr))
}

export function fenceOp(c: ItemContext): Item {
  return words(c.random.chance(0.2) ? 0x0000100f : typeI(0x0f, 0, 0, 0, c.random.below(256)))
}

function floatSource(c: ItemContext): number {
  return c.recentFloats.length > 0 && c.random.chance(0.4)
    ? c.random.pick(c.recentFloats)
    : c.random.below(32)
}

function floatDestination(c: ItemContext): number {
  const register = c.random.below(32)
  c.recentFloats.push(register)
  if (c.recentFloats.length > 4) c.recentFloats.shift()
  return register
}

/** Static and dynamic modes; the reserved ones end a sequence and come seldom. */
function roundingField(c: ItemContext): number {
  if (c.random.chance(0.005)) return c.random.pick([5, 6])
  return c.random.chance(0.6) ? 7 : c.random.below(5)
}

export const FUSED_OPCODES = [0x43, 0x47, 0x4b, 0x4f]

export function floatOp(c: ItemContext): Item {
  const precision = c.random.below(2)
  switch (c.random.below(8)) {
    case 0:
    case 1:
      return words(floatBinary(c, precision))
    case 2:
      return words(floatFused(c, precision))
    case 3:
      return words(floatUnary(c, precision))
    case 4:
      return words(floatToInteger(c, precision))
    case 5:
      return words(floatFromInteger(c, precision))
    case 6:
      return words(floatPair(c, precision))
    default:
      return cancellation(c, precision)
  }
}

function floatBinary(c: ItemContext, precision: number): number {
  const funct7 = c.random.pick([0x00, 0x04, 0x08, 0x0c]) | precision
  const [rs1, rs2] = [floatSource(c), floatSource(c)]
  return typeR(0x53, roundingField(c), funct7, floatDestination(c), rs1, rs2)
}

function floatFused(c: ItemContext, precision: number): number {
  const sources = [floatSource(c), floatSource(c), floatSource(c)]
  return typeR4(c.random.pick(FUSED_OPCODES), precision, roundingField(c), floatDestination(c), sources)
}

/** fsqrt, and fcvt between the formats. */
function floatUnary(c: ItemContext, precision: number): number {
  const rs1 = floatSource(c)
  const [funct7, rs2] = c.random.chance(0.5) ? [0x2c, 0] : [0x20, 1 - precision]
  return typeR(0x53, roundingField(c), funct7! | precision, floatDestination(c), rs1, rs2!)
}

/** fcvt to an integer, comparisons, fclass, fmv.x. */
function floatToInteger(c: ItemContext, precision: number): number {
  const [rd, rs1] = [destination(c), floatSource(c)]
  switch (c.random.below(4)) {
    case 0:
      return typeR(0x53, c.random.below(3), 0x50 | precision, rd, rs1, floatSource(c))
    case 1:
      return typeR(0x53, c.random.below(2), 0x70 | precision, rd, rs1, 0)
    default:
      return typeR(0x53, roundingField(c), 0x60 | precision, rd, rs1, c.random.below(4))
  }
}

/** fcvt from an integer, fmv to a float register. */
function floatFromInteger(c: ItemContext, precision: number): number {
  const rs1 = source(c)
  if (c.random.chance(0.25)) return typeR(0x53, 0, 0x78 | precision, floatDestination(c), rs1, 0)
  return typeR(0x53, roundingField(c), 0x68 | precision, floatDestination(c), rs1, c.random.below(4))
}

/** fsgnj, fmin, fmax. */
function floatPair(c: ItemContext, precision: number): number {
  const [rs1, rs2] = [floatSource(c), floatSource(c)]
  const [funct7, count] = c.random.pick([
    [0x10, 3],
    [0x14, 2],
  ])
  return typeR(0x53, c.random.below(count!), funct7! | precision, floatDestination(c), rs1, rs2)
}

/** x = a × b rounded, then a × b - x: what a fused multiply-add is for, and hard to get right. */
function cancellation(c: ItemContext, precision: number): Item {
  const [a, b, x] = [floatSource(c), floatSource(c), c.random.below(32)]
  const multiply = typeR(0x53, roundingField(c), 0x08 | precision, x, a, b)
  const subtract = typeR4(c.random.pick(FUSED_OPCODES), precision, roundingField(c), floatDestination(c), [
    a,
    b,
    x,
  ])
  return words(multiply, subtract)
}

/** A conditional branch or a jump over the next items, 32 bits or compressed. */
export function jumpOp(c: ItemContext): Item {
  const { random } = c
  const skip = random.below(5)
  const link = destination(c)
  const [rs1, rs2] = [source(c), random.chance(0.2) ? 0 : source(c)]
  const small = smallSource(c) << 7
  switch (random.below(7)) {
    case 0:
      return { skip, bytes: 4, encode: (offset) => [typeJ(link, offset)] }
    case 1:
      return { skip, bytes: 2, encode: (offset) => [0xa001 | compressedJump(offset)] }
    case 2: {
      const opcode = random.pick([0xc001, 0xe001])
      return { skip, bytes: 2, encode: (offset) => [opcode | small | compressedBranch(offset)] }
    }
    case 3:
      return indirectJump(c, skip)
    default: {
      const funct3 = random.pick([0, 1, 4, 5, 6, 7])
      return { skip, bytes: 4, encode: (offset) => [typeB(funct3, rs1, rs2, offset)] }
    }
  }
}

/** auipc, then jalr; or addi and c.jr or c.jalr. Odd targets lose their lowest bit. */
function indirectJump(c: ItemContext, skip: number): Item {
  const target = writable(c)
  const auipc = typeU(0x17, target, 0)
  const odd = c.random.below(2)
  if (c.random.chance(0.5)) {
    const link = destination(c)
    return { skip, bytes: 8, encode: (offset) => [auipc, typeI(0x67, 0, link, target, offset + odd)] }
  }
  const jump = c.kept.has(1) || c.random.chance(0.5) ? 0x8002 : 0x9002
  return {
    skip,
    bytes: 10,
    encode: (offset) => [auipc, addi(target, target, offset + odd), jump | (target << 7)],
  }
}

function compressedJump(offset: number): number {
  const order = [11, 4, 9, 8, 10, 6, 7, 3, 2, 1, 5]
  return order.reduce((field, bit, i) => field | (bits(offset, bit, 1) << (12 - i)), 0)
}

function compressedBranch(offset: number): number {
  const high = (bits(offset, 8, 1) << 12) | (bits(offset, 3, 2) << 10)
  return high | (bits(offset, 6, 2) << 5) | (bits(offset, 1, 2) << 3) | (bits(offset, 5, 1) << 2)
}

/** A counted loop around one straight item: a branch backwards. */
export function loopOp(c: ItemContext): Item {
  const counter = writable(c)
  c.kept.add(counter)
  const body = c.random.pick([registerOp, immediateOp, compressedOp, memoryOp, floatOp])(c)
  c.kept.delete(counter)
  if (!('halves' in body)) return body
  const start = words(addi(counter, 0, c.random.between(1, 4)))
  const back = words(addi(counter, counter, -1), typeB(1, counter, 0, -(body.halves.length * 2 + 4)))
  return { halves: [start, body, back].flatMap((item) => ('halves' in item ? item.halves : [])) }
}
