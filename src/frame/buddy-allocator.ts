import { assert } from '../base/assert.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn } from '../base/numbers.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { LockWord, lockPtr } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { checkBuddy } from './buddy-check.js'
import type { BumpAllocator } from './bump-allocator.js'
import type { FaultInjector } from './fault-injector.js'
import { type FrameAllocator, ORDER_MAX, orderFor } from './frame-allocator.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from './frame-table.js'
import { FreeBlocks } from './free-blocks.js'
import { FreeLists } from './free-lists.js'

const LOCK = lockPtr(LockWord.frames)
/** Larger blocks are asked for on the off chance: that there is none is no reason to end a program (PAGE_ALLOC_COSTLY_ORDER). */
const COSTLY_ORDER = 3
const { free: FREE, reserved: RESERVED, dirtyMemory: DIRTY, noMap: NO_MAP } = FrameFlag

export interface BuddyOptions {
  readonly faults?: FaultInjector | undefined
}

export interface BuddyStats {
  /** Frames managed, free or allocated. */
  readonly total: number
  readonly free: number
  /** Frames never given out: header, boot tables, reserved RAM. */
  readonly reserved: number
  /** Free blocks of each order; hot frames count as blocks of order 0. */
  readonly perOrder: readonly number[]
  /** Of those of order 0, frames that were freed a moment ago. */
  readonly hot: number
}

/**
 * The binary buddy allocator: blocks of 2^order frames, aligned to their size. A block's buddy is the one whose
 * number differs in bit `order`; its entry in the frame table says whether it is free, so merging never
 * searches. Finding a block is one look at the mask of non-empty lists.
 *
 * Frames that were never used are known to be zero and are not zeroed again. Everything here takes the frames lock,
 * the lock of highest rank, and calls nobody.
 */
export class BuddyAllocator implements FrameAllocator {
  readonly #memory: Memory
  readonly #shared: boolean
  readonly #atomics: AtomicWords
  readonly #frames: FrameTable
  readonly #lists: FreeLists
  readonly #blocks: FreeBlocks
  readonly #faults: FaultInjector | undefined

  private constructor(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    lists: FreeLists,
    { faults }: BuddyOptions,
  ) {
    this.#memory = memory
    this.#shared = memory.shared
    this.#atomics = atomics
    this.#frames = frames
    this.#lists = lists
    this.#blocks = new FreeBlocks(frames, lists)
    this.#faults = faults
  }

  /** Takes over all RAM that `bump` has left. */
  static boot(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    bump: BumpAllocator,
    options: BuddyOptions = {},
  ): BuddyAllocator {
    const lists = FreeLists.boot(memory, bump, frames)
    const buddy = new BuddyAllocator(memory, atomics, frames, lists, options)
    const left = bump.handOver(buddy)
    for (const { start, end } of bump.taken) buddy.#markReserved(start, end, RESERVED)
    for (const { start, end } of bump.map.ranges('reserved')) buddy.#markReserved(start, end, RESERVED)
    for (const { start, end } of bump.map.ranges('noMap')) buddy.#markReserved(start, end, RESERVED | NO_MAP)
    for (const { start, end } of left) {
      lists.managedFrames += end - start
      buddy.#blocks.add(start, end)
    }
    return buddy
  }

  static attach(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    options: BuddyOptions = {},
  ): BuddyAllocator {
    return new BuddyAllocator(memory, atomics, frames, FreeLists.attach(memory, frames), options)
  }

  /**
   * A block with one reference, its first entry's flags = order, owner and index 0. Its bytes are anything.
   * NO_FRAME when no block is large enough.
   */
  allocate(order: number): Pfn {
    const pfn = this.#take(order)
    if (pfn !== NO_FRAME) this.#frames.setFlags(pfn, order)
    return pfn
  }

  /** The same, all bytes zero. Only frames that were used before are written. */
  allocateZeroed(order: number): Pfn {
    const pfn = this.#take(order)
    if (pfn === NO_FRAME) return pfn
    this.#zeroDirty(pfn, (pfn + (1 << order)) as Pfn)
    this.#frames.setFlags(pfn, order)
    return pfn
  }

