/** C and C++ of ours that run in Debian's roots: dynamic with glibc, or static with musl. Built once per source. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const MUSL = join(repository, 'test/riscv64-linux/rv-musl-gcc')

const programs = {
  traced: { source: 'traced.c', compiler: 'riscv64-linux-gnu-gcc' },
  as_user: { source: 'as_user.c', compiler: 'riscv64-linux-gnu-gcc' },
  storm: { source: 'storm.c', compiler: 'riscv64-linux-gnu-gcc' },
  'storm.musl': { source: 'storm.c', compiler: MUSL },
  storm_cxx: { source: 'storm_cxx.cc', compiler: 'riscv64-linux-gnu-g++' },
} as const
export type ProgramName = keyof typeof programs

export function isProgram(name: string): name is ProgramName {
  return name in programs
}

export function programSource(name: ProgramName): string {
  return readFileSync(new URL(`programs/${programs[name].source}`, import.meta.url), 'utf8')
}

/** The built program's path. */
export function buildProgram(name: ProgramName): string {
  const { source, compiler } = programs[name]
  const text = programSource(name)
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const path = join(repository, '.cache', 'software', `${name}.${hash}.elf`)
  if (existsSync(path)) return path
  const flags = /^\/\/ flags: (.*)$/m.exec(text)?.[1]?.split(' ') ?? []
  const file = fileURLToPath(new URL(`programs/${source}`, import.meta.url))
  mkdirSync(dirname(path), { recursive: true })
  const unfinished = `${path}.${process.pid}`
  execFileSync(compiler, ['-O2', ...flags, '-o', unfinished, file], { stdio: 'inherit' })
  renameSync(unfinished, path)
  return path
}
