import type { Pfn } from '../base/numbers.js'

/** The largest block is 2^18 frames: 1 GiB, a level-2 leaf of Sv39. */
export const ORDER_MAX = 18

/** Frames `start` to `end` - 1. */
export interface FrameRange {
  readonly start: Pfn
  readonly end: Pfn
}

/** Whoever gives out blocks of 2^order frames, aligned to their size. */
export interface FrameAllocator {
  /** The block's first frame, or NO_FRAME when there is none. */
  allocate(order: number): Pfn
  free(pfn: Pfn, order: number): void
}

/** The smallest order whose block holds `frames` frames. */
export function orderFor(frames: number): number {
  return frames <= 1 ? 0 : 32 - Math.clz32(frames - 1)
}

/** The largest order at which a block may start at `start` and end at or before `end`. */
export function largestOrder(start: number, end: number): number {
  const fits = 31 - Math.clz32(end - start)
  const aligned = start === 0 ? ORDER_MAX : 31 - Math.clz32(start & -start)
  return Math.min(ORDER_MAX, fits, aligned)
}
