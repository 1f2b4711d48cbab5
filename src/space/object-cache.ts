import { EIO, ENOMEM, ENOSPC, ENXIO } from '../base/errno.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Pfn, type Ptr, pagesFor } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { Counter, count } from '../state/counters.js'
import { ObjectMappings } from './object-mappings.js'
import { ObjectKind, type ObjectsEnv } from './object-records.js'
import { OBJECT_PAGES_MAX, PageCache } from './page-cache.js'
import { PageQuotas } from './page-quota.js'
import { MISSES_MANY, MISSES_MAX, PAGES_MAX, Reading, windowFor } from './read-ahead.js'

/** Pages that are written side by side come into a file in blocks of 4 to 32. */
const BLOCK_ORDER_MIN = 2
const BLOCK_ORDER_MAX = 5

/** Who stands behind objects: one per thread and provider id. */
export interface PageProvider {
  /** For `provided` objects: fills all 4096 bytes of `target` (zeroes past the end of the file). 0, -ENXIO when it has become shorter, -EIO. */
  readPage?(objectId: number, index: number, target: Uint8Array): number
  /** The same for some pages side by side, all inside of the file: with it pages are read ahead. Anything but 0, and each is asked for alone. */
  readPages?(objectId: number, index: number, target: Uint8Array): number
  /** Takes a changed page; `source` is what of it lies inside the object. 0 or a negative errno. */
  writePage?(objectId: number, index: number, source: Uint8Array): number
  /**
   * A mapping of the object has come, or is going (vm_ops->open, close). The space's lock is held; the object is alive. What goes on a hart
   * whose thread does not have the provider is told by `hearClosed`, without that lock.
   */
  opened?(object: Ptr): void
  closed?(object: Ptr): void
  /** Whether nobody can map the object any more once its last mapping is gone. */
  endsUnmapped?(object: Ptr): boolean
  /** Faults map the page alone, not what is cached around it (no vm_ops->map_pages). */
  readonly mapsAlone?: boolean
}

/** How pages come into the caches of objects: read from the provider, written, or zeroed; alone or some at a time. */
export class ObjectCache extends ObjectMappings {
  /** Providers of this thread, by id. */
  readonly providers = new Map<number, PageProvider>()
  protected readonly cache: PageCache
  readonly quotas: PageQuotas
  /** Told of first stores through shared mappings of memory that no provider has: by whoever keeps the times of files on this thread. */
  stored: ((object: Ptr) => void) | undefined
  /** Where pages are that are read for single frames. */
  #scattered: Uint8Array | undefined
  /** Whether the last page that was asked for had to be put into the cache. */
  wasAdded = false

  constructor(env: ObjectsEnv) {
    super(env)
    this.cache = new PageCache(env.memory, env.slab)
    this.quotas = new PageQuotas(env)
  }

  /** Links a Vma that maps the object, and takes a reference for it. */
  override attachVma(object: Ptr, vma: Ptr): void {
    super.attachVma(object, vma)
    const provider = this.provider(object)
    if (provider !== 0) this.providers.get(provider)?.opened?.(object)
  }

  /** Whether somebody is told of every mapping that comes, so that none may quietly become a part of another. */
  countsMappings(object: Ptr): boolean {
    return this.providers.get(this.provider(object))?.opened !== undefined
  }

  /** Whether nobody can map an object any more once its last mapping is gone. */
  endsUnmapped(object: Ptr): boolean {
    return this.providers.get(this.provider(object))?.endsUnmapped?.(object) === true
  }

  /** The cached frame of a page; NO_FRAME when there is none. */
  find(object: Ptr, index: number): Pfn {
    return index < OBJECT_PAGES_MAX ? this.cache.find(this.cacheOf(object), index) : NO_FRAME
  }

  /**
   * The frame of a page, read from the provider or zeroed when it was not there. No reference is added for the
   * caller. -ENXIO past the end of the object, -ENOMEM, -ENOSPC, or what the provider says (-EIO).
   */
  get(object: Ptr, index: number): number {
    this.lock(object)
    const result = this.getLocked(object, index)
    this.unlock(object)
    return result
  }

  /** As get, with a reference for the caller (a mapping): a truncation in between cannot free the frame. */
  getRetained(object: Ptr, index: number, reading: Reading = Reading.alone): number {
    this.lock(object)
    const result = this.getLocked(object, index, reading)
    if (result > 0) this.env.buddy.retain(result as Pfn)
    this.unlock(object)
    return result
  }

  protected getLocked(object: Ptr, index: number, reading: Reading = Reading.alone): number {
    return index * PAGE_SIZE < this.size(object) ? this.getOrAdd(object, index, reading) : -ENXIO
  }

