import { assert } from '../base/assert.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn } from '../base/numbers.js'
import type { AtomicWords } from '../state/atomics.js'
import { Counter, count, counted } from '../state/counters.js'
import type { Memory } from '../state/memory.js'
import { checkBuddy } from './buddy-check.js'
import type { BumpAllocator } from './bump-allocator.js'
import { takeBelow, takeRun } from './contiguous.js'
import type { FaultInjector } from './fault-injector.js'
import { fragmentationIndex, unusableIndex } from './fragmentation.js'
import { type FrameAllocator, ORDER_MAX, orderFor } from './frame-allocator.js'
import { type FramePaths, NO_PATHS } from './frame-cache.js'
import { FrameCaches } from './frame-caches.js'
import type { FrameDropper } from './frame-dropper.js'
import { checkUnwritten, poisonFrames } from './frame-poison.js'
import { FrameReferences } from './frame-references.js'
import { FrameFlag, FrameMask, type FrameTable } from './frame-table.js'
import { FreeFrames } from './free-frames.js'
import { checkFreeable } from './freeable.js'
import type { Reach } from './reach.js'
import type { Zone } from './zone.js'
import { Zones } from './zones.js'

/** Larger blocks are asked for on the off chance: that there is none is no reason to end a program (PAGE_ALLOC_COSTLY_ORDER). */
const COSTLY_ORDER = 3

export interface BuddyOptions {
  readonly faults?: FaultInjector | undefined
  /** Whose cache this view uses: hart number, default 0. A thread beyond the machine's harts has none. */
  readonly hart?: number | undefined
  /** At boot: harts of the machine, default 1. */
  readonly harts?: number | undefined
  /** At boot: frames below this number are the lower zone. Default: all of RAM is one zone. */
  readonly lowFrames?: number | undefined
  /** Poison what is freed, and look whether it was written to. */
  readonly debug?: boolean | undefined
}

export interface BuddyStats {
  /** Frames managed, free or allocated. */
  readonly total: number
  /** Free ones, those in caches too. */
  readonly free: number
  /** Frames never given out: header, boot tables, reserved RAM. */
  readonly reserved: number
  /** Free blocks of each order; frames in caches are none. */
  readonly perOrder: readonly number[]
  /** For each order, how broken up free memory is: fragmentationIndex and unusableIndex. */
  readonly fragmentation: readonly number[]
  readonly unusable: readonly number[]
  /** Frames in the cache of each hart. */
  readonly cached: readonly number[]
}

/**
 * The binary buddy allocator: blocks of 2^order frames, aligned to their size, in one or two zones. Single frames come
 * from the hart's own cache and go back there; it is filled and emptied in batches, and all caches are emptied before an
 * allocation fails.
 *
 * Frames that were never used are known to be zero and are not zeroed again. All but the caches is guarded by the
 * frames lock, the lock of highest rank; nobody is called under it.
 */
export class BuddyAllocator extends FrameReferences implements FrameAllocator {
  readonly #memory: Memory
  readonly #frames: FrameTable
  readonly #free: FreeFrames
  readonly #faults: FaultInjector | undefined
  readonly #debug: boolean
  readonly #isWatched: boolean
  /** What is known of the bytes of a frame that was freed. */
  readonly #contents: number
  /** Those of this hart's cache when they may be used without a lock: on memory that is not shared, and nothing fails or is watched. Else those of none. */
  readonly #fast: FramePaths

  private constructor(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    free: FreeFrames,
    { faults, debug = false }: BuddyOptions,
  ) {
    super(memory.shared, atomics, frames)
    this.#memory = memory
    this.#frames = frames
    this.#free = free
    this.#faults = faults
    this.#debug = debug
    this.#contents = debug ? FrameFlag.dirtyMemory | FrameFlag.poisoned : FrameFlag.dirtyMemory
    this.#isWatched = faults !== undefined || debug
    const isFast = atomics.isPlain && !this.#isWatched
    this.#fast = (isFast ? free.own : undefined) ?? NO_PATHS
  }

