import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { largestOrder, ORDER_MAX } from './frame-allocator.js'
import { FrameField, FrameMask, type FrameTable, ORDER_MASK } from './frame-table.js'
import { FREE_LISTS_BYTES, FreeLists } from './free-lists.js'
import { Reach } from './reach.js'
import type { Watermarks } from './watermarks.js'

/** Words of a zone's record. */
export const enum ZoneWord {
  free = 0,
  managed = 1,
  reserved = 2,
  start = 3,
  end = 4,
  protection = 5,
  spares = 6,
  chain = 7,
  base = 8,
  minimum = 9,
  low = 10,
  high = 11,
  spare = 16,
}
/** Byte offset of the lists. */
export const ZONE_LISTS = (ZoneWord.spare + 32) * 4
export const ZONE_BYTES = ZONE_LISTS + FREE_LISTS_BYTES
const NO_WORDS = new Int32Array(0)

/**
 * A range of RAM whose free blocks are split and merged among themselves only. A block's buddy is the one whose number
 * differs in bit `order`.
 *
 * Of each order one free block, its *spare*, stands in the record alone, and its entries in the frame table are those inside a
 * block; all others are on the order's list, and their entry says so: nothing is searched. Splitting a block leaves its
 * upper halves as spares: those of the last split are the *chain*, of which only the first frame of the block that was split is kept. So a block that is split
 * down to the smallest size and merged again costs a few words, however many orders lie between.
 *
 * The record in Region.zones, guarded by the frames lock:
 *
 *     0    u32       frames of all free blocks
 *     4    u32       frames that the buddy allocator manages, free or allocated
 *     8    u32       reserved frames
 *     12   u32       first frame, and the one after the last
 *     20   u32       free frames that are kept for those who must have this zone (lowmem_reserve of Linux)
 *     24   u32       bit k: order k has a spare
 *     28   u32       bit k: it is in the chain, and starts at the chain's base + 2^k; always a spare too
 *     32   u32       the chain's base
 *     36   3 × u32   watermarks min, low, high in frames; 0 when nobody has set any
 *     64   32 × u32  the other spares
 *     192            the lists (free-lists.ts)
 */
export class Zone {
  readonly start: Pfn
  readonly end: Pfn
  #i32: Int32Array = NO_WORDS
  #at = 0
  /** The free blocks that are no spares. */
  readonly lists: FreeLists
  /** Word of frame 0's entry in the frame table. */
  #table = 0

