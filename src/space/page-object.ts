/**
 * What backs shared and file mappings: a size in bytes and a cache of pages. It is also the page cache of every
 * file of a tmpfs or of the host, so read(2), write(2) and mmap(2) see the same bytes.
 *
 *     PageObjects      life, reading and writing, check     (here)
 *     └ ObjectFolios     huge pages of them                    (object-folios.ts)
 *       └ ObjectWriteBack  changed pages, back to the provider   (object-write-back.ts)
 *         └ ObjectPages      the pages, and how they leave         (object-pages.ts)
 *           └ ObjectCache      the cache, and how pages come in      (object-cache.ts)
 *             └ ObjectMappings   who maps them                         (object-mappings.ts)
 *               └ ObjectRecords    the records                           (object-records.ts)
 *
 * A page in the cache holds one reference to its frame, every mapping of it another.
 */
import { assert } from '../base/assert.js'
import { EFBIG, ENXIO } from '../base/errno.js'
import {
  frameToPtr,
  NO_FRAME,
  NULL,
  PAGE_MASK,
  PAGE_SIZE,
  type Pfn,
  type Ptr,
  pagesFor,
} from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { LockRank } from '../state/atomics.js'
import { Word, wordIndex } from '../state/layout.js'
import { ObjectFolios } from './object-folios.js'
import { OBJECT_BYTES, ObjectKind, type ObjectsEnv } from './object-records.js'
import { commitPages } from './overcommit.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import { Reading } from './read-ahead.js'
import { allowsObjectFolio, mayMakeObjectFolios, writeEnd } from './shmem-policy.js'
import { HUGE_PAGES } from './vm-flags.js'

export type { PageProvider } from './object-cache.js'
export { ObjectKind, type ObjectsEnv } from './object-records.js'

/** Largest size of an object in bytes (2^63, which stands for 2^63 - 1); more is EFBIG. Pages beyond 4 TiB have no place: ENOSPC. */
export const OBJECT_BYTES_MAX = 2 ** 63
const CLOSED_UNHEARD = (wordIndex(Word.closedUnheard) * 4) as Ptr

export class PageObjects extends ObjectFolios {
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

  /**
   * Copies from the object, up to its end, or that of what its provider has (a file that somebody else made shorter). Bytes
   * copied, or a negative errno when not even one could be.
   */
  read(object: Ptr, offset: number, target: Uint8Array): number {
    this.lock(object)
    const length = Math.max(0, Math.min(target.length, this.size(object) - offset))
    let done = 0
    let problem = 0
    while (done < length && problem === 0) {
      const count = bytesInPage(offset + done, length - done)
      problem = this.#readPart(object, offset + done, part(target, done, count))
      if (problem === 0) done += count
    }
    this.unlock(object)
    return done > 0 || problem === -ENXIO ? done : problem
  }

  /** Copies into the object, growing it. Bytes copied, or -ENOMEM, -EFBIG, -EIO when not even one could be. */
  write(object: Ptr, offset: number, source: Uint8Array): number {
    if (offset >= OBJECT_BYTES_MAX && source.length > 0) return -EFBIG
    const length = Math.min(source.length, OBJECT_BYTES_MAX - offset)
    let done = 0
    let problem = 0
    this.lock(object)
    while (done < length && problem === 0) {
      const count = bytesInPage(offset + done, length - done)
      if (mayMakeObjectFolios(this.env.memory)) this.#makeFolio(object, offset + done, offset + length)
      const wholePages = count === PAGE_SIZE ? wholeWithin(offset + done, length - done) : 0
      if (wholePages > 1) {
        const added = this.addBlock(
          object,
          (offset + done) / PAGE_SIZE,
          part(source, done, wholePages * PAGE_SIZE),
        )
        done += added * PAGE_SIZE
        if (added > 0) continue
      }
      problem = this.#writePart(object, offset + done, part(source, done, count))
      if (problem === 0) done += count
    }
    if (done > 0) this.#grow(object, offset + done, offset)
    this.unlock(object)
    return done > 0 ? done : problem
  }

  /**
   * Takes over bytes that the provider has already: pages that are in the cache get them and stay as clean as they were. The
   * object grows if need be. `offset + source.length` ≤ OBJECT_BYTES_MAX.
   */
  update(object: Ptr, offset: number, source: Uint8Array): void {
    this.lock(object)
    this.#grow(object, offset + source.length, offset)
    for (let done = 0; done < source.length; ) {
      const at = offset + done
      const count = bytesInPage(at, source.length - done)
      const pfn = this.find(object, Math.floor(at / PAGE_SIZE))
      if (pfn !== NO_FRAME) {
        this.env.memory.u8.set(source.subarray(done, done + count), frameToPtr(pfn) + (at % PAGE_SIZE))
        this.env.frames.forgetWritten(pfn)
      }
      done += count
    }
    this.unlock(object)
  }