  /** The same for a page that may lie past the end. */
  protected getOrAdd(object: Ptr, index: number, reading: Reading = Reading.alone): number {
    const found = this.find(object, index)
    this.wasAdded = found === NO_FRAME
    if (found === NO_FRAME) {
      const ahead = reading === Reading.alone ? NO_FRAME : this.#addWindow(object, index, reading)
      return ahead === NO_FRAME ? this.#add(object, index) : ahead
    }
    if (reading === Reading.around) this.noteHits(object, 1)
    this.markFilled(found)
    return found
  }

  /** Whether the page is in the cache and has contents: not as fallocate left it. */
  isFilled(object: Ptr, index: number): boolean {
    const found = this.find(object, index)
    return found !== NO_FRAME && (this.env.frames.flags(found) & FrameFlag.unfilled) === 0
  }

  /** Somebody uses a page of the cache, whose frame has been all zeroes until now. */
  markFilled(pfn: Pfn): void {
    const { atomics, frames } = this.env
    if ((frames.flags(pfn) & FrameFlag.unfilled) !== 0) atomics.and(frames.flagsPtr(pfn), ~FrameFlag.unfilled)
  }

  /** A page of a provider's file with those before `stop` that are worth being read with it; NO_FRAME when it has to be read alone. */
  #addWindow(object: Ptr, index: number, reading: Reading, stop: number = OBJECT_PAGES_MAX): Pfn {
    const provider = this.kind(object) === ObjectKind.provided && this.providers.get(this.provider(object))
    const end = Math.min(pagesFor(this.size(object)), stop)
    if (!provider || provider.readPages === undefined || this.quota(object) !== NULL || index >= end)
      return NO_FRAME
    if (reading === Reading.around && this.#missesMany(object)) return NO_FRAME
    const isCached = (at: number) => this.find(object, at) !== NO_FRAME
    const { first, order } = windowFor(reading, index, end, isCached)
    if (order === 0) return NO_FRAME
    const block = this.env.buddy.hasBlock(order) ? this.env.buddy.allocate(order) : NO_FRAME
    if (block === NO_FRAME) return this.#addScattered(object, provider, first, order, index)
    const isRead =
      provider.readPages(this.identity(object), first, this.bytes(block, PAGE_SIZE << order)) === 0
    if (!isRead || !this.#insertBlock(object, first, block, order)) {
      this.env.buddy.free(block, order)
      return NO_FRAME
    }
    this.env.buddy.divide(block, order, FrameFlag.file, object, first)
    this.countPage(object, 1 << order)
    count(this.env.memory, Counter.pagesRead, 1 << order)
    return (block + index - first) as Pfn
  }

