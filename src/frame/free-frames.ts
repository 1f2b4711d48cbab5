import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { smallestFree, takeAt } from './chosen-frames.js'
import { CACHE_FRAMES_MAX, type FrameCache, refillFrames } from './frame-cache.js'
import type { FrameCaches } from './frame-caches.js'
import type { FrameDropper } from './frame-dropper.js'
import { FrameMask, type FrameTable } from './frame-table.js'
import { Reach } from './reach.js'
import type { Zone } from './zone.js'
import type { Zones } from './zones.js'

const LOCK = lockPtr(LockWord.frames)
const RECLAIM_REQUEST = wordIndex(Word.reclaimRequest)

/** Another hart may fill its cache with what was just emptied out of all caches: then they are emptied again, but not for ever. */
const DRAINS_MAX = 8

/**
 * The free frames of the machine under their locks: zones with blocks, and the harts' caches in front of them. A cache has
 * its own lock, which is taken before the frames lock; no two caches are locked at once.
 */
export class FreeFrames {
  readonly zones: Zones
  readonly caches: FrameCaches
  /** The cache of this view's hart; a thread that is none of the machine's harts has none. */
  readonly own: FrameCache | undefined
  /** For every cache that is filled; made once. */
  readonly #next = () => this.zones.take(0, this.reach)
  readonly #memory: Memory
  readonly #atomics: AtomicWords
  readonly #batch: number
  /** How far allocations of this view go. */
  reach: Reach = Reach.min

  constructor(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    { zones, caches, hart }: { zones: Zones; caches: FrameCaches; hart: number },
  ) {
    this.zones = zones
    this.caches = caches
    this.own = caches.all[hart]
    this.#memory = memory
    this.#atomics = atomics
    this.#batch = refillFrames(frames.frameCount)
  }

  lock(): void {
    this.#atomics.lock(LOCK, LockRank.frames)
  }

  unlock(): void {
    this.#atomics.unlock(LOCK, LockRank.frames)
  }

  /** A block with one reference, what is known of its frames' contents as it was. All caches are emptied before it fails. */
  take(order: number): Pfn {
    let pfn = order === 0 && this.own !== undefined ? this.#takeSingle(this.own) : this.#takeBlock(order)
    for (let drains = 0; pfn === NO_FRAME && drains < DRAINS_MAX; drains++) {
      if (this.drainCaches() === 0) return pfn
      pfn = this.#takeBlock(order)
    }
    return pfn
  }

