/**
 * From an instruction's bits to the number of its definition, in tables in the buffer:
 *
 *     first level    65,536 × u8, by the low 16 bits of the word: a definition's number, or ILLEGAL; or GROUP and more, by so
 *                    much the number of a second-level table
 *     immediates     65,536 × i16, by a compressed instruction: its immediate, without low bits that are never set when it has
 *                    more than 16 (`immediateShift`)
 *     second level   tables of 4,096 × u8, by the high 12 bits of the word: definition's number or ILLEGAL
 *
 * The low 16 bits tell everything about compressed instructions, and opcode and funct3 of the others, which is
 * enough for loads, stores, branches and most immediates. The first level is small for the sake of the host's caches: with entries of four bytes, which had
 * the immediates in them, a tenth of the interpreter's samples stood at the load of one, and first runs took 2 to 3 per cent longer.
 */
import { assert } from '../base/assert.js'
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import type { InstructionDefinition } from './definition.js'
import { type Immediate, immediateOf } from './format.js'
import { instructions } from './instructions/index.js'
import { PatternFiller } from './pattern-filler.js'

const WORDS_16 = 65536
const HIGH_BITS = 4096
export const FIRST_LEVEL = 0
export const IMMEDIATES = WORDS_16
export const SECOND_LEVEL = IMMEDIATES + WORDS_16 * 2
/** Bytes of Region.scratch that the tables may take. */
export const DECODE_TABLE_BYTES = 512 * 1024

/** Above all numbers of definitions. */
export const ILLEGAL = 200
export const GROUP = ILLEGAL + 1

const isCompressed = (word: number): boolean => (word & 3) !== 3

/** All of them, as they are in the buffer. */
export function decodeTables(): Uint8Array {
  return new DecodeTableBuilder().build()
}

/** Writes the tables unless another hart did. The first four entries are written last and are never all 0, so they say that the rest is there. */
export function writeDecodeTables(memory: Memory, table: Ptr, tables: () => Uint8Array): void {
  if (Atomics.load(memory.u32, table >>> 2) !== 0) return
  const bytes = tables()
  memory.u8.set(bytes.subarray(4), table + 4)
  Atomics.store(memory.u32, table >>> 2, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true))
}

/** Number of the definition that a word is, or ILLEGAL; bits 16 to 19 are not looked at. */
export function decode(memory: Memory, table: Ptr, word: number): number {
  const entry = memory.u8[table + FIRST_LEVEL + (word & 0xffff)]!
  return entry < GROUP
    ? entry
    : memory.u8[table + SECOND_LEVEL + (entry - GROUP) * HIGH_BITS + (word >>> 20)]!
}

/** Low bits of an immediate that its entry does not have. */
export function immediateShift({ slices }: Immediate): number {
  const bits = Math.max(...slices.map(([, width, to]) => to + width))
  return bits > 16 ? Math.min(...slices.map(([, , to]) => to)) : 0
}

class DecodeTableBuilder {
  readonly #all = instructions()
  readonly #filler = new PatternFiller(DECODE_TABLE_BYTES)
  /** Numbers of second-level tables by the definitions in them. */
  readonly #groups = new Map<string, number>()

  build(): Uint8Array {
    assert(this.#all.length <= ILLEGAL, 'no definition has the number that says illegal')
    const { u8 } = this.#filler
    u8.fill(ILLEGAL, 0, WORDS_16)
    this.#addAllCompressed()
    for (let opcode = 0; opcode < 128; opcode++) if (!isCompressed(opcode)) this.#addWide(opcode)
    return u8.subarray(FIRST_LEVEL, SECOND_LEVEL + this.#groups.size * HIGH_BITS)
  }

  /** What fixes more bits comes later: it owns what the others exclude. */
  #addAllCompressed(): void {
    const compressed = [...this.#all.keys()].filter((id) => isCompressed(this.#all[id]!.match))
    compressed.sort((a, b) => bitsOf(this.#all[a]!.mask) - bitsOf(this.#all[b]!.mask))
    for (const id of compressed) this.#addCompressed(id)
  }

  #addCompressed(id: number): void {
    const { match, mask, format, excludes = [] } = this.#all[id]!
    const free = ~mask & 0xffff
    this.#filler.fillBytes(FIRST_LEVEL, match, free, id)
    const { imm } = format
    if (imm !== undefined) {
      const immediate = (bits: number) => immediateOf(bits, imm) >> immediateShift(imm)
      this.#filler.fillHalves(IMMEDIATES, match, free, immediate(match), immediate)
    }
    for (const not of excludes) {
      this.#filler.fillBytes(FIRST_LEVEL, match | not.match, ~(mask | not.mask) & 0xffff, ILLEGAL)
    }
  }

  /** What no definition with this opcode looks at leads to the same entry. */
  #addWide(opcode: number): void {
    const candidates = [...this.#all.keys()].filter((id) => mayBe(this.#all[id]!, opcode, 0x7f))
    if (candidates.length === 0) return
    const lookedAt = candidates.reduce((bits, id) => bits | this.#all[id]!.mask, 0x7f) & 0xffff
    const more = lookedAt & ~0x7f
    let bits = 0
    do {
      const low = opcode | bits
      this.#filler.fillBytes(FIRST_LEVEL, low, ~lookedAt & 0xffff, this.#wideEntry(low, candidates))
      bits = (bits - more) & more
    } while (bits !== 0)
  }

  #wideEntry(low: number, candidates: readonly number[]): number {
    const possible = candidates.filter((id) => mayBe(this.#all[id]!, low, 0xffff))
    const [first] = possible
    if (first === undefined) return ILLEGAL
    if (possible.length === 1 && this.#all[first]!.mask >>> 20 === 0) return first
    return GROUP + this.#group(possible)
  }

  /** The number of the second-level table that tells some definitions apart. */
  #group(possible: readonly number[]): number {
    const key = possible.join()
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const group = this.#groups.size
    const table = SECOND_LEVEL + group * HIGH_BITS
    assert(table + HIGH_BITS <= DECODE_TABLE_BYTES && GROUP + group < 256, 'the decode tables fit')
    this.#filler.u8.fill(ILLEGAL, table, table + HIGH_BITS)
    for (const id of possible) {
      const { match, mask } = this.#all[id]!
      this.#filler.fillBytes(table, match >>> 20, ~(mask >>> 20) & 0xfff, id)
    }
    this.#groups.set(key, group)
    return group
  }
}

/** Whether a word whose bits are known in `known` may be the definition. */
function mayBe({ match, mask }: InstructionDefinition, word: number, known: number): boolean {
  return ((match ^ word) & mask & known) === 0
}

function bitsOf(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}