  /** False, and nothing is inserted, when there is no memory for it. */
  #insertBlock(object: Ptr, first: number, block: Pfn, order: number): boolean {
    const handle = this.cacheOf(object)
    for (let i = 0; i < 1 << order; i++) {
      if (this.cache.insert(handle, first + i, (block + i) as Pfn) === 0) continue
      while (--i >= 0) this.cache.remove(handle, first + i)
      return false
    }
    return true
  }

  /**
   * Adds pages that have these contents to an object that nobody else has: as many as a block of frames holds, none of which is there yet. How many it has
   * added; 0 where pages come one by one: there is no such block, or not so much room. The object is locked.
   */
  protected addBlock(object: Ptr, index: number, contents: Uint8Array): number {
    const order = Math.min(BLOCK_ORDER_MAX, 31 - Math.clz32(contents.length / PAGE_SIZE))
    const pages = 1 << order
    const mayBe = order >= BLOCK_ORDER_MIN && this.isSwapBacked(object) && !this.isHuge(object)
    if (!mayBe || index + pages > OBJECT_PAGES_MAX) return 0
    if (this.cache.next(this.cacheOf(object), index) < index + pages) return 0
    const quota = this.quota(object)
    if (!this.mayPromise(object, pages) || !this.quotas.charge(quota, pages)) return 0
    if (this.#addWritten(object, index, contents, order)) return pages
    this.quotas.refund(quota, pages)
    return 0
  }

  #addWritten(object: Ptr, index: number, contents: Uint8Array, order: number): boolean {
    const { buddy } = this.env
    const block = buddy.hasBlock(order) ? buddy.allocate(order) : NO_FRAME
    if (block === NO_FRAME) return false
    const bytes = PAGE_SIZE << order
    this.bytes(block, bytes).set(contents.length === bytes ? contents : contents.subarray(0, bytes))
    if (!this.#insertBlock(object, index, block, order)) {
      buddy.free(block, order)
      return false
    }
    buddy.divide(block, order, FrameFlag.file | FrameFlag.dirtyPage, object, index)
    this.countPage(object, 1 << order)
    this.countDirty(object, 1 << order)
    return true
  }

  /** The same where no frames are free side by side: in single ones, page `index` first, and the others as long as there are any. */
  #addScattered(object: Ptr, provider: PageProvider, first: number, order: number, index: number): Pfn {
    this.#scattered ??= new Uint8Array(PAGES_MAX * PAGE_SIZE)
    const bytes = this.#scattered.subarray(0, PAGE_SIZE << order)
    if (provider.readPages?.(this.identity(object), first, bytes) !== 0) return NO_FRAME
    const add = (at: number) =>
      this.#addCopied(object, at, bytes.subarray((at - first) * PAGE_SIZE, (at - first + 1) * PAGE_SIZE))
    const page = add(index)
    const end = first + 2 ** order
    for (let at = first; page !== NO_FRAME && at < end; at++) {
      if (at !== index && add(at) === NO_FRAME) break
    }
    return page
  }

  #addCopied(object: Ptr, index: number, contents: Uint8Array): Pfn {
    const { frames, buddy, memory } = this.env
    const pfn = buddy.allocate(0)
    if (pfn === NO_FRAME) return NO_FRAME
    if (this.cache.insert(this.cacheOf(object), index, pfn) !== 0) {
      buddy.release(pfn)
      return NO_FRAME
    }
    memory.u8.set(contents, frameToPtr(pfn))
    frames.set(pfn, 1, FrameFlag.file, object, index)
    this.countPage(object, 1)
    count(memory, Counter.pagesRead)
    return pfn
  }

  /**
   * Has pages of a provider's file read that are not cached, from page `index` on and before `end`, as long as `mayGoOn`
   * (force_page_cache_readahead). Nobody hears of errors: those who want the pages do.
   */
  readAhead(object: Ptr, index: number, end: number, mayGoOn: () => boolean): void {
    if (this.kind(object) !== ObjectKind.provided) return
    this.lock(object)
    const stop = Math.min(end, pagesFor(this.size(object)), OBJECT_PAGES_MAX)
    for (let at = index; at < stop && mayGoOn(); at++) {
      if (this.find(object, at) !== NO_FRAME) continue
      if (this.#addWindow(object, at, Reading.asked, stop) === NO_FRAME && this.#add(object, at) < 0) break
    }
    this.unlock(object)
  }

  #missesMany(object: Ptr): boolean {
    const misses = this.misses(object)
    if (misses < MISSES_MAX) this.setMisses(object, misses + 1)
    return misses > MISSES_MANY
  }

  /** A fault has found so many pages cached. The object is locked. */
  noteHits(object: Ptr, pages: number): void {
    const misses = this.misses(object)
    if (misses > 0) this.setMisses(object, Math.max(0, misses - pages))
  }

  /** -ENOSPC when its quota is used up or no more may be promised, or for a page that no cache can hold, or of a pool that is empty. */
  #add(object: Ptr, index: number): number {
    if (this.isHuge(object) || !this.mayPromise(object, 1)) return -ENOSPC
    if (index >= OBJECT_PAGES_MAX || !this.quotas.charge(this.quota(object))) return -ENOSPC
    const result = this.#addCharged(object, index)
    if (result < 0) this.quotas.refund(this.quota(object))
    return result
  }

  #addCharged(object: Ptr, index: number): number {
    const { frames, buddy } = this.env
    const pfn = buddy.allocateZeroed(0)
    if (pfn === NO_FRAME) return -ENOMEM
    const problem = this.#fill(object, index, pfn) || this.cache.insert(this.cacheOf(object), index, pfn)
    if (problem !== 0) {
      buddy.release(pfn)
      return problem
    }
    frames.set(pfn, 1, FrameFlag.file, object, index)
    this.countPage(object, 1)
    return pfn
  }

  /** Whether faults map a page of the object alone, as those of secret memory do (secretmem_vm_ops). */
  mapsAlone(object: Ptr): boolean {
    if (this.isSecret(object)) return true
    const provider = this.provider(object)
    return provider !== 0 && this.providers.get(provider)?.mapsAlone === true
  }

  /** Asks the provider, if there is one. */
  #fill(object: Ptr, index: number, pfn: Pfn): number {
    if (this.kind(object) !== ObjectKind.provided) return 0
    const provider = this.providers.get(this.provider(object))
    if (provider?.readPage === undefined) return -EIO
    count(this.env.memory, Counter.pagesRead)
    return provider.readPage(this.identity(object), index, this.bytes(pfn, PAGE_SIZE))
  }

  protected bytes(pfn: Pfn, length: number): Uint8Array {
    return this.env.memory.u8.subarray(frameToPtr(pfn), frameToPtr(pfn) + length)
  }
}
