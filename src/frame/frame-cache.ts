import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { reverseWords } from '../state/words.js'
import { FrameField, FrameFlag, FrameMask, type FrameTable } from './frame-table.js'

/** Frames that an empty cache fetches: about a 4,000th of RAM, 1 to 63 (zone_batchsize of Linux). */
export function cacheBatch(frames: number): number {
  const quarter = Math.max(1, Math.floor(Math.min(Math.floor(frames / 1024), 256) / 4))
  const half = Math.floor(quarter * 1.5)
  return Math.max(1, 2 ** (31 - Math.clz32(half)) - 1)
}

/**
 * The frames that our cache fetches then: one more, so that a batch begins where a block does, and at least those whose entries in the frame
 * table share two cache lines, which processors fetch together. Harts that had every other frame, or line, would wait for each other at each
 * page fault: measured on two, with batches of four 0.63 of one's time, of eight 0.55.
 */
export function refillFrames(frames: number): number {
  return (cacheBatch(frames) | 7) + 1
}

/** Words of a cache. */
export const enum CacheWord {
  lock = 0,
  count = 1,
  taken = 2,
  stack = 16,
  /** Words of the stack: CACHE_FRAMES_MAX. */
  capacity = 512,
}

/** Frames that a cache holds at most. A full one gives the older half back. */
export const CACHE_FRAMES_MAX = CacheWord.capacity as number
export const CACHE_BYTES = (CacheWord.stack + CacheWord.capacity) * 4

/** What a cache does most. */
export interface FramePaths {
  /** Allocates a frame: one reference; of its flags those in `kept` stay, owner and index are anything. NO_FRAME when the cache is empty. */
  readonly take: (kept: number) => Pfn
  /** Takes back a single frame with one reference; `state` is its flags then. False, and nothing happens, when it is not that, or the cache is full. */
  readonly give: (pfn: Pfn, state: number) => boolean
  /** `give` for a frame from which no code was translated; false for its neighbour in the word of stamps too. */
  readonly giveUnstamped: (pfn: Pfn, state: number) => boolean
}

/** Of a cache that is empty and full at once. */
export const NO_PATHS: FramePaths = { take: () => NO_FRAME, give: () => false, giveUnstamped: () => false }

/**
 * The fastest paths of the kernel, written for V8: functions that close over where their words are. V8 knows the function that a call
 * site has always called, and so takes these constants, and the array with its length, for granted. A method loads them
 * from its object each time. Words are signed, and `| 0` says that a sum does not overflow.
 *
 * An allocation and a free as methods take 9.0 ns, so 5.6; but 15 instead of 9.5 where a process has used the caches of
 * several machines: then call sites have seen several functions, and all is loaded again. (As fields of the allocator, as SlabCache has them,
 * the words would cost 1.1 ns more in a process with one machine, and 9 less in one with four: measured 7.8 and 7.5, so 6.7 and 16.5.)
 */
function framePaths(i32: Int32Array, frames: FrameTable, at: number): FramePaths {
  const { word: table, stampWord: stamps, frameCount } = frames

  function give(pfn: Pfn, state: number): boolean {
    const count = i32[at + CacheWord.count]!
    if (count === CacheWord.capacity || pfn >= frameCount) return false
    const entry = (table + (pfn << 2)) | 0
    const flags = (entry + FrameField.flags) | 0
    if (i32[entry] !== 1 || (i32[flags]! & FrameMask.allocation) !== 0) return false
    i32[entry] = 0
    i32[flags] = state
    i32[at + CacheWord.count] = count + 1
    i32[(at + CacheWord.stack + count) | 0] = pfn
    return true
  }

  return {
    take(kept) {
      const count = i32[at + CacheWord.count]!
      if (count === 0) return NO_FRAME
      const pfn = i32[(at + CacheWord.stack - 1 + count) | 0]!
      const entry = (table + (pfn << 2)) | 0
      i32[at + CacheWord.count] = count - 1
      i32[at + CacheWord.taken]! += 1
      i32[entry] = 1
      i32[(entry + FrameField.flags) | 0]! &= kept
      return pfn as Pfn
    },
    give,
    giveUnstamped: (pfn, state) => i32[(stamps + (pfn >> 1)) | 0] === 0 && give(pfn, state),
  }
}

