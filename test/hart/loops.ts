/** Random programs with loops, calls and code that changes itself, for comparing the translator with the interpreter. */
import { Random } from '../../src/base/random.js'
import { randomBits64 } from '../../src/hart/float/testing/float-samples.js'
import { CODE, DATA } from '../../src/hart/testing/bare-machine.js'
import { addi, typeB, typeI, typeJ, typeS, typeU } from './encode.js'
import type { Item, ItemContext } from './items.js'
import * as items from './items.js'

/** Registers that the program's own frame needs: return address, loop counters. */
const RA = 1
const OUTER = 31
const INNER = 30
/** Bytes of RAM that the base registers may reach. */
const DATA_BYTES = 16 * 4096

export interface LoopProgram {
  readonly code: Uint8Array
  /** x0 … x31, f0 … f31, fcsr. */
  readonly registers: BigUint64Array
  readonly entry: number
}

type Piece = Item | { readonly call: number }

const STRAIGHT = [
  ...[items.registerOp, items.immediateOp, items.upperOp, items.compressedOp, items.jumpOp, items.jumpOp],
  ...[items.bitsOp, items.bitsOp],
  ...[items.memoryOp, items.memoryOp, items.compressedMemoryOp, items.atomicOp, items.loopOp],
  ...[
    items.floatOp,
    items.csrOp,
    items.fenceOp,
    patchOp,
    counterOp,
    structOp,
    structOp,
    moveBaseOp,
    overlapOp,
  ],
]
const LEAF = [items.registerOp, items.immediateOp, items.compressedOp, items.jumpOp, items.memoryOp]

/** Adds to the immediate of an instruction a few bytes on, then runs it: no fence, as the interpreter needs none. */
function patchOp(c: ItemContext): Item {
  const [at, word, step] = [items.writable(c), items.writable(c), items.writable(c)]
  if (new Set([at, word, step]).size < 3) return items.immediateOp(c)
  const target = items.writable(c)
  const distance = 20
  return items.words(
    typeU(0x17, at, 0),
    typeI(0x03, 2, word, at, distance),
    typeU(0x37, step, 0x100),
    typeR(word, step),
    typeS(0x23, 2, at, word, distance),
    addi(target, target, c.random.below(2000)),
  )
}

/** A lui whose upper half is an instruction too, and a branch to that: two ways, which meet behind it. */
function overlapOp(c: ItemContext): Item {
  const inner = items.compressedOp(c)
  if (!('halves' in inner)) return inner
  const [half] = inner.halves
  const branch = typeB(c.random.pick([0, 1, 4, 5]), c.random.below(32), c.random.below(32), 6)
  return items.words(branch, ((half! << 16) | (items.destination(c) << 7) | 0x37) >>> 0)
}

/** Several loads and stores around one address, as of a struct or a stack frame. */
function structOp(c: ItemContext): Item {
  const { random } = c
  const base = random.pick(c.bases)
  const middle = random.between(-64, 64)
  const accesses = Array.from({ length: random.between(2, 6) }, () => {
    const offset = middle + random.between(-20, 20)
    return random.chance(0.5)
      ? typeI(0x03, random.below(7), items.destination(c), base, offset)
      : typeS(0x23, random.below(4), base, items.writable(c), offset)
  })
  return items.words(...accesses)
}

/** A little further, or back; or to where another one points. */
function moveBaseOp(c: ItemContext): Item {
  const { random } = c
  const [base, other] = [random.pick(c.bases), random.pick(c.bases)]
  return items.words(addi(base, random.chance(0.8) ? base : other, random.between(-300, 300)))
}

const typeR = (rd: number, rs2: number): number => (rs2 << 20) | (rd << 15) | (rd << 7) | 0x33

/** instret, cycle or time. */
function counterOp(c: ItemContext): Item {
  return items.words(typeI(0x73, 2, items.destination(c), 0, 0xc00 + c.random.below(3)))
}

