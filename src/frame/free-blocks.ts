import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { largestOrder, ORDER_MAX } from './frame-allocator.js'
import { FrameFlag, type FrameTable } from './frame-table.js'
import type { FreeLists } from './free-lists.js'

/** So many freed single frames are kept unmerged; above it, half of them are merged. */
export const HOT_MAX = 512

const DIRTY = FrameFlag.dirtyMemory

/**
 * How free blocks are split and merged. A block's buddy is the one whose number differs in bit `order`; its entry in
 * the frame table says whether it is free, so nothing is searched. The caller holds the frames lock.
 */
export class FreeBlocks {
  readonly #frames: FrameTable
  readonly #lists: FreeLists

  constructor(frames: FrameTable, lists: FreeLists) {
    this.#frames = frames
    this.#lists = lists
  }

  /** Allocates a block: one reference, flags = order and the first frame's dirtyMemory. NO_FRAME without one. */
  take(order: number): Pfn {
    const pfn = order === 0 ? this.#lists.takeHot() : NO_FRAME
    return pfn === NO_FRAME ? this.#takeCold(order) : pfn
  }

  /** Takes an allocated block back. All its frames count as used, whatever was done with them. */
  give(pfn: Pfn, order: number): void {
    if (order === 0) {
      if (this.#lists.pushHot(pfn) > HOT_MAX) this.#mergeHot(HOT_MAX >>> 1)
      return
    }
    for (let i = 0; i < 1 << order; i++) this.#frames.set((pfn + i) as Pfn, 0, DIRTY, 0, 0)
    this.#merge(pfn, order)
  }

  /** Takes over frames that belong to no block, as the largest blocks that are possible. */
  add(start: Pfn, end: Pfn): void {
    let pfn = start
    while (pfn < end) {
      const order = largestOrder(pfn, end)
      this.#merge(pfn, order)
      pfn = (pfn + (1 << order)) as Pfn
    }
  }

  #takeCold(order: number): Pfn {
    let pfn = this.#split(order)
    if (pfn === NO_FRAME && this.#lists.hotCount > 0) {
      this.#mergeHot(0)
      pfn = this.#split(order)
    }
    if (pfn !== NO_FRAME) this.#frames.set(pfn, 1, this.#frames.flags(pfn) | order, 0, 0)
    return pfn
  }

  /** Takes the smallest block that is large enough and gives its upper halves back until the size is right. */
  #split(order: number): Pfn {
    const lists = this.#lists
    const candidates = lists.nonEmpty & (-1 << order)
    if (candidates === 0) return NO_FRAME
    let have = 31 - Math.clz32(candidates & -candidates)
    const pfn = lists.head(have)
    lists.remove(pfn, have)
    while (have > order) {
      have--
      lists.push((pfn + (1 << have)) as Pfn, have)
    }
    return pfn
  }

  /** Merges the block with its buddy as often as that one is free, and puts the result on its list. */
  #merge(pfn: Pfn, order: number): void {
    const lists = this.#lists
    let block = pfn
    let size = order
    while (size < ORDER_MAX) {
      const buddy = (block ^ (1 << size)) as Pfn
      if (buddy >= this.#frames.frameCount || !lists.holds(buddy, size)) break
      lists.remove(buddy, size)
      block = (block & ~(1 << size)) as Pfn
      size++
    }
    lists.push(block, size)
  }

  /** Merges hot frames until `keep` are left. */
  #mergeHot(keep: number): void {
    const lists = this.#lists
    while (lists.hotCount > keep) {
      const pfn = lists.takeHot()
      this.#frames.set(pfn, 0, DIRTY, 0, 0)
      this.#merge(pfn, 0)
    }
  }
}
