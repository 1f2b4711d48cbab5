/**
 * The first line of a script, `#!INTERPRETER [ARGUMENT]`, exactly as fs/binfmt_script.c of Linux 6.12 reads it: of the
 * file's first 256 bytes; all that follows the interpreter's name is one argument; a name that may be cut short is none.
 */
import { byteString } from './fs/text.js'

/** BINPRM_BUF_SIZE: bytes of a file that decide what it is. What the file does not have is zeroes. */
export const SCRIPT_LINE_BYTES = 256

/** Byte strings. */
export interface ScriptLine {
  readonly interpreter: string
  readonly argument: string | undefined
}

const isBlank = (byte: number) => byte === 0x20 || byte === 0x09
const LINE_END = 0x0a
const LAST = SCRIPT_LINE_BYTES - 1

/** First place from `first` to `last` where the test holds; undefined when there is none. */
function place(
  bytes: Uint8Array,
  first: number,
  last: number,
  test: (byte: number) => boolean,
): number | undefined {
  for (let at = first; at <= last; at++) if (test(bytes[at]!)) return at
  return undefined
}

const isWord = (byte: number) => !isBlank(byte)
const isEnd = (byte: number) => isBlank(byte) || byte === 0

/** Where the line ends, before trailing blanks; undefined when the interpreter's name may go on behind the 256 bytes. */
function lineEnd(bytes: Uint8Array): number | undefined {
  const stop = bytes.findIndex((byte) => byte === LINE_END || byte === 0)
  let end = stop >= 0 && bytes[stop] === LINE_END ? stop : LAST
  if (end === LAST && bytes[LAST] !== LINE_END) {
    const name = place(bytes, 2, LAST, isWord)
    if (name === undefined || place(bytes, name, LAST, isEnd) === undefined) return undefined
  }
  while (isBlank(bytes[end - 1]!)) end--
  return end
}

/** To the first zero byte or `end`. */
function textAt(bytes: Uint8Array, start: number, end: number): string {
  const zero = bytes.indexOf(0, start)
  return byteString(bytes.subarray(start, zero < 0 ? end : Math.min(zero, end)))
}

/** Undefined when the file is no script, or one that names no interpreter. `start`: up to 256 bytes of it. */
export function parseScript(start: Uint8Array): ScriptLine | undefined {
  const bytes = new Uint8Array(SCRIPT_LINE_BYTES)
  bytes.set(start.subarray(0, SCRIPT_LINE_BYTES))
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) return undefined
  const end = lineEnd(bytes)
  const name = end === undefined ? undefined : place(bytes, 2, end, isWord)
  if (end === undefined || name === undefined || name === end) return undefined
  const nameEnd = place(bytes, name, end, isEnd)
  if (nameEnd === undefined) return { interpreter: textAt(bytes, name, end), argument: undefined }
  const argument = bytes[nameEnd] === 0 ? undefined : place(bytes, nameEnd, end, isWord)
  return {
    interpreter: textAt(bytes, name, nameEnd),
    argument: argument === undefined ? undefined : textAt(bytes, argument, end),
  }
}