  /** Takes over all RAM that `bump` has left. */
  static boot(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    bump: BumpAllocator,
    options: BuddyOptions = {},
  ): BuddyAllocator {
    const zones = Zones.boot(memory, bump, frames, options.lowFrames ?? frames.frameCount)
    const caches = FrameCaches.boot(memory, bump, frames, options.harts ?? 1)
    const free = new FreeFrames(memory, atomics, frames, { zones, caches, hart: options.hart ?? 0 })
    const buddy = new BuddyAllocator(memory, atomics, frames, free, options)
    const left = bump.handOver(buddy)
    for (const { start, end } of bump.taken) buddy.#markReserved(start, end, FrameFlag.reserved)
    for (const { start, end } of bump.map.ranges('reserved'))
      buddy.#markReserved(start, end, FrameFlag.reserved)
    for (const { start, end } of bump.map.ranges('noMap'))
      buddy.#markReserved(start, end, FrameFlag.reserved | FrameFlag.noMap)
    for (const range of left) {
      zones.split(range.start, range.end, (zone, start, end) => {
        zone.managedFrames += end - start
        zone.add(start, end)
      })
    }
    zones.protect()
    return buddy
  }

  static attach(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    options: BuddyOptions = {},
  ): BuddyAllocator {
    const zones = Zones.attach(memory, frames)
    const caches = FrameCaches.attach(memory, frames)
    const free = new FreeFrames(memory, atomics, frames, { zones, caches, hart: options.hart ?? 0 })
    return new BuddyAllocator(memory, atomics, frames, free, options)
  }

  /**
   * A block with one reference, its first entry's flags = order, owner and index as they were. Its bytes are anything.
   * NO_FRAME when no block is large enough.
   */
  allocate(order: number): Pfn {
    if (order === 0) {
      const pfn = this.#fast.take(0)
      if (pfn !== NO_FRAME) return pfn
    }
    const pfn = this.#take(order)
    if (pfn !== NO_FRAME) this.#frames.setFlags(pfn, order)
    return pfn
  }

  /** The same, all bytes zero. Only frames that were used before are written. */
  allocateZeroed(order: number): Pfn {
    const frames = this.#frames
    let pfn = NO_FRAME
    if (order === 0) pfn = this.#fast.take(FrameFlag.dirtyMemory)
    if (pfn === NO_FRAME) pfn = this.#take(order)
    if (pfn === NO_FRAME) return pfn
    if (order > 0) this.#zeroDirty(pfn, (pfn + (1 << order)) as Pfn)
    else if ((frames.flags(pfn) & FrameFlag.dirtyMemory) !== 0)
      this.#memory.fill(frameToPtr(pfn), 0, PAGE_SIZE)
    frames.setFlags(pfn, order)
    return pfn
  }

  /** Nothing makes an allocation fail, nobody looks at what is freed, and no other thread is there. */
  get isUnwatched(): boolean {
    return this.#fast !== NO_PATHS
  }

  /** Whether a single frame can be had at once: then nothing makes an allocation fail, and nobody else can take it before. */
  get hasSingle(): boolean {
    return this.#fast !== NO_PATHS && this.#free.own!.count > 0
  }

