/** The tables say of every word what the definitions say of it. */
import { expect, test } from 'vitest'
import type { Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { Memory } from '../state/memory.js'
import {
  DECODE_TABLE_BYTES,
  decode,
  decodeTables,
  ILLEGAL,
  IMMEDIATES,
  immediateShift,
  writeDecodeTables,
} from './decode-table.js'
import { matches } from './definition.js'
import { immediateOf } from './format.js'
import { instructions } from './instructions/index.js'

const INSTRUCTIONS = instructions()

const TABLE = 4096 as Ptr
/** Of ecall and its like, which fix all bits. */
const NOT_LOOKED_AT = 0xf0000
const memory = Memory.allocate(2 ** 23, false)
writeDecodeTables(memory, TABLE, decodeTables)

/** By the low seven bits, which every definition looks at or shares with few. */
const CANDIDATES = Array.from({ length: 128 }, (_, low) =>
  [...INSTRUCTIONS.keys()].filter(
    (id) => ((INSTRUCTIONS[id]!.match ^ low) & INSTRUCTIONS[id]!.mask & 127) === 0,
  ),
)

function definitionsOf(word: number): number[] {
  return CANDIDATES[word & 127]!.filter((id) => matches(INSTRUCTIONS[id]!, word))
}

test('every compressed instruction, with its immediate', () => {
  for (let word = 0; word < 65536; word++) {
    if ((word & 3) === 3) continue
    const [id = ILLEGAL, ...others] = definitionsOf(word)
    if (others.length > 0) expect.fail(`word ${word.toString(16)} is several instructions`)
    const entry = memory.u8[TABLE + word]!
    if (entry !== id) expect.fail(`word ${word.toString(16)} has entry ${entry.toString(16)}`)
    const imm = INSTRUCTIONS[id]?.format.imm
    if (imm === undefined) continue
    const immediate = (memory.u16[(TABLE + IMMEDIATES) / 2 + word]! << 16) >> 16
    if (immediate << immediateShift(imm) !== immediateOf(word, imm))
      expect.fail(`word ${word.toString(16)} has immediate ${immediate.toString(16)}`)
  }
})

test(`32-bit instructions (PAGODA_SEED=${SEED})`, () => {
  const random = new Random(SEED)
  for (let i = 0; i < fuzzSteps(20_000); i++) {
    const { match, mask } = random.pick(INSTRUCTIONS)
    const noise = (random.chance(0.5) ? ~mask : ~mask | (1 << random.below(32))) & ~(mask & NOT_LOOKED_AT)
    const word = ((match ^ (random.uint32() & noise)) | 3) >>> 0
    const [id = ILLEGAL] = definitionsOf(word)
    if (decode(memory, TABLE, word) !== id) expect.fail(`word ${word.toString(16)} is ${id}`)
  }
})

test('a second hart leaves them alone, and they fit', () => {
  const before = memory.u8.slice(TABLE, TABLE + DECODE_TABLE_BYTES)
  writeDecodeTables(memory, TABLE, decodeTables)
  expect(Buffer.compare(before, memory.u8.slice(TABLE, TABLE + DECODE_TABLE_BYTES))).toBe(0)
})
