/**
 * The top of a new program's stack, as Linux's binfmt_elf lays it out (fs/binfmt_elf.c create_elf_tables, fs/exec.c):
 *
 *     top - 8      u64 0
 *                  path of the program (AT_EXECFN)
 *                  environment strings, then argument strings, each with its NUL
 *                  up to a page left free at random (16-byte aligned)
 *                  16 random bytes (AT_RANDOM)
 *                  (16-byte aligned)
 *                  auxiliary vector: pairs of u64, AT_NULL last
 *                  environment pointers, NULL; argument pointers, NULL
 *     sp           u64 argc
 */
import { pagesFor } from '../base/numbers.js'

export interface StackContents {
  readonly executable: Uint8Array
  readonly arguments: readonly Uint8Array[]
  readonly environment: readonly Uint8Array[]
  readonly random: Uint8Array
  /** Left free below the strings. */
  readonly randomBytes: number
  /** In order, AT_NULL last; the addresses of AT_RANDOM and AT_EXECFN are filled in here. */
  readonly auxiliary: readonly (readonly [type: number, value: number])[]
}

export interface InitialStack {
  /** The bytes from `stackPointer` to the top. */
  readonly bytes: Uint8Array
  readonly stackPointer: number
  /** Lowest address of a string: what is there before the kernel adds its tables. */
  readonly stringsStart: number
  /** Where the argument strings end and those of the environment begin, and where these end. */
  readonly environmentStart: number
  readonly environmentEnd: number
  /** The auxiliary vector in it. */
  readonly auxiliary: Uint8Array
}

export const AT_NULL = 0
export const AT_RANDOM = 25
export const AT_EXECFN = 31
const RANDOM_BYTES = 16

const alignDown = (address: number) => address - (address % 16)
const lengthOf = (strings: readonly Uint8Array[]) => strings.reduce((sum, { length }) => sum + length + 1, 0)

/** Bytes that the strings and their pointers take: what execve limits with E2BIG. */
export function stringBytes(
  contents: Pick<StackContents, 'arguments' | 'environment' | 'executable'>,
): number {
  const pointers = 8 * (contents.arguments.length + contents.environment.length)
  return lengthOf([...contents.arguments, ...contents.environment, contents.executable]) + pointers
}

/** Pages of the stack that the strings take, above them the word that is always left free. */
export function stringPages(
  contents: Pick<StackContents, 'arguments' | 'environment' | 'executable'>,
): number {
  return pagesFor(lengthOf([...contents.arguments, ...contents.environment, contents.executable]) + 8)
}

class Writer {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #base: number

  constructor(base: number, top: number) {
    this.#base = base
    this.#bytes = new Uint8Array(top - base)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  u64(address: number, value: number): number {
    this.#view.setUint32(address - this.#base, value >>> 0, true)
    this.#view.setUint32(address - this.#base + 4, Math.floor(value / 0x1_0000_0000) >>> 0, true)
    return address + 8
  }

  /** The address after the string's NUL. */
  string(address: number, text: Uint8Array): number {
    this.#bytes.set(text, address - this.#base)
    return address + text.length + 1
  }

  raw(address: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, address - this.#base)
  }
}

/** Lays the stack out below `top`, a page boundary. */
export function buildInitialStack(top: number, contents: StackContents): InitialStack {
  const { arguments: argv, environment: envp } = contents
  const executableAt = top - 8 - (contents.executable.length + 1)
  const environmentAt = executableAt - lengthOf(envp)
  const argumentsAt = environmentAt - lengthOf(argv)
  const randomAt = alignDown(argumentsAt - contents.randomBytes) - RANDOM_BYTES
  const words = 1 + argv.length + 1 + envp.length + 1 + 2 * contents.auxiliary.length
  const stackPointer = alignDown(randomAt - words * 8)
  const writer = new Writer(stackPointer, top)
  writer.string(executableAt, contents.executable)
  writer.raw(randomAt, contents.random)
  let at = writer.u64(stackPointer, argv.length)
  at = pointersAndStrings(writer, at, argumentsAt, argv)
  at = pointersAndStrings(writer, at, environmentAt, envp)
  const auxiliaryAt = at
  for (const [type, value] of contents.auxiliary) {
    at = writer.u64(at, type)
    at = writer.u64(at, type === AT_RANDOM ? randomAt : type === AT_EXECFN ? executableAt : value)
  }
  return {
    bytes: writer.bytes,
    stackPointer,
    stringsStart: argumentsAt,
    environmentStart: environmentAt,
    environmentEnd: executableAt,
    auxiliary: writer.bytes.subarray(auxiliaryAt - stackPointer, at - stackPointer),
  }
}

function pointersAndStrings(
  writer: Writer,
  at: number,
  strings: number,
  texts: readonly Uint8Array[],
): number {
  for (const text of texts) {
    at = writer.u64(at, strings)
    strings = writer.string(strings, text)
  }
  return writer.u64(at, 0)
}
