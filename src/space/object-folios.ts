import { assert } from '../base/assert.js'
import { EAGAIN, EINVAL, ENOMEM } from '../base/errno.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn, type Ptr, pagesFor } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { Counter, count } from '../state/counters.js'
import { ObjectWriteBack } from './object-write-back.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import { HUGE_PAGES } from './vm-flags.js'

const FOLIO = FrameFlag.file | FrameFlag.folio
const ORDER = Math.log2(HUGE_PAGES)

/**
 * Huge pages of shared memory (THP of shmem): HUGE_PAGES pages of an object, aligned in it, whose frames are an aligned block and have
 * the flag `folio`. Each is still a page with an entry and a reference count of its own, so that whoever reads, writes or drops pages
 * need not know of it; but one leaf can map them all. They are a huge page until one of them leaves the cache, or is split off. The
 * pages of one are all changed ones, as of any shared memory that was written to: a leaf that goes away has nothing to tell.
 */
export class ObjectFolios extends ObjectWriteBack {
  /** First frame of the huge page that a page is part of, NO_FRAME when it is none. Without the object's lock only a hint. */
  folioOf(object: Ptr, index: number): Pfn {
    if (!this.hasFolios(object)) return NO_FRAME
    const first = this.find(object, index - (index % HUGE_PAGES))
    return first !== NO_FRAME && (this.env.frames.flags(first) & FOLIO) === FOLIO ? first : NO_FRAME
  }

  /** The same, with a reference to each of its frames for the caller (a leaf); NO_FRAME past the end of the object, too. */
  retainFolio(object: Ptr, index: number): Pfn {
    if (!this.hasFolios(object)) return NO_FRAME
    this.lock(object)
    const first = index * PAGE_SIZE < this.size(object) ? this.folioOf(object, index) : NO_FRAME
    if (first !== NO_FRAME) {
      this.markFilled(first)
      for (let i = 0; i < HUGE_PAGES; i++) this.env.buddy.retain((first + i) as Pfn)
    }
    this.unlock(object)
    return first
  }

  /** Gives back what retainFolio gave. */
  releaseFolio(first: Pfn): void {
    for (let i = 0; i < HUGE_PAGES; i++) this.env.buddy.release((first + i) as Pfn)
  }

  /**
   * Gives the object a huge page of zeroes, of which `index` is a page (shmem_alloc_and_add_folio). False: it has a page there already, or there is
   * no block, or no room in its quota or in the cache; then a small page may do. With `unfilled` its pages have no contents yet (SGP_FALLOC).
   */
  addFolio(object: Ptr, index: number, unfilled = false): boolean {
    this.lock(object)
    const isAdded = this.addFolioLocked(object, index)
    if (isAdded && unfilled) this.#markUnfilled(this.folioOf(object, index))
    this.unlock(object)
    return isAdded
  }

  protected addFolioLocked(object: Ptr, index: number): boolean {
    const first = index - (index % HUGE_PAGES)
    if (first + HUGE_PAGES > OBJECT_PAGES_MAX) return false
    const isEmpty = this.cache.next(this.cacheOf(object), first) >= first + HUGE_PAGES
    return isEmpty && this.#addZeroes(object, first)
  }