  #takeSingle(cache: FrameCache): Pfn {
    this.#lockCache(cache)
    if (cache.count === 0) this.#refill(cache)
    const pfn = cache.take(FrameMask.contents)
    this.#unlockCache(cache)
    return pfn
  }

  /** Which single frame is taken next where memory is not low, if no other hart is faster. */
  get next(): Pfn {
    const { own, zones } = this
    return own !== undefined && own.count > 0
      ? own.peek(0)
      : smallestFree(zones.all[zones.all.length - 1]!, 0)
  }

  #fillAgain(cache: FrameCache): void {
    this.#lockCache(cache)
    this.#drain(cache, 0)
    this.#refill(cache)
    this.#unlockCache(cache)
  }

  #refill(cache: FrameCache): void {
    this.lock()
    // The reserve is for who may use it, not for the cache.
    const frames = this.reach === Reach.min ? this.#batch : 1
    cache.refill(frames, this.#next)
    this.#addTaken(cache)
    this.#askWhenLow()
    this.unlock()
  }

  /** Asks for reclaim in the background. */
  #askWhenLow(): void {
    if (this.zones.areLow) this.#memory.u32[RECLAIM_REQUEST] = 1
  }

  #takeBlock(order: number): Pfn {
    this.lock()
    const pfn = this.zones.take(order, this.reach)
    this.#askWhenLow()
    if (pfn !== NO_FRAME) count(this.#memory, Counter.framesAllocated, 1 << order)
    this.unlock()
    return pfn
  }

  /** Takes a certain block, or a single frame from our cache; false when it is not free, or memory is low. Its entries are as inside a block. */
  takeAt(pfn: Pfn, order: number): boolean {
    const zone = this.zones.of(pfn)
    if (order === 0 && this.#takeOut(pfn)) return true
    this.lock()
    const isTaken = zone.missingToHigh < 0 && takeAt(zone, pfn, order)
    if (isTaken) count(this.#memory, Counter.framesAllocated, 1 << order)
    this.unlock()
    return isTaken
  }

  #takeOut(pfn: Pfn): boolean {
    const cache = this.own
    if (cache === undefined || cache.count === 0) return false
    this.#lockCache(cache)
    const isTaken = cache.takeOut(pfn)
    this.#unlockCache(cache)
    return isTaken
  }

  /**
   * Where a free block of this order is; NO_FRAME without one, or when half of the memory is in use. Our cache has enough then for what
   * is needed beside, that it does not take single frames out of there soon.
   */
  room(order: number): Pfn {
    if (this.own !== undefined && this.own.count < this.#batch / 2) this.#fillAgain(this.own)
    this.lock()
    const zone = this.zones.all[this.zones.all.length - 1]!
    const isEmpty = zone.freeFrames * 2 > zone.managedFrames
    const pfn = isEmpty ? smallestFree(zone, order) : NO_FRAME
    this.unlock()
    return pfn
  }

  /** Whether there is a free block of this order or a higher one, whatever is in caches. */
  hasBlock(order: number): boolean {
    this.lock()
    const has = this.zones.all.some((zone) => smallestFree(zone, order) !== NO_FRAME)
    this.unlock()
    return has
  }

  /** So many frames that `find` takes from a zone; the lowest is asked first. No free frame is in a cache then. */
  search(frames: number, find: (zone: Zone) => Pfn): Pfn {
    this.drainCaches()
    this.lock()
    let pfn = NO_FRAME
    for (const zone of this.zones.all) if (pfn === NO_FRAME) pfn = find(zone)
    if (pfn !== NO_FRAME) count(this.#memory, Counter.framesAllocated, frames)
    this.unlock()
    return pfn
  }

  /** Frees a block, or 2^order single frames; `contents` is what is known of their bytes. */
  give(pfn: Pfn, order: number, contents: number): void {
    if (order === 0 && this.own !== undefined) this.#giveSingle(this.own, pfn, contents)
    else this.#giveBlock(pfn, order, contents)
  }

  #giveBlock(pfn: Pfn, order: number, contents: number): void {
    this.lock()
    this.zones.of(pfn).give(pfn, order, contents)
    this.unlock()
  }

  #giveSingle(cache: FrameCache, pfn: Pfn, contents: number): void {
    this.#lockCache(cache)
    if (cache.count === CACHE_FRAMES_MAX) this.#drain(cache, CACHE_FRAMES_MAX / 2)
    cache.give(pfn, FrameMask.zeroInCache | contents)
    this.#unlockCache(cache)
  }

  /**
   * Frees the single frames of a list from place `from` on, whose entries are those inside a free block already: to the hart's cache
   * when they are few, and there is room, else where they merge, neighbours in the list at once. (A part of many in the cache would
   * keep the others from merging.) `dropper`: when the list is its own.
   */
  giveAll(pfns: Uint32Array, from: number, to: number, dropper?: FrameDropper): void {
    const cache = this.own
    if (cache !== undefined && this.#giveCached(cache, pfns, from, to)) return
    if (dropper !== undefined) dropper.give(from, to - from)
    else this.#giveRuns(pfns, from, to)
  }

  #giveCached(cache: FrameCache, pfns: Uint32Array, from: number, to: number): boolean {
    this.#lockCache(cache)
    const room = Math.min(CACHE_FRAMES_MAX / 2, CACHE_FRAMES_MAX - cache.count)
    const fits = to - from <= room
    if (fits) cache.add(pfns, from, to)
    this.#unlockCache(cache)
    return fits
  }

  #giveRuns(pfns: Uint32Array, from: number, to: number): void {
    this.lock()
    for (let at = from; at < to; ) {
      const first = pfns[at]!
      const step = at + 1 < to && pfns[at + 1] === first - 1 ? -1 : 1
      let length = 1
      while (at + length < to && pfns[at + length] === first + length * step) length++
      const start = step > 0 ? first : first - length + 1
      this.zones.add(start as Pfn, (start + length) as Pfn)
      at += length
    }
    this.unlock()
  }

  /** Puts the frames of all harts' caches where they merge; returns how many. */
  drainCaches(): number {
    let frames = 0
    for (const cache of this.caches.all) {
      this.#lockCache(cache)
      frames += this.#drain(cache, 0)
      this.#unlockCache(cache)
    }
    return frames
  }

  #drain(cache: FrameCache, keep: number): number {
    const frames = Math.max(0, cache.count - keep)
    this.lock()
    cache.drain(keep, (pfn) => this.zones.of(pfn).merge(pfn, 0))
    this.#addTaken(cache)
    this.unlock()
    return frames
  }

  /** Counts what went out of a cache, before its 32 bits are full. */
  #addTaken(cache: FrameCache): void {
    count(this.#memory, Counter.framesAllocated, cache.taken)
    cache.taken = 0
  }

  #lockCache(cache: FrameCache): void {
    this.#atomics.lock(cache.lockPtr, LockRank.frameCache)
  }

  #unlockCache(cache: FrameCache): void {
    this.#atomics.unlock(cache.lockPtr, LockRank.frameCache)
  }
}
