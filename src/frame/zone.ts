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
const NO_WORDS = new Int32Array(0)

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
  #i32: Int32Array = NO_WORDS
  #at = 0
  /** Word of frame 0's entry in the frame table. */
  #table = 0

  constructor(memory: Memory, frames: FrameTable, ptr: Ptr) {
    this.#i32 = memory.i32
    this.#at = ptr >>> 2
    this.#table = frames.word
    this.start = this.#i32[this.#at + ZoneWord.start]! as Pfn
    this.end = this.#i32[this.#at + ZoneWord.end]! as Pfn
  }

  /** Writes the record of an empty zone. */
  static boot({ u32 }: Memory, ptr: Ptr, start: Pfn, end: Pfn): void {
    u32[(ptr >>> 2) + ZoneWord.start] = start
    u32[(ptr >>> 2) + ZoneWord.end] = end
  }

  get freeFrames(): number {
    return this.#i32[this.#at + ZoneWord.free]!
  }

  get managedFrames(): number {
    return this.#i32[this.#at + ZoneWord.managed]!
  }

  set managedFrames(count: number) {
    this.#i32[this.#at + ZoneWord.managed] = count
  }

  get reservedFrames(): number {
    return this.#i32[this.#at + ZoneWord.reserved]!
  }

  set reservedFrames(count: number) {
    this.#i32[this.#at + ZoneWord.reserved] = count
  }

  get protection(): number {
    return this.#i32[this.#at + ZoneWord.protection]!
  }

  set protection(frames: number) {
    this.#i32[this.#at + ZoneWord.protection] = frames
  }

  /** Bit k is set when there is a block of order k. */
  get nonEmpty(): number {
    return this.#i32[this.#at + ZoneWord.nonEmpty]!
  }

  head(order: number): Pfn {
    return this.#i32[this.#at + ZoneWord.heads + order]! as Pfn
  }

  count(order: number): number {
    return this.#i32[this.#at + ZoneWord.counts + order]!
  }

  /** Whether a free block of just this order starts at a frame of this zone, and is on its list. */
  holds(pfn: Pfn, order: number): boolean {
    if (pfn < this.start || pfn >= this.end) return false
    return (
      (this.#i32[this.#table + (pfn << 2) + FrameField.flags]! & FrameMask.shape) === (FrameFlag.free | order)
    )
  }

  /**
   * Allocates a block: one reference, flags = order and what was known of the first frame's contents. Takes the smallest
   * block that is large enough and gives its upper halves back until the size is right. NO_FRAME without one.
   */
  take(order: number): Pfn {
    const i32 = this.#i32
    const at = this.#at
    const nonEmpty = i32[at + ZoneWord.nonEmpty]!
    const fits = nonEmpty & (-1 << order)
    if (fits === 0) return NO_FRAME
    const size = 31 - Math.clz32(fits & -fits)
    const pfn = i32[at + ZoneWord.heads + size]!
    const entry = this.#table + (pfn << 2)
    const next = i32[entry + FrameField.index]!
    i32[at + ZoneWord.heads + size] = next
    i32[at + ZoneWord.counts + size]! -= 1
    if (next !== NO_FRAME) i32[this.#table + (next << 2) + FrameField.owner] = NO_FRAME
    i32[at + ZoneWord.nonEmpty] =
      (next === NO_FRAME ? nonEmpty & ~(1 << size) : nonEmpty) | this.#splitOff(pfn, size, order)
    i32[at + ZoneWord.free]! -= 1 << order
    i32[entry] = 1
    i32[entry + FrameField.flags] = (i32[entry + FrameField.flags]! & FrameMask.contents) | order
    i32[entry + FrameField.owner] = 0
    i32[entry + FrameField.index] = 0
    return pfn as Pfn
  }

  /** Puts the upper halves of a block on their lists, which are all empty: no block between the two orders is free. Their bits. */
  #splitOff(pfn: number, size: number, order: number): number {
    const i32 = this.#i32
    const at = this.#at
    const entry = (this.#table + (pfn << 2)) | 0
    for (let half = size - 1; half >= order; half--) {
      const upper = (entry + (4 << half)) | 0
      const flags = (upper + FrameField.flags) | 0
      i32[flags] = (i32[flags]! & FrameMask.contents) | FrameFlag.free | half
      i32[(upper + FrameField.owner) | 0] = NO_FRAME
      i32[(upper + FrameField.index) | 0] = NO_FRAME
      i32[(at + half + ZoneWord.heads) | 0] = pfn + (1 << half)
      i32[(at + half + ZoneWord.counts) | 0] = 1
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
    const i32 = this.#i32
    for (let entry = this.#table + (start << 2); entry < this.#table + (end << 2); entry += 4) {
      i32[entry] = 0
      i32[entry + FrameField.flags] = contents
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
    const i32 = this.#i32
    const at = this.#at
    const { start, end } = this
    i32[at + ZoneWord.free]! += 1 << order
    let nonEmpty = i32[at + ZoneWord.nonEmpty]!
    let block: number = pfn
    let size = order
    while (size < ORDER_MAX) {
      const buddy = block ^ (1 << size)
      if (buddy < start || buddy >= end) break
      const flags = i32[(this.#table + (buddy << 2) + FrameField.flags) | 0]!
      if ((flags & FrameMask.shape) !== (FrameFlag.free | size)) break
      if (this.#unlink(buddy, size)) nonEmpty &= ~(1 << size)
      block &= ~(1 << size)
      size++
    }
    const head = i32[at + ZoneWord.heads + size]!
    const entry = this.#table + (block << 2)
    i32[entry + FrameField.flags] =
      (i32[entry + FrameField.flags]! & FrameMask.contents) | FrameFlag.free | size
    i32[entry + FrameField.owner] = NO_FRAME
    i32[entry + FrameField.index] = head
    if (head !== NO_FRAME) i32[this.#table + (head << 2) + FrameField.owner] = block
    i32[at + ZoneWord.heads + size] = block
    i32[at + ZoneWord.counts + size]! += 1
    i32[at + ZoneWord.nonEmpty] = nonEmpty | (1 << size)
  }

  /** Takes a free block off its list: its frames are in no block then. */
  remove(pfn: Pfn, order: number): void {
    if (this.#unlink(pfn, order)) this.#i32[this.#at + ZoneWord.nonEmpty]! &= ~(1 << order)
    this.#i32[this.#at + ZoneWord.free]! -= 1 << order
  }

  /** Whether the list is empty now; the caller clears its bit then. */
  #unlink(pfn: number, order: number): boolean {
    const i32 = this.#i32
    const entry = (this.#table + (pfn << 2)) | 0
    const previous = i32[(entry + FrameField.owner) | 0]!
    const next = i32[(entry + FrameField.index) | 0]!
    i32[(entry + FrameField.flags) | 0]! &= FrameMask.contents
    i32[(this.#at + order + ZoneWord.counts) | 0]! -= 1
    if (next !== NO_FRAME) i32[(this.#table + (next << 2) + FrameField.owner) | 0] = previous
    if (previous !== NO_FRAME) i32[(this.#table + (previous << 2) + FrameField.index) | 0] = next
    else i32[(this.#at + order + ZoneWord.heads) | 0] = next
    return next === NO_FRAME && previous === NO_FRAME
  }
}
