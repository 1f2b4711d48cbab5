/** Runs cases on the real riscv64 Linux, many in one boot. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ENVIRONMENT, MEMORY, type SoftwareCase } from './cases.js'
import { filesOf } from './files.js'
import type { Outcome } from './references.js'
import { findRoot, type RootName } from './roots.js'

/** After which a case is killed. */
const CASE_SECONDS = 600

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export type Command = Pick<SoftwareCase, 'name' | 'argv' | 'env' | 'input'>

export interface Machine {
  readonly root: RootName
  /** Paths on this machine by path in the guest. */
  readonly files: Iterable<readonly [string, string]>
  /** RAM in bytes. */
  readonly memory: number
  /** After which a command is killed. */
  readonly seconds: number
}

/** The fields that runner.c reads. */
function planOf({ name, argv, env = [], input = '' }: Command): string {
  const environment = [...ENVIRONMENT, ...env]
  const fields = [encodeURIComponent(name), argv.length, ...argv, environment.length, ...environment, input]
  return fields.map((field) => `${field}\0`).join('')
}

function prepare(folder: string, { root, files }: Machine, commands: readonly Command[]): void {
  cpSync(findRoot(root)!, folder, { recursive: true, verbatimSymlinks: true })
  for (const [guest, path] of files) {
    mkdirSync(dirname(join(folder, guest)), { recursive: true })
    copyFileSync(path, join(folder, guest))
  }
  writeFileSync(join(folder, 'cases'), commands.map(planOf).join(''))
  const compile = ['-O2', '-static', '-o', join(folder, 'runner'), local('../software/runner.c')]
  execFileSync('riscv64-linux-gnu-gcc', compile)
}

function outcomeOf(line: string): [string, Outcome] {
  const [name, status, stdout, stderr] = line.split(' ')
  const text = (hex = '') => Buffer.from(hex, 'hex').toString('latin1')
  const wait = Number(status)
  const code = wait & 0x7f ? 128 + (wait & 0x7f) : (wait >> 8) & 0xff
  return [
    decodeURIComponent(name!),
    { status: wait < 0 ? UNFINISHED : code, stdout: text(stdout), stderr: text(stderr) },
  ]
}

/** The status of a command that was killed because it took too long. */
export const UNFINISHED = -1

/** By the commands' names. Throws when the machine does not come to its end. */
export function runCommands(machine: Machine, commands: readonly Command[]): Map<string, Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'pagoda-software-'))
  try {
    prepare(folder, machine, commands)
    const runner = ['-r', folder, '/runner', `${machine.seconds}`]
    const output = execFileSync(local('../riscv64-linux/rv-exec'), runner, {
      encoding: 'latin1',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { RV_TIMEOUT: '3000', ...process.env, RV_MEM: `${machine.memory / 2 ** 20}M` },
    })
    return new Map(output.trim().split('\n').map(outcomeOf))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** By the cases' names. Throws when a case, or the machine, does not come to its end. */
export function runOnLinux(root: RootName, tests: readonly SoftwareCase[]): Map<string, Outcome> {
  const files = tests.flatMap((test) => [...filesOf(test)])
  const outcomes = runCommands({ root, files, memory: MEMORY, seconds: CASE_SECONDS }, tests)
  for (const [name, { status, stdout, stderr }] of outcomes) {
    if (status === UNFINISHED) throw new Error(`${name} did not end on the real kernel: ${stdout} ${stderr}`)
  }
  return outcomes
}
