/** Prints system calls as strace(1) does. */
import { errnoMessage, errnoName } from '../base/errno.js'
import { copyFromUserPartial } from '../fault/user-copy.js'
import { signalName } from './signal-numbers.js'
import type { Syscall, SyscallContext } from './syscall-context.js'
import { syscallName } from './syscall-names.js'
import { ADVICE_NAMES, flagNames, MAP_NAMES, OPEN_NAMES, PROT_NAMES, REMAP_NAMES } from './trace-names.js'
import { PARKED, REGISTERS_SET } from './wait.js'

const STRING_BYTES_SHOWN = 32
const AT_FDCWD = -100
const ERRNO_MAX = 4095

/** How a byte is written in a string. */
const ESCAPES: ReadonlyMap<number, string> = new Map([
  [9, '\\t'],
  [10, '\\n'],
  [11, '\\v'],
  [12, '\\f'],
  [13, '\\r'],
  [34, '\\"'],
  [92, '\\\\'],
])

function quoted(bytes: Uint8Array, isCut: boolean): string {
  let text = ''
  bytes.forEach((byte, i) => {
    const next = bytes[i + 1]
    const isDigitNext = next !== undefined && next >= 48 && next <= 57
    const plain = byte >= 32 && byte < 127 ? String.fromCharCode(byte) : undefined
    const octal = `\\${isDigitNext ? byte.toString(8).padStart(3, '0') : byte.toString(8)}`
    text += ESCAPES.get(byte) ?? plain ?? octal
  })
  return `"${text}"${isCut ? '...' : ''}`
}

const hex64 = (c: SyscallContext, i: number) => {
  const high = c.args.high(i)
  const low = c.args.low(i)
  if (high === 0) return `0x${low.toString(16)}`
  return `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`
}

const pointer = (c: SyscallContext, i: number) => (c.args.isZero(i) ? 'NULL' : hex64(c, i))

/** Bytes of the program; the address when they cannot be read. */
function buffer(c: SyscallContext, i: number, length: number): string {
  if (c.args.isZero(i)) return 'NULL'
  const bytes = new Uint8Array(Math.max(0, Math.min(length, STRING_BYTES_SHOWN)))
  const there = copyFromUserPartial(c.mm, c.space, c.args.address(i), bytes)
  return there < bytes.length ? hex64(c, i) : quoted(bytes, length > STRING_BYTES_SHOWN)
}

function string(c: SyscallContext, i: number): string {
  if (c.args.isZero(i)) return 'NULL'
  const bytes = new Uint8Array(4096)
  const there = copyFromUserPartial(c.mm, c.space, c.args.address(i), bytes)
  const end = bytes.subarray(0, there).indexOf(0)
  return end < 0 ? hex64(c, i) : quoted(bytes.subarray(0, end), false)
}

type Format = (c: SyscallContext, i: number, result: number) => string

const FORMATS: Readonly<Record<string, Format>> = {
  d: (c, i) => String(c.args.int(i)),
  u: (c, i) => String(c.args.address(i)),
  x: hex64,
  p: pointer,
  s: string,
  b: (c, i) => buffer(c, i, c.args.address(i + 1)),
  B: (c, i, result) => (result < 0 ? hex64(c, i) : buffer(c, i, result)),
  f: (c, i) => String(c.args.int(i)),
  F: (c, i) => (c.args.int(i) === AT_FDCWD ? 'AT_FDCWD' : String(c.args.int(i))),
  o: (c, i) => flagNames(OPEN_NAMES, c.args.low(i)),
  m: (c, i) => `0${c.args.low(i).toString(8)}`,
  P: (c, i) => flagNames(PROT_NAMES, c.args.low(i)),
  M: (c, i) => flagNames(MAP_NAMES, c.args.low(i)),
  R: (c, i) => flagNames(REMAP_NAMES, c.args.low(i)),
  A: (c, i) => ADVICE_NAMES[c.args.int(i)] ?? String(c.args.int(i)),
  S: (c, i) => (c.args.int(i) === 0 ? '0' : signalName(c.args.int(i))),
}

/** Calls whose result is an address. */
const ADDRESS_RESULT: ReadonlySet<string> = new Set(['brk', 'mmap', 'mremap'])

function resultText(name: string, result: number): string {
  if (result < 0 && result >= -ERRNO_MAX) return `-1 ${errnoName(result)} (${errnoMessage(result)})`
  return ADDRESS_RESULT.has(name) ? `0x${result.toString(16)}` : String(result)
}

export class Tracer {
  readonly #sink: (line: string) => void
  /** What could only be read before the call. */
  #early: (string | undefined)[] = []
  #name = ''

  constructor(sink: (line: string) => void) {
    this.#sink = sink
  }

  /** Before the handler: what the call may change or take away is formatted now. */
  begin(c: SyscallContext, entry: Syscall | undefined, number: number): void {
    this.#name = entry?.name ?? syscallName(number)
    const formats = entry?.trace ?? 'xxxxxx'
    this.#early = [...formats].map((letter, i) =>
      letter === 'B' ? undefined : (FORMATS[letter] ?? hex64)(c, i, 0),
    )
  }

  /** After it. A parked call is printed when it is through. */
  end(c: SyscallContext, entry: Syscall | undefined, result: number): void {
    if (result === PARKED) return
    const late = (letter: string, i: number) => this.#early[i] ?? (FORMATS[letter] ?? hex64)(c, i, result)
    const shown = [...(entry?.trace ?? 'xxxxxx')].map(late).join(', ')
    const text = result === REGISTERS_SET ? this.#withoutResult() : resultText(this.#name, result)
    this.#sink(`${this.#name}(${shown}) = ${text}`)
  }

  /** exit never returns, execve returns 0 in the new program. */
  #withoutResult(): string {
    return this.#name === 'execve' ? '0' : '?'
  }
}
