/**
 * Folders with Debian's programs for riscv64, unpacked with all they depend on. Each is fetched once into the oracles'
 * cache; its name there has the hash of what was asked for.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findOracle, oracleCache } from '../setup/oracles.js'

const tool = fileURLToPath(new URL('../riscv64-linux/debian-riscv64', import.meta.url))

/** Not needed to run anything; the real kernel's initramfs is the smaller for it. */
const DOCUMENTATION = ['usr/share/doc', 'usr/share/man', 'usr/share/info', 'usr/share/locale']

interface Contents {
  /** Debian packages; what they depend on comes along. */
  readonly packages: readonly string[]
  /** Deleted again: patterns of the shell, from the root. */
  readonly without?: readonly string[]
  /** Compiled as Debian's install script would: the first import of a module takes a tenth of the time. */
  readonly python?: string
}

const contents = {
  busybox: { packages: ['busybox-static'] },
  tools: { packages: ['busybox-static', 'dash', 'sqlite3', 'lua5.4', 'perl'] },
  python: { packages: ['dash', 'python3', 'libpython3.13-testsuite'], python: 'usr/lib/python3.13' },
  procps: { packages: ['busybox-static', 'procps', 'ncurses-base'] },
  redis: { packages: ['busybox-static', 'redis-server', 'redis-tools'] },
  strace: { packages: ['busybox-static', 'strace'] },
  malloc: { packages: ['libstdc++6', 'libjemalloc2', 'libmimalloc3', 'libtcmalloc-minimal4t64'] },
  // Programs that make programs.
  jit: { packages: ['luajit', 'nodejs'] },
  postgres: {
    packages: ['busybox-static', 'dash', 'postgresql-17'],
    // Its own compiler, which only large queries begin with: 200 MB.
    without: ['usr/lib/riscv64-linux-gnu/libLLVM*', 'usr/lib/postgresql/17/lib/bitcode'],
  },
  stress: {
    packages: ['busybox-static', 'stress-ng'],
    // The drivers behind libEGL, which nothing here opens: 200 MB.
    without: ['libLLVM*', 'libgallium*', 'libz3*'].map((name) => `usr/lib/riscv64-linux-gnu/${name}`),
  },
} satisfies Record<string, Contents>

export type RootName = keyof typeof contents
export const rootNames = Object.keys(contents) as RootName[]

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)

function folderOf(name: RootName): string {
  return join(oracleCache, 'software', `${name}-${sha256(JSON.stringify(contents[name]))}`)
}

/** Where a root is; undefined when it has not been fetched. */
export function findRoot(name: RootName): string | undefined {
  return existsSync(folderOf(name)) ? folderOf(name) : undefined
}

export function missingRoots(): RootName[] {
  return rootNames.filter((name) => findRoot(name) === undefined)
}

/** Of the packages that a fetched root has, with their versions: Debian's updates change it. */
export function packagesHash(name: RootName): string {
  return sha256(readFileSync(join(folderOf(name), 'var/lib/debian-riscv64.list'), 'utf8'))
}

/** Not compiled: what no case imports. */
const UNUSED_MODULES =
  '/(idlelib|turtledemo|ensurepip|test/(?!support/|[a-z]+_tests|test_(list|dict|re|json|threading|subprocess|mmap)\\b))'

function compileModules(root: string, library: string): void {
  const qemu = findOracle('qemuUser')
  if (qemu === undefined) return
  const invalidation = ['--invalidation-mode', 'unchecked-hash']
  const paths = ['-s', root, '-p', '/', join(root, library)]
  const compile = ['-m', 'compileall', '-q', '-x', UNUSED_MODULES, ...invalidation, ...paths]
  execFileSync(qemu, ['-L', root, join(root, 'usr/bin/python3'), ...compile], { stdio: 'inherit' })
}

/** Fetches a root unless it is there; it appears whole or not at all. */
export function fetchRoot(name: RootName): void {
  const folder = folderOf(name)
  if (existsSync(folder)) return
  const { packages, without = [], python }: Contents = contents[name]
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  try {
    execFileSync(tool, ['get', unfinished, ...packages], { stdio: ['ignore', 'ignore', 'inherit'] })
    const patterns = [...DOCUMENTATION, ...without].join(' ')
    execFileSync('bash', ['-c', `rm -rf ${patterns}`], { cwd: unfinished })
    if (python !== undefined) compileModules(unfinished, python)
    renameSync(unfinished, folder)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}
