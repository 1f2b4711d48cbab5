import { assert } from '../base/assert.js'
import type { Pfn } from '../base/numbers.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from './frame-table.js'

/** Asserts that a block is allocated, of this order, and has one reference: that it may be freed. */
export function checkFreeable(frames: FrameTable, pfn: Pfn, order: number): void {
  assert(pfn < frames.frameCount, 'free: there is no such frame')
  const flags = frames.flags(pfn)
  assert((flags & FrameFlag.reserved) === 0, 'free: the frame is reserved')
  assert((flags & FrameFlag.free) === 0, 'free: the frame is free already')
  assert(frames.refCount(pfn) > 0, 'free: no allocated block starts at this frame')
  assert((flags & ORDER_MASK) === order, 'free: the block has another order')
  assert(frames.refCount(pfn) === 1, 'free: the block has other references')
}
