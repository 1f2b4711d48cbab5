/** Guest programs come to the same report, output and hash of RAM whether they are interpreted or translated. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { BootOptions } from '../src/linux/boot.js'
import { hashMemory } from '../src/state/snapshot.js'
import { runProgram } from './setup/guest.js'
import { type GuestProgram, guestPrograms } from './setup/programs.js'

/** What differs most in how it uses the hart: the rest takes PAGODA_FULL=1. */
const QUICK = [
  'cxx_exceptions',
  'fork_wait',
  'signals',
  'libm',
  'fenv',
  'call_mremap',
  'pthreads',
  'exec_calls',
  'dirty',
]
const THRESHOLDS = [3, 200, 5000]

const programs = guestPrograms().filter(
  ({ name, path, hasReference }) =>
    hasReference && (process.env.PAGODA_FULL || QUICK.includes(name)) && (existsSync(path) || process.env.CI),
)

async function outcome(program: GuestProgram, options: Partial<BootOptions>) {
  const { mm, ...run } = await runProgram(program, options)
  return { ...run, hash: hashMemory(mm.memory) }
}

describe.skipIf(programs.length === 0)('interpreted and translated', () => {
  test.each(programs.map((program) => [`${program.name}.${program.libc}`, program] as const))(
    '%s',
    async (_, program) => {
      const expected = await outcome(program, { translate: false })
      const thresholds = process.env.PAGODA_FULL ? THRESHOLDS : THRESHOLDS.slice(1, 2)
      for (const translateThreshold of thresholds) {
        expect(await outcome(program, { translateThreshold }), `after ${translateThreshold}`).toEqual(
          expected,
        )
      }
    },
    120_000,
  )
})
