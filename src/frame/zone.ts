import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { largestOrder, ORDER_MAX } from './frame-allocator.js'
import { FrameField, FrameFlag, FrameMask, type FrameTable } from './frame-table.js'

const enum ZoneWord {
  heads = 0,
  counts = 32,
  nonEmpty = 64,
  free = 65,
  managed = 66,
  reserved = 67,
  start = 68,
  end = 69,
  protection = 70,
}
export const ZONE_BYTES = 80 * 4

/**
 * A range of RAM whose free blocks are split and merged among themselves only. A block's buddy is the one whose number
 * differs in bit `order`; its entry in the frame table says whether it is free, so nothing is searched. The record in
 * Region.zones, guarded by the frames lock; the lists' links are in the frame table:
 *
 *     0    32 × u32  first free block of the order, 0 for none
 *     128  32 × u32  free blocks of the order
 *     256  u32       bit k: the list of order k is not empty
 *     260  u32       frames of these blocks
 *     264  u32       frames that the buddy allocator manages, free or allocated
 *     268  u32       reserved frames
 *     272  u32       first frame, and the one after the last
 *     280  u32       free frames that are kept for those who must have this zone (lowmem_reserve of Linux)
 */
export class Zone {
  readonly start: Pfn
  readonly end: Pfn
  readonly #u32: Uint32Array
  readonly #at: number
  /** Word of frame 0's entry in the frame table. */
  readonly #table: number

  constructor(memory: Memory, frames: FrameTable, ptr: Ptr) {
    this.#u32 = memory.u32
    this.#at = ptr >>> 2
    this.#table = frames.word
    this.start = this.#u32[this.#at + ZoneWord.start]! as Pfn
    this.end = this.#u32[this.#at + ZoneWord.end]! as Pfn
  }

  /** Writes the record of an empty zone. */
  static boot({ u32 }: Memory, ptr: Ptr, start: Pfn, end: Pfn): void {
    u32[(ptr >>> 2) + ZoneWord.start] = start
    u32[(ptr >>> 2) + ZoneWord.end] = end
  }

  get freeFrames(): number {
    return this.#u32[this.#at + ZoneWord.free]!
  }

  get managedFrames(): number {
    return this.#u32[this.#at + ZoneWord.managed]!
  }

  set managedFrames(count: number) {
    this.#u32[this.#at + ZoneWord.managed] = count
  }

  get reservedFrames(): number {
    return this.#u32[this.#at + ZoneWord.reserved]!
  }

  set reservedFrames(count: number) {
    this.#u32[this.#at + ZoneWord.reserved] = count
  }

  get protection(): number {
    return this.#u32[this.#at + ZoneWord.protection]!
  }

  set protection(frames: number) {
    this.#u32[this.#at + ZoneWord.protection] = frames
  }

  /** Bit k is set when there is a block of order k. */
  get nonEmpty(): number {
    return this.#u32[this.#at + ZoneWord.nonEmpty]!
  }

  head(order: number): Pfn {
    return this.#u32[this.#at + ZoneWord.heads + order]! as Pfn
  }

  count(order: number): number {
    return this.#u32[this.#at + ZoneWord.counts + order]!
  }

