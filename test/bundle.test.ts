/**
 * The command, which is bundled, minified, parted in three scripts (scripts/late-code.mjs) and has short functions in the places of their calls
 * (scripts/inline-calls.mjs), does what the sources do: output, exit code and report.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runPagoda } from './setup/command.js'
import { runGuest } from './setup/guest.js'
import { type GuestProgram, guestPrograms } from './setup/programs.js'
import { RUN } from './setup/references.js'

/** Of many kinds of system calls, and all those of memory; the rest takes PAGODA_FULL=1. */
const QUICK = /^(signals|pthreads|exec_calls|inotify|proc_states|memory_edges|ptrace|call_.*)$/

const folder = mkdtempSync(join(tmpdir(), 'pagoda-bundle-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const programs = guestPrograms().filter(
  ({ name, libc, hasReference }) =>
    hasReference && (process.env.PAGODA_FULL || (libc === 'musl' && QUICK.test(name))),
)

/** Without what the command says itself of a program that died. */
const ofGuest = (stderr: string): string => stderr.replace(/^pagoda: [\s\S]*$/m, '')

async function byCommand({ name, path }: GuestProgram) {
  const report = join(folder, `${name}.json`)
  const env = RUN.environment.flatMap((variable) => ['--env', variable])
  const { status, stdout, stderr } = await runPagoda(
    ['run', '--no-report', '--json', report, ...env, path, ...RUN.arguments],
    { input: Buffer.from(RUN.input, 'latin1') },
  )
  const { pagoda: _, ...rest } = JSON.parse(readFileSync(report, 'utf8'))
  return {
    status,
    stdout: stdout.toString('latin1'),
    stderr: Buffer.from(ofGuest(stderr)).toString('latin1'),
    report: rest,
  }
}

async function bySources({ path }: GuestProgram) {
  const { arguments: args, environment: env, input } = RUN
  const { status, stdout, stderr, report } = await runGuest({ path, guestPath: path, args, env, input })
  return { status, stdout, stderr, report: JSON.parse(JSON.stringify(report)) }
}

describe.skipIf(programs.length === 0)('the command and the sources', () => {
  test.each(programs.map((program) => [`${program.name}.${program.libc}`, program] as const))(
    '%s',
    async (_, program) => {
      expect(await byCommand(program)).toEqual(await bySources(program))
    },
  )
})
