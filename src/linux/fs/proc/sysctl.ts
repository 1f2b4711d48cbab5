/**
 * Files of /proc/sys that hold one number, which root may write: parsed, refused and cut short as kernel/sysctl.c does it
 * (proc_dointvec_minmax, proc_doulongvec_minmax). The numbers are those of state/settings.ts.
 */
import { EINVAL, EPERM } from '../../../base/errno.js'
import type { MemoryManager } from '../../../mm.js'
import { type Setting, setSettingBits, settingBits } from '../../../state/settings.js'
import { may } from '../credentials.js'
import type { FileEnvironment } from '../environment.js'
import { userOf } from '../file-user.js'
import { byteString, bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import { file, type ProcFile, type RawContents } from './proc-node.js'

/** What may be written, by whom, and what happens then. */
export interface SettingRules {
  readonly min?: number
  readonly max?: number
  /** Needed for writing, besides the file's permissions. */
  readonly capability?: number
  /** Runs after a write that was taken, even if the value is what it was. */
  readonly written?: (mm: MemoryManager, vfs: Vfs) => void
  /** Default 0644. */
  readonly permissions?: number
}

const INT_MAX = 2n ** 31n - 1n
const ULONG_MAX = 2n ** 64n - 1n
/** What is looked at of one write, and of one number (TMPBUFLEN). */
const TEXT_MAX = 4095
const NUMBER_MAX = 21

/** A C int. */
export function integerSetting(setting: Setting, rules: SettingRules = {}): ProcFile {
  const { min = -2147483648, max = 2147483647 } = rules
  return settingFile(setting, rules, (bits) => `${BigInt.asIntN(32, bits)}`, {
    isAllowed: (value) => value >= BigInt(min) && value <= BigInt(max),
    lowest: -INT_MAX - 1n,
    highest: INT_MAX,
  })
}

/** A C unsigned long. */
export function unsignedSetting(setting: Setting, rules: SettingRules = {}): ProcFile {
  const { min = 0, max } = rules
  return settingFile(setting, rules, (bits) => `${bits}`, {
    isAllowed: (value) => value >= BigInt(min) && (max === undefined || value <= BigInt(max)),
    lowest: 0n,
    highest: ULONG_MAX,
  })
}

interface ValueRange {
  readonly isAllowed: (value: bigint) => boolean
  readonly lowest: bigint
  readonly highest: bigint
}

function settingFile(
  setting: Setting,
  rules: SettingRules,
  shown: (bits: bigint) => string,
  range: ValueRange,
): ProcFile {
  const text = ({ mm }: FileEnvironment) => `${shown(settingBits(mm.memory, setting))}\n`
  const write = (vfs: Vfs, position: number, source: Uint8Array) => {
    const { env } = vfs
    if (!isPermitted(env, rules.capability)) return -EPERM
    // sysctl_writes_strict: what is not written from the start on is taken and forgotten.
    if (position > 0 || source.length === 0) return source.length
    const parsed = parseNumber(byteString(source.subarray(0, TEXT_MAX)), range)
    if (parsed === undefined) return -EINVAL
    setSettingBits(env.mm.memory, setting, parsed.value)
    rules.written?.(env.mm, vfs)
    return source.length - parsed.rest
  }
  const raw: RawContents = {
    // One read gives what there is; another one nothing, even if the first was too short.
    read: ({ vfs }, position, target) => (position > 0 ? 0 : copyText(text(vfs.env), target)),
    write: ({ vfs }, position, source) => write(vfs, position, source),
  }
  return { ...file((_vfs, _process, env) => text(env), rules.permissions ?? 0o644), raw }
}

function copyText(text: string, target: Uint8Array): number {
  const bytes = bytesOf(text).subarray(0, target.length)
  target.set(bytes)
  return bytes.length
}

function isPermitted(env: FileEnvironment, capability: number | undefined): boolean {
  const process = env.currentProcess()
  return capability === undefined || process === undefined || may(userOf(process).credentials, capability)
}

/** One number after white space (proc_get_long), and how many bytes behind it nobody asked for. */
function parseNumber(text: string, range: ValueRange): { value: bigint; rest: number } | undefined {
  const start = text.search(/[^ \t-\r]/)
  if (start < 0) return undefined
  const number = /^-?(0x[0-9a-f]+|[0-9]+)/i.exec(text.slice(start, start + NUMBER_MAX))?.[0]
  if (number === undefined || number.length === NUMBER_MAX) return undefined
  const value = number.startsWith('-') && range.lowest === 0n ? undefined : numberOf(number)
  const behind = text.slice(start + number.length)
  if (value === undefined || !/^([ \t\n]|$)/.test(behind)) return undefined
  const isInRange = value >= range.lowest && value <= range.highest
  if (!isInRange || !range.isAllowed(value)) return undefined
  return { value, rest: behind.replace(/^[ \t-\r]+/, '').length }
}

/** strtoul with base 0: decimal, hexadecimal, or octal as far as it is that; nothing beyond 64 bits. */
function numberOf(number: string): bigint | undefined {
  const digits = number.replace('-', '')
  if (/^0[0-9]/.test(digits) && !/^[0-7]+$/.test(digits)) return undefined
  const value = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits)
  if (value > ULONG_MAX) return undefined
  return number.startsWith('-') ? -value : value
}
