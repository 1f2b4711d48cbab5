/** vmaoracle answers in Pagoda line by line what it answered on the real kernel. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { guestProgram } from './setup/programs.js'
import { CondensingPrinter, PlainPrinter } from './vma-oracle/in-process/printers.js'
import { replay } from './vma-oracle/in-process/replay.js'
import { askPagoda } from './vma-oracle/run-scripts.js'
import {
  CALLS,
  CONDENSED,
  compareLogs,
  logOptions,
  nameOf,
  REGRESSIONS,
  readLog,
  SCRIPTS,
  scriptHash,
  scriptText,
} from './vma-oracle/scripts.js'

/** The first ones: each is of a whole block of lines, and npm run oracle:linux explains it. */
const differences: typeof compareLogs = (...logs) => compareLogs(...logs).slice(0, 3)

const path = guestProgram('vmaoracle')

describe.skipIf(path === undefined || !existsSync(path))('mapping calls as on the real kernel', () => {
  test.each(SCRIPTS.map((script) => [script.policy, script.pages, script] as const))(
    '%s, %i pages',
    async (_, __, script) => {
      const linux = readLog(script)
      expect(linux?.scriptHash, 'the script has changed: npm run record:vma').toBe(scriptHash(script))
      expect(linux!.lines.length).toBeGreaterThan((script.ops / CONDENSED) * 0.9)
      expect(differences(script, linux!, await askPagoda(script, logOptions(script)))).toEqual([])
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

describe('mapping calls without a hart, as on the real kernel', () => {
  test.each(CALLS.map((script) => [nameOf(script), script] as const))('%s', (_, script) => {
    const linux = readLog(script)!
    expect(linux.scriptHash, 'the script has changed: npm run record:vma').toBe(scriptHash(script))
    const printer = new CondensingPrinter(CONDENSED)
    replay(script, scriptText(script), printer, linux.ownPages)
    expect(Number.parseInt(printer.lines.at(-1)!, 10)).toBeGreaterThan(script.ops * 0.9)
    expect(differences(script, linux, { ...linux, lines: printer.lines })).toEqual([])
  })

  test.each(REGRESSIONS.map((script) => [script.name!, script] as const))('%s', (_, script) => {
    const linux = readLog(script)!
    const printer = new PlainPrinter()
    replay(script, scriptText(script), printer, linux.ownPages)
    expect(compareLogs(script, linux, { ...linux, lines: printer.lines })).toEqual([])
  })
})