  #markUnfilled(first: Pfn): void {
    const { atomics, frames } = this.env
    for (let i = 0; i < HUGE_PAGES; i++) atomics.or(frames.flagsPtr((first + i) as Pfn), FrameFlag.unfilled)
  }

  #addZeroes(object: Ptr, first: number): boolean {
    const { memory, buddy } = this.env
    const block = buddy.allocateZeroed(ORDER)
    if (block === NO_FRAME) {
      count(memory, Counter.hugeObjectFallback)
      return false
    }
    if (this.#fillHoles(object, first, block) !== 0) {
      buddy.free(block, ORDER)
      return false
    }
    this.#begin(object, first, block)
    this.countPage(object, HUGE_PAGES)
    count(memory, Counter.hugeObjectAlloc)
    return true
  }

  /** The frames of a block, which are in the cache already, are a huge page from now on. */
  #begin(object: Ptr, first: number, block: Pfn): void {
    this.env.buddy.divide(block, ORDER, FOLIO, object, first)
    for (let i = 0; i < HUGE_PAGES; i++) this.markDirty((block + i) as Pfn)
    this.noteFolio(object)
  }

  /** Of a huge page all pages have contents as soon as one of them is used. */
  override markFilled(pfn: Pfn): void {
    const { frames } = this.env
    const flags = frames.flags(pfn)
    if ((flags & FrameFlag.unfilled) === 0) return
    if ((flags & FrameFlag.folio) === 0) {
      super.markFilled(pfn)
      return
    }
    const first = pfn - (pfn % HUGE_PAGES)
    for (let i = 0; i < HUGE_PAGES; i++) super.markFilled((first + i) as Pfn)
  }

  /**
   * Lets the pages from `first` on be a huge page: what they hold is copied into the block, holes become pages. Nobody maps or reads them.
   * 0, or nothing has changed and the block is the caller's still: -EAGAIN (somebody does), -EINVAL (there is no page, or its quota is used up),
   * -ENOMEM.
   */
  collapse(object: Ptr, first: number, block: Pfn): number {
    this.lock(object)
    const problem = this.#mayCollapse(object, first) || this.#fillHoles(object, first, block)
    if (problem === 0) this.#moveInto(object, first, block)
    this.unlock(object)
    return problem
  }

  #mayCollapse(object: Ptr, first: number): number {
    let pages = 0
    let isFree = true
    const look = (_index: number, pfn: Pfn) => {
      pages++
      isFree &&= this.env.frames.refCount(pfn) === 1
    }
    this.forEachPage(object, look, first, first + HUGE_PAGES)
    if (!isFree) return -EAGAIN
    return pages === 0 ? -EINVAL : 0
  }

  /** Pages that a huge page would take the place of. */
  #pagesFrom(object: Ptr, first: number): number {
    let pages = 0
    this.forEachPage(object, () => pages++, first, first + HUGE_PAGES)
    return pages
  }

  /** All that can fail: then what was added is taken out again. */
  #fillHoles(object: Ptr, first: number, block: Pfn): number {
    let problem = this.mayPromise(object, HUGE_PAGES - this.#pagesFrom(object, first)) ? 0 : -EINVAL
    for (let i = 0; i < HUGE_PAGES && problem === 0; i++) {
      if (this.find(object, first + i) === NO_FRAME) problem = this.#fillHole(object, first + i, block + i)
    }
    if (problem !== 0) this.#emptyHoles(object, first, block)
    return problem
  }

  #fillHole(object: Ptr, index: number, pfn: number): number {
    if (!this.quotas.charge(this.quota(object))) return -EINVAL
    const problem = this.cache.insert(this.cacheOf(object), index, pfn as Pfn)
    if (problem !== 0) this.quotas.refund(this.quota(object))
    return problem === 0 ? 0 : -ENOMEM
  }

  #emptyHoles(object: Ptr, first: number, block: Pfn): void {
    for (let i = 0; i < HUGE_PAGES; i++) {
      if (this.find(object, first + i) !== block + i) continue
      this.cache.remove(this.cacheOf(object), first + i)
      this.quotas.refund(this.quota(object))
    }
  }

  #moveInto(object: Ptr, first: number, block: Pfn): void {
    const { memory } = this.env
    for (let i = 0; i < HUGE_PAGES; i++) {
      const pfn = (block + i) as Pfn
      const old = this.cache.replace(this.cacheOf(object), first + i, pfn)
      if (old === pfn) {
        memory.fill(frameToPtr(pfn), 0, PAGE_SIZE)
        this.countPage(object, 1)
      } else {
        memory.copy(frameToPtr(pfn), frameToPtr(old), PAGE_SIZE)
        this.letGo(object, old)
      }
    }
    this.#begin(object, first, block)
  }

  /** The huge page that a page is part of is none any more. False: it was none. */
  splitFolioOf(object: Ptr, index: number): boolean {
    if (!this.hasFolios(object)) return false
    this.lock(object)
    const isSplit = this.#split(object, index)
    this.unlock(object)
    return isSplit
  }

  /**
   * Of pages that were a huge page and were unmapped, those past the end leave the cache unless fallocate made them (shmem_fallocend). When
   * another hart has made a huge page of them again meanwhile, it stays whole, and so does what is mapped again.
   */
  dropPastEnd(object: Ptr, first: number, end: number): void {
    this.lock(object)
    const kept = Math.max(first, pagesFor(this.size(object)), this.allocatedEnd(object))
    if (kept < end && this.folioOf(object, first) === NO_FRAME) this.dropUnmappedLocked(object, kept, end)
    this.unlock(object)
  }

  protected override dropLocked(object: Ptr, first: number, end: number): void {
    if (this.hasFolios(object)) {
      this.#cut(object, first)
      this.#cut(object, end)
    }
    super.dropLocked(object, first, end)
  }

  #cut(object: Ptr, index: number): void {
    if (index % HUGE_PAGES !== 0) this.#split(object, index)
  }

  #split(object: Ptr, index: number): boolean {
    const { atomics, frames } = this.env
    const first = this.folioOf(object, index)
    if (first === NO_FRAME) return false
    for (let i = 0; i < HUGE_PAGES; i++) atomics.and(frames.flagsPtr((first + i) as Pfn), ~FrameFlag.folio)
    return true
  }

  /** How many of its pages are the first ones of huge pages. */
  protected foliosOf(object: Ptr): number {
    if (!this.hasFolios(object)) return 0
    let folios = 0
    this.lock(object)
    this.forEachPage(object, (index) => {
      if (index % HUGE_PAGES === 0 && this.folioOf(object, index) !== NO_FRAME) folios++
    })
    this.unlock(object)
    return folios
  }

  /** Asserts that a huge page is a whole one. */
  protected checkFolios(object: Ptr): void {
    const { frames } = this.env
    this.forEachPage(object, (index, pfn) => {
      if ((frames.flags(pfn) & FrameFlag.folio) === 0) return
      const first = this.folioOf(object, index)
      assert(first !== NO_FRAME, 'a page of a huge page leads to its first one')
      assert(first % HUGE_PAGES === 0, 'the frames of a huge page are an aligned block')
      assert(pfn === first + (index % HUGE_PAGES), 'the frames of a huge page lie side by side')
      assert((frames.flags(pfn) & FrameFlag.dirtyPage) !== 0, 'the pages of a huge page are changed ones')
      if (index % HUGE_PAGES !== 0) return
      for (let i = 0; i < HUGE_PAGES; i++)
        assert((frames.flags((pfn + i) as Pfn) & FOLIO) === FOLIO, 'a huge page has all its pages')
    })
  }
}
