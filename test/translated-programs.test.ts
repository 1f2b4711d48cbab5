/**
 * Guest programs come to the same report, output and hash of RAM whether they are interpreted or translated, now or in an earlier run, and whether the hart answers
 * page faults by itself or stops at each.
 */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { KeptTranslations } from '../src/hart/translator/kept-translations.js'
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
/** Each takes what those before it have translated. */
const RUNS = process.env.PAGODA_FULL ? 3 : 2

const programs = guestPrograms().filter(
  ({ name, path, hasReference }) =>
    hasReference && (process.env.PAGODA_FULL || QUICK.includes(name)) && (existsSync(path) || process.env.CI),
)

async function outcome(program: GuestProgram, options: Partial<BootOptions>) {
  const { mm, linux: _, ...run } = await runProgram(program, options)
  return { ...run, hash: hashMemory(mm.memory) }
}

/** The same with what `packed` has of earlier runs; what is kept of all, and how many functions were of those. */
async function laterOutcome(
  program: GuestProgram,
  translateThreshold: number,
  packed: Uint8Array | undefined,
) {
  const translations = new KeptTranslations(packed)
  const { mm, linux, ...run } = await runProgram(program, { translateThreshold, translations })
  return {
    outcome: { ...run, hash: hashMemory(mm.memory) },
    packed: linux.hart.keepTranslations() ?? packed,
    restored: linux.hart.translation!.restored,
  }
}

describe.skipIf(programs.length === 0)('interpreted and translated', () => {
  test.each(programs.map((program) => [`${program.name}.${program.libc}`, program] as const))(
    '%s',
    async (_, program) => {
      const expected = await outcome(program, { translate: false, answerFaults: false })
      const thresholds = process.env.PAGODA_FULL ? THRESHOLDS : THRESHOLDS.slice(1, 2)
      for (const threshold of thresholds) {
        let packed: Uint8Array | undefined
        for (let run = 1; run <= RUNS; run++) {
          const later = await laterOutcome(program, threshold, packed)
          expect(later.outcome, `after ${threshold}, run ${run}`).toEqual(expected)
          if (run > 1 && packed !== undefined) expect(later.restored).toBeGreaterThan(0)
          packed = later.packed
        }
      }
    },
    120_000,
  )
})