  /** Whether a free block of just this order starts at a frame of this zone, and is on its list. */
  holds(pfn: Pfn, order: number): boolean {
    if (pfn < this.start || pfn >= this.end) return false
    return (
      (this.#u32[this.#table + (pfn << 2) + FrameField.flags]! & FrameMask.shape) === (FrameFlag.free | order)
    )
  }

  /**
   * Allocates a block: one reference, flags = order and what was known of the first frame's contents. Takes the smallest
   * block that is large enough and gives its upper halves back until the size is right. NO_FRAME without one.
   */
  take(order: number): Pfn {
    const u32 = this.#u32
    const at = this.#at
    const nonEmpty = u32[at + ZoneWord.nonEmpty]!
    const fits = nonEmpty & (-1 << order)
    if (fits === 0) return NO_FRAME
    const size = 31 - Math.clz32(fits & -fits)
    const pfn = u32[at + ZoneWord.heads + size]!
    const entry = this.#table + (pfn << 2)
    const next = u32[entry + FrameField.index]!
    u32[at + ZoneWord.heads + size] = next
    u32[at + ZoneWord.counts + size]! -= 1
    if (next !== NO_FRAME) u32[this.#table + (next << 2) + FrameField.owner] = NO_FRAME
    u32[at + ZoneWord.nonEmpty] =
      (next === NO_FRAME ? nonEmpty & ~(1 << size) : nonEmpty) | this.#splitOff(pfn, size, order)
    u32[at + ZoneWord.free]! -= 1 << order
    u32[entry] = 1
    u32[entry + FrameField.flags] = (u32[entry + FrameField.flags]! & FrameMask.contents) | order
    u32[entry + FrameField.owner] = 0
    u32[entry + FrameField.index] = 0
    return pfn as Pfn
  }

  /** Puts the upper halves of a block on their lists, which are all empty: no block between the two orders is free. Their bits. */
  #splitOff(pfn: number, size: number, order: number): number {
    const u32 = this.#u32
    const at = this.#at
    for (let half = size - 1; half >= order; half--) {
      const upper = pfn + (1 << half)
      const entry = this.#table + (upper << 2)
      u32[entry + FrameField.flags] =
        (u32[entry + FrameField.flags]! & FrameMask.contents) | FrameFlag.free | half
      u32[entry + FrameField.owner] = NO_FRAME
      u32[entry + FrameField.index] = NO_FRAME
      u32[at + ZoneWord.heads + half] = upper
      u32[at + ZoneWord.counts + half] = 1
    }
    return (1 << size) - (1 << order)
  }

  /** Takes an allocated block back, or a run of frames; `contents` is what is known of their bytes. */
  give(pfn: Pfn, order: number, contents: number): void {
    this.clear(pfn, (pfn + (1 << order)) as Pfn, contents)
    this.merge(pfn, order)
  }

  /** Makes the entries of frames those inside a free block. */
  clear(start: Pfn, end: Pfn, contents: number): void {
    const u32 = this.#u32
    for (let entry = this.#table + (start << 2); entry < this.#table + (end << 2); entry += 4) {
      u32[entry] = 0
      u32[entry + FrameField.flags] = contents
    }
  }

  /** Takes over frames that are in no block, as the largest blocks that are possible. */
  add(start: Pfn, end: Pfn): void {
    let pfn = start
    while (pfn < end) {
      const order = largestOrder(pfn, end)
      this.merge(pfn, order)
      pfn = (pfn + (1 << order)) as Pfn
    }
  }

  /** Merges frames that are in no block with their buddy as often as that one is free, and puts the result on its list. */
  merge(pfn: Pfn, order: number): void {
    const u32 = this.#u32
    u32[this.#at + ZoneWord.free]! += 1 << order
    let block: number = pfn
    let size = order
    while (size < ORDER_MAX) {
      const buddy = block ^ (1 << size)
      if (!this.holds(buddy as Pfn, size)) break
      this.#unlink(buddy, size)
      block &= ~(1 << size)
      size++
    }
    const head = u32[this.#at + ZoneWord.heads + size]!
    const entry = this.#table + (block << 2)
    u32[entry + FrameField.flags] =
      (u32[entry + FrameField.flags]! & FrameMask.contents) | FrameFlag.free | size
    u32[entry + FrameField.owner] = NO_FRAME
    u32[entry + FrameField.index] = head
    if (head !== NO_FRAME) u32[this.#table + (head << 2) + FrameField.owner] = block
    u32[this.#at + ZoneWord.heads + size] = block
    u32[this.#at + ZoneWord.counts + size]! += 1
    u32[this.#at + ZoneWord.nonEmpty]! |= 1 << size
  }

  /** Takes a free block off its list: its frames are in no block then. */
  remove(pfn: Pfn, order: number): void {
    this.#unlink(pfn, order)
    this.#u32[this.#at + ZoneWord.free]! -= 1 << order
  }

  #unlink(pfn: number, order: number): void {
    const u32 = this.#u32
    const at = this.#at
    const entry = this.#table + (pfn << 2)
    const previous = u32[entry + FrameField.owner]!
    const next = u32[entry + FrameField.index]!
    if (next !== NO_FRAME) u32[this.#table + (next << 2) + FrameField.owner] = previous
    if (previous !== NO_FRAME) u32[this.#table + (previous << 2) + FrameField.index] = next
    else {
      u32[at + ZoneWord.heads + order] = next
      if (next === NO_FRAME) u32[at + ZoneWord.nonEmpty]! &= ~(1 << order)
    }
    u32[at + ZoneWord.counts + order]! -= 1
    u32[entry + FrameField.flags]! &= FrameMask.contents
  }
}