/**
 * Single frames that one hart keeps for itself (the per-cpu page lists of Linux), so that most allocations touch no
 * lock that others want and no list. In Region.frameCaches, one for each hart:
 *
 *     0    i32        lock: the hart holds it for each operation, whoever drains the cache holds it too
 *     4    i32        frames in the cache
 *     8    i32        frames given out since they were last added to Counter.framesAllocated
 *     64   512 × i32  the frames, a stack: the one freed last goes first, because its bytes are still in the processor's cache
 *
 * In the frame table they are free, and `cached`. On memory that is not shared nobody else is there, and no lock is needed.
 *
 * `take` and `give` are hot: see framePaths.
 */
export class FrameCache implements FramePaths {
  readonly take: FramePaths['take']
  readonly give: FramePaths['give']
  readonly giveUnstamped: FramePaths['giveUnstamped']
  readonly #i32: Int32Array
  readonly #at: number
  /** Word of frame 0's entry in the frame table. */
  readonly #table: number

  constructor(memory: Memory, frames: FrameTable, ptr: Ptr) {
    this.#i32 = memory.i32
    this.#at = ptr >>> 2
    this.#table = frames.word
    const { take, give, giveUnstamped } = framePaths(memory.i32, frames, ptr >>> 2)
    this.take = take
    this.give = give
    this.giveUnstamped = giveUnstamped
  }

  get lockPtr(): Ptr {
    return ((this.#at + CacheWord.lock) * 4) as Ptr
  }

  get count(): number {
    return this.#i32[this.#at + CacheWord.count]!
  }

  /** Adds frames of a list that are in no block, with what is known of their bytes; there is room. The last one goes first. */
  add(pfns: Uint32Array, from: number, to: number): void {
    const i32 = this.#i32
    const at = this.#at
    const count = i32[at + CacheWord.count]!
    const top = at + CacheWord.stack + count - from
    for (let i = from; i < to; i++) {
      const pfn = pfns[i]!
      i32[top + i] = pfn
      i32[this.#table + (pfn << 2) + FrameField.flags]! |= FrameFlag.free | FrameFlag.cached
    }
    i32[at + CacheWord.count] = count + to - from
  }

  /** The frame that goes after `depth` others. */
  peek(depth: number): Pfn {
    return this.#i32[this.#at + CacheWord.stack - 1 + this.count - depth]! as Pfn
  }

  /** Takes a certain frame out, as one inside a free block; false when it is not here. */
  takeOut(pfn: Pfn): boolean {
    const i32 = this.#i32
    if ((i32[this.#table + (pfn << 2) + FrameField.flags]! & FrameFlag.cached) === 0) return false
    const start = this.#at + CacheWord.stack
    const { count } = this
    let place = count - 1
    while (place >= 0 && i32[start + place] !== pfn) place--
    if (place < 0) return false
    i32.copyWithin(start + place, start + place + 1, start + count)
    i32[this.#at + CacheWord.count] = count - 1
    i32[this.#table + (pfn << 2) + FrameField.flags]! &= FrameMask.contents
    this.taken++
    return true
  }

  /** Fills the empty cache with up to `frames` that were just allocated; the first one goes first. It ends with the first NO_FRAME. */
  refill(frames: number, next: () => Pfn): void {
    const i32 = this.#i32
    const start = this.#at + CacheWord.stack
    let count = 0
    for (let pfn = next(); pfn !== NO_FRAME; pfn = count < frames ? next() : NO_FRAME) {
      const entry = this.#table + (pfn << 2)
      i32[entry] = 0
      i32[entry + FrameField.flags]! |= FrameFlag.free | FrameFlag.cached
      i32[start + count++] = pfn
    }
    reverseWords(i32, start, count)
    i32[this.#at + CacheWord.count] = count
  }

  /** Takes the frames out that have been here longest until `keep` are left; each is then in no block, and keeps what is known of its bytes. */
  drain(keep: number, each: (pfn: Pfn) => void): void {
    const i32 = this.#i32
    const start = this.#at + CacheWord.stack
    const count = this.count
    const gone = Math.max(0, count - keep)
    for (let i = 0; i < gone; i++) {
      const pfn = i32[start + i]! as Pfn
      i32[this.#table + (pfn << 2) + FrameField.flags]! &= FrameMask.contents
      each(pfn)
    }
    i32.copyWithin(start, start + gone, start + count)
    i32[this.#at + CacheWord.count] = count - gone
  }

  /** Frames given out that no counter has yet. */
  get taken(): number {
    return this.#i32[this.#at + CacheWord.taken]!
  }

  set taken(frames: number) {
    this.#i32[this.#at + CacheWord.taken] = frames
  }
}
