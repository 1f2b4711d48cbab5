/** What a machine in v86 boots: Debian's last kernel for a 686, Debian's SeaBIOS, and programs of ours as its initial RAM disk. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findCommand, oracleCache } from '../test/setup/oracles.js'
import { build, sources } from './guest-programs.js'

const scripts = fileURLToPath(new URL('../test/riscv64-linux/', import.meta.url))
const root = join(oracleCache, 'v86')
const COMPILER = 'i686-linux-gnu-gcc'

export interface V86Parts {
  readonly kernel: string
  readonly bios: string
  readonly vgaBios: string
  readonly initrd: Uint8Array
}

/** Debian 12 is the last with a kernel that v86's processor, which has no PAE, can run. */
function debian(...args: string[]): string {
  return execFileSync(join(scripts, 'debian-riscv64'), ['-s', 'bookworm', '-a', 'i386', ...args], {
    encoding: 'utf8',
  })
}

function fetched(): string {
  const boot = join(root, 'boot')
  if (!existsSync(boot)) {
    const depends = debian('apt', 'apt-cache', 'depends', 'linux-image-686')
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
    if (name === undefined) throw new Error('Debian has no kernel for a 686 any more')
    debian('one', root, name, 'seabios')
  }
  return join(boot, readdirSync(boot).find((name) => name.startsWith('vmlinuz-'))!)
}

/** Commands that are needed, and the package of Debian's that has each. */
const NEEDED = {
  [COMPILER]: 'gcc-i686-linux-gnu libc6-dev-i386-cross',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  python3: 'python3',
} as const

/** What has to be installed first; undefined: nothing. */
export function missingForV86(): string | undefined {
  const missing = Object.entries(NEEDED).filter(([command]) => findCommand(command) === undefined)
  if (missing.length === 0) return undefined
  const commands = missing.map(([command]) => command).join(', ')
  return (
    `--v86 needs ${commands}: apt install ${missing.map(([, packages]) => packages).join(' ')}\n` +
    "(the first time it also needs the network, for Debian's kernel and BIOS)"
  )
}

/** Fetches what is not there. Throws when it cannot. `works`: words of kernels.c, a line each. */
export function v86Parts(works: readonly string[]): V86Parts {
  const problem = missingForV86()
  if (problem !== undefined) throw new Error(problem)
  const kernel = fetched()
  const bios = join(root, 'usr/share/seabios/bios.bin')
  const vgaBios = join(root, 'usr/share/seabios/vgabios-stdvga.bin')
  return { kernel, bios, vgaBios, initrd: initialRam(findCommand(COMPILER)!, works) }
}

function initialRam(compiler: string, works: readonly string[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'pagoda-v86-'))
  try {
    for (const [program, name] of [['kernels', 'kernels'] as const, ['v86_init', 'init'] as const]) {
      copyFileSync(build(compiler, join(sources, `${program}.c`), `${program}.i686`)!, join(folder, name))
    }
    mkdirSync(join(folder, 'dev'))
    writeFileSync(join(folder, 'works'), works.map((work) => `kernels ${work} time\n`).join(''))
    return execFileSync(join(scripts, 'mkcpio'), [folder], { maxBuffer: 2 ** 26 })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
