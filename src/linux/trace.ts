/** Prints system calls as strace(1) does. */

import { errnoMessage, errnoName } from '../base/errno.js'
import { copyFromUser, readUserString } from '../fault/user-copy.js'
import { bytesOf } from './fs/text.js'
import { signalName } from './signal-numbers.js'
import type { Syscall } from './syscall.js'
import type { SyscallContext } from './syscall-context.js'
import { syscallName } from './syscall-names.js'
import { ADVICE_NAMES, flagNames, MAP_NAMES, OPEN_NAMES, PROT_NAMES, REMAP_NAMES } from './trace-names.js'
import { PARKED, REGISTERS_SET } from './wait.js'

const STRING_BYTES_SHOWN = 32
const STRING_BYTES_MAX = 4096
const VECTOR_LENGTH_SHOWN = 16
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

/** Bytes of the program as a string; the address when they cannot be read. */
function bytesAt(c: SyscallContext, address: number, length: number): string {
  if (address === 0) return 'NULL'
  const bytes = new Uint8Array(Math.max(0, Math.min(length, STRING_BYTES_SHOWN)))
  if (copyFromUser(c.mm, c.space, address, bytes) < 0) return `0x${address.toString(16)}`
  return quoted(bytes, length > STRING_BYTES_SHOWN)
}

const buffer = (c: SyscallContext, i: number, length: number) => bytesAt(c, c.args.address(i), length)

function string(c: SyscallContext, i: number): string {
  if (c.args.isZero(i)) return 'NULL'
  const text = readUserString(c.mm, c.space, c.args.address(i), STRING_BYTES_MAX)
  return typeof text === 'number' ? hex64(c, i) : quoted(bytesOf(text), false)
}

/** An array of struct iovec whose bytes the call takes; the next argument is its length. */
function vector(c: SyscallContext, i: number): string {
  const count = Math.max(0, Math.min(c.args.int(i + 1), VECTOR_LENGTH_SHOWN))
  const words = new BigUint64Array(count * 2)
  if (copyFromUser(c.mm, c.space, c.args.address(i), new Uint8Array(words.buffer)) < 0) return pointer(c, i)
  const parts = Array.from({ length: count }, (_, part) => {
    const [base, length] = [Number(words[part * 2]), Number(words[part * 2 + 1])]
    return `{iov_base=${bytesAt(c, base, length)}, iov_len=${length}}`
  })
  return `[${parts.join(', ')}${c.args.int(i + 1) > count ? ', ...' : ''}]`
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
  v: vector,
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
