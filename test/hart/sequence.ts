/** Random sequences of instructions with random registers to start from. */
import { Random } from '../../src/base/random.js'
import { DOUBLE, SINGLE } from '../../src/hart/float/format.js'
import { randomBits64, sampleOperands } from '../../src/hart/float/testing/float-samples.js'
import { addi, EBREAK, ld, lui, typeI, typeJ, typeR, typeS } from './encode.js'
import { makeFloatCases } from './float-cases.js'
import { RECORD_FCSR, RECORD_REGISTERS, RECORD_WORDS, RUNNER, SCRATCH, SCRATCH_BYTES } from './image.js'
import type { Item, ItemContext } from './items.js'
import * as items from './items.js'

type MakeItem = (c: ItemContext) => Item

/** Each sequence draws its items from one of these mixtures. */
const PROFILES: readonly (readonly MakeItem[])[] = [
  [
    items.registerOp,
    items.immediateOp,
    items.bitsOp,
    items.upperOp,
    items.compressedOp,
    items.compressedStackOp,
    items.jumpOp,
    items.loopOp,
  ],
  [items.floatOp, items.floatOp, items.floatOp, items.floatOp, items.csrOp],
  [
    items.memoryOp,
    items.memoryOp,
    items.compressedMemoryOp,
    items.compressedMemoryOp,
    items.atomicOp,
    items.immediateOp,
  ],
  [
    ...[items.registerOp, items.immediateOp, items.upperOp, items.compressedOp, items.compressedStackOp],
    ...[items.floatOp, items.floatOp, items.csrOp, items.fenceOp],
    ...[items.memoryOp, items.compressedMemoryOp, items.atomicOp, items.jumpOp, items.loopOp],
  ],
]

export interface Sequence {
  /** The instructions, as halfwords; placed at `address`. */
  readonly code: readonly number[]
  readonly record: BigUint64Array
}

/** A sequence at `address` that goes on to `epilogues[its record register]`. The seed alone decides what it is. */
export function makeSequence(
  seed: number,
  address: number,
  epilogues: ReadonlyMap<number, number>,
): Sequence {
  const random = new Random(seed)
  const recordRegister = random.pick(RECORD_REGISTERS)
  const bases = [
    ...new Set([
      random.between(8, 15),
      random.chance(0.6) ? 2 : 1 + random.between(4, 30),
      random.between(5, 31),
    ]),
  ]
  const context: ItemContext = {
    ...{ random, bases, stackIsBase: bases.includes(2), recentFloats: [] },
    kept: new Set([recordRegister, ...bases]),
  }
  const record = makeRecord(random, bases)
  const body = random.chance(0.25) ? makeFloatCases(context, record) : makeBody(context)
  record[0] = BigInt(address + RECORD_REGISTERS.indexOf(recordRegister))
  // The runner jumped here through x1: its initial value is loaded by the sequence.
  const code = layOut([items.words(ld(1, recordRegister, 8)), ...body])
  const end = address + code.length * 2
  code.push(...halvesOf([typeJ(0, epilogues.get(recordRegister)! - end)], 4))
  return { code, record }
}

function makeBody(context: ItemContext): Item[] {
  const { random } = context
  const profile = random.pick(PROFILES)
  const body = Array.from({ length: random.between(4, 28) }, () => random.pick(profile)(context))
  if (random.chance(0.15)) body.push(random.pick(LAST_ITEMS)(context))
  return body
}

/** What may end a sequence with a signal. */
const LAST_ITEMS: readonly MakeItem[] = [
  ...[
    randomWord,
    randomWord,
    randomHalf,
    reservedEncoding,
    reservedEncoding,
    faultingAccess,
    faultingAtomic,
    wildJump,
    deniedCsr,
    breakpoint,
  ],
]

/** Resolves the jumps: over `skip` items, or to the end of the body. */
function layOut(body: readonly Item[]): number[] {
  const sizes = body.map((item) => ('halves' in item ? item.halves.length * 2 : item.bytes))
  const code: number[] = []
  body.forEach((item, i) => {
    if ('halves' in item) {
      code.push(...item.halves)
      return
    }
    const offset = sizes.slice(i, i + 1 + item.skip).reduce((sum, size) => sum + size, 0)
    code.push(...halvesOf(item.encode(offset), item.bytes))
  })
  return code
}

