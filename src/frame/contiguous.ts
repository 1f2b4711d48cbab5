/**
 * Frames side by side that are no block of the buddy allocator: any number of them, at any alignment, from neighbouring
 * free blocks (alloc_contig_pages of Linux, but nothing is moved away). The caller holds the frames lock.
 */
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { ORDER_MAX } from './frame-allocator.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from './frame-table.js'
import type { Zone } from './zone.js'

/** The lowest run of free frames at a multiple of `align`, below `limit`, taken off its lists; its entries are as inside a block. */
export function takeRun(zone: Zone, frames: FrameTable, count: number, align: number, limit: number): Pfn {
  const end = Math.min(zone.end, limit)
  zone.listSpares()
  let run: Pfn = NO_FRAME
  let pfn = zone.start
  while (pfn < end) {
    const order = frames.flags(pfn) & ORDER_MASK
    const next = (pfn + stepAt(frames, pfn)) as Pfn
    if (!zone.holds(pfn, order)) run = NO_FRAME
    else {
      if (run === NO_FRAME) run = pfn
      const start = (Math.ceil(run / align) * align) as Pfn
      if (start + count <= Math.min(next, end)) return cut(zone, frames, run, start, (start + count) as Pfn)
    }
    pfn = next
  }
  return NO_FRAME
}

/** A block of 2^order frames that lies wholly below `limit`; its entries are as inside a block. */
export function takeBelow(zone: Zone, frames: FrameTable, order: number, limit: number): Pfn {
  zone.listSpares()
  for (let size = order; size <= ORDER_MAX; size++) {
    for (let pfn = zone.lists.head(size); pfn !== NO_FRAME; pfn = zone.lists.next(pfn)) {
      if (pfn + 2 ** order <= limit) return cut(zone, frames, pfn, pfn, (pfn + 2 ** order) as Pfn)
    }
  }
  return NO_FRAME
}

/** From one block to the next. Reserved and cached frames, and those of holes, stand alone. */
function stepAt(frames: FrameTable, pfn: Pfn): number {
  const flags = frames.flags(pfn)
  const isBlock = frames.refCount(pfn) > 0 || (flags & FrameFlag.free) !== 0
  return isBlock ? 1 << (flags & ORDER_MASK) : 1
}

/** Takes the frames from `start` to `end` out of the free blocks that lie side by side from `run` on. */
function cut(zone: Zone, frames: FrameTable, run: Pfn, start: Pfn, end: Pfn): Pfn {
  let first = run
  let pfn = run
  while (pfn < end) {
    const order = frames.flags(pfn) & ORDER_MASK
    const next = (pfn + (1 << order)) as Pfn
    if (next <= start) first = next
    else zone.remove(pfn, order)
    pfn = next
  }
  zone.add(first, start)
  zone.add(end, pfn)
  return start
}
