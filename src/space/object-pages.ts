import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { ObjectCache } from './object-cache.js'
import { ObjectKind } from './object-records.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'

/** What a page loses when it leaves its cache. */
const LEAVES =
  FrameFlag.file | FrameFlag.writeBack | FrameFlag.dirtyPage | FrameFlag.unfilled | FrameFlag.folio

/** The pages of objects, as long as they are in the caches, and out again. */
export class ObjectPages extends ObjectCache {
  /**
   * Sees to it that a page is there, past the end too, and stays: 1 when it was added, 0, -ENOMEM, -ENOSPC, -EIO. One of shared memory that was
   * added has no contents yet, and has them when it is reserved a second time (SGP_FALLOC).
   */
  reserve(object: Ptr, index: number): number {
    this.lock(object)
    const page = this.getOrAdd(object, index)
    const isAdded = page >= 0 && this.wasAdded
    if (page >= 0 && this.isShmem(object)) {
      if (isAdded) this.env.atomics.or(this.env.frames.flagsPtr(page as Pfn), FrameFlag.unfilled)
      this.markDirty(page as Pfn)
    }
    this.unlock(object)
    return isAdded ? 1 : Math.min(0, page)
  }

  /** fallocate has made the pages before `end`. */
  noteAllocated(object: Ptr, end: number): void {
    this.lock(object)
    if (end > this.allocatedEnd(object)) this.setAllocatedEnd(object, end)
    this.unlock(object)
  }

  /** The first page from `index` on that is in the cache and has contents; infinity when there is none. */
  nextData(object: Ptr, index: number): number {
    let at = index
    while (at < OBJECT_PAGES_MAX && !this.isFilled(object, at))
      at = this.cache.next(this.cacheOf(object), at + 1)
    return at < OBJECT_PAGES_MAX ? at : Number.POSITIVE_INFINITY
  }

  /** The first page from `index` on that is not in the cache, or has no contents. */
  nextHole(object: Ptr, index: number): number {
    let at = index
    while (this.isFilled(object, at)) at++
    return at
  }

  /** Every cached page of an object from `first` to `end` - 1, by rising index. */
  forEachPage(
    object: Ptr,
    visit: (index: number, pfn: Pfn) => void,
    first = 0,
    end = OBJECT_PAGES_MAX,
  ): void {
    this.cache.forEach(this.cacheOf(object), visit, first, end)
  }

  /**
   * Takes pages out of the cache. No address space maps them any more: punchHole and truncateObject (truncate.ts) see to
   * that.
   */
  dropRange(object: Ptr, first: number, end: number): void {
    this.lock(object)
    this.cutAllocated(object, first, end)
    this.dropLocked(object, first, end)
    this.unlock(object)
  }

  /** The same for the pages that nobody maps or reads; says whether that was all of them. */
  dropUnmapped(object: Ptr, first: number, end: number): boolean {
    this.lock(object)
    this.cutAllocated(object, first, end)
    const isAll = this.dropUnmappedLocked(object, first, end)
    this.unlock(object)
    return isAll
  }

  protected dropUnmappedLocked(object: Ptr, first: number, end: number): boolean {
    const { frames } = this.env
    const unmapped: number[] = []
    let isAll = true
    const look = (index: number, pfn: Pfn) => {
      if (frames.refCount(pfn) === 1) unmapped.push(index)
      else isAll = false
    }
    this.forEachPage(object, look, first, end)
    if (isAll) this.dropLocked(object, first, end)
    else for (const index of unmapped) this.dropLocked(object, index, index + 1)
    return isAll
  }

  /** Takes a page out of the cache that is not changed and that nobody maps or reads (__remove_mapping); says whether it did. */
  dropUnused(object: Ptr, index: number): boolean {
    const { frames } = this.env
    this.lock(object)
    const pfn = this.find(object, index)
    const isClean =
      pfn !== NO_FRAME && (frames.flags(pfn) & (FrameFlag.dirtyPage | FrameFlag.writeBack)) === 0
    const isUnused = isClean && frames.refCount(pfn) === 1
    if (isUnused) this.dropLocked(object, index, index + 1)
    this.unlock(object)
    return isUnused
  }

  /** Pages are dropped for good, maybe the last one that fallocate made (shmem_undo_range). */
  protected cutAllocated(object: Ptr, first: number, end: number): void {
    const allocated = this.allocatedEnd(object)
    if (first < allocated && allocated <= end) this.setAllocatedEnd(object, first)
  }

  protected dropLocked(object: Ptr, first: number, end: number): void {
    if (first >= OBJECT_PAGES_MAX) return
    this.cache.removeRange(this.cacheOf(object), first, end, (_index, pfn) => {
      this.countPage(object, -1)
      this.quotas.refund(this.quota(object))
      this.letGo(object, pfn)
    })
  }

  /** A frame is the cache's no more. */
  protected letGo(object: Ptr, pfn: Pfn): void {
    const { atomics, frames, buddy } = this.env
    // At once, for markDirty: a page is counted as changed while it is in the cache.
    const flags = atomics.and(frames.flagsPtr(pfn), ~LEAVES)
    if ((flags & FrameFlag.dirtyPage) !== 0) this.countDirty(object, -1)
    buddy.release(pfn)
  }

  /**
   * Marks a page of the cache as changed, so that write-back gives it to the provider. Several harts may at once, and one that has left the
   * cache meanwhile is marked no more.
   */
  markDirty(pfn: Pfn): void {
    const { atomics, frames } = this.env
    if ((frames.flags(pfn) & FrameFlag.dirtyPage) !== 0) return
    const flags = atomics.or(frames.flagsPtr(pfn), FrameFlag.dirtyPage)
    if ((flags & FrameFlag.file) === 0) atomics.and(frames.flagsPtr(pfn), ~FrameFlag.dirtyPage)
    else if ((flags & FrameFlag.dirtyPage) === 0) this.countDirty(frames.owner(pfn) as Ptr, 1)
  }

  /** A program stores to a page for the first time through a shared mapping (fault_dirty_shared_page). */
  noteStore(object: Ptr, pfn: Pfn): void {
    this.markDirty(pfn)
    if (this.kind(object) === ObjectKind.tmpfs) this.stored?.(object)
  }
}
