import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { Region, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { BumpAllocator } from './bump-allocator.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from './frame-table.js'

const HEADS = 0
const COUNTS = 32
const NON_EMPTY = 64
const HOT_HEAD = 65
const HOT_COUNT = 66
const COLD = 67
const MANAGED = 68
const RESERVED = 69
const BYTES = 70 * 4

const { free, hot, dirtyMemory } = FrameFlag

/**
 * The lists of free blocks, one for each order, in Region.freeLists; links are in the frame table. All of it is
 * guarded by the frames lock.
 *
 *     0    32 × u32  first block of the order, 0 for none
 *     128  32 × u32  blocks of the order
 *     256  u32       bit k: the list of order k is not empty
 *     260  u32       first hot frame
 *     264  u32       hot frames
 *     268  u32       frames of the blocks on the lists, hot frames not among them
 *     272  u32       frames that the buddy allocator manages, free or allocated
 *     276  u32       reserved frames
 *
 * Hot frames are single ones freed a moment ago. They are not merged, so that the next allocation, which gets
 * the latest of them (its bytes are still in the cache), need not split a large block again.
 */
export class FreeLists {
  readonly #frames: FrameTable
  readonly #u32: Uint32Array
  readonly #base: number

  private constructor(memory: Memory, frames: FrameTable) {
    this.#frames = frames
    this.#u32 = memory.u32
    this.#base = regionPtr(memory, Region.freeLists) >>> 2
  }

  static boot(memory: Memory, bump: BumpAllocator, frames: FrameTable): FreeLists {
    setRegion(memory, Region.freeLists, bump.allocateBytes(BYTES), BYTES)
    return new FreeLists(memory, frames)
  }

  static attach(memory: Memory, frames: FrameTable): FreeLists {
    return new FreeLists(memory, frames)
  }

  /** Bit k is set when there is a block of order k. */
  get nonEmpty(): number {
    return this.#u32[this.#base + NON_EMPTY]!
  }

  get freeFrames(): number {
    return this.#u32[this.#base + COLD]! + this.#u32[this.#base + HOT_COUNT]!
  }

  get managedFrames(): number {
    return this.#u32[this.#base + MANAGED]!
  }

  set managedFrames(count: number) {
    this.#u32[this.#base + MANAGED] = count
  }

  get reservedFrames(): number {
    return this.#u32[this.#base + RESERVED]!
  }

  set reservedFrames(count: number) {
    this.#u32[this.#base + RESERVED] = count
  }

  get hotCount(): number {
    return this.#u32[this.#base + HOT_COUNT]!
  }

  get hotHead(): Pfn {
    return this.#u32[this.#base + HOT_HEAD]! as Pfn
  }

  head(order: number): Pfn {
    return this.#u32[this.#base + HEADS + order]! as Pfn
  }

  count(order: number): number {
    return this.#u32[this.#base + COUNTS + order]!
  }

  /** Whether a free block of just this order starts at a frame, and is on its list (so not hot). */
  holds(pfn: Pfn, order: number): boolean {
    return (this.#frames.flags(pfn) & (free | hot | ORDER_MASK)) === (free | order)
  }

  /** Makes the frames from `pfn` a free block. */
  push(pfn: Pfn, order: number): void {
    const u32 = this.#u32
    const head = this.#base + HEADS + order
    const next = u32[head]! as Pfn
    this.#frames.set(pfn, 0, (this.#frames.flags(pfn) & dirtyMemory) | free | order, NO_FRAME, next)
    if (next !== NO_FRAME) this.#frames.setOwner(next, pfn)
    else u32[this.#base + NON_EMPTY]! |= 1 << order
    u32[head] = pfn
    u32[this.#base + COUNTS + order]! += 1
    u32[this.#base + COLD]! += 1 << order
  }

  /** Takes a free block off its list; its first frame is then one inside a block. */
  remove(pfn: Pfn, order: number): void {
    const u32 = this.#u32
    const head = this.#base + HEADS + order
    const previous = this.#frames.owner(pfn) as Pfn
    const next = this.#frames.index(pfn) as Pfn
    if (next !== NO_FRAME) this.#frames.setOwner(next, previous)
    if (previous !== NO_FRAME) this.#frames.setIndex(previous, next)
    else {
      u32[head] = next
      if (next === NO_FRAME) u32[this.#base + NON_EMPTY]! &= ~(1 << order)
    }
    this.#frames.set(pfn, 0, this.#frames.flags(pfn) & dirtyMemory, 0, 0)
    u32[this.#base + COUNTS + order]! -= 1
    u32[this.#base + COLD]! -= 1 << order
  }

  /** Makes a frame that was in use free and hot. Returns how many hot frames there are now. */
  pushHot(pfn: Pfn): number {
    const u32 = this.#u32
    const base = this.#base
    this.#frames.set(pfn, 0, dirtyMemory | free | hot, 0, u32[base + HOT_HEAD]!)
    u32[base + HOT_HEAD] = pfn
    return (u32[base + HOT_COUNT]! += 1)
  }

  /** Allocates the frame that became hot last: one reference, flags dirtyMemory. NO_FRAME when there is none. */
  takeHot(): Pfn {
    const u32 = this.#u32
    const base = this.#base
    const pfn = u32[base + HOT_HEAD]! as Pfn
    if (pfn === NO_FRAME) return pfn
    u32[base + HOT_HEAD] = this.#frames.index(pfn)
    u32[base + HOT_COUNT]! -= 1
    this.#frames.set(pfn, 1, dirtyMemory, 0, 0)
    return pfn
  }
}
