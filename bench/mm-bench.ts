/** programs/mm_bench.c, built for the host and for riscv64, and the sides that run it. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findCommand, findOracle } from '../test/setup/oracles.js'
import type { Contender, Sides } from './benchmark.js'
import { GuestRun } from './guest-run.js'
import { ProcessRun } from './process-run.js'

const source = fileURLToPath(new URL('programs/mm_bench.c', import.meta.url))
const cache = fileURLToPath(new URL('../.cache/bench', import.meta.url))

/** How often a round does an operation: in Pagoda, and beside it. A round takes some 10 to 100 ms of CPU. */
export interface Counts {
  readonly guest: number
  readonly peers: number
}

export class MmBench {
  /** Commands that run it; undefined where a compiler or qemu is absent. */
  readonly native: readonly string[] | undefined
  readonly qemu: readonly string[] | undefined
  readonly #riscv64: string | undefined

  constructor() {
    const gcc = findCommand('gcc')
    const crossGcc = findOracle('gcc')
    const qemu = findOracle('qemuUser')
    if (gcc !== undefined) this.native = [build(gcc, 'native')]
    if (crossGcc !== undefined) this.#riscv64 = build(crossGcc, 'riscv64')
    if (qemu !== undefined && this.#riscv64 !== undefined) this.qemu = [qemu, this.#riscv64]
  }

  /** Says loudly what cannot be compared here. */
  warnOfAbsent(): void {
    if (this.native === undefined) warn('no gcc for this machine: the native column is ABSENT')
    if (this.qemu === undefined) warn('no qemu-riscv64 10 or no cross gcc: the qemu column is ABSENT')
    if (this.#riscv64 === undefined) warn('no riscv64-linux-gnu-gcc: rows with a guest program are SKIPPED')
  }

  /** Whether there is a program for the guest. */
  get hasGuest(): boolean {
    return this.#riscv64 !== undefined
  }

  guest(operation: string, count: number): GuestRun {
    return new GuestRun(readFileSync(this.#riscv64!), operation, count)
  }

  peers(operation: string, count: number): Sides['peers'] {
    return { native: this.nativeRun(operation, count), qemu: this.qemuRun(operation, count) }
  }

  nativeRun(operation: string, count: number): Contender | undefined {
    return this.native && new ProcessRun(this.native, operation, count)
  }

  qemuRun(operation: string, count: number): Contender | undefined {
    return this.qemu && new ProcessRun(this.qemu, operation, count)
  }
}

function warn(message: string): void {
  console.warn(`*** ${message}. npm run test:setup installs what is missing (Debian). ***`)
}

/** Builds what is not built yet; the name holds the hash of the source. Static, so that both have few mappings. */
function build(compiler: string, target: string): string {
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16)
  const output = join(cache, `mm_bench.${target}.${hash}`)
  if (existsSync(output)) return output
  mkdirSync(cache, { recursive: true })
  const unfinished = `${output}.${process.pid}`
  execFileSync(compiler, ['-O2', '-static', '-o', unfinished, source], { stdio: 'inherit' })
  renameSync(unfinished, output)
  return output
}
