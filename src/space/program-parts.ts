/**
 * Where the parts of a program lie in its address space: code, data, heap, stack, arguments, environment; byte addresses all. execve(2) says it
 * first, then the program itself (PR_SET_MM). A part of the record of a space, and guarded by its lock:
 *
 *     280  f64  codeStart, codeEnd, dataStart, dataEnd, brkStart, brk, stackStart, argumentsStart, argumentsEnd, environmentStart,
 *               environmentEnd
 *     376  u32  auxiliary
 */
import type { Ptr } from '../base/numbers.js'

const ADDRESSES = 280
const ADDRESS_COUNT = 11
const AUXILIARY = 376

/** A view on the parts of one space, or of those that `space` is moved to. */
export class ProgramParts {
  readonly #words: Uint32Array
  readonly #numbers: Float64Array
  readonly #space: { readonly ptr: Ptr }

  constructor(words: Uint32Array, numbers: Float64Array, space: { readonly ptr: Ptr }) {
    this.#words = words
    this.#numbers = numbers
    this.#space = space
  }

  get #first(): number {
    return (this.#space.ptr + ADDRESSES) >>> 3
  }

  /** Where its code begins and ends: of all segments that are executable. */
  get codeStart(): number {
    return this.#numbers[this.#first]!
  }
  set codeStart(address: number) {
    this.#numbers[this.#first] = address
  }
  get codeEnd(): number {
    return this.#numbers[this.#first + 1]!
  }
  set codeEnd(address: number) {
    this.#numbers[this.#first + 1] = address
  }

  /** Of its last segment: what is in the file. RLIMIT_DATA counts it with the heap. */
  get dataStart(): number {
    return this.#numbers[this.#first + 2]!
  }
  set dataStart(address: number) {
    this.#numbers[this.#first + 2] = address
  }
  get dataEnd(): number {
    return this.#numbers[this.#first + 3]!
  }
  set dataEnd(address: number) {
    this.#numbers[this.#first + 3] = address
  }

  /** First byte of the heap: never below it. */
  get brkStart(): number {
    return this.#numbers[this.#first + 4]!
  }
  set brkStart(address: number) {
    this.#numbers[this.#first + 4] = address
  }

  /** The program break. */
  get brk(): number {
    return this.#numbers[this.#first + 5]!
  }
  set brk(address: number) {
    this.#numbers[this.#first + 5] = address
  }

  /** Where the stack pointer was at the program's start: names [stack]. */
  get stackStart(): number {
    return this.#numbers[this.#first + 6]!
  }
  set stackStart(address: number) {
    this.#numbers[this.#first + 6] = address
  }

  /** Where its argument strings begin and end on the stack, and those of its environment, which follow: until it says otherwise. */
  get argumentsStart(): number {
    return this.#numbers[this.#first + 7]!
  }
  set argumentsStart(address: number) {
    this.#numbers[this.#first + 7] = address
  }
  get argumentsEnd(): number {
    return this.#numbers[this.#first + 8]!
  }
  set argumentsEnd(address: number) {
    this.#numbers[this.#first + 8] = address
  }
  get environmentStart(): number {
    return this.#numbers[this.#first + 9]!
  }
  set environmentStart(address: number) {
    this.#numbers[this.#first + 9] = address
  }
  get environmentEnd(): number {
    return this.#numbers[this.#first + 10]!
  }
  set environmentEnd(address: number) {
    this.#numbers[this.#first + 10] = address
  }

  /** Bytes of data and heap, as RLIMIT_DATA counts them with the heap's end at `brk`. */
  dataBytes(brk: number): number {
    return brk - this.brkStart + this.dataEnd - this.dataStart
  }

  /** What it was told of itself (saved-vectors.ts); NULL = nothing. */
  get auxiliary(): Ptr {
    return this.#words[(this.#space.ptr + AUXILIARY) >>> 2]! as Ptr
  }
  set auxiliary(vector: Ptr) {
    this.#words[(this.#space.ptr + AUXILIARY) >>> 2] = vector
  }

  /** All addresses of another one. */
  copyAddresses(other: ProgramParts): void {
    this.#numbers.copyWithin(this.#first, other.#first, other.#first + ADDRESS_COUNT)
  }
}