  constructor(memory: Memory, frames: FrameTable, ptr: Ptr) {
    this.#i32 = memory.i32
    this.#at = ptr >>> 2
    this.#table = frames.word
    this.lists = new FreeLists(memory, frames, (ptr + ZONE_LISTS) as Ptr)
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

  get watermarks(): Omit<Watermarks, 'promotion'> {
    const at = this.#at
    return {
      min: this.#i32[at + ZoneWord.minimum]!,
      low: this.#i32[at + ZoneWord.low]!,
      high: this.#i32[at + ZoneWord.high]!,
    }
  }

  set watermarks({ min, low, high }: Omit<Watermarks, 'promotion'>) {
    this.#i32[this.#at + ZoneWord.minimum] = min
    this.#i32[this.#at + ZoneWord.low] = low
    this.#i32[this.#at + ZoneWord.high] = high
  }

  /** Whether a block may be taken: so many frames are left then as `reach` leaves (__zone_watermark_ok). */
  mayTake(order: number, reach: Reach): boolean {
    const left = this.freeFrames - (1 << order)
    if (reach === Reach.all) return left >= 0
    const minimum = this.#i32[this.#at + ZoneWord.minimum]!
    return left >= (reach === Reach.half ? minimum - (minimum >> 1) : minimum) + this.protection
  }

  /** Fewer are free than the low watermark. */
  get isLow(): boolean {
    return this.freeFrames < this.#i32[this.#at + ZoneWord.low]! + this.protection
  }

  /** How many more have to be free to reach the high watermark. */
  get missingToHigh(): number {
    return this.#i32[this.#at + ZoneWord.high]! + this.protection - this.freeFrames
  }

  /** The free block of an order that is on no list; NO_FRAME without one. */
  spare(order: number): Pfn {
    const i32 = this.#i32
    const at = this.#at
    const bit = 1 << order
    if ((i32[at + ZoneWord.spares]! & bit) === 0) return NO_FRAME
    const isChained = (i32[at + ZoneWord.chain]! & bit) !== 0
    return (isChained ? i32[at + ZoneWord.base]! + bit : i32[at + ZoneWord.spare + order]!) as Pfn
  }

  /** Free blocks of an order. */
  count(order: number): number {
    return this.lists.count(order) + (this.spare(order) === NO_FRAME ? 0 : 1)
  }

  /** Free blocks of each order. */
  perOrder(): number[] {
    return Array.from({ length: ORDER_MAX + 1 }, (_, order) => this.count(order))
  }

  /** Visits the free blocks of an order. */
  eachFree(order: number, visit: (pfn: Pfn) => void): void {
    const spare = this.spare(order)
    if (spare !== NO_FRAME) visit(spare)
    for (let pfn = this.lists.head(order); pfn !== NO_FRAME; pfn = this.lists.next(pfn)) visit(pfn)
  }

  /** Whether a free block of just this order starts at a frame of this zone. */
  holds(pfn: Pfn, order: number): boolean {
    if (pfn === NO_FRAME || pfn < this.start || pfn >= this.end) return false
    return this.lists.has(pfn, order) || this.spare(order) === pfn
  }

  /** Whether a free block of any order starts at a frame of this zone. */
  startsFree(pfn: Pfn): boolean {
    const order = this.#i32[this.#table + (pfn << 2) + FrameField.flags]! & ORDER_MASK
    if (this.holds(pfn, order)) return true
    for (let size = 0; size <= ORDER_MAX; size++) if (this.holds(pfn, size)) return true
    return false
  }

  /**
   * Allocates a block: one reference, flags = order and what was known of the first frame's contents. Takes the smallest
   * block that is large enough; its upper halves become spares until the size is right. NO_FRAME without one.
   */
  take(order: number): Pfn {
    const i32 = this.#i32
    const at = this.#at
    const spares = i32[at + ZoneWord.spares]!
    const fits = (spares | this.lists.mask) & (-1 << order)
    if (fits === 0) return NO_FRAME
    const bit = fits & -fits
    const pfn = this.#takeWhole(31 - Math.clz32(bit))
    if (bit !== 1 << order) this.#splitOff(pfn, bit - (1 << order))
    i32[at + ZoneWord.free]! -= 1 << order
    const entry = (this.#table + (pfn << 2)) | 0
    const flags = (entry + FrameField.flags) | 0
    i32[entry] = 1
    i32[flags] = (i32[flags]! & FrameMask.contents) | order
    i32[(entry + FrameField.owner) | 0] = 0
    i32[(entry + FrameField.index) | 0] = 0
    return pfn
  }

  /** A free block of just this order, of which there is one. */
  #takeWhole(order: number): Pfn {
    const spare = this.spare(order)
    if (spare === NO_FRAME) return this.lists.pop(order)
    this.#forgetSpares(1 << order)
    return spare
  }

  #forgetSpares(bits: number): void {
    const i32 = this.#i32
    i32[this.#at + ZoneWord.spares]! &= ~bits
    i32[this.#at + ZoneWord.chain]! &= ~bits
  }

  /** The upper halves of a block that is split, one of each order in `orders`, become the chain. No block of these orders is free. */
  #splitOff(pfn: Pfn, orders: number): void {
    const i32 = this.#i32
    const at = this.#at
    this.#breakChain()
    i32[at + ZoneWord.spares]! |= orders
    i32[at + ZoneWord.chain] = orders
    i32[at + ZoneWord.base] = pfn
  }

  /** Writes down where each spare of the chain starts. */
  #breakChain(): void {
    const i32 = this.#i32
    const at = this.#at
    const base = i32[at + ZoneWord.base]!
    for (let left = i32[at + ZoneWord.chain]!; left !== 0; left &= left - 1) {
      const bit = left & -left
      i32[at + ZoneWord.spare + 31 - Math.clz32(bit)] = base + bit
    }
    i32[at + ZoneWord.chain] = 0
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

  /** Merges frames that are in no block with their buddy as often as that one is free. */
  merge(pfn: Pfn, order: number): void {
    const i32 = this.#i32
    const at = this.#at
    i32[at + ZoneWord.free]! += 1 << order
    let block = pfn
    let size = order
    if (pfn === i32[at + ZoneWord.base]) size += this.#mergeChain(order)
    while (size < ORDER_MAX) {
      const buddy = (block ^ (1 << size)) as Pfn
      if (!this.#takeBuddy(buddy, size)) break
      block = (block & buddy) as Pfn
      size++
    }
    this.#put(block, size)
  }

  /** The chain's base is free: its spares of rising order from `order` on, as long as there are, are one block with it. Returns how many. */
  #mergeChain(order: number): number {
    const run = this.#i32[this.#at + ZoneWord.chain]! >>> order
    const lengths = ~run & (run + 1)
    this.#forgetSpares((lengths - 1) << order)
    return 31 - Math.clz32(lengths)
  }

  /** Takes a block away if it is free; says whether it was. */
  #takeBuddy(pfn: Pfn, order: number): boolean {
    if (this.spare(order) === pfn && pfn !== NO_FRAME) this.#forgetSpares(1 << order)
    else if (pfn >= this.start && pfn < this.end && this.lists.has(pfn, order)) this.lists.remove(pfn, order)
    else return false
    return true
  }

  #put(pfn: Pfn, order: number): void {
    const i32 = this.#i32
    const at = this.#at
    if ((i32[at + ZoneWord.spares]! & (1 << order)) !== 0) {
      this.lists.push(pfn, order)
      return
    }
    i32[at + ZoneWord.spares]! |= 1 << order
    i32[at + ZoneWord.spare + order] = pfn
  }

  /** Takes a free block away: its frames are in no block then. */
  remove(pfn: Pfn, order: number): void {
    this.#takeBuddy(pfn, order)
    this.#i32[this.#at + ZoneWord.free]! -= 1 << order
  }

  /** Takes a part of a free block of order `size` away; what is left of that are blocks as large as possible, which have no free buddies. */
  takePart(block: Pfn, size: number, pfn: Pfn, order: number): void {
    this.remove(block, size)
    this.#i32[this.#at + ZoneWord.free]! += (1 << size) - (1 << order)
    for (let half = size - 1; half >= order; half--) {
      if (((pfn >>> half) & 1) !== 0) this.#put(((pfn >>> (half + 1)) << (half + 1)) as Pfn, half)
    }
    for (let half = order; half < size; half++) {
      if (((pfn >>> half) & 1) === 0) this.#put((((pfn >>> half) | 1) << half) as Pfn, half)
    }
  }

  /** Puts the spares on the lists, so that the frame table says of every free block that it is one: for those who search it. */
  listSpares(): void {
    for (let order = 0; order <= ORDER_MAX; order++) {
      const pfn = this.spare(order)
      if (pfn !== NO_FRAME) this.lists.push(pfn, order)
    }
    this.#forgetSpares(-1)
  }
}
