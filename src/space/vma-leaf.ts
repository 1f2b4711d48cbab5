import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { NODE_BEGIN, NODE_CHILD, NODE_ENTRIES, NODE_FIRST, NODE_LAST } from './vma-node-layout.js'

/** Where the page after an entry's last one stands, from its first page on: in `f64`. */
const LAST = NODE_ENTRIES

/**
 * Which places of a leaf its entries stand in: any that adjoin, so that a mapping comes and goes at either end without others being moved,
 * and in the midst with half of them. (Most mappings are made below all others.)
 */
export class LeafPlaces {
  readonly #u32: Uint32Array
  readonly #f64: Float64Array

  constructor({ u32, f64 }: Memory) {
    this.#u32 = u32
    this.#f64 = f64
  }

  /** Makes room before entry `slot` of a leaf that is not full. */
  open(leaf: Ptr, slot: number): void {
    const u32 = this.#u32
    const begin = u32[(leaf + NODE_BEGIN) >>> 2]!
    const count = u32[leaf >>> 2]!
    const isFullAbove = begin + count === NODE_ENTRIES
    if (begin > 0 && (isFullAbove || 2 * slot <= count)) {
      this.#moveDown(leaf, begin, begin + slot)
      u32[(leaf + NODE_BEGIN) >>> 2] = begin - 1
    } else this.#moveUp(leaf, begin + slot, begin + count)
    u32[leaf >>> 2] = count + 1
  }

  /** Takes entry `slot` out of a leaf. */
  close(leaf: Ptr, slot: number): void {
    const u32 = this.#u32
    const begin = u32[(leaf + NODE_BEGIN) >>> 2]!
    const count = u32[leaf >>> 2]! - 1
    const last = ((leaf + NODE_LAST) >>> 3) + begin
    if (2 * slot < count) {
      this.#moveUp(leaf, begin, begin + slot)
      this.#f64[last] = 0
      u32[(leaf + NODE_BEGIN) >>> 2] = begin + 1
    } else {
      this.#moveDown(leaf, begin + slot + 1, begin + count + 1)
      this.#f64[last + count] = Number.POSITIVE_INFINITY
    }
    u32[leaf >>> 2] = count
    if (count === 0) this.pack(leaf)
  }

  /** Lets the entries begin in the first place. */
  pack(leaf: Ptr): void {
    const f64 = this.#f64
    const begin = this.#u32[(leaf + NODE_BEGIN) >>> 2]!
    const count = this.#u32[leaf >>> 2]!
    for (let from = begin; from > 0; from--) this.#moveDown(leaf, from, from + count)
    const last = ((leaf + NODE_LAST) >>> 3) + count
    for (let i = 0; i < begin; i++) f64[last + i] = Number.POSITIVE_INFINITY
    this.#u32[(leaf + NODE_BEGIN) >>> 2] = 0
  }

  /** Moves what stands in the places `from` to `end` - 1 one place up. */
  #moveUp(leaf: Ptr, from: number, end: number): void {
    const f64 = this.#f64
    const u32 = this.#u32
    const first = (leaf + NODE_FIRST) >>> 3
    const child = (leaf + NODE_CHILD) >>> 2
    for (let at = end; at > from; at--) {
      f64[first + at] = f64[first + at - 1]!
      f64[first + LAST + at] = f64[first + LAST + at - 1]!
      u32[child + at] = u32[child + at - 1]!
    }
  }

  /** The same, down. */
  #moveDown(leaf: Ptr, from: number, end: number): void {
    const f64 = this.#f64
    const u32 = this.#u32
    const first = (leaf + NODE_FIRST) >>> 3
    const child = (leaf + NODE_CHILD) >>> 2
    for (let at = from; at < end; at++) {
      f64[first + at - 1] = f64[first + at]!
      f64[first + LAST + at - 1] = f64[first + LAST + at]!
      u32[child + at - 1] = u32[child + at]!
    }
  }
}
