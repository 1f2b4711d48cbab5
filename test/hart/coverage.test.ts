import { expect, test } from 'vitest'
import { matches } from '../../src/hart/definition.js'
import { instructions } from '../../src/hart/instructions/index.js'
import { makeBatch } from './batch.js'

const INSTRUCTIONS = instructions()

/** All instruction words of a sequence. */
function wordsOf(code: readonly number[]): number[] {
  const words: number[] = []
  for (let i = 0; i < code.length; i++) {
    const isLong = (code[i]! & 3) === 3
    words.push(isLong ? ((code[i + 1]! << 16) | code[i]!) >>> 0 : code[i]!)
    if (isLong) i++
  }
  return words
}

test('the random sequences contain every instruction of RV64GC but ecall', () => {
  const seeds = Array.from({ length: 1500 }, (_, i) => i)
  const words = makeBatch(seeds).sequences.flatMap(({ code }) => wordsOf(code))
  const counts = new Map(INSTRUCTIONS.map(({ name }) => [name, 0]))
  for (const word of words) {
    const name = INSTRUCTIONS.find((definition) => matches(definition, word))?.name
    if (name !== undefined) counts.set(name, counts.get(name)! + 1)
  }
  const missing = [...counts].filter(([, count]) => count < 5).map(([name, count]) => `${name} ${count}`)
  expect(missing).toEqual(['ecall 0'])
})
