/** Runs cases on the real riscv64 Linux, all those of a root in one boot. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findOracle } from '../setup/oracles.js'
import { ENVIRONMENT, MEMORY, type SoftwareCase } from './cases.js'
import { filesOf } from './files.js'
import type { Outcome } from './references.js'
import { findRoot, type RootName } from './roots.js'

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export function kernelVersion(): string {
  const image = readdirSync(findOracle('kernel')!).find((name) => name.startsWith('vmlinux-'))
  return image!.slice('vmlinux-'.length)
}

/** The fields that runner.c reads. */
function planOf({ name, argv, env = [], input = '' }: SoftwareCase): string {
  const environment = [...ENVIRONMENT, ...env]
  const fields = [name, argv.length, ...argv, environment.length, ...environment, input]
  return fields.map((field) => `${field}\0`).join('')
}

function prepare(folder: string, root: RootName, tests: readonly SoftwareCase[]): void {
  cpSync(findRoot(root)!, folder, { recursive: true, verbatimSymlinks: true })
  for (const [guest, path] of tests.flatMap((test) => [...filesOf(test)])) {
    mkdirSync(dirname(join(folder, guest)), { recursive: true })
    copyFileSync(path, join(folder, guest))
  }
  writeFileSync(join(folder, 'cases'), tests.map(planOf).join(''))
  const compile = ['-O2', '-static', '-o', join(folder, 'runner'), local('runner.c')]
  execFileSync('riscv64-linux-gnu-gcc', compile)
}

function outcomeOf(line: string): [string, Outcome] {
  const [name, status, stdout, stderr] = line.split(' ')
  const text = (hex = '') => Buffer.from(hex, 'hex').toString('latin1')
  const wait = Number(status)
  if (wait < 0) throw new Error(`${name} did not end on the real kernel: ${text(stdout)} ${text(stderr)}`)
  const code = wait & 0x7f ? 128 + (wait & 0x7f) : (wait >> 8) & 0xff
  return [name!, { status: code, stdout: text(stdout), stderr: text(stderr) }]
}

/** By the cases' names. Throws when a case, or the machine, does not come to its end. */
export function runOnLinux(root: RootName, tests: readonly SoftwareCase[]): Map<string, Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'pagoda-software-'))
  try {
    prepare(folder, root, tests)
    const output = execFileSync(local('../riscv64-linux/rv-exec'), ['-r', folder, '/runner'], {
      encoding: 'latin1',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { RV_TIMEOUT: '3000', ...process.env, RV_MEM: `${MEMORY / 2 ** 20}M` },
    })
    return new Map(output.trim().split('\n').map(outcomeOf))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
