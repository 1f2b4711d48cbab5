import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { TestSpecification, Vitest } from 'vitest/node'
import { LONGEST, LongestFirst } from './longest-first.js'

const root = process.cwd()
const project = { name: '', config: { sequence: { groupOrder: 0 }, isolate: true } }

/** Nothing is known of any file, as in a fresh clone. */
const unknown = {
  config: { root },
  cache: { getFileTestResults: () => undefined, getFileStats: () => undefined },
} as unknown as Vitest

test('the files that take longest begin first, and the others as Vitest has them', async () => {
  const names = ['src/one.test.ts', LONGEST[1]!, 'src/two.test.ts', LONGEST[0]!]
  const files = names.map(
    (name) => ({ moduleId: `${root}/${name}`, project }) as unknown as TestSpecification,
  )
  const sorted = await new LongestFirst(unknown).sort(files)
  expect(sorted.map(({ moduleId }) => moduleId.slice(root.length + 1))).toEqual([
    LONGEST[0],
    LONGEST[1],
    'src/one.test.ts',
    'src/two.test.ts',
  ])
})

test.each(LONGEST)('%s is there', (name) => expect(existsSync(name)).toBe(true))
