import { assert } from '../base/assert.js'
import { PAGE_SIZE, type Pfn, type Ptr } from '../base/numbers.js'
import { CODE_STAMP_BYTES, Region, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { BumpAllocator } from './bump-allocator.js'

/** The low bits of a frame's flags: the order of the block that starts at this frame. */
export const ORDER_MASK = 31

/** What a frame is used for. Of a block of several frames, the first frame's entry speaks for all. */
export const enum FrameFlag {
  /** First frame of a free block. */
  free = 1 << 5,
  /** Never allocated, never freed: header, boot tables, what the boot map reserves. */
  reserved = 1 << 6,
  /** Free, in the cache of a hart (FrameCache). Always with `free`. */
  cached = 1 << 7,
  /** Page table; `index` counts its present entries. */
  table = 1 << 8,
  /** Slab; on its first frame only. */
  slab = 1 << 9,
  /** Anonymous memory of user space. */
  anonymous = 1 << 10,
  /** Page cache: `owner` is the page object, `index` the page's number in it. */
  file = 1 << 11,
  /**
   * Of a frame that is in no allocated block: it was used since boot, so its contents are unknown. Absent: it is
   * all zero. Every frame has its own; it means nothing while the frame is allocated.
   */
  dirtyMemory = 1 << 12,
  /** Page-cache frame that differs from what its provider has; anonymous one that some entry was dirty of when its huge page was split for good. */
  dirtyPage = 1 << 13,
  /** Reserved, and not in the kernel's linear map. Always with `reserved`. */
  noMap = 1 << 14,
  /**
   * Anonymous frame that no fork has shared since its owner last wrote to it (PageAnonExclusive): it may be written without
   * asking. Without the flag a write looks whether anybody else still has it.
   */
  exclusive = 1 << 15,
  /** Anonymous frame that its program gave up: dropped when memory runs out, unless it was written to since (not PG_swapbacked). */
  lazyFree = 1 << 16,
  /** Free, and filled with the poison of debug builds (frame-poison.ts). Every frame has its own. */
  poisoned = 1 << 17,
  /** Block of a general allocation that no slab is large enough for. */
  large = 1 << 18,
  /** Page-cache frame that is being written to its provider, and was not changed since (space/write-back.ts). */
  writeBack = 1 << 16,
  /** Anonymous frame that came as a part of a huge page which was not split for good since (space/large-folio.ts). */
  folio = 1 << 19,
  /** Page-cache frame that fallocate made, into which nothing has come yet (not PG_uptodate): it reads as zeroes and is nobody's data. */
  unfilled = 1 << 20,
}

/** Sets of flags as literals, so that they are constants in the bundled code too (frame-table.test.ts compares). */
export const enum FrameMask {
  /** What is known of a frame's bytes, dirtyMemory | poisoned. It means something only while the frame is free. */
  contents = (1 << 12) | (1 << 17),
  /** free | cached | ORDER_MASK: free and the order, when a block is on its list. */
  shape = (1 << 5) | (1 << 7) | 31,
  /** free | reserved | ORDER_MASK: the order alone, when a block is allocated. */
  allocation = (1 << 5) | (1 << 6) | 31,
  /** free | cached | dirtyMemory: what a frame in a cache is. */
  inCache = (1 << 5) | (1 << 7) | (1 << 12),
  /** free | cached: one whose bytes are all zero. */
  zeroInCache = (1 << 5) | (1 << 7),
}

export const FRAME_ENTRY_BYTES = 16
/** Words of an entry. */
export const enum FrameField {
  refCount = 0,
  flags = 1,
  owner = 2,
  index = 3,
}
const REF_COUNT = FrameField.refCount
const FLAGS = FrameField.flags
const OWNER = FrameField.owner
const INDEX = FrameField.index
const WORDS = FRAME_ENTRY_BYTES / 4

/**
 * One entry for each frame of RAM, in Region.frameTable:
 *
 *     0   u32  refCount   references to the block that starts here; 0 when free or inside a block
 *     4   u32  flags      order (ORDER_MASK) and FrameFlag
 *     8   u32  owner      free: previous block on the list; else as the user of the frame likes
 *     12  u32  index      free: next block on the list; else as the user of the frame likes
 *
 * An entry without references and flags (but dirtyMemory) is inside a block, or a hole in RAM: so booting writes only the
 * first entry of each free block, and those of reserved frames. An array of structs, because whoever touches one field of a frame
 * touches the others: one cache line.
 *
 * Entries of free blocks are guarded by the frames lock, those of an allocated block by whoever holds it. The
 * reference count of a shared frame changes only through BuddyAllocator.retain and release.
 *
 * Beside it, in Region.codeStamps, a stamp for each frame (u16): not 0 while a translator has code made from what the frame
 * holds. Whoever changes that (a store, the kernel, a free) makes it 0. It is a cache's state, not the machine's.
 */
export class FrameTable {
  readonly frameCount: number
  readonly #u32: Uint32Array
  readonly #base: number
  readonly #u16: Uint16Array
  readonly #shared: boolean
  readonly #stamps: number

  private constructor(memory: Memory) {
    this.frameCount = memory.bytes / PAGE_SIZE
    this.#u32 = memory.u32
    this.#base = regionPtr(memory, Region.frameTable) >>> 2
    this.#u16 = memory.u16
    this.#shared = memory.shared
    this.#stamps = regionPtr(memory, Region.codeStamps) >>> 1
  }

  static boot(memory: Memory, bump: BumpAllocator): FrameTable {
    const stampBytes = (memory.bytes / PAGE_SIZE) * CODE_STAMP_BYTES
    setRegion(memory, Region.codeStamps, bump.allocateBytes(stampBytes), stampBytes)
    const bytes = (memory.bytes / PAGE_SIZE) * FRAME_ENTRY_BYTES
    setRegion(memory, Region.frameTable, bump.allocateBytes(bytes), bytes)
    return new FrameTable(memory)
  }

  static attach(memory: Memory): FrameTable {
    return new FrameTable(memory)
  }

  /** Index in `memory.u32` of frame 0's entry; each takes four words. For the allocators' hot paths. */
  get word(): number {
    return this.#base
  }

  refCount(pfn: Pfn): number {
    return this.#u32[this.#base + (pfn << 2) + REF_COUNT]!
  }

  setRefCount(pfn: Pfn, count: number): void {
    this.#u32[this.#base + (pfn << 2) + REF_COUNT] = count
  }

  /** One reference more to an allocated frame, which is not exclusive then; its flags. Nobody else may count at the same time. */
  addSharer(pfn: Pfn): number {
    const at = this.#base + (pfn << 2)
    const u32 = this.#u32
    const count = u32[at]!
    const flags = u32[at + FLAGS]!
    assert(count > 0, 'a free frame is retained')
    u32[at] = count + 1
    if ((flags & FrameFlag.exclusive) !== 0) u32[at + FLAGS] = flags & ~FrameFlag.exclusive
    return flags
  }

  /** Takes a reference away unless it is the last one; says whether it did. Nobody else may count at the same time. */
  dropReference(pfn: Pfn): boolean {
    const at = this.#base + (pfn << 2)
    const count = this.#u32[at]!
    if (count <= 1) return false
    this.#u32[at] = count - 1
    return true
  }

  /** Makes an allocated single frame with one reference one inside a free block, with what is known of its bytes; false, and nothing happens, when it is not that. */
  dropLast(pfn: Pfn, contents: number): boolean {
    const at = this.#base + (pfn << 2)
    if (this.#u32[at]! !== 1 || (this.#u32[at + FLAGS]! & FrameMask.allocation) !== 0) return false
    this.#u32[at] = 0
    this.#u32[at + FLAGS] = contents
    this.forgetCode(pfn)
    return true
  }

  /** Where the reference count is, for atomic operations on it. */
  refCountPtr(pfn: Pfn): Ptr {
    return ((this.#base + (pfn << 2) + REF_COUNT) * 4) as Ptr
  }

  /** Where the flags are, for atomic operations on them. */
  flagsPtr(pfn: Pfn): Ptr {
    return ((this.#base + (pfn << 2) + FLAGS) * 4) as Ptr
  }

  /** Where the owner is: of a table of 4 KiB leaves that is in use, its lock. */
  ownerPtr(pfn: Pfn): Ptr {
    return ((this.#base + (pfn << 2) + OWNER) * 4) as Ptr
  }

  /** Order and FrameFlag. */
  flags(pfn: Pfn): number {
    return this.#u32[this.#base + (pfn << 2) + FLAGS]!
  }

  /** Replaces all flags, the order too: for a block of order > 0 say `order | FrameFlag.…`. */
  setFlags(pfn: Pfn, flags: number): void {
    this.#u32[this.#base + (pfn << 2) + FLAGS] = flags
  }

  order(pfn: Pfn): number {
    return this.#u32[this.#base + (pfn << 2) + FLAGS]! & ORDER_MASK
  }

  owner(pfn: Pfn): number {
    return this.#u32[this.#base + (pfn << 2) + OWNER]!
  }

  setOwner(pfn: Pfn, owner: number): void {
    this.#u32[this.#base + (pfn << 2) + OWNER] = owner
  }

  index(pfn: Pfn): number {
    return this.#u32[this.#base + (pfn << 2) + INDEX]!
  }

  setIndex(pfn: Pfn, index: number): void {
    this.#u32[this.#base + (pfn << 2) + INDEX] = index
  }

  /** Index in `memory.u32` of the stamps of frames 0 and 1; each two take a word. */
  get stampWord(): number {
    return this.#stamps >>> 1
  }

  /**
   * What the frame holds changes: nothing that was translated from it is good any more. (32 frames' stamps share a cache line: it is
   * not written for nothing.)
   */
  forgetCode(pfn: Pfn): void {
    if (this.#u16[this.#stamps + pfn] !== 0) this.#u16[this.#stamps + pfn] = 0
  }

  /**
   * The same for the kernel, when it has changed it: not before, for another hart may translate the old bytes meanwhile. Whoever translates gives
   * the stamp before it reads, so the bytes must be seen by all before the stamp is looked at: the addition of nothing is a barrier.
   */
  forgetWritten(pfn: Pfn): void {
    if (this.#shared) Atomics.add(this.#u16, this.#stamps + pfn, 0)
    this.forgetCode(pfn)
  }

  /** 0: nothing was translated from what the frame holds. */
  codeStamp(pfn: Pfn): number {
    return this.#u16[this.#stamps + pfn]!
  }

  /** A whole entry at once. */
  set(pfn: Pfn, refCount: number, flags: number, owner: number, index: number): void {
    const at = this.#base + (pfn << 2)
    const u32 = this.#u32
    u32[at + REF_COUNT] = refCount
    u32[at + FLAGS] = flags
    u32[at + OWNER] = owner
    u32[at + INDEX] = index
  }

  /** Entries with one reference and these flags, for the frames up to `end`: each copy makes twice as many of them. */
  setRun(start: Pfn, end: Pfn, flags: number): void {
    if (start >= end) return
    this.set(start, 1, flags, 0, 0)
    const first = this.#base + (start << 2)
    const words = (end - start) * WORDS
    for (let done = WORDS; done < words; done *= 2) {
      this.#u32.copyWithin(first + done, first, first + Math.min(done, words - done))
    }
  }
}