  /** Zeroes bytes `from` to `to` - 1 of one page, if it is in the cache. */
  clear(object: Ptr, from: number, to: number): void {
    this.lock(object)
    const page = from < to ? this.find(object, Math.floor(from / PAGE_SIZE)) : NO_FRAME
    if (page !== NO_FRAME) {
      this.env.memory.fill((frameToPtr(page) + (from % PAGE_SIZE)) as Ptr, 0, to - from)
      this.env.frames.forgetWritten(page)
      this.markDirty(page)
    }
    this.unlock(object)
  }

  /** Makes the object larger, with zeroes. */
  extend(object: Ptr, bytes: number): void {
    this.lock(object)
    this.#grow(object, bytes, bytes)
    this.unlock(object)
  }

  /**
   * Raises the size to `bytes`, of which those from `written` on have their contents already. Stores beyond the old end in its
   * page were nobody's: a file that a provider has reads as zeroes there. (tmpfs of Linux 6.12 shows them.)
   */
  #grow(object: Ptr, bytes: number, written: number): void {
    const before = this.size(object)
    if (bytes <= before) return
    this.setSize(object, bytes)
    if (this.isShmem(object) || written <= before || (before & PAGE_MASK) === 0) return
    const page = this.find(object, Math.floor(before / PAGE_SIZE))
    const length = Math.min(written, before + PAGE_SIZE - (before % PAGE_SIZE)) - before
    if (page === NO_FRAME) return
    this.env.memory.fill((frameToPtr(page) + (before % PAGE_SIZE)) as Ptr, 0, length)
    this.env.frames.forgetWritten(page)
  }

  /** Copies part of one page; a hole of a file that is only here reads as zeroes and stays a hole. */
  #readPart(object: Ptr, offset: number, target: Uint8Array): number {
    const index = Math.floor(offset / PAGE_SIZE)
    if (this.isShmem(object) && !this.isFilled(object, index)) {
      target.fill(0)
      return 0
    }
    const pfn = this.getOrAdd(object, index, Reading.inOrder)
    if (pfn < 0) return pfn
    const start = frameToPtr(pfn as Pfn) + (offset % PAGE_SIZE)
    target.set(this.env.memory.u8.subarray(start, start + target.length))
    return 0
  }

  /** The first page of a huge one is about to be written, as far as byte `end`: where Linux makes a huge page, so do we. */
  #makeFolio(object: Ptr, offset: number, end: number): void {
    const index = Math.floor(offset / PAGE_SIZE)
    if (this.find(object, index) !== NO_FRAME) return
    const bytes = Math.max(this.size(object), writeEnd(offset, end))
    if (allowsObjectFolio({ memory: this.env.memory, objects: this }, { object, index, bytes }))
      this.addFolioLocked(object, index)
  }

  #writePart(object: Ptr, offset: number, source: Uint8Array): number {
    const pfn = this.getOrAdd(object, Math.floor(offset / PAGE_SIZE))
    if (pfn < 0) return pfn
    this.env.memory.u8.set(source, frameToPtr(pfn as Pfn) + (offset % PAGE_SIZE))
    this.env.frames.forgetWritten(pfn as Pfn)
    if (this.kind(object) !== ObjectKind.kernel) this.markDirty(pfn as Pfn)
    return 0
  }

  /**
   * Takes the pages from byte `from` on out of the cache and zeroes the rest of the page that `from` cuts. The
   * second half of truncateObject: no address space maps these pages any more. False, and nothing is done: another hart has made a huge page
   * meanwhile that `from` cuts, and may have mapped it.
   */
  dropFrom(object: Ptr, from: number): boolean {
    this.lock(object)
    const isHuge =
      from % (HUGE_PAGES * PAGE_SIZE) !== 0 && this.folioOf(object, Math.floor(from / PAGE_SIZE)) !== NO_FRAME
    if (!isHuge) this.#dropFromLocked(object, from)
    this.unlock(object)
    return !isHuge
  }

  #dropFromLocked(object: Ptr, from: number): void {
    const start = from % PAGE_SIZE
    this.cutAllocated(object, pagesFor(from), OBJECT_PAGES_MAX)
    this.dropLocked(object, pagesFor(from), OBJECT_PAGES_MAX)
    const cut = (from & PAGE_MASK) === 0 ? NO_FRAME : this.find(object, Math.floor(from / PAGE_SIZE))
    if (cut !== NO_FRAME) {
      this.env.memory.fill((frameToPtr(cut) + start) as Ptr, 0, PAGE_SIZE - start)
      this.env.frames.forgetWritten(cut)
      if (this.isShmem(object)) this.markDirty(cut)
    }
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

/** Mostly it is all: a new view takes as long as copying some thousand bytes. */
function part(bytes: Uint8Array, start: number, count: number): Uint8Array {
  return count === bytes.length ? bytes : bytes.subarray(start, start + count)
}

/** How many whole pages from `offset` on `length` bytes have, but not into the next huge one: that may be made as one. */
function wholeWithin(offset: number, length: number): number {
  const toHuge = HUGE_PAGES - ((offset / PAGE_SIZE) % HUGE_PAGES)
  return Math.min(Math.floor(length / PAGE_SIZE), toHuge)
}

/** How many of `length` bytes from `offset` on lie in its page. */
function bytesInPage(offset: number, length: number): number {
  return Math.min(length, PAGE_SIZE - (offset % PAGE_SIZE))
}
