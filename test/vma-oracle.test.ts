/** vmaoracle answers in Pagoda line by line what it answered on the real kernel. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runGuest } from './setup/guest.js'
import { guestProgram } from './setup/programs.js'
import { compareLogs, parseLog, readLog, SCRIPTS, scriptHash, scriptText } from './vma-oracle/scripts.js'

const path = guestProgram('vmaoracle')

describe.skipIf(path === undefined || !existsSync(path))('mapping calls as on the real kernel', () => {
  test.each(SCRIPTS.map((script) => [script.policy, script] as const))('%s', async (_, script) => {
    const linux = readLog(script)
    expect(linux?.scriptHash, 'the script has changed: npm run record:vma').toBe(scriptHash(script))
    expect(linux!.lines.length).toBeGreaterThan(script.ops * 0.9)
    const { stdout, status } = await runGuest(
      { path: path!, guestPath: '/program', args: ['-p', script.policy], input: scriptText(script) },
      { memory: 2 ** 31 },
    )
    expect(status).toBe(0)
    expect(compareLogs(script, linux!, parseLog(script, stdout))).toEqual([])
  })

  test('a difference would be seen', () => {
    const script = SCRIPTS[0]!
    const linux = readLog(script)!
    const changed = { ...linux, lines: linux.lines.map((line, i) => (i === 7 ? 'x' : line)) }
    expect(compareLogs(script, linux, changed)).toHaveLength(1)
  })
})
