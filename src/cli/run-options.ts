/** The options of `pagoda run`: what they are called, take and mean. */
import type { ClockMode } from '../linux/clock.js'
import { type Mount, parseMount } from './mount.js'
import { parseSize } from './size.js'

export interface RunOptions {
  readonly memory: number
  readonly report: boolean
  readonly json?: string
  readonly profile?: string
  readonly env?: readonly string[]
  readonly mount?: readonly Mount[]
  /** Folders that make the guest's root; the last one lies on top. */
  readonly root?: readonly string[]
  readonly cwd: string
  readonly seed: number
  readonly aslr: boolean
  readonly clock?: ClockMode
  readonly trace?: boolean
  readonly translate: 'on' | 'off'
  readonly translateThreshold?: number
  readonly codeCache?: string
}

/** The value of an option is not one that it takes; the message says what to give. */
export class WrongValue extends Error {}

export interface RunOption {
  readonly key: keyof RunOptions
  /** As help shows it: `--name`, `--name <value>`, and `--no-name`, which makes its key false instead of true. */
  readonly flags: string
  readonly text: string
  readonly otherwise?: unknown
  /** How help shows that. */
  readonly otherwiseShown?: string
  /** Of the text it is given, and the value that the option had before: its value. Throws a WrongValue. Default: the text. */
  readonly parse?: (text: string, before?: never) => unknown
  readonly choices?: readonly string[]
}

export function size(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined) throw new WrongValue('Give a size like 256M, 64MiB or 1G.')
  if (bytes % 65536 !== 0 || bytes < 8 * 2 ** 20 || bytes > 2 ** 32) {
    throw new WrongValue('It must be a multiple of 64 KiB between 8M and 4G.')
  }
  return bytes
}

function seed(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new WrongValue('Give a whole number from 0 to 4294967295.')
  }
  return value
}

function threshold(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 1e9) {
    throw new WrongValue('Give a whole number from 1 to 1000000000.')
  }
  return value
}

function environment(text: string, before: readonly string[] = []): string[] {
  if (text.indexOf('=') < 1) throw new WrongValue('Give NAME=VALUE.')
  return [...before, text]
}

function mount(text: string, before: readonly Mount[] = []): Mount[] {
  const parsed = parseMount(text)
  if (parsed === undefined) {
    throw new WrongValue('Give HOST:GUEST or HOST:GUEST:ro, GUEST an absolute path.')
  }
  return [...before, parsed]
}

function folder(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

export const DEFAULT_MEMORY = 256 * 2 ** 20

export const RUN_OPTIONS: readonly RunOption[] = [
  {
    key: 'memory',
    flags: '--memory <size>',
    text: "the machine's RAM",
    parse: size,
    otherwise: DEFAULT_MEMORY,
    otherwiseShown: '256M',
  },
  {
    key: 'report',
    flags: '--no-report',
    text: 'do not print the memory report on standard error',
    otherwise: true,
  },
  { key: 'json', flags: '--json <file>', text: 'write the report as JSON' },
  {
    key: 'profile',
    flags: '--profile <file>',
    text: 'write where the time went, by function (a .cpuprofile for Chrome, VS Code or speedscope)',
  },
  {
    key: 'env',
    flags: '--env <K=V>',
    text: 'a variable of its environment (repeatable)',
    parse: environment,
  },
  {
    key: 'mount',
    flags: '--mount <host:guest[:ro]>',
    text: 'a folder of this machine (repeatable)',
    parse: mount,
  },
  {
    key: 'root',
    flags: '--root <folder>',
    text: 'what is in its root; changes stay in memory (repeatable: each lies over those before it)',
    parse: folder,
  },
  { key: 'cwd', flags: '--cwd <path>', text: 'its working directory in the guest', otherwise: '/' },
  {
    key: 'seed',
    flags: '--seed <n>',
    text: 'for everything random in the machine',
    parse: seed,
    otherwise: 1,
  },
  {
    key: 'aslr',
    flags: '--no-aslr',
    text: 'programs at fixed addresses, whatever the seed',
    otherwise: true,
  },
  {
    key: 'clock',
    flags: '--clock <kind>',
    text: 'virtual: counted in instructions, every run the same; default on a terminal: real',
    choices: ['virtual', 'real'],
  },
  { key: 'trace', flags: '--trace', text: 'print system calls on standard error' },
  {
    key: 'translate',
    flags: '--translate <mode>',
    text: 'translate what is executed often to WebAssembly: the same run, only faster',
    choices: ['on', 'off'],
    otherwise: 'on',
  },
  {
    key: 'translateThreshold',
    flags: '--translate-threshold <n>',
    text: 'how often a place is come to before it is translated (from 1000 on: more often in a young program; default: 10000)',
    parse: threshold,
  },
  {
    key: 'codeCache',
    flags: '--code-cache <folder>',
    text: 'where translated code is kept for the next run; off: nowhere (default: $PAGODA_CODE_CACHE, pagoda/ in $XDG_CACHE_HOME or ~/.cache)',
  },
]
