/**
 * Calls about other processes, limits, policies, segments and files, with arguments at the edges of what is legal, are answered as on
 * the real kernel, leave the mappings as there, and write the same bytes.
 */
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { askPagoda, recorded, text } from './edge-calls/run.js'
import { guestProgram } from './setup/programs.js'

const path = guestProgram('edgecalls')
const cases = text.trimEnd().split('\n')

test('the log belongs to the cases', () => {
  expect(recorded()?.length, 'the cases have changed: npm run record:calls').toBe(cases.length)
})

test.skipIf(path === undefined || !existsSync(path))(
  'answers, mappings and bytes are those of Linux',
  async () => {
    const linux = recorded()!
    const different: string[] = []
    for (const [i, line] of (await askPagoda()).entries()) {
      if (line !== linux[i]) different.push(`${cases[i]}: ${line}, Linux: ${linux[i]}`)
    }
    expect(different).toEqual([])
  },
)