/** 32-bit words as two halves; a last one that has only 16 bits left is compressed. */
function halvesOf(list: readonly number[], bytes: number): number[] {
  const halves = list.flatMap((word) => [word & 0xffff, word >>> 16])
  return halves.slice(0, bytes / 2)
}

/** Opcodes whose every encoding may be tried: nothing that reaches memory, jumps, or leaves the hart. */
const TRIED_OPCODES = [0x13, 0x1b, 0x33, 0x3b, 0x53, 0x53, 0x43, 0x47, 0x4b, 0x4f, 0x37, 0x17]
/** Major opcodes that RV64GC does not use. */
const UNUSED_OPCODES = [0x0b, 0x2b, 0x57, 0x5b, 0x6b, 0x77, 0x7b, 0x1f, 0x3f, 0x5f, 0x7f]

function randomWord(c: ItemContext): Item {
  const list = c.random.chance(0.85) ? TRIED_OPCODES : UNUSED_OPCODES
  for (;;) {
    const word = ((c.random.uint32() & ~0x7f) | c.random.pick(list)) >>> 0
    if (!c.kept.has((word >>> 7) & 31)) return items.words(word)
  }
}

/** Reserved encodings of the opcodes that randomWord leaves out: opcode and the values of funct3 that are not used. */
const RESERVED_FUNCT3 = [
  { opcode: 0x03, funct3: [7] },
  { opcode: 0x07, funct3: [0, 1, 4, 5, 6, 7] },
  { opcode: 0x23, funct3: [4, 5, 6, 7] },
  { opcode: 0x27, funct3: [0, 1, 4, 5, 6, 7] },
  { opcode: 0x2f, funct3: [0, 1, 4, 5, 6, 7] },
  { opcode: 0x63, funct3: [2, 3] },
  { opcode: 0x67, funct3: [1, 2, 3, 4, 5, 6, 7] },
  { opcode: 0x0f, funct3: [2, 3, 4, 5, 6, 7] },
  { opcode: 0x73, funct3: [4] },
]
/** sret, mret, sfence.vma, uret, dret; and c.lwsp, c.ldsp to x0, c.jr of x0. */
const PRIVILEGED = [0x10200073, 0x30200073, 0x12000073, 0x00200073, 0x7b200073]
const RESERVED_HALVES = [0x4002, 0x6002, 0x8002, 0x4012, 0x7002]

function reservedEncoding(c: ItemContext): Item {
  const { random } = c
  if (random.chance(0.15)) return { halves: [random.pick(RESERVED_HALVES)] }
  if (random.chance(0.15)) return items.words(random.pick(PRIVILEGED))
  if (random.chance(0.2)) return items.words(reservedAtomic(random))
  const { opcode, funct3 } = random.pick(RESERVED_FUNCT3)
  const rest = random.uint32() & ~0x707f
  return items.words((rest | (random.pick(funct3) << 12) | opcode) >>> 0)
}

/** A funct5 that A does not have, or LR with a source. */
function reservedAtomic(random: Random): number {
  const funct5 = random.pick([0x05, 0x06, 0x07, 0x09, 0x0b, 0x11, 0x15, 0x19, 0x1d, 0x1f, 0x02])
  const rs2 = funct5 === 2 ? random.between(1, 31) : random.below(32)
  return typeR(
    0x2f,
    random.pick([2, 3]),
    (funct5 << 2) | random.below(4),
    random.below(32),
    random.below(32),
    rs2,
  )
}

/** Compressed encodings, reserved ones too. Memory accesses, jumps and c.ebreak are left out. */
function randomHalf(c: ItemContext): Item {
  for (;;) {
    const half = c.random.below(65536)
    const quadrant = half & 3
    const funct3 = half >>> 13
    if (quadrant === 3) continue
    if (quadrant === 0 && funct3 !== 0 && funct3 !== 4) continue
    if (quadrant === 1 && funct3 >= 5) continue
    if (quadrant === 2 && funct3 !== 0 && !(funct3 === 4 && (half & 0x7c) !== 0)) continue
    const written = [(half >>> 7) & 31, ((half >>> 7) & 7) + 8, ((half >>> 2) & 7) + 8]
    if (!written.some((register) => c.kept.has(register))) return { halves: [half] }
  }
}

