/** A view on a record in the buffer: its fields by their offset in it. What records have in common that are looked at one at a time. */
import type { Ptr } from '../base/numbers.js'
import type { Memory } from './memory.js'

export class RecordView {
  readonly ptr: Ptr
  protected readonly words: Uint32Array
  protected readonly numbers: Float64Array

  constructor({ u32, f64 }: Memory, ptr: Ptr) {
    this.words = u32
    this.numbers = f64
    this.ptr = ptr
  }

  protected u32(offset: number): number {
    return this.words[(this.ptr + offset) >>> 2]!
  }

  protected setU32(offset: number, value: number): void {
    this.words[(this.ptr + offset) >>> 2] = value
  }

  /** A floating-point number of 64 bits, 8 bytes aligned. */
  protected f64(offset: number): number {
    return this.numbers[(this.ptr + offset) >>> 3]!
  }

  protected setF64(offset: number, value: number): void {
    this.numbers[(this.ptr + offset) >>> 3] = value
  }

  /** An unsigned integer of 64 bits, of which all count: for what is seldom looked at, as it costs a BigInt. */
  protected u64(offset: number): bigint {
    return (BigInt(this.u32(offset + 4)) << 32n) | BigInt(this.u32(offset))
  }

  protected setU64(offset: number, value: bigint): void {
    this.setU32(offset, Number(value & 0xffff_ffffn))
    this.setU32(offset + 4, Number(value >> 32n))
  }
}
