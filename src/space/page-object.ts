/**
 * What backs shared and file mappings: a size in bytes and a cache of pages. It is also the page cache of every
 * file of a tmpfs or of the host, so read(2), write(2) and mmap(2) see the same bytes.
 *
 *     PageObjects      life and check                       (here)
 *     └ ObjectBytes      reading, writing, cutting              (object-bytes.ts)
 *       └ ObjectFolios     huge pages of them                     (object-folios.ts)
 *         └ ObjectWriteBack  changed pages, back to the provider    (object-write-back.ts)
 *           └ ObjectPages      the pages, and how they leave          (object-pages.ts)
 *             └ ObjectCache      the cache, and how pages come in       (object-cache.ts)
 *               └ ObjectMappings   who maps them                          (object-mappings.ts)
 *                 └ ObjectRecords    the records                            (object-records.ts)
 *
 * A page in the cache holds one reference to its frame, every mapping of it another.
 */
import { assert } from '../base/assert.js'
import { NULL, type Pfn, type Ptr, pagesFor } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { LockRank } from '../state/atomics.js'
import { Word, wordIndex } from '../state/layout.js'
import { OBJECT_BYTES_MAX, ObjectBytes } from './object-bytes.js'
import { OBJECT_BYTES, type ObjectKind, type ObjectsEnv } from './object-records.js'
import { commitPages } from './overcommit.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'

export { OBJECT_BYTES_MAX } from './object-bytes.js'
export type { PageProvider } from './object-cache.js'
export { ObjectKind, type ObjectsEnv } from './object-records.js'

const CLOSED_UNHEARD = (wordIndex(Word.closedUnheard) * 4) as Ptr

export class PageObjects extends ObjectBytes {
  readonly #slabCache: SlabCache

  /** Boots or attaches: the slab caches are found by name, the list is in the header. */
  constructor(env: ObjectsEnv) {
    super(env)
    const construct = (object: Ptr) => env.memory.u32.fill(0, object >>> 2, (object + OBJECT_BYTES) >>> 2)
    this.#slabCache = env.slab.createCache('page_object', OBJECT_BYTES, 8, { construct })
  }

  /** A new object with one reference; NULL without memory. `bytes` ≤ OBJECT_BYTES_MAX. */
  create(kind: ObjectKind, bytes: number, provider = 0): Ptr {
    assert(bytes >= 0 && bytes <= OBJECT_BYTES_MAX, 'the size of an object is in range')
    const object = this.#slabCache.allocate()
    if (object !== NULL) this.enlist(object, kind, bytes, provider)
    return object
  }

  /** Gives one reference back; the last one frees the pages (unwritten ones too: see write-back.ts) and the record. */
  release(object: Ptr): void {
    const before = this.env.atomics.add((object + 4) as Ptr, -1)
    assert(before > 0, 'a page object is released once per reference')
    if (before > 1) return
    assert(this.firstMapping(object) === NULL, 'a page object outlives its mappings')
    this.delist(object)
    this.dropRange(object, 0, OBJECT_PAGES_MAX)
    if (this.isPromised(object)) commitPages(this.env, -pagesFor(this.size(object)))
    // As constructed, but for the lock: reclaim may have it, until it sees that there are no references.
    this.env.memory.u32.fill(0, (object + 4) >>> 2, (object + OBJECT_BYTES) >>> 2)
    this.#slabCache.free(object)
  }