  /**
   * Whether it matters which free frame is taken: not while there are frames that were used just before, which caches and host
   * have already. Only when nothing fails or is watched.
   */
  get isChoosy(): boolean {
    if (this.#isWatched) return false
    const next = this.#free.next
    return next !== NO_FRAME && (this.#frames.flags(next) & FrameFlag.dirtyMemory) === 0
  }

  /** Where a free block of this order is, for `allocateZeroedAt`; NO_FRAME without one, or when half of the memory is in use. */
  room(order: number): Pfn {
    return order > ORDER_MAX ? NO_FRAME : this.#free.room(order)
  }

  /** Whether a block of this order is free: to ask for one in vain empties all harts' caches. */
  hasBlock(order: number): boolean {
    return this.#free.hasBlock(order)
  }

  /** `allocateZeroed` of just this block; NO_FRAME when not all of it is free, or memory is low. */
  allocateZeroedAt(pfn: Pfn, order: number): Pfn {
    const frames = this.#frames
    const end = (pfn + (1 << order)) as Pfn
    const isAligned = (pfn & ((1 << order) - 1)) === 0
    if (end > frames.frameCount || !isAligned || !this.#free.takeAt(pfn, order)) return NO_FRAME
    if (this.#debug) checkUnwritten(this.#memory, frames, pfn, 1 << order)
    this.#zeroDirty(pfn, end)
    frames.set(pfn, 1, order, 0, 0)
    return pfn
  }

  /** Zeroes the frames that were used before: neighbours together, because each call costs as much as 500 bytes. */
  #zeroDirty(start: Pfn, end: Pfn): void {
    const frames = this.#frames
    for (let pfn: number = start; pfn < end; pfn++) {
      const first = pfn
      while (pfn < end && (frames.flags(pfn as Pfn) & FrameFlag.dirtyMemory) !== 0) pfn++
      if (pfn > first) this.#memory.fill(frameToPtr(first as Pfn), 0, (pfn - first) * PAGE_SIZE)
    }
  }

  /** A block as `allocate` gives that lies wholly below frame `limit`, for a device that reaches no further. It may use what the lower zone keeps. */
  allocateBelow(limit: number, order: number): Pfn {
    const pfn = this.#search((zone) => takeBelow(zone, this.#frames, order, limit), 2 ** order)
    if (pfn !== NO_FRAME) this.#frames.set(pfn, 1, order, 0, 0)
    return pfn
  }

  /**
   * So many single frames side by side, each with one reference, the first a multiple of `align` (a power of two), all below
   * frame `limit`. Their bytes are anything. `count` need be no power of two, and can be more than a block has.
   */
  allocateRun(count: number, align = 1, limit: number = this.#frames.frameCount): Pfn {
    assert(
      count > 0 && align > 0 && (align & (align - 1)) === 0,
      'a run has frames, and a power of two as alignment',
    )
    const pfn = this.#search((zone) => takeRun(zone, this.#frames, count, align, limit), count)
    if (pfn !== NO_FRAME) this.#frames.setRun(pfn, (pfn + count) as Pfn, 0)
    return pfn
  }

  /** Gives single frames side by side back, each with its last reference. */
  freeRun(pfn: Pfn, count: number): void {
    for (let i = 0; i < count; i++) this.free((pfn + i) as Pfn, 0)
  }

  #search(find: (zone: Zone) => Pfn, frames: number): Pfn {
    if (this.#faults?.shouldFail()) return NO_FRAME
    const pfn = this.#free.search(frames, find)
    if (pfn !== NO_FRAME && this.#debug) checkUnwritten(this.#memory, this.#frames, pfn, frames)
    return pfn
  }

  /** Gives a block back. Asserts that it is allocated, of this order, and has no other reference. */
  free(pfn: Pfn, order: number): void {
    if (order === 0 && this.#fast.giveUnstamped(pfn, FrameMask.inCache)) return
    checkFreeable(this.#frames, pfn, order)
    this.giveBack(pfn, order)
  }

  /**
   * `free` for a single frame whose bytes are all zero, so that whoever wants zeroes next has them: a page table that was
   * emptied entry by entry. Debug builds look whether it is true when it is given out again.
   */
  freeZeroed(pfn: Pfn): void {
    if (this.#fast.give(pfn, FrameMask.zeroInCache)) return
    checkFreeable(this.#frames, pfn, 0)
    this.#free.give(pfn, 0, 0)
  }

  protected dropLast(pfn: Pfn): boolean {
    if (!this.#frames.dropLast(pfn, this.#contents)) return false
    if (this.#debug) poisonFrames(this.#memory, pfn, 1)
    return true
  }

  protected giveAll(pfns: Uint32Array, from: number, to: number, dropper?: FrameDropper): void {
    this.#free.giveAll(pfns, from, to, dropper)
  }

  protected giveBack(pfn: Pfn, order: number): void {
    for (let i = 0; i < 1 << order; i++) this.#frames.forgetCode((pfn + i) as Pfn)
    if (this.#debug) poisonFrames(this.#memory, pfn, 1 << order)
    this.#free.give(pfn, order, this.#contents)
  }

  /** Puts the frames of all harts' caches where they merge; returns how many. An allocation does it before it fails. */
  drainCaches(): number {
    return this.#free.drainCaches()
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
    this.#free.lock()
    this.#markReserved(pfn, end, FrameFlag.reserved)
    const zone = this.zones.of(pfn)
    zone.managedFrames -= frames
    zone.add(end, (pfn + (1 << order)) as Pfn)
    this.#free.unlock()
    return pfn
  }

  /** How far below the watermarks this view allocates, from now on. */
  get reach(): Reach {
    return this.#free.reach
  }

  set reach(reach: Reach) {
    this.#free.reach = reach
  }

  get zones(): Zones {
    return this.#free.zones
  }

  /** Frames of a zone in the cache of each hart. */
  cachedIn({ start, end }: Zone): number[] {
    const { caches } = this.#free
    return caches.all.map((_, hart) => caches.countBetween(hart, start, end))
  }

  freeFrames(): number {
    return this.zones.freeFrames + this.#free.caches.frames
  }

  /** Frames that this allocator manages, free or allocated. */
  totalFrames(): number {
    return this.zones.managedFrames
  }

  /** Frames given out so far. */
  allocatedFrames(): number {
    return counted(this.#memory, Counter.framesAllocated) + this.#free.caches.taken
  }

  stats(): BuddyStats {
    const { zones, caches } = this.#free
    const perOrder = zones.perOrder()
    return {
      total: zones.managedFrames,
      free: this.freeFrames(),
      reserved: zones.reservedFrames,
      perOrder,
      fragmentation: perOrder.map((_, order) => fragmentationIndex(perOrder, order)),
      unusable: perOrder.map((_, order) => unusableIndex(perOrder, order)),
      cached: caches.all.map((cache) => cache.count),
    }
  }

  /** The free blocks of each order, as /proc/buddyinfo prints them. */
  dump(): string {
    const counts = this.stats().perOrder.map((count) => `${String(count).padStart(6)} `)
    return `Node 0, zone ${'Normal'.padStart(8)} ${counts.join('')}\n`
  }

  /** Throws an InvariantError unless frame table, lists, caches and counts agree. Looks at every frame; no other hart allocates or frees meanwhile. */
  check(): void {
    this.#free.lock()
    try {
      checkBuddy(this.#frames, this.zones, this.#free.caches)
    } finally {
      this.#free.unlock()
    }
  }

  /** A block with one reference, what is known of its frames' contents as it was. */
  #take(order: number): Pfn {
    assert(order >= 0 && order <= ORDER_MAX, 'no block has this order')
    if (this.#faults?.shouldFail()) return NO_FRAME
    const pfn = this.#free.take(order)
    if (pfn === NO_FRAME && order <= COSTLY_ORDER) count(this.#memory, Counter.allocationFailed)
    if (pfn !== NO_FRAME && this.#debug) checkUnwritten(this.#memory, this.#frames, pfn, 1 << order)
    return pfn
  }

  #markReserved(start: Pfn, end: Pfn, flags: number): void {
    this.zones.split(start, end, (zone, first, last) => {
      zone.reservedFrames += last - first
    })
    this.#frames.setRun(start, end, flags)
  }
}
