import { expect, test } from 'vitest'
import { NAMES_WITH_SHARE, shareOf } from './frequency.js'
import { instructions } from './index.js'

const INSTRUCTIONS = instructions()

test('shares are of instructions, and the commonest instruction has the lowest number', () => {
  const names = INSTRUCTIONS.map(({ name }) => name)
  expect(NAMES_WITH_SHARE.filter((name) => !names.includes(name))).toEqual([])
  expect(new Set(NAMES_WITH_SHARE).size).toBe(NAMES_WITH_SHARE.length)
  const shares = INSTRUCTIONS.map(shareOf)
  expect(shares).toEqual([...shares].sort((a, b) => b - a))
})