  /**
   * A reference to the object that has the frame as its page `index`, as a frame says that the caller does not hold: any number. False when that is
   * none, or none any more, or somebody else works on it.
   */
  tryRetainOf(pfn: Pfn, object: number, index: number): boolean {
    const { atomics } = this.env
    const tryLock = () => atomics.tryLock(object as Ptr, LockRank.object)
    if (!this.#slabCache.whileThere(object, tryLock)) return false
    const isRetained = this.isPageOf(pfn, object as Ptr, index) && this.tryRetain(object as Ptr)
    this.unlock(object as Ptr)
    return isRetained
  }

  /** The record, which is locked, may be free. */
  protected isPageOf(pfn: Pfn, object: Ptr, index: number): boolean {
    return this.env.atomics.load((object + 4) as Ptr) > 0 && this.find(object, index) === pfn
  }

  protected tryRetain(object: Ptr): boolean {
    return this.env.atomics.addUnlessZero((object + 4) as Ptr)
  }

  /** Unlinks a Vma and gives its reference back: later, when only another thread can tell the provider. */
  detachVma(object: Ptr, vma: Ptr): void {
    this.unlinkVma(object, vma)
    if (this.#tellClosed(object)) this.release(object)
  }

  /** False when the object's reference stays, with a message to a thread that has the provider. Mappings that go before it is heard are one. */
  #tellClosed(object: Ptr): boolean {
    const id = this.provider(object)
    const provider = this.providers.get(id)
    if (id === 0 || provider !== undefined) {
      provider?.closed?.(object)
      return true
    }
    const { atomics } = this.env
    if (atomics.exchange(this.unheardPtr(object), 1) === 1) return true
    atomics.exchange(CLOSED_UNHEARD, 1)
    return false
  }

  /** Tells the providers of this thread of mappings that went on harts whose threads do not have them. No lock is held. */
  hearClosed(): void {
    if (this.env.memory.u32[CLOSED_UNHEARD >>> 2] !== 0 && this.providers.size > 0) this.#hearAll()
  }

  #hearAll(): void {
    const { atomics } = this.env
    atomics.exchange(CLOSED_UNHEARD, 0)
    this.forEach((object) => {
      const provider = this.providers.get(this.provider(object))
      if (provider === undefined) {
        // For another thread.
        if (atomics.load(this.unheardPtr(object)) === 1) atomics.exchange(CLOSED_UNHEARD, 1)
      } else if (atomics.exchange(this.unheardPtr(object), 0) === 1) {
        provider.closed?.(object)
        this.release(object)
      }
    })
  }

  /** Every object that is not going, the newest first. `visit` has a reference to it; no lock is held. */
  forEach(visit: (object: Ptr) => void): void {
    for (let object = this.retainNext(NULL); object !== NULL; ) {
      const visited = object
      try {
        visit(visited)
      } finally {
        object = this.retainNext(visited)
        this.release(visited)
      }
    }
  }

  /** Huge pages of all objects (nr_shmem_hugepages). */
  folios(): number {
    let folios = 0
    this.forEach((object) => {
      folios += this.foliosOf(object)
    })
    return folios
  }

  /** Pages promised for all objects. */
  promisedPages(): number {
    let pages = 0
    this.forEach((object) => {
      pages += this.promisedFor(object)
    })
    return pages
  }

  stats(): { objects: number; pages: number } {
    const stats = { objects: 0, pages: 0 }
    this.forEach((object) => {
      stats.objects++
      stats.pages += this.pages(object)
    })
    return stats
  }

  dump(): string {
    const lines = ['object kind size pages references']
    this.forEach((object) => {
      const { identity, kind, size, pages } = this
      const fields = [identity, kind, size, pages].map((field) => field.call(this, object))
      // One of them is the visitor's.
      fields.push(this.references(object) - 1)
      lines.push(fields.join(' '))
    })
    return `${lines.join('\n')}\n`
  }

  check(): void {
    let objects = 0
    let nodes = 0
    const charged = new Map<Ptr, number>()
    this.forEach((object) => {
      nodes += this.#checkObject(object)
      charged.set(this.quota(object), (charged.get(this.quota(object)) ?? 0) + this.pages(object))
      objects++
    })
    charged.delete(NULL)
    for (const [quota, pages] of charged) {
      assert(this.quotas.used(quota) === pages, 'a quota counts the pages of its files')
    }
    assert(this.#slabCache.used === objects, 'every page object is in the list')
    this.cache.checkTotal(nodes)
  }

  /** Returns how many nodes its cache has. */
  #checkObject(object: Ptr): number {
    const { frames } = this.env
    const { pages, nodes } = this.cache.check(this.cacheOf(object))
    assert(pages === this.pages(object), 'a page object counts its pages')
    let dirty = 0
    this.forEachPage(object, (index, pfn) => {
      assert(frames.owner(pfn) === object, 'a page cache frame knows its object')
      assert(frames.index(pfn) === index, 'a page cache frame knows its index')
      assert((frames.flags(pfn) & FrameFlag.file) !== 0, 'a page cache frame is marked so')
      assert(frames.refCount(pfn) >= 1, 'a page cache frame has the reference of its cache')
      assert((frames.flags(pfn) & FrameFlag.writeBack) === 0, 'no page is left half written back')
      const isUsed = !this.isShmem(object) || frames.refCount(pfn) > 1
      assert(!isUsed || this.isFilled(object, index), 'only shared memory that nobody maps has no contents')
      if ((frames.flags(pfn) & FrameFlag.dirtyPage) !== 0) dirty++
    })
    assert(dirty === this.dirtyPages(object), 'a page object counts its changed pages')
    this.checkFolios(object)
    assert(
      this.checkMappings(object) < this.references(object),
      'every mapping holds a reference, and so does who looks',
    )
    return nodes
  }
}
