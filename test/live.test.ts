/**
 * `npm run test:full`: the oracles live. The recorded references are still what the real kernel prints, and new random
 * mapping scripts (PAGODA_SEED, else from the date) are answered as the real kernel answers them.
 */
import { describe, expect, test } from 'vitest'
import { runGuest } from './setup/guest.js'
import { buildPrograms, guestProgram } from './setup/programs.js'
import { readReference, runOnLinux } from './setup/references.js'
import { askLinux } from './vma-oracle/ask-linux.js'
import { compareLogs, parseLog, type Script, scriptText } from './vma-oracle/scripts.js'

const full = process.env.PAGODA_FULL !== undefined
const seed = Number(process.env.PAGODA_SEED ?? Math.floor(Date.now() / 86_400_000))

describe.skipIf(!full)('live', () => {
  test('the references are what the kernel prints today', { timeout: 600_000 }, () => {
    const programs = buildPrograms().filter(({ hasReference }) => hasReference)
    for (const [program, { stdout, stderr, status }] of runOnLinux(programs)) {
      expect({ program: program.name, stdout, stderr, status }).toMatchObject({
        program: program.name,
        ...pick(readReference(program)!),
      })
    }
  })

  test.each(['fixed', 'top', 'bottom'] as const)(
    `new mapping scripts, seed ${seed}: %s`,
    async (policy) => {
      const script: Script = { seed, ops: 2000, policy }
      const linux = parseLog(script, askLinux(script))
      const command = { path: guestProgram('vmaoracle')!, guestPath: '/program', args: ['-p', policy] }
      const { stdout } = await runGuest({ ...command, input: scriptText(script) }, { memory: 2 ** 31 })
      expect(compareLogs(script, linux, parseLog(script, stdout))).toEqual([])
    },
    600_000,
  )
})

function pick({ stdout, stderr, status }: { stdout: string; stderr: string; status: number }) {
  return { stdout, stderr, status }
}
