/**
 * The suites' sources from Debian, and their programs, built for riscv64: fetched and built once by `npm run test:setup`, into the
 * oracles' cache. Nothing of them is part of this repository.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { oracleCache } from '../setup/oracles.js'
import type { SuiteName } from './suite.js'

const debian = fileURLToPath(new URL('../riscv64-linux/debian-riscv64', import.meta.url))
const COMPILER = 'riscv64-linux-gnu-gcc'

/** Counted up when a build is made otherwise: the cache's folders have it in their names. */
const VERSIONS: Readonly<Record<SuiteName, number>> = { selftests: 1, posix: 2 }

const folderOf = (suite: SuiteName) => join(oracleCache, 'suites', `${suite}-${VERSIONS[suite]}`)

/** The built programs, named as SuiteTest says: `mm.mremap_test`. */
export const programFolder = (suite: SuiteName) => join(folderOf(suite), 'programs')

/** Debian's name and version of what the programs were built from; undefined when they are not there. */
export function sourceVersion(suite: SuiteName): string | undefined {
  const path = join(folderOf(suite), 'version')
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}

export function missingSuites(): SuiteName[] {
  return (Object.keys(builders) as SuiteName[]).filter((suite) => sourceVersion(suite) === undefined)
}

function run(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Programs that do not compile are left out: the table says which ones those may be. */
function compile(
  source: string,
  output: string,
  flags: readonly string[],
  libraries: readonly string[],
): void {
  const args = ['-O2', '-w', '-D_GNU_SOURCE=', ...flags, '-s', '-o', output, source, ...libraries]
  const { status, stderr } = spawnSync(COMPILER, args, { encoding: 'utf8' })
  const reason = /(error|undefined reference).*/.exec(stderr)?.[0]
  if (status !== 0) console.warn(`${source} was not built: ${reason}`)
}

const sourceFiles = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.c'))

const SELFTESTS = ['mm', 'futex', 'clone3', 'membarrier', 'sigaltstack', 'mincore']
/** Files of the folder mm that are parts of programs. */
const MM_PARTS = ['vm_util', 'thp_settings', 'uffd-common']

/** What is unpacked of the kernel's source: one and a half gigabytes as a whole. */
const KERNEL_PARTS = [
  ...SELFTESTS.map((folder) => `*/tools/testing/selftests/${folder}/*`),
  '*/tools/testing/selftests/*.h',
  '*/mm/gup_test.h',
  '*/include/vdso/time64.h',
]

/** Returns the version. */
function buildSelftests(folder: string, programs: string): string {
  run(debian, ['one', folder, 'linux-source-6.12', 'linux-libc-dev', 'libcap-dev', 'libnuma-dev'], folder)
  const tarball = join(folder, 'usr/src/linux-source-6.12.tar.xz')
  run('tar', ['-xJf', tarball, '--wildcards', ...KERNEL_PARTS], folder)
  rmSync(tarball)
  const root = join(folder, 'linux-source-6.12')
  const tests = join(root, 'tools/testing/selftests')
  const include = join(folder, 'usr/include')
  writeFileSync(join(tests, 'mm/local_config.h'), '') // no liburing
  const flags = [
    '-static',
    ...['riscv64-linux-gnu', ''].flatMap((part) => ['-isystem', join(include, part)]),
    ...['', 'futex/include', 'futex/functional', '../../..'].flatMap((part) => ['-I', join(tests, part)]),
    '-include',
    join(tests, 'kselftest.h'),
    '-I',
    join(root, 'include'),
  ]
  const libraries = [
    `-L${join(folder, 'usr/lib/riscv64-linux-gnu')}`,
    '-lrt',
    '-lpthread',
    '-lm',
    '-lcap',
    '-lnuma',
  ]
  for (const part of ['mm', 'futex/functional', 'clone3', 'membarrier', 'sigaltstack', 'mincore']) {
    const path = join(tests, part)
    for (const file of sourceFiles(path)) {
      const name = file.slice(0, -2)
      if (part === 'mm' && MM_PARTS.includes(name)) continue
      const parts =
        part !== 'mm' ? [] : MM_PARTS.filter((one) => one !== 'uffd-common' || name.startsWith('uffd'))
      const output = join(programs, `${part}/${name}`.replaceAll('/', '.'))
      compile(join(path, file), output, flags, [...parts.map((one) => join(path, `${one}.c`)), ...libraries])
    }
  }
  const list = readFileSync(join(folder, 'var/lib/debian-riscv64.list'), 'utf8')
  return /linux-source\S* \S{16}/.exec(list)![0]
}

/** Of the Open POSIX suite. */
const POSIX_INTERFACES = [
  'mmap',
  'munmap',
  'mlock',
  'munlock',
  'mlockall',
  'munlockall',
  'shm_open',
  'shm_unlink',
  'fork',
  'pthread_create',
  'sigaction',
  'mq_open',
  'mq_close',
  'mq_unlink',
  'mq_send',
  'mq_timedsend',
  'mq_receive',
  'mq_timedreceive',
  'mq_getattr',
  'mq_setattr',
  'mq_notify',
] as const
const POSIX_PARTS = ['testfrmw.c', 'threads_scenarii.c']

function buildPosix(folder: string, programs: string): string {
  run(debian, ['src', folder, 'posixtestsuite'], folder)
  const tree = readdirSync(folder).find((name) => /^posixtestsuite-[\d.]+$/.test(name))!
  for (const name of POSIX_INTERFACES) {
    const path = join(folder, tree, 'conformance/interfaces', name)
    for (const part of ['', 'speculative'].filter((part) => existsSync(join(path, part)))) {
      for (const file of sourceFiles(join(path, part)).filter((file) => !POSIX_PARTS.includes(file))) {
        const output = join(programs, join(name, part, file.slice(0, -2)).replaceAll('/', '.'))
        const flags = ['-I', join(folder, tree, 'include'), '-I', path]
        compile(join(path, part, file), output, flags, ['-lpthread', '-lrt', '-lm'])
      }
    }
  }
  return /^posixtestsuite_\S+(?=\.dsc)/m.exec(readdirSync(folder).join('\n'))![0]
}

const builders: Record<SuiteName, (folder: string, programs: string) => string> = {
  selftests: buildSelftests,
  posix: buildPosix,
}

/** Fetches and builds a suite unless it is there; it appears whole or not at all. */
export function buildSuite(suite: SuiteName): void {
  if (sourceVersion(suite) !== undefined) return
  const unfinished = `${folderOf(suite)}.${process.pid}`
  const programs = join(unfinished, 'programs')
  mkdirSync(programs, { recursive: true })
  try {
    const version = builders[suite](unfinished, programs)
    for (const name of readdirSync(unfinished))
      if (name !== 'programs') rmSync(join(unfinished, name), { recursive: true, force: true })
    writeFileSync(join(unfinished, 'version'), `${version}\n`)
    renameSync(unfinished, folderOf(suite))
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}
