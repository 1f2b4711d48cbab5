/**
 * What the guest programs print on a real riscv64 Linux kernel, recorded with `npm run record` and kept in
 * test/references: one JSON file a program, tied to the hash of its source.
 */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bootPatiently, isUnfinished } from './hung-boot.js'
import { kernelVersion } from './oracles.js'
import type { GuestProgram } from './programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'test', 'references')

/** How every program is run, on the real kernel (runner.c) and in Pagoda. */
export const RUN = {
  arguments: ['alpha', 'beta gamma'],
  environment: ['HOME=/root', 'LANG=C'],
  input: 'line one\nline two\nno newline',
  guestPath: ({ name, libc }: GuestProgram) => `/t/${name}.${libc}.elf`,
} as const

export interface Reference {
  readonly kernel: string
  readonly sourceHash: string
  /** Exit code, or 128 + N for a signal. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

function referencePath({ name, libc }: GuestProgram): string {
  return join(folder, `${name}.${libc}.json`)
}

export function readReference(program: GuestProgram): Reference | undefined {
  const path = referencePath(program)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Reference) : undefined
}

export function writeReference(program: GuestProgram, reference: Reference): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(referencePath(program), `${JSON.stringify(reference, null, 1)}\n`)
}

function exitStatus(waitStatus: number): number {
  return waitStatus & 0x7f ? 128 + (waitStatus & 0x7f) : (waitStatus >> 8) & 0xff
}

const text = (hex: string) => Buffer.from(hex, 'hex').toString('latin1')

/**
 * Runs programs on the real kernel; those of one source in a boot of their own, for some leave settings behind that others would find. Throws
 * when a machine did not finish twice.
 */
export function* runOnLinux(programs: readonly GuestProgram[]): Generator<[GuestProgram, Reference]> {
  for (const name of new Set(programs.map((program) => program.name))) {
    const ofName = programs.filter((program) => program.name === name)
    yield* bootPatiently(name, () => runInOneBoot(ofName), isUnfinished)
  }
}

function runInOneBoot(programs: readonly GuestProgram[]): Map<GuestProgram, Reference> {
  const temporary = mkdtempSync(join(tmpdir(), 'pagoda-record-'))
  try {
    const rootfs = join(temporary, 'root')
    for (const part of ['t', 'tmp']) mkdirSync(join(rootfs, part), { recursive: true })
    execFileSync('riscv64-linux-gnu-gcc', [
      '-O2',
      '-static',
      '-o',
      join(rootfs, 'runner'),
      join(root, 'test/setup/runner.c'),
    ])
    for (const program of programs) copyFileSync(program.path, join(rootfs, RUN.guestPath(program)))
    const options = {
      encoding: 'latin1' as const,
      maxBuffer: 2 ** 28,
      stdio: ['ignore' as const, 'pipe' as const, 'inherit' as const],
    }
    const exec = join(root, 'test/riscv64-linux/rv-exec')
    const kernel = kernelVersion()
    const output = execFileSync(exec, ['-r', rootfs, '/runner', ...programs.map(RUN.guestPath)], options)
    const lines = output.trim().split('\n')
    return new Map(
      programs.map((program, i) => {
        const [path, status, stdout, stderr] = lines[i]!.split(' ')
        if (path !== RUN.guestPath(program)) throw new Error(`unexpected line: ${lines[i]!.slice(0, 80)}`)
        const reference: Reference = {
          kernel,
          sourceHash: program.sourceHash,
          status: exitStatus(Number(status)),
          stdout: text(stdout ?? ''),
          stderr: text(stderr ?? ''),
        }
        return [program, reference]
      }),
    )
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
