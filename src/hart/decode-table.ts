/**
 * From an instruction's bits to the number of its definition, in two tables in the buffer:
 *
 *     first level    65,536 × u32, by the low 16 bits of the word:
 *                    bits 0-7   what to do: a definition's number, or ILLEGAL, or GROUP
 *                    bits 8-31  compressed: the immediate, signed; GROUP: number of the second-level table
 *     second level   tables of 4,096 × u8, by the high 12 bits of the word: definition's number or ILLEGAL
 *
 * The low 16 bits tell everything about compressed instructions, and opcode and funct3 of the others, which is
 * enough for loads, stores, branches and most immediates.
 */
import { assert } from '../base/assert.js'
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { matches } from './definition.js'
import { immediateOf } from './format.js'
import { INSTRUCTIONS } from './instructions/index.js'

const WORDS_16 = 65536
const HIGH_BITS = 4096
export const FIRST_LEVEL = 0
export const SECOND_LEVEL = WORDS_16 * 4
/** Bytes of Region.scratch that the tables may take. */
export const DECODE_TABLE_BYTES = 512 * 1024

export const ILLEGAL = INSTRUCTIONS.length
export const GROUP = INSTRUCTIONS.length + 1

const isCompressed = (word: number): boolean => (word & 3) !== 3

/** Writes the tables unless another hart did. Entry 0 is written last and is never 0, so it says that they are there. */
export function makeDecodeTable(memory: Memory, table: Ptr): void {
  assert(GROUP < 256, 'a definition has an eight-bit number')
  const first = table >>> 2
  if (memory.u32[first] !== 0) return
  const builder = new DecodeTableBuilder(memory, table)
  for (let low = WORDS_16 - 1; low >= 0; low--) memory.u32[first + low] = builder.entry(low)
}

/** Number of the definition that a word is, or ILLEGAL; bits 16 to 19 are not looked at. */
export function decode(memory: Memory, table: Ptr, word: number): number {
  const entry = memory.u32[(table + FIRST_LEVEL + (word & 0xffff) * 4) >>> 2]!
  if ((entry & 0xff) !== GROUP) return entry & 0xff
  return memory.u8[table + SECOND_LEVEL + (entry >>> 8) * HIGH_BITS + (word >>> 20)]!
}

class DecodeTableBuilder {
  readonly #memory: Memory
  readonly #table: Ptr
  /** By the low seven bits of a word: definitions that it may be, and the low bits that any of them looks at. */
  readonly #candidates: number[][] = []
  readonly #lookedAt: number[] = []
  /** First-level entries by those bits, and groups by the definitions in them. */
  readonly #entries = new Map<number, number>()
  readonly #groups = new Map<string, number>()

  constructor(memory: Memory, table: Ptr) {
    this.#memory = memory
    this.#table = table
    for (let opcode = 0; opcode < 128; opcode++) {
      const ids = [...INSTRUCTIONS.keys()].filter((id) => mayBe(id, opcode, 0x7f))
      this.#candidates.push(ids)
      this.#lookedAt.push(ids.reduce((bits, id) => bits | INSTRUCTIONS[id]!.mask, 0x7f) & 0xffff)
    }
  }

  entry(low: number): number {
    const opcode = low & 0x7f
    if (isCompressed(low)) return compressedEntry(low, this.#candidates[opcode]!)
    const bits = low & this.#lookedAt[opcode]!
    let entry = this.#entries.get(bits)
    if (entry === undefined)
      this.#entries.set(bits, (entry = this.#wideEntry(bits, this.#candidates[opcode]!)))
    return entry
  }

  #wideEntry(low: number, candidates: readonly number[]): number {
    const possible = candidates.filter((id) => mayBe(id, low, 0xffff))
    const [first] = possible
    if (first === undefined) return ILLEGAL
    if (possible.length === 1 && INSTRUCTIONS[first]!.mask >>> 20 === 0) return first
    return (GROUP | (this.#group(possible) << 8)) >>> 0
  }

  /** The number of the second-level table that tells some definitions apart. */
  #group(possible: readonly number[]): number {
    const key = possible.join()
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const group = this.#groups.size
    assert(SECOND_LEVEL + (group + 1) * HIGH_BITS <= DECODE_TABLE_BYTES, 'the decode tables fit')
    const start = this.#table + SECOND_LEVEL + group * HIGH_BITS
    const table = this.#memory.u8.subarray(start, start + HIGH_BITS).fill(ILLEGAL)
    for (const id of possible) fillMatches(table, id)
    this.#groups.set(key, group)
    return group
  }
}

/** Writes the number of a definition to all high halves that it may have. */
function fillMatches(table: Uint8Array, id: number): void {
  const match = INSTRUCTIONS[id]!.match >>> 20
  const mask = INSTRUCTIONS[id]!.mask >>> 20
  for (let high = 0; high < HIGH_BITS; high++) if ((high & mask) === match) table[high] = id
}

/** Whether a word whose bits are known in `known` may be the definition. */
function mayBe(id: number, word: number, known: number): boolean {
  const { match, mask } = INSTRUCTIONS[id]!
  return ((match ^ word) & mask & known) === 0
}

function compressedEntry(word: number, candidates: readonly number[]): number {
  const id = candidates.find((candidate) => matches(INSTRUCTIONS[candidate]!, word))
  if (id === undefined) return ILLEGAL
  const { imm } = INSTRUCTIONS[id]!.format
  return (id | ((imm === undefined ? 0 : immediateOf(word, imm)) << 8)) >>> 0
}
