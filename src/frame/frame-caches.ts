import { assert } from '../base/assert.js'
import type { Pfn } from '../base/numbers.js'
import { Region, regionBytes, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { BumpAllocator } from './bump-allocator.js'
import { CACHE_BYTES, FrameCache } from './frame-cache.js'
import { FrameFlag, type FrameTable } from './frame-table.js'

/** The harts' caches, by hart number. */
export class FrameCaches {
  readonly all: readonly FrameCache[]

  private constructor(memory: Memory, frames: FrameTable) {
    const start = regionPtr(memory, Region.frameCaches)
    const harts = regionBytes(memory, Region.frameCaches) / CACHE_BYTES
    this.all = Array.from(
      { length: harts },
      (_, i) => new FrameCache(memory, frames, (start + i * CACHE_BYTES) as never),
    )
  }

  static boot(memory: Memory, bump: BumpAllocator, frames: FrameTable, harts: number): FrameCaches {
    const bytes = harts * CACHE_BYTES
    setRegion(memory, Region.frameCaches, bump.allocateBytes(bytes), bytes)
    return new FrameCaches(memory, frames)
  }

  static attach(memory: Memory, frames: FrameTable): FrameCaches {
    return new FrameCaches(memory, frames)
  }

  /** Frames in all caches. */
  get frames(): number {
    let sum = 0
    for (const cache of this.all) sum += cache.count
    return sum
  }

  /** Frames in one hart's cache that lie between two. */
  countBetween(hart: number, start: Pfn, end: Pfn): number {
    const cache = this.all[hart]!
    let count = 0
    for (let depth = 0; depth < cache.count; depth++) {
      const pfn = cache.peek(depth)
      if (pfn >= start && pfn < end) count++
    }
    return count
  }

  /** Frames given out of caches that Counter.framesAllocated does not have yet. */
  get taken(): number {
    let sum = 0
    for (const cache of this.all) sum += cache.taken
    return sum
  }
}

/** Asserts that the caches hold each frame that the frame table calls cached (so many), once. Nobody uses them meanwhile. */
export function checkFrameCaches(frames: FrameTable, caches: FrameCaches, expected: number): void {
  const seen = new Set<Pfn>()
  for (const cache of caches.all) {
    for (let depth = 0; depth < cache.count; depth++) {
      const pfn = cache.peek(depth)
      const isCached = pfn < frames.frameCount && (frames.flags(pfn) & FrameFlag.cached) !== 0
      assert(isCached && !seen.has(pfn), 'frames: a cache holds a frame that is not its own')
      seen.add(pfn)
    }
  }
  assert(seen.size === expected, 'frames: a cached frame is in no cache')
}