/** A load or store around an end of the scratch pages, integer or float: it may cross into nothing. */
function faultingAccess(c: ItemContext): Item {
  const { random } = c
  const register = items.writable(c)
  const offset = random.between(-12, 8)
  const access = random.pick([
    typeI(0x03, random.below(7), items.destination(c), register, offset),
    typeI(0x07, random.pick([2, 3]), random.below(32), register, offset),
    typeS(0x23, random.below(4), register, random.below(32), offset),
    typeS(0x27, random.pick([2, 3]), register, random.below(32), offset),
  ])
  return items.words(lui(register, random.pick([SCRATCH, SCRATCH + SCRATCH_BYTES])), access)
}

/** A misaligned AMO, LR or SC; or one on memory that is not there, or may not be written. */
function faultingAtomic(c: ItemContext): Item {
  const { random } = c
  const register = items.writable(c)
  const page = random.pick([SCRATCH, SCRATCH, SCRATCH + SCRATCH_BYTES, RUNNER])
  const funct5 = random.pick([0, 1, 2, 4, 8, 0x0c, 0x10, 0x1c])
  const rs2 = funct5 === 2 ? 0 : random.below(32)
  const offset = random.chance(0.5) ? random.between(1, 7) : 8
  const atomic = typeR(0x2f, random.pick([2, 3]), funct5 << 2, items.destination(c), register, rs2)
  return items.words(lui(register, page), addi(register, register, offset), atomic)
}

/** To a page that is not executable, or not there. */
function wildJump(c: ItemContext): Item {
  const register = items.writable(c)
  const page = c.random.pick([SCRATCH, SCRATCH + SCRATCH_BYTES])
  const link = items.destination(c)
  return items.words(lui(register, page), typeI(0x67, 0, link, register, c.random.between(-16, 16)))
}

/** A CSR that user mode does not have, or may not write. Counters are not read: no two machines agree on them. */
function deniedCsr(c: ItemContext): Item {
  const { random } = c
  const csr = random.below(4096)
  const isCounter = csr >= 0xc00 && csr < 0xc20
  if (csr >= 1 && csr <= 3) return deniedCsr(c)
  const funct3 = isCounter ? random.pick([1, 5]) : random.pick([1, 2, 3, 5, 6, 7])
  return items.words(typeI(0x73, funct3, items.destination(c), random.below(32), csr))
}

function breakpoint(c: ItemContext): Item {
  return c.random.chance(0.5) ? items.words(EBREAK) : { halves: [0x9002] }
}

function makeRecord(random: Random, bases: readonly number[]): BigUint64Array {
  const record = new BigUint64Array(RECORD_WORDS)
  for (let i = 1; i < 32; i++) record[i] = sampleInteger(random)
  for (const base of bases) record[base] = BigInt(sampleAddress(random))
  for (let i = 32; i < 64; i += 3) record.set(sampleFloats(random).slice(0, Math.min(3, 64 - i)), i)
  const mode = random.chance(0.6) ? 0 : random.chance(0.97) ? random.below(5) : random.between(5, 7)
  record[RECORD_FCSR] = BigInt((mode << 5) | (random.chance(0.4) ? 1 : random.below(32)))
  return record
}

/** Near the border of the two pages, so that every offset stays inside them; half of them aligned. */
function sampleAddress(random: Random): number {
  const middle = SCRATCH + SCRATCH_BYTES / 2
  return middle + (random.chance(0.5) ? random.between(-16, 16) * 8 : random.between(-100, 100))
}

const CORNERS = [
  0n,
  1n,
  -1n,
  2n ** 31n - 1n,
  -(2n ** 31n),
  2n ** 32n - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 53n + 1n,
]

export function sampleInteger(random: Random): bigint {
  const bits = randomBits64(random)
  switch (random.below(6)) {
    case 0:
      return BigInt.asUintN(64, random.pick(CORNERS))
    case 1:
      return BigInt.asUintN(64, BigInt(random.between(-70, 70)))
    case 2:
      return BigInt.asUintN(64, BigInt.asIntN(32, bits))
    case 3:
      return bits >> BigInt(random.below(64))
    case 4:
      return BigInt.asUintN(64, (1n << BigInt(random.below(64))) - BigInt(random.below(2)))
    default:
      return bits
  }
}

/** Three related doubles; or singles, boxed, and now and then not. */
function sampleFloats(random: Random): bigint[] {
  if (random.chance(0.5)) return sampleOperands(DOUBLE, random)
  const box = random.chance(0.92) ? 0xffff_ffffn << 32n : BigInt(random.uint32()) << 32n
  return sampleOperands(SINGLE, random).map((bits) => bits | box)
}
