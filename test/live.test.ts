/**
 * `npm run test:full`: the oracles live. The recorded references are still what the real kernel prints, and new random
 * mapping scripts (PAGODA_SEED, else from the date) are answered as the real kernel answers them.
 */
import { describe, expect, test } from 'vitest'
import { bootPatiently } from './setup/hung-boot.js'
import { buildPrograms } from './setup/programs.js'
import { readReference, runOnLinux } from './setup/references.js'
import { askLinuxAll, askPagoda, Unfinished } from './vma-oracle/run-scripts.js'
import { CALLS, compareLogs, logOptions, readLog, SCRIPTS, type Script } from './vma-oracle/scripts.js'

const full = process.env.PAGODA_FULL !== undefined
const seed = Number(process.env.PAGODA_SEED ?? Math.floor(Date.now() / 86_400_000))

/** A boot that hung is ended after 600 s, and there is one more. */
const TWO_BOOTS = 1_500_000

function ask(scripts: readonly Script[], options: readonly string[] = []) {
  const what = `mapping scripts from seed ${scripts[0]!.seed} on`
  return bootPatiently(
    what,
    () => askLinuxAll(scripts, options),
    (problem) => problem instanceof Unfinished,
  )
}

describe.skipIf(!full)('live', () => {
  test('the references are what the kernel prints today', { timeout: 3_600_000 }, async () => {
    const programs = (await buildPrograms()).filter(({ hasReference }) => hasReference)
    for (const [program, { stdout, stderr, status }] of runOnLinux(programs)) {
      expect.soft({ program: program.name, stdout, stderr, status }).toMatchObject({
        program: program.name,
        ...pick(readReference(program)!),
      })
    }
  })

  test('a recorded mapping script, chosen by the seed, is answered as when it was recorded', {
    timeout: TWO_BOOTS,
  }, () => {
    const all = [...SCRIPTS, ...CALLS]
    const script = all[seed % all.length]!
    const [log] = ask([script], logOptions(script))
    expect(compareLogs(script, log!, readLog(script)!)).toEqual([])
  })

  test.each(['fixed', 'top', 'bottom'] as const)(
    `new mapping scripts, seed ${seed}: %s`,
    async (policy) => {
      const scripts = [128, 512, 4096].map(
        (pages, i): Script => ({ seed: seed + i, ops: 2000, policy, pages, huge: i === 2 }),
      )
      const logs = ask(scripts)
      for (const [i, script] of scripts.entries()) {
        expect(compareLogs(script, logs[i]!, await askPagoda(script))).toEqual([])
      }
    },
    TWO_BOOTS,
  )
})

function pick({ stdout, stderr, status }: { stdout: string; stderr: string; status: number }) {
  return { stdout, stderr, status }
}
