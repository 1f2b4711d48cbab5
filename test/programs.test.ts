/** The guest programs print byte for byte what they print on a real riscv64 Linux 6.12. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runProgram } from './setup/guest.js'
import { guestPrograms } from './setup/programs.js'
import { readReference } from './setup/references.js'

const programs = guestPrograms().filter(
  ({ hasReference, path }) => hasReference && (existsSync(path) || process.env.CI),
)

describe.skipIf(programs.length === 0)('as on the real kernel', () => {
  test.each(programs.map((program) => [`${program.name}.${program.libc}`, program] as const))(
    '%s',
    async (_, program) => {
      const reference = readReference(program)
      expect(reference?.sourceHash, 'the source has changed: npm run record').toBe(program.sourceHash)
      const { status, stdout, stderr } = await runProgram(program)
      expect(stdout).toBe(reference!.stdout)
      expect(stderr).toBe(reference!.stderr)
      expect(status).toBe(reference!.status)
    },
  )
})
