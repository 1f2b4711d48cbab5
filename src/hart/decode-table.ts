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
import { type Immediate, immediateOf } from './format.js'
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

/**
 * Writes the tables unless another hart did. They are made elsewhere first, and entry 0 is written last and is never 0, so it says that they
 * are there.
 */
export function makeDecodeTable(memory: Memory, table: Ptr): void {
  if (Atomics.load(memory.u32, table >>> 2) !== 0) return
  const { first, second } = new DecodeTableBuilder().build()
  memory.u8.set(second, table + SECOND_LEVEL)
  memory.u32.set(first.subarray(1), (table + FIRST_LEVEL + 4) >>> 2)
  Atomics.store(memory.u32, (table + FIRST_LEVEL) >>> 2, first[0]!)
}

/** Number of the definition that a word is, or ILLEGAL; bits 16 to 19 are not looked at. */
export function decode(memory: Memory, table: Ptr, word: number): number {
  const entry = memory.u32[(table + FIRST_LEVEL + (word & 0xffff) * 4) >>> 2]!
  if ((entry & 0xff) !== GROUP) return entry & 0xff
  return memory.u8[table + SECOND_LEVEL + (entry >>> 8) * HIGH_BITS + (word >>> 20)]!
}

/** Every start of a machine waits for this, in code that is not compiled yet: it goes from definitions to words, not from words to definitions. */
class DecodeTableBuilder {
  readonly #first = new Uint32Array(WORDS_16).fill(ILLEGAL)
  readonly #second = new Uint8Array(DECODE_TABLE_BYTES - SECOND_LEVEL)
  /** Numbers of second-level tables by the definitions in them. */
  readonly #groups = new Map<string, number>()

  build(): { first: Uint32Array; second: Uint8Array } {
    assert(GROUP < 256, 'a definition has an eight-bit number')
    for (let id = 0; id < INSTRUCTIONS.length; id++) {
      if (isCompressed(INSTRUCTIONS[id]!.match)) this.#addCompressed(id)
    }
    for (let opcode = 0; opcode < 128; opcode++) if (!isCompressed(opcode)) this.#addWide(opcode)
    return { first: this.#first, second: this.#second.subarray(0, this.#groups.size * HIGH_BITS) }
  }

  #addCompressed(id: number): void {
    const { match, mask, format, excludes } = INSTRUCTIONS[id]!
    const words = valuesOf(match, ~mask & 0xffff)
    const immediates = format.imm === undefined ? undefined : immediatesOf(match, ~mask & 0xffff, format.imm)
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!
      if (excludes?.(word) === true) continue
      this.#first[word] = immediates === undefined ? id : id | (immediates[i]! << 8)
    }
  }

  /** What no definition with this opcode looks at leads to the same entry. */
  #addWide(opcode: number): void {
    const candidates = [...INSTRUCTIONS.keys()].filter((id) => mayBe(id, opcode, 0x7f))
    if (candidates.length === 0) return
    const lookedAt = candidates.reduce((bits, id) => bits | INSTRUCTIONS[id]!.mask, 0x7f) & 0xffff
    const others = valuesOf(0, ~lookedAt & 0xffff)
    for (const low of valuesOf(opcode, lookedAt & ~0x7f)) {
      const entry = this.#wideEntry(low, candidates)
      for (const bits of others) this.#first[low | bits] = entry
    }
  }

  #wideEntry(low: number, candidates: readonly number[]): number {
    const possible = candidates.filter((id) => mayBe(id, low, 0xffff))
    const [first] = possible
    if (first === undefined) return ILLEGAL
    if (possible.length === 1 && INSTRUCTIONS[first]!.mask >>> 20 === 0) return first
    return GROUP | (this.#group(possible) << 8)
  }

  /** The number of the second-level table that tells some definitions apart. */
  #group(possible: readonly number[]): number {
    const key = possible.join()
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const group = this.#groups.size
    assert((group + 1) * HIGH_BITS <= this.#second.length, 'the decode tables fit')
    const table = this.#second.subarray(group * HIGH_BITS, (group + 1) * HIGH_BITS).fill(ILLEGAL)
    for (const id of possible) {
      const { match, mask } = INSTRUCTIONS[id]!
      for (const high of valuesOf(match >>> 20, ~(mask >>> 20) & 0xfff)) table[high] = id
    }
    this.#groups.set(key, group)
    return group
  }
}

/** Whether a word whose bits are known in `known` may be the definition. */
function mayBe(id: number, word: number, known: number): boolean {
  const { match, mask } = INSTRUCTIONS[id]!
  return ((match ^ word) & mask & known) === 0
}

/** `match` with all values of the bits in `free`. */
function valuesOf(match: number, free: number): Int32Array {
  return sums(match, free, (bit) => bit)
}

/** The immediates of the words that `valuesOf` names, in the same order: an immediate is the sum of what its bits are worth. */
function immediatesOf(match: number, free: number, immediate: Immediate): Int32Array {
  return sums(immediateOf(match, immediate), free, (bit) => immediateOf(bit, immediate))
}

function sums(start: number, bits: number, worth: (bit: number) => number): Int32Array {
  let count = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++
  const all = new Int32Array(1 << count)
  all[0] = start
  let known = 1
  for (let rest = bits; rest !== 0; rest &= rest - 1) {
    const value = worth(rest & -rest)
    for (let i = 0; i < known; i++) all[known + i] = all[i]! + value
    known *= 2
  }
  return all
}
