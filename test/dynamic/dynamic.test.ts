/** Dynamic programs, scripts and broken files do what they do on a real riscv64 Linux 6.12 (npm run record:dynamic). */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { bootLinux } from '../../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../../src/linux/host.js'
import { build, COMMANDS, isAvailable, sourceHash } from './programs.js'
import { REFERENCE, type Reference, type Run } from './reference.js'

const EXEC_FAILED = 100_000
const KILLED_BY_SEGV = 11
const latin1 = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString('latin1')

function boot(files: ReadonlyMap<string, Uint8Array>, out: Uint8Array[], err: Uint8Array[]) {
  const guest = bootLinux({
    host: {
      stdin: fixedInput(new Uint8Array()),
      stdout: callbackOutput((chunk) => out.push(chunk)),
      stderr: callbackOutput((chunk) => err.push(chunk)),
    },
    memory: 64 * 2 ** 20,
    aslr: false,
  })
  for (const [path, bytes] of files) guest.files.addFile(`/${path}`, bytes, 0o755)
  return guest
}

/** As launcher.c runs it. */
function run(files: ReadonlyMap<string, Uint8Array>, command: string): Run {
  const words = command.split(' ')
  const first = words.findIndex((word) => !word.includes('='))
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const guest = boot(files, out, err)
  const problem = guest.linux.start(words[first]!, words.slice(first), words.slice(0, first))
  const outputs = () => ({ stdout: latin1(out), stderr: latin1(err) })
  if (problem) return { command, status: failure(problem), ...outputs() }
  const { exitCode } = guest.linux.runSync({ instructions: 50_000_000 })
  guest.mm.check()
  return { command, status: exitCode > 128 ? exitCode - 128 : exitCode << 8, ...outputs() }
}

function failure({ errno, fatal = false }: { errno: number; fatal?: boolean }): number {
  return fatal ? KILLED_BY_SEGV : EXEC_FAILED - errno
}

const isHere = existsSync(REFERENCE) && (isAvailable || process.env.CI !== undefined)

describe.skipIf(!isHere)('as on the real kernel', () => {
  const reference = JSON.parse(readFileSync(REFERENCE, 'utf8')) as Reference
  const files = build()

  test('the reference is of these sources', () => {
    expect(reference.sourceHash, 'they have changed: npm run record:dynamic').toBe(sourceHash)
    expect(reference.runs.map(({ command }) => command)).toEqual(COMMANDS)
  })

  test.each(reference.runs.map((expected) => [expected.command, expected] as const))(
    '%s',
    (command, expected) => {
      expect(run(files, command)).toEqual(expected)
    },
  )

  test('a crash in a library is reported with the function and the library', () => {
    const { linux } = boot(files, [], [])
    expect(linux.start('/t/crash', ['/t/crash'], [])).toBeUndefined()
    expect(linux.runSync().crash?.symbol).toMatch(/^shared_crash(\+0x[0-9a-f]+)? in libshared\.so$/)
  })
})
