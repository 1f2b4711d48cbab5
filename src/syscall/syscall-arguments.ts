/**
 * The six arguments of a system call, registers a0 to a5: 64-bit values in the buffer, low half first. A JavaScript
 * number is exact only to 2^53, so what is decided on an argument is decided on its halves, before it becomes
 * a number: otherwise rounding turns one errno into another.
 */
import { PAGE_MASK, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'

/** 64-bit wrap-around in pages. */
const PAGES_WRAP = 2 ** 52

export class SyscallArguments {
  readonly #u32: Uint32Array
  #base = 0

  constructor(memory: Pick<Memory, 'u32'>) {
    this.#u32 = memory.u32
  }

  /** Looks at six consecutive 64-bit words (8-byte aligned) from now on. */
  at(ptr: Ptr): this {
    this.#base = ptr >>> 2
    return this
  }

  /** Bits 0 to 31, unsigned. */
  low(i: number): number {
    return this.#u32[this.#base + i * 2]!
  }

  /** Bits 32 to 63, unsigned. */
  high(i: number): number {
    return this.#u32[this.#base + i * 2 + 1]!
  }

  /** What a C `int` parameter receives: bits 0 to 31, signed. */
  int(i: number): number {
    return this.low(i) | 0
  }

  isZero(i: number): boolean {
    return (this.low(i) | this.high(i)) === 0
  }

  /**
   * The value as an unsigned number: exact below 2^53, above it rounded but still rising with the value, so comparing it
   * with a limit is right. Do not look at the low bits of a rounded one: ask isPageAligned.
   */
  address(i: number): number {
    return this.high(i) * 0x1_0000_0000 + this.low(i)
  }

  /** The value as a signed number (file offsets): exact while |value| < 2^53, else rounded. */
  signed(i: number): number {
    return (this.high(i) | 0) * 0x1_0000_0000 + this.low(i)
  }

  isPageAligned(i: number): boolean {
    return (this.low(i) & PAGE_MASK) === 0
  }

  /** The value as a signed number, exact. */
  signed64(i: number): bigint {
    return (BigInt(this.high(i) | 0) << 32n) | BigInt(this.low(i))
  }

  /** The page of the value, unsigned and always exact: 0 to 2^52 - 1. */
  page(i: number): number {
    return this.high(i) * 0x10_0000 + (this.low(i) >>> 12)
  }

  /** PAGE_ALIGN(value) in pages, exact; as in 64 bits, the last page's worth of values wraps around to 0. */
  pagesUp(i: number): number {
    const pages = this.page(i) + (this.isPageAligned(i) ? 0 : 1)
    return pages === PAGES_WRAP ? 0 : pages
  }

  /** Whether the upper half is clear, as a set of flags that fits 32 bits has it. */
  is32Bit(i: number): boolean {
    return this.high(i) === 0
  }
}
