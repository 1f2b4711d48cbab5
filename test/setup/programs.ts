/**
 * The guest programs in test/programs: C and C++ of ours, built static for riscv64 with glibc and (C only) musl. Those that
 * print the same on the real kernel each time have a reference; the others are tools of particular tests.
 * Built once per source: the cache in .cache/programs is keyed by the source's hash.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findOracle } from './oracles.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const sources = join(root, 'test', 'programs')
const cache = join(root, '.cache', 'programs')

export type Libc = 'glibc' | 'musl'

export interface GuestProgram {
  readonly name: string
  readonly libc: Libc
  /** Of the source: what a recorded reference is tied to. */
  readonly sourceHash: string
  readonly source: string
  readonly path: string
  /** Whether test/references holds what it prints on the real kernel. */
  readonly hasReference: boolean
}

function flags(source: string): string[] {
  const line = /^\/\/ flags: (.*)$/m.exec(readFileSync(source, 'utf8'))
  return line ? line[1]!.split(' ') : []
}

/** The headers of ours that a source includes, each behind those that it includes itself; `found` are those found so far. */
function headersOf(text: string, found: Set<string>): Set<string> {
  for (const [, header] of text.matchAll(/^#include "(\w+\.h)"$/gm)) {
    if (found.has(header!)) continue
    headersOf(readFileSync(join(sources, header!), 'utf8'), found)
    found.add(header!)
  }
  return found
}

function programsOf(source: string, hasReference: boolean): GuestProgram[] {
  const extension = extname(source)
  const name = basename(source, extension)
  const text = readFileSync(source, 'utf8')
  const hash = createHash('sha256').update(text)
  for (const header of headersOf(text, new Set(['errno_name.h'])))
    hash.update(readFileSync(join(sources, header)))
  const sourceHash = hash.digest('hex').slice(0, 16)
  const libcs: Libc[] = extension === '.c' ? ['glibc', 'musl'] : ['glibc']
  return libcs.map((libc) => ({
    name,
    libc,
    sourceHash,
    source,
    path: join(cache, `${name}.${libc}.${sourceHash}.elf`),
    hasReference,
  }))
}

/** All guest programs, whether they are built or not. */
export function guestPrograms(): GuestProgram[] {
  const files = readdirSync(sources).filter((file) => /\.(c|cc)$/.test(file))
  const tools = [
    join(sources, 'tools', 'probe.c'),
    join(sources, 'tools', 'pages.c'),
    join(sources, 'tools', 'dirty.c'),
    join(sources, 'tools', 'storm.c'),
    join(sources, 'tools', 'waits.c'),
    join(sources, 'tools', 'traces.c'),
    join(sources, 'tools', 'big_file.c'),
    join(sources, 'tools', 'hogs.c'),
    join(sources, 'tools', 'oom_settings.c'),
    join(root, 'test', 'vma-oracle', 'vmaoracle.c'),
    join(root, 'test', 'edge-calls', 'edgecalls.c'),
  ]
  return [
    ...files.sort().flatMap((file) => programsOf(join(sources, file), true)),
    ...tools.flatMap((file) => programsOf(file, false)),
  ]
}

const run = promisify(execFile)

async function compile({ source, libc, path }: GuestProgram): Promise<void> {
  const output = `${path}.${process.pid}`
  const common = ['-O2', '-w', ...flags(source), '-o', output, source, '-lm']
  if (libc === 'musl') await run(join(root, 'test/riscv64-linux/rv-musl-gcc'), common)
  else await run(`riscv64-linux-gnu-${source.endsWith('.cc') ? 'g++' : 'gcc'}`, ['-static', ...common])
  renameSync(output, path)
}

const GLIBC_ONLY = ['vmaoracle', 'edgecalls']

function canBuild({ name, libc }: GuestProgram): boolean {
  if (libc === 'musl' && GLIBC_ONLY.includes(name)) return false
  const needs = libc === 'musl' ? (['gcc', 'musl'] as const) : (['gcc', 'gxx'] as const)
  return needs.every((oracle) => findOracle(oracle) !== undefined)
}

/** Builds what is missing and can be built here, as many at once as there are processors; returns the programs that are there. */
export async function buildPrograms(): Promise<GuestProgram[]> {
  mkdirSync(cache, { recursive: true })
  const programs = guestPrograms().filter((program) => existsSync(program.path) || canBuild(program))
  const missing = programs.filter(({ path }) => !existsSync(path)).values()
  const builder = async () => {
    for (const program of missing) await compile(program)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, builder))
  return programs
}

/** One built program's path; undefined when there is no compiler here. */
export function guestProgram(name: string, libc: Libc = 'glibc'): string | undefined {
  const found = guestPrograms().find((program) => program.name === name && program.libc === libc)
  if (!found) throw new Error(`test/programs has no ${name} for ${libc}`)
  return existsSync(found.path) ? found.path : undefined
}