  /** Zeroes the frames that were used before: neighbours together, because each call costs as much as 500 bytes. */
  #zeroDirty(start: Pfn, end: Pfn): void {
    const frames = this.#frames
    for (let pfn: number = start; pfn < end; pfn++) {
      const first = pfn
      while (pfn < end && (frames.flags(pfn as Pfn) & DIRTY) !== 0) pfn++
      if (pfn > first) this.#memory.fill(frameToPtr(first as Pfn), 0, (pfn - first) * PAGE_SIZE)
    }
  }

  /**
   * Makes an allocated block so many single frames: each with one reference, these flags and this owner, and indices that
   * count from `index`.
   */
  divide(pfn: Pfn, order: number, flags: number, owner: number, index: number): void {
    for (let i = 0; i < 1 << order; i++) this.#frames.set((pfn + i) as Pfn, 1, flags, owner, index + i)
  }

  /** Whether each of 2^order single frames has one reference and no more. */
  isRunAlone(pfn: Pfn, order: number): boolean {
    for (let i = 0; i < 1 << order; i++) if (this.#frames.refCount((pfn + i) as Pfn) !== 1) return false
    return true
  }

  /** Gives a block back. Asserts that it is allocated, of this order, and has no other reference. */
  free(pfn: Pfn, order: number): void {
    const frames = this.#frames
    this.#atomics.lock(LOCK, LockRank.frames)
    const ok =
      pfn < frames.frameCount &&
      frames.refCount(pfn) === 1 &&
      (frames.flags(pfn) & (FREE | RESERVED | ORDER_MASK)) === order
    if (ok) this.#blocks.give(pfn, order)
    this.#atomics.unlock(LOCK, LockRank.frames)
    if (!ok) this.#explainRefusal(pfn, order)
  }

  /** One more reference to an allocated block. */
  retain(pfn: Pfn): void {
    const frames = this.#frames
    if (this.#shared) {
      assert(this.#atomics.add(frames.refCountPtr(pfn), 1) > 0, 'a free frame is retained')
      return
    }
    const count = frames.refCount(pfn)
    assert(count > 0, 'a free frame is retained')
    frames.setRefCount(pfn, count + 1)
  }

  /**
   * One reference more to a frame that another address space maps from now on (fork), so that it is nobody's alone any
   * more; whether it is anonymous memory. One call for each page.
   */
  retainUser(pfn: Pfn): boolean {
    if (!this.#shared) return (this.#frames.addSharer(pfn) & FrameFlag.anonymous) !== 0
    this.retain(pfn)
    const flags = this.#frames.flags(pfn)
    if ((flags & FrameFlag.exclusive) !== 0) this.#frames.setFlags(pfn, flags & ~FrameFlag.exclusive)
    return (flags & FrameFlag.anonymous) !== 0
  }

  /** One reference less; the last one frees the block. */
  release(pfn: Pfn): void {
    const frames = this.#frames
    const count = this.#shared ? this.#atomics.add(frames.refCountPtr(pfn), -1) : frames.refCount(pfn)
    assert(count > 0, 'a free frame is released')
    if (count > 1) {
      if (!this.#shared) frames.setRefCount(pfn, count - 1)
      return
    }
    frames.setRefCount(pfn, 1)
    this.free(pfn, frames.flags(pfn) & ORDER_MASK)
  }

  /** `release` for the first `count` of many frames; most have other references (fork) or were single (exit). */
  releaseAll(pfns: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const pfn = pfns[i]! as Pfn
      if (this.#shared || !this.#frames.dropReference(pfn)) this.release(pfn)
    }
  }

  /** One reference less to each of 2^order single frames, aligned; when these were the last ones, they are a block again at once. */
  releaseRun(pfn: Pfn, order: number): void {
    if (!this.isRunAlone(pfn, order)) {
      for (let i = 0; i < 1 << order; i++) this.release((pfn + i) as Pfn)
      return
    }
    assert(this.#isRunSingle(pfn, order), 'a run is of single frames')
    this.#atomics.lock(LOCK, LockRank.frames)
    this.#blocks.give(pfn, order)
    this.#atomics.unlock(LOCK, LockRank.frames)
  }

  #isRunSingle(pfn: Pfn, order: number): boolean {
    let flags = 0
    for (let i = 0; i < 1 << order; i++) flags |= this.#frames.flags((pfn + i) as Pfn)
    return (flags & (FREE | RESERVED | ORDER_MASK)) === 0
  }

  /**
   * Contiguous zeroed frames for ever, for a boot table. They leave the managed frames; what a block has beyond
   * `frames` stays free.
   */
  reserve(frames: number): Pfn {
    const order = orderFor(frames)
    const pfn = this.allocateZeroed(order)
    if (pfn === NO_FRAME) return pfn
    const end = (pfn + frames) as Pfn
    this.#atomics.lock(LOCK, LockRank.frames)
    this.#markReserved(pfn, end, RESERVED)
    this.#lists.managedFrames -= frames
    this.#blocks.add(end, (pfn + (1 << order)) as Pfn)
    this.#atomics.unlock(LOCK, LockRank.frames)
    return pfn
  }

  freeFrames(): number {
    return this.#lists.freeFrames
  }

  /** Frames that this allocator manages, free or allocated. */
  totalFrames(): number {
    return this.#lists.managedFrames
  }

  stats(): BuddyStats {
    const lists = this.#lists
    const perOrder = Array.from({ length: ORDER_MAX + 1 }, (_, order) => lists.count(order))
    const hot = lists.hotCount
    perOrder[0]! += hot
    return {
      total: lists.managedFrames,
      free: lists.freeFrames,
      reserved: lists.reservedFrames,
      perOrder,
      hot,
    }
  }

  /** The free blocks of each order, as /proc/buddyinfo prints them. */
  dump(): string {
    const counts = this.stats().perOrder.map((count) => `${String(count).padStart(6)} `)
    return `Node 0, zone ${'Normal'.padStart(8)} ${counts.join('')}\n`
  }

  /** Throws an InvariantError unless frame table, lists and counts agree. Looks at every frame. */
  check(): void {
    this.#atomics.lock(LOCK, LockRank.frames)
    try {
      checkBuddy(this.#frames, this.#lists)
    } finally {
      this.#atomics.unlock(LOCK, LockRank.frames)
    }
  }

  /** A block with one reference, the DIRTY flags of its frames as they were. */
  #take(order: number): Pfn {
    assert(order >= 0 && order <= ORDER_MAX, 'no block has this order')
    if (this.#faults?.shouldFail()) return NO_FRAME
    this.#atomics.lock(LOCK, LockRank.frames)
    const pfn = this.#blocks.take(order)
    if (pfn !== NO_FRAME) count(this.#memory, Counter.framesAllocated, 1 << order)
    this.#atomics.unlock(LOCK, LockRank.frames)
    if (pfn === NO_FRAME && order <= COSTLY_ORDER) count(this.#memory, Counter.allocationFailed)
    return pfn
  }

  #markReserved(start: Pfn, end: Pfn, flags: number): void {
    this.#lists.reservedFrames += end - start
    for (let pfn = start; pfn < end; pfn++) this.#frames.set(pfn, 1, flags, 0, 0)
  }

  #explainRefusal(pfn: Pfn, order: number): never {
    const frames = this.#frames
    assert(pfn < frames.frameCount, 'free: there is no such frame')
    const flags = frames.flags(pfn)
    assert((flags & RESERVED) === 0, 'free: the frame is reserved')
    assert((flags & FREE) === 0, 'free: the frame is free already')
    assert(frames.refCount(pfn) > 0, 'free: no allocated block starts at this frame')
    assert((flags & ORDER_MASK) === order, 'free: the block has another order')
    assert(frames.refCount(pfn) === 1, 'free: the block has other references')
    throw new Error('unreachable')
  }
}
