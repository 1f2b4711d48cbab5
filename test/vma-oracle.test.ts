/** vmaoracle answers in Pagoda line by line what it answered on the real kernel. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { guestProgram } from './setup/programs.js'
import { askPagoda } from './vma-oracle/run-scripts.js'
import { compareLogs, REGRESSIONS, readLog, SCRIPTS, scriptHash } from './vma-oracle/scripts.js'

const path = guestProgram('vmaoracle')

describe.skipIf(path === undefined || !existsSync(path))('mapping calls as on the real kernel', () => {
  test.each(SCRIPTS.map((script) => [script.policy, script.pages, script] as const))(
    '%s, %i pages',
    async (_, __, script) => {
      const linux = readLog(script)
      expect(linux?.scriptHash, 'the script has changed: npm run record:vma').toBe(scriptHash(script))
      expect(linux!.lines.length).toBeGreaterThan(script.ops * 0.9)
      expect(compareLogs(script, linux!, await askPagoda(script))).toEqual([])
    },
  )

  test.each(REGRESSIONS.map((script) => [script.name!, script] as const))('%s', async (_, script) => {
    const linux = readLog(script)
    expect(linux?.scriptHash, 'the script has changed: npm run record:vma').toBe(scriptHash(script))
    expect(compareLogs(script, linux!, await askPagoda(script))).toEqual([])
  })

  test('a difference would be seen', () => {
    const script = SCRIPTS[0]!
    const linux = readLog(script)!
    const changed = { ...linux, lines: linux.lines.map((line, i) => (i === 7 ? 'x' : line)) }
    expect(compareLogs(script, linux, changed)).toHaveLength(1)
  })
})
