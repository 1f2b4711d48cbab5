/** The translator takes words apart as the formats say. */
import { expect, test } from 'vitest'
import { Random } from '../../base/random.js'
import { fuzzSteps, SEED } from '../../base/testing.js'
import { matches } from '../definition.js'
import { immediateOf, registerOf } from '../format.js'
import { instructions } from '../instructions/index.js'
import { Instruction } from './flow.js'
import { OperandTable } from './operands.js'

const INSTRUCTIONS = instructions()

const operands = new OperandTable()

function check(number: number, word: number): void {
  const { name, format } = INSTRUCTIONS[number]!
  const instruction = new Instruction(0, word, operands.of(number))
  for (const field of ['rd', 'rs1', 'rs2', 'rs3'] as const) {
    const place = format[field]
    const register = place === undefined ? 0 : registerOf(word, place)
    if (instruction[field] !== register) expect.fail(`${field} of ${name}, ${word.toString(16)}`)
  }
  const immediate = format.imm === undefined ? 0 : immediateOf(word, format.imm)
  if (instruction.imm !== immediate) expect.fail(`immediate of ${name}, ${word.toString(16)}`)
}

test('all compressed words', () => {
  let words = 0
  for (let word = 0; word < 65536; word++) {
    if ((word & 3) === 3) continue
    const number = INSTRUCTIONS.findIndex((each) => (each.match & 3) !== 3 && matches(each, word))
    if (number < 0) continue
    check(number, word)
    words++
  }
  expect(words).toBeGreaterThan(40_000)
})

test(`words of 32 bits (PAGODA_SEED=${SEED})`, () => {
  const random = new Random(SEED)
  INSTRUCTIONS.forEach(({ match, mask }, number) => {
    if ((match & 3) !== 3) return
    for (let i = 0; i < fuzzSteps(200); i++) check(number, (match | (random.uint32() & ~mask)) >>> 0)
  })
})
