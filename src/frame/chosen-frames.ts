/** Free frames by where they are, not by what is at hand. The caller holds the frames lock. */
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { ORDER_MAX } from './frame-allocator.js'
import type { Zone } from './zone.js'

/**
 * Takes the block of 2^order frames that starts at a frame (a multiple of its size) out of the free block that it is in; its entries are
 * as inside a block. False when not all of it is free.
 */
export function takeAt(zone: Zone, pfn: Pfn, order: number): boolean {
  for (let size = order; size <= ORDER_MAX; size++) {
    const block = ((pfn >>> size) << size) as Pfn
    if (!zone.holds(block, size)) continue
    zone.takePart(block, size, pfn, order)
    return true
  }
  return false
}

/** Where the smallest free block of this order or a higher one starts; NO_FRAME without one. */
export function smallestFree(zone: Zone, order: number): Pfn {
  for (let size = order; size <= ORDER_MAX; size++) {
    const block = zone.spare(size)
    if (block !== NO_FRAME) return block
    if (zone.lists.count(size) > 0) return zone.lists.head(size)
  }
  return NO_FRAME
}