export function makeLoopProgram(seed: number): LoopProgram {
  const random = new Random(seed)
  const bases = [8 + random.below(8), 16 + random.below(8), 2]
  const context: ItemContext = {
    ...{ random, bases, stackIsBase: true, recentFloats: [] },
    kept: new Set([...bases, RA, OUTER, INNER]),
  }
  const chunks: number[] = []
  // Somewhere in the page, so that programs cross into the next one.
  const start = random.below(1024) * 4
  const leaves = Array.from({ length: 2 }, () => {
    const at = CODE + start + chunks.length * 2
    const body = Array.from({ length: random.between(1, 6) }, () => random.pick(LEAF)(context))
    chunks.push(...layOut([...body, { halves: [0x8082] }], at, []))
    return at
  })
  const entry = CODE + start + chunks.length * 2
  chunks.push(...layOut(makeMain(context), entry, leaves))
  const code = new Uint8Array(start + chunks.length * 2)
  code.set(new Uint8Array(Uint16Array.from(chunks).buffer), start)
  return { code, registers: makeRegisters(random, bases), entry }
}

function makeMain(c: ItemContext): Piece[] {
  const { random } = c
  const piece = (): Piece => (random.chance(0.12) ? { call: random.below(2) } : random.pick(STRAIGHT)(c))
  const pieces = (count: number): Piece[] => Array.from({ length: count }, piece)
  const inner = pieces(random.between(1, 8))
  const outer = [...pieces(random.between(1, 8)), ...loop(INNER, random.between(1, 12), inner), ...pieces(3)]
  return [...loop(OUTER, random.between(5, 60), outer), { halves: [0x73, 0] }]
}

/** `back` pieces are resolved by layOut: a jump over themselves and the body, backwards. */
function loop(counter: number, turns: number, body: readonly Piece[]): Piece[] {
  const back = body.length
  return [
    items.words(addi(counter, 0, turns)),
    ...body,
    items.words(addi(counter, counter, -1)),
    // Out of the loop over a long jump back: bodies are longer than a branch reaches.
    items.words(typeB(0, counter, 0, 8)),
    { skip: -back - 2, bytes: 4, encode: (offset) => [typeJ(0, offset)] },
  ]
}

function sizeOf(piece: Piece): number {
  if ('halves' in piece) return piece.halves.length * 2
  return 'call' in piece ? 4 : piece.bytes
}

function layOut(pieces: readonly Piece[], origin: number, leaves: readonly number[]): number[] {
  const starts = [0]
  for (const piece of pieces) starts.push(starts.at(-1)! + sizeOf(piece))
  const halves: number[] = []
  pieces.forEach((piece, i) => {
    if ('halves' in piece) {
      halves.push(...piece.halves)
      return
    }
    const at = starts[i]!
    const words =
      'call' in piece
        ? [typeJ(RA, leaves[piece.call]! - (origin + at))]
        : piece.encode(starts[Math.min(i + (piece.skip < 0 ? 0 : 1) + piece.skip, pieces.length - 1)]! - at)
    halves.push(...words.flatMap((word) => [word & 0xffff, word >>> 16]).slice(0, sizeOf(piece) / 2))
  })
  return halves
}

function makeRegisters(random: Random, bases: readonly number[]): BigUint64Array {
  const registers = new BigUint64Array(65)
  for (let i = 1; i < 64; i++)
    registers[i] = random.chance(0.3) ? BigInt(random.below(64)) : randomBits64(random)
  // Near pages' ends, and near the end of what is mapped.
  for (const base of bases) {
    const page = random.pick([1, 3, 8, 15]) * 4096
    registers[base] = BigInt(
      DATA + Math.min(page + random.between(-24, 24), DATA_BYTES - 8 * random.below(40)),
    )
  }
  registers[64] = BigInt(random.below(5) << 5)
  return registers
}
