import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { FrameField, FrameFlag, FrameMask, type FrameTable } from './frame-table.js'

/** Words of the lists. */
export const enum ListWord {
  heads = 0,
  counts = 32,
  mask = 64,
}
export const FREE_LISTS_BYTES = 80 * 4
const NO_WORDS = new Int32Array(0)

/**
 * Free blocks, a list for each order, linked through the frame table, where each block's first entry says what it is. A part of
 * a zone's record, guarded by the frames lock:
 *
 *     0    32 × u32  first block of the order, 0 for none
 *     128  32 × u32  blocks of the order
 *     256  u32       bit k: the list of order k is not empty
 */
export class FreeLists {
  #i32: Int32Array = NO_WORDS
  #at = 0
  /** Word of frame 0's entry in the frame table. */
  #table = 0

  constructor(memory: Memory, frames: FrameTable, ptr: Ptr) {
    this.#i32 = memory.i32
    this.#at = ptr >>> 2
    this.#table = frames.word
  }

  /** Bit k is set when the list of order k is not empty. */
  get mask(): number {
    return this.#i32[this.#at + ListWord.mask]!
  }

  head(order: number): Pfn {
    return this.#i32[this.#at + ListWord.heads + order]! as Pfn
  }

  next(pfn: Pfn): Pfn {
    return this.#i32[this.#table + (pfn << 2) + FrameField.index]! as Pfn
  }

  count(order: number): number {
    return this.#i32[this.#at + ListWord.counts + order]!
  }

  /** Whether a frame of RAM starts a block on just this list. */
  has(pfn: Pfn, order: number): boolean {
    const flags = this.#i32[(this.#table + (pfn << 2) + FrameField.flags) | 0]!
    return (flags & FrameMask.shape) === (FrameFlag.free | order)
  }

  /** The block that was put on a list last; there is one. */
  pop(order: number): Pfn {
    const pfn = this.head(order)
    this.remove(pfn, order)
    return pfn
  }

  push(pfn: Pfn, order: number): void {
    const i32 = this.#i32
    const at = this.#at
    const head = i32[at + ListWord.heads + order]!
    const entry = this.#table + (pfn << 2)
    i32[entry + FrameField.flags] =
      (i32[entry + FrameField.flags]! & FrameMask.contents) | FrameFlag.free | order
    i32[entry + FrameField.owner] = NO_FRAME
    i32[entry + FrameField.index] = head
    if (head !== NO_FRAME) i32[this.#table + (head << 2) + FrameField.owner] = pfn
    i32[at + ListWord.heads + order] = pfn
    i32[at + ListWord.counts + order]! += 1
    i32[at + ListWord.mask]! |= 1 << order
  }

  /** Takes a block off its list. */
  remove(pfn: Pfn, order: number): void {
    const i32 = this.#i32
    const at = this.#at
    const entry = this.#table + (pfn << 2)
    const previous = i32[entry + FrameField.owner]!
    const next = i32[entry + FrameField.index]!
    i32[entry + FrameField.flags]! &= FrameMask.contents
    i32[at + ListWord.counts + order]! -= 1
    if (next !== NO_FRAME) i32[this.#table + (next << 2) + FrameField.owner] = previous
    if (previous !== NO_FRAME) i32[this.#table + (previous << 2) + FrameField.index] = next
    else i32[at + ListWord.heads + order] = next
    if (next === NO_FRAME && previous === NO_FRAME) i32[at + ListWord.mask]! &= ~(1 << order)
  }
}
