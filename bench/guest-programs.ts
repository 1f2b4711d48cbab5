/** The programs that bench:guest runs: C of ours, built for this machine and for riscv64 from the same source, and Debian's. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findCommand, findOracle } from '../test/setup/oracles.js'

export const sources = fileURLToPath(new URL('programs', import.meta.url))
const repository = fileURLToPath(new URL('..', import.meta.url))
const muslCompiler = join(repository, 'test/riscv64-linux/rv-musl-gcc')
export const cache = fileURLToPath(new URL('../.cache/bench', import.meta.url))

export interface BuiltProgram {
  /** Undefined without the compiler. */
  readonly native: string | undefined
  readonly riscv64: string | undefined
}

/** Builds a static program from programs/NAME.c, once per source. */
export function buildBoth(name: string): BuiltProgram {
  const source = join(sources, `${name}.c`)
  return {
    native: build(findCommand('gcc'), source, `${name}.native`),
    riscv64: build(findOracle('gcc'), source, `${name}.riscv64`),
  }
}

/** A program from one source, once for each state of it; undefined without a compiler. */
export function build(
  compiler: string | undefined,
  source: string,
  name: string,
  flags: readonly string[] = ['-static'],
): string | undefined {
  if (compiler === undefined) return undefined
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16)
  const output = join(cache, `${name}.${hash}`)
  if (existsSync(output)) return output
  mkdirSync(cache, { recursive: true })
  const unfinished = `${output}.${process.pid}`
  execFileSync(compiler, ['-O2', ...flags, '-o', unfinished, source, '-lm'], { stdio: 'inherit' })
  renameSync(unfinished, output)
  return output
}

const STORMS = {
  storm: { source: 'storm.c', compiler: () => findOracle('gcc') },
  'storm.musl': { source: 'storm.c', compiler: () => findOracle('musl') && muslCompiler },
  storm_cxx: { source: 'storm_cxx.cc', compiler: () => findOracle('gxx') },
} as const
export type Storm = keyof typeof STORMS

/** The allocators' storms of test/software, for riscv64, dynamic but for musl's. */
export function buildStorm(name: Storm): string | undefined {
  const { source, compiler } = STORMS[name]
  return build(compiler(), join(repository, 'test/software/programs', source), name, ['-pthread'])
}

/** A folder with the files that programs read: 64 MiB of bytes, 8 MiB of text, a million lines. */
export function makeData(): string {
  const folder = join(cache, 'data')
  mkdirSync(folder, { recursive: true })
  makeFile(join(folder, 'bytes'), () => Buffer.alloc(64 * 2 ** 20, 'seven bytes and more of them, '))
  makeFile(join(folder, 'text'), () => Buffer.from(numberedLines(1_000_000)).subarray(0, 8 * 2 ** 20))
  makeFile(join(folder, 'lines'), () => Buffer.from(numberedLines(1_000_000)))
  return folder
}

function makeFile(path: string, contents: () => Buffer): void {
  if (!existsSync(path)) writeFileSync(path, contents())
}

/** The numbers of a linear congruential generator, a line each. */
function numberedLines(count: number): string {
  let number = 1
  return Array.from({ length: count }, () => {
    number = (Math.imul(number, 1664525) + 1013904223) >>> 0
    return `${number}\n`
  }).join('')
}
