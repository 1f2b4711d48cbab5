import { expect, test } from 'vitest'
import { instructions } from '../instructions/index.js'
import { asm } from '../testing/assembler.js'
import { Instruction } from './flow.js'
import { OperandTable } from './operands.js'
import { ShortForms } from './short-forms.js'

const INSTRUCTIONS = instructions()

const A0 = 10
const operands = new OperandTable()

function read(text: string, at: number): Instruction {
  const word = asm(text)
  const number = INSTRUCTIONS.findIndex(({ match, mask }) => ((word ^ match) & mask) === 0)
  return new Instruction(at * 4, word, operands.of(number))
}

/** By instruction: the register that it takes, with `kept` when that has been written since; `word`; or how it is without. */
function formsOf(...block: string[]): string[] {
  const forms = new ShortForms()
  forms.begin(block.map(read))
  return block.map((_, i) => {
    const form = forms.of(i)
    const kept = forms.keepBefore(i) === 0 ? '' : `keep x${forms.keepBefore(i)}`
    if (form !== undefined) return `${form.isKept ? 'kept' : 'from'} x${form.source}`
    return forms.isWord(i) ? 'word' : kept
  })
}

test('a rotation takes its source, or what it was', () => {
  const rotation = ['slliw a1, a0, 7', 'srliw a2, a0, 25', 'or a3, a1, a2']
  expect(formsOf(...rotation)).toEqual(['', '', `from x${A0}`])
  expect(formsOf('srli a2, a0, 60', 'slli a1, a0, 4', 'or a2, a2, a1')).toEqual(['', '', `from x${A0}`])
  const inPlace = ['slliw a1, a0, 7', 'srliw a0, a0, 25', 'or a0, a0, a1']
  expect(formsOf(...inPlace)).toEqual(['', `keep x${A0}`, `kept x${A0}`])
  expect(formsOf(...inPlace, ...inPlace).slice(3)).toEqual(['', `keep x${A0}`, `kept x${A0}`])
})

test.each([
  ['of other counts', 'slliw a1, a0, 7', 'srliw a2, a0, 24', 'or a3, a1, a2'],
  ['of other widths', 'slliw a1, a0, 7', 'srli a2, a0, 25', 'or a3, a1, a2'],
  ['of other sources', 'slliw a1, a0, 7', 'srliw a2, a4, 25', 'or a3, a1, a2'],
  ['of x0', 'slliw a1, zero, 7', 'srliw a2, zero, 25', 'or a3, a1, a2'],
  ['of a source that has changed', 'slliw a1, a0, 7', 'ld a0, 0(a5)', 'srliw a2, a0, 25', 'or a3, a1, a2'],
  ['of a result that has changed', 'slliw a1, a0, 7', 'srliw a2, a0, 25', 'ld a2, 0(a5)', 'or a3, a1, a2'],
])('no rotation: %s', (_, ...block) => {
  expect(formsOf(...block).at(-1)).not.toMatch(/from|kept/)
})

test('a value is kept for one form at a time', () => {
  const twice = ['slliw a1, a0, 7', 'srliw a2, a0, 25', 'ld a0, 0(a5)', 'slli a3, a0, 32', 'ld a0, 8(a5)']
  const forms = formsOf(...twice, 'or a4, a1, a2', 'srli a3, a3, 32', 'srli a3, a0, 32')
  expect(forms).toEqual(['', '', `keep x${A0}`, '', '', `kept x${A0}`, '', ''])
  const first = formsOf(...twice.slice(0, 3), 'or a4, a1, a2', 'slli a3, a0, 32', 'srli a0, a3, 32')
  expect(first).toEqual(['', '', `keep x${A0}`, `kept x${A0}`, '', `from x${A0}`])
})

test('an extension is two shifts by the same', () => {
  expect(formsOf('slli a1, a0, 32', 'srli a1, a1, 32')).toEqual(['', `from x${A0}`])
  expect(formsOf('slli a1, a0, 48', 'srai a1, a1, 48')).toEqual(['', `from x${A0}`])
  expect(formsOf('slli a1, a0, 32', 'srli a1, a1, 30')).toEqual(['', `from x${A0}`])
  expect(formsOf('slli a1, a0, 16', 'srli a1, a1, 16')).toEqual(['', ''])
  // A shift by nothing extends the sign.
  expect(formsOf('slliw a1, a0, 0', 'srliw a1, a1, 0')).toEqual(['', ''])
})

test('bits of words are worked on as words where no more of them is used', () => {
  const step = ['addw a1, a1, a2', 'lw a3, 0(a5)', 'xor a4, a1, a3']
  expect(formsOf(...step, 'addw a6, a6, a4')).toEqual(['', '', 'word', ''])
  expect(formsOf(...step, 'sw a4, 0(a5)')).toEqual(['', '', 'word', ''])
  expect(formsOf(...step, 'add a6, a6, a4')).toEqual(['', '', '', ''])
  expect(formsOf(...step, 'lw a6, 0(a4)', 'addw a6, a6, a4')).toEqual(['', '', '', '', ''])
  expect(formsOf('ld a1, 0(a5)', 'xor a4, a1, a1', 'addw a6, a6, a4')).toEqual(['', '', ''])
  for (const whole of [
    'srli a1, a0, 32',
    'andi a1, a0, -16',
    'ori a1, a0, 1',
    'add a1, a0, a2',
    'lwu a1, 0(a0)',
  ]) {
    expect(formsOf(whole, 'xor a4, a1, a1', 'addw a6, a6, a4')).toEqual(['', '', ''])
  }
  for (const word of [
    'srli a1, a0, 33',
    'andi a1, a0, 15',
    'li a1, -16',
    'lhu a1, 0(a0)',
    'sltu a1, a0, a2',
  ]) {
    expect(formsOf(word, 'xor a4, a1, a1', 'addw a6, a6, a4')[1]).toBe('word')
  }
  expect(formsOf('ld a1, 0(a5)', 'andi a4, a1, 15', 'addw a6, a6, a4')).toEqual(['', 'word', ''])
})
