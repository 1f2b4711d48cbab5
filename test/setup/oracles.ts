/**
 * What the tests compare Pagoda with. Under CI a missing oracle is a failure; elsewhere the tests that need
 * it are skipped, and the run says so loudly (`npm run test:setup` installs them all on Debian).
 */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

export const oracleCache =
  process.env.RV_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'riscv64-linux')

/** An executable of PATH. */
export function findCommand(command: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

function fetched(...path: string[]): string | undefined {
  const full = join(oracleCache, ...path)
  return existsSync(full) ? full : undefined
}

const finders = {
  /** The C cross compiler (glibc). */
  gcc: () => findCommand('riscv64-linux-gnu-gcc'),
  /** The C++ cross compiler. */
  gxx: () => findCommand('riscv64-linux-gnu-g++'),
  /** musl's headers and library for the cross compiler. */
  musl: () => fetched('musl', '.done'),
  /** qemu user mode 10: the reference for instructions. */
  qemuUser: () => process.env.PAGODA_QEMU ?? fetched('qemu', 'usr', 'bin', 'qemu-riscv64'),
  /** qemu system mode, which runs the real kernel. */
  qemuSystem: () => findCommand('qemu-system-riscv64'),
  /** Debian's riscv64 kernel image. */
  kernel: () => {
    const boot = fetched('kernel', 'boot')
    return boot && readdirSync(boot).some((name) => name.startsWith('vmlinux-')) ? boot : undefined
  },
  chromium: () => findCommand('chromium'),
}
export type Oracle = keyof typeof finders

/** Where an oracle is; undefined when it is not installed (never under CI: there it throws). */
export function findOracle(oracle: Oracle): string | undefined {
  const path = finders[oracle]()
  if (path === undefined && process.env.CI) throw new Error(`${oracle} is missing: npm run test:setup`)
  return path
}

export function missingOracles(): Oracle[] {
  return (Object.keys(finders) as Oracle[]).filter((oracle) => finders[oracle]() === undefined)
}

/** Of the real kernel that references are recorded on. */
export function kernelVersion(): string {
  const image = readdirSync(findOracle('kernel')!).find((name) => name.startsWith('vmlinux-'))
  return image!.slice('vmlinux-'.length)
}
