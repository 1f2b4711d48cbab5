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
import { type InstructionDefinition, matches } from './definition.js'
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

class DecodeTableBuilder {
  readonly #memory: Memory
  readonly #table: Ptr
  /** Definitions by the low seven bits that they may have: candidates for a word. */
  readonly #byOpcode: number[][] = Array.from({ length: 128 }, () => [])
  readonly #groups = new Map<string, number>()
  readonly #contents = new Map<string, number>()

  constructor(memory: Memory, table: Ptr) {
    this.#memory = memory
    this.#table = table
    for (let opcode = 0; opcode < 128; opcode++) {
      INSTRUCTIONS.forEach(({ match, mask }, id) => {
        if (((match ^ opcode) & mask & 127) === 0) this.#byOpcode[opcode]!.push(id)
      })
    }
  }

  entry(low: number): number {
    const candidates = this.#byOpcode[low & 127]!
    return isCompressed(low) ? compressedEntry(low, candidates) : this.#wideEntry(low, candidates)
  }

  #wideEntry(low: number, candidates: readonly number[]): number {
    const possible = candidates.filter((id) => (highless(INSTRUCTIONS[id]!, low) & 0xffff) === 0)
    if (possible.length === 0) return ILLEGAL
    if (possible.length === 1 && INSTRUCTIONS[possible[0]!]!.mask >>> 20 === 0) return possible[0]!
    const key = possible.join()
    let group = this.#groups.get(key)
    if (group === undefined) this.#groups.set(key, (group = this.#group(possible)))
    return (GROUP | (group << 8)) >>> 0
  }

  /** The second-level table of some definitions; two that come out equal are one. */
  #group(possible: readonly number[]): number {
    const table = Array.from({ length: HIGH_BITS }, (_, high) => {
      const found = possible.find((id) => {
        const { match, mask } = INSTRUCTIONS[id]!
        return ((match ^ (high << 20)) & mask) >>> 20 === 0
      })
      return found ?? ILLEGAL
    })
    const key = table.join()
    const known = this.#contents.get(key)
    if (known !== undefined) return known
    const group = this.#contents.size
    assert(SECOND_LEVEL + (group + 1) * HIGH_BITS <= DECODE_TABLE_BYTES, 'the decode tables fit')
    this.#memory.u8.set(table, this.#table + SECOND_LEVEL + group * HIGH_BITS)
    this.#contents.set(key, group)
    return group
  }
}

function highless({ match, mask }: InstructionDefinition, low: number): number {
  return (match ^ low) & mask
}

function compressedEntry(word: number, candidates: readonly number[]): number {
  const id = candidates.find((candidate) => matches(INSTRUCTIONS[candidate]!, word))
  if (id === undefined) return ILLEGAL
  const { imm } = INSTRUCTIONS[id]!.format
  return (id | ((imm === undefined ? 0 : immediateOf(word, imm)) << 8)) >>> 0
}
