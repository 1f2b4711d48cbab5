/**
 * What backs shared and file mappings: a size in bytes and a cache of pages. It is also the page cache of every
 * file of a tmpfs or of the host, so read(2), write(2) and mmap(2) see the same bytes.
 *
 * A page in the cache holds one reference to its frame, every mapping of it another. The objects are slab records;
 * those of one machine stand in a list. Record layout:
 *
 *     0   u32  lock (LockRank.object)
 *     4   u32  references: open files, mappings, whoever called retain
 *     8   f64  size in bytes, 0 to 2^42
 *     16  u32  page cache handle: root, levels (page-cache.ts)
 *     24  u32  pages in the cache
 *     28  u32  ObjectKind
 *     32  u32  provider id, 0 = none
 *     36  u32  identity, 1 and up
 *     40  Ptr  first mapping (a Vma record), linked through the Vma's own links
 *     44  Ptr  previous object, 48 Ptr next object (LockWord.objects)
 */
import { assert } from '../base/assert.js'
import { EFBIG, EIO, ENOMEM, ENXIO } from '../base/errno.js'
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
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import { FrameFlag, type FrameTable } from '../frame/frame-table.js'
import type { CacheId } from '../slab/cache-table.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { OBJECT_PAGES_MAX, PageCache } from './page-cache.js'
import { VM_MAYWRITE, VM_SHARED } from './vm-flags.js'
import { Vma } from './vma.js'

export const ObjectKind = {
  /** MAP_SHARED | MAP_ANONYMOUS, or a shared mapping of /dev/zero. */
  anonymousShared: 1,
  /** A file whose only home is the page cache. */
  tmpfs: 2,
  /** A file whose pages come from a PageProvider, and go back to it. */
  provided: 3,
} as const
export type ObjectKind = (typeof ObjectKind)[keyof typeof ObjectKind]

/** Largest size of an object in bytes (4 TiB); more is EFBIG. */
export const OBJECT_BYTES_MAX = OBJECT_PAGES_MAX * PAGE_SIZE

/** Where the pages of `provided` objects come from: one per thread and provider id. */
export interface PageProvider {
  /** Fills all 4096 bytes of `target` (zeroes past the end of the file). 0 or a negative errno. */
  readPage(objectId: number, index: number, target: Uint8Array): number
  /** Takes a changed page; `length` bytes of it lie inside the object. 0 or a negative errno. */
  writePage?(objectId: number, index: number, source: Uint8Array, length: number): number
}

/** What page objects are made of; MemoryManager is one. */
export interface ObjectsEnv {
  readonly memory: Memory
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly slab: SlabAllocator
}

const SHARED_WRITABLE = VM_SHARED | VM_MAYWRITE

const OBJECT_BYTES = 56
const REFERENCES = 4 >>> 2
const SIZE = 8 >>> 3
const CACHE = 16
const PAGES = 24 >>> 2
const KIND = 28 >>> 2
const PROVIDER = 32 >>> 2
const IDENTITY = 36 >>> 2
const MAPPINGS = 40 >>> 2
const PREVIOUS = 44 >>> 2
const NEXT = 48 >>> 2

export class PageObjects {
  /** Providers of this thread, by id. */
  readonly providers = new Map<number, PageProvider>()
  readonly #env: ObjectsEnv
  readonly #objects: CacheId
  readonly #cache: PageCache
  readonly #vma: Vma

  /** Boots or attaches: the slab caches are found by name, the list is in the header. */
  constructor(env: ObjectsEnv) {
    this.#env = env
    this.#objects = env.slab.createCache('page_object', OBJECT_BYTES, 8)
    this.#cache = new PageCache(env.memory, env.slab)
    this.#vma = new Vma(env.memory, NULL)
  }

  /** A new object with one reference; NULL without memory. `bytes` ≤ OBJECT_BYTES_MAX. */
  create(kind: ObjectKind, bytes: number, providerId = 0): Ptr {
    assert(bytes >= 0 && bytes <= OBJECT_BYTES_MAX, 'the size of an object is in range')
    const { memory, slab } = this.#env
    const object = slab.allocate(this.#objects)
    if (object === NULL) return NULL
    const word = object >>> 2
    memory.u32[word + REFERENCES] = 1
    memory.f64[(object >>> 3) + SIZE] = bytes
    memory.u32[word + KIND] = kind
    memory.u32[word + PROVIDER] = providerId
    this.#link(object)
    return object
  }

  retain(object: Ptr): void {
    this.#env.atomics.add((object + 4) as Ptr, 1)
  }

  /** Gives one reference back; the last one frees the pages and the record. */
  release(object: Ptr): void {
    const before = this.#env.atomics.add((object + 4) as Ptr, -1)
    assert(before > 0, 'a page object is released once per reference')
    if (before === 1) this.#destroy(object)
  }

  references(object: Ptr): number {
    return this.#env.memory.u32[(object >>> 2) + REFERENCES]!
  }

  /** Size in bytes. */
  size(object: Ptr): number {
    return this.#env.memory.f64[(object >>> 3) + SIZE]!
  }

  /**
   * Changes the size and nothing else: for growth. Making an object smaller is truncateObject's work (truncate.ts),
   * because pages must leave the address spaces first.
   */
  setSize(object: Ptr, bytes: number): void {
    this.#env.memory.f64[(object >>> 3) + SIZE] = bytes
  }

  kind(object: Ptr): ObjectKind {
    return this.#env.memory.u32[(object >>> 2) + KIND]! as ObjectKind
  }

  /** Whether its pages live only in memory: RssShmem, not RssFile, and no word to a provider when they change. */
  isShmem(object: Ptr): boolean {
    return this.kind(object) !== ObjectKind.provided
  }

  /** A number that names the object for providers, futexes and `maps`; never used twice. */
  identity(object: Ptr): number {
    return this.#env.memory.u32[(object >>> 2) + IDENTITY]!
  }

  /** Pages in the cache. */
  pages(object: Ptr): number {
    return this.#env.memory.u32[(object >>> 2) + PAGES]!
  }

  /** First Vma that maps the object, NULL when none does. Hold the object's lock to walk on. */
  firstMapping(object: Ptr): Ptr {
    return this.#env.memory.u32[(object >>> 2) + MAPPINGS]! as Ptr
  }

  lock(object: Ptr): void {
    this.#env.atomics.lock(object, LockRank.object)
  }

  unlock(object: Ptr): void {
    this.#env.atomics.unlock(object, LockRank.object)
  }

  /** The cached frame of a page, NO_FRAME when there is none (or it is past the end of what can be). */
  find(object: Ptr, index: number): Pfn {
    return index < OBJECT_PAGES_MAX ? this.#cache.find((object + CACHE) as Ptr, index) : NO_FRAME
  }

  /**
   * The frame of a page, read from the provider or zeroed when it was not there. No reference is added for the
   * caller. -ENXIO past the end of the object, -ENOMEM, or what the provider says (-EIO).
   */
  get(object: Ptr, index: number): number {
    this.lock(object)
    const result = index * PAGE_SIZE < this.size(object) ? this.#getLocked(object, index) : -ENXIO
    this.unlock(object)
    return result
  }

  /** As get, with a reference for the caller (a mapping): a truncation in between cannot free the frame. */
  getRetained(object: Ptr, index: number): number {
    this.lock(object)
    const result = index * PAGE_SIZE < this.size(object) ? this.#getLocked(object, index) : -ENXIO
    if (result > 0) this.#env.buddy.retain(result as Pfn)
    this.unlock(object)
    return result
  }

  /** Copies from the object, up to its end. Bytes copied, or a negative errno when not even one could be. */
  read(object: Ptr, offset: number, target: Uint8Array): number {
    this.lock(object)
    const length = Math.max(0, Math.min(target.length, this.size(object) - offset))
    let done = 0
    let problem = 0
    while (done < length && problem === 0) {
      const count = bytesInPage(offset + done, length - done)
      problem = this.#readPage(object, offset + done, target.subarray(done, done + count))
      if (problem === 0) done += count
    }
    this.unlock(object)
    return done > 0 ? done : problem
  }

  /** Copies into the object, growing it. Bytes copied, or a negative errno (-ENOMEM, -EFBIG, -EIO) when none could be. */
  write(object: Ptr, offset: number, source: Uint8Array): number {
    if (offset >= OBJECT_BYTES_MAX && source.length > 0) return -EFBIG
    this.lock(object)
    const length = Math.min(source.length, OBJECT_BYTES_MAX - offset)
    let done = 0
    let problem = 0
    while (done < length && problem === 0) {
      const count = bytesInPage(offset + done, length - done)
      problem = this.#writePage(object, offset + done, source.subarray(done, done + count))
      if (problem === 0) done += count
    }
    if (offset + done > this.size(object) && done > 0) this.setSize(object, offset + done)
    this.unlock(object)
    return done > 0 ? done : problem
  }

  /** Marks a page of a `provided` object as changed, so that writeBack gives it to the provider. */
  markDirty(pfn: Pfn): void {
    const { frames } = this.#env
    frames.setFlags(pfn, frames.flags(pfn) | FrameFlag.dirtyPage)
  }

  /**
   * Gives changed pages to the provider (msync, fsync, last close). A page stays marked while a writable shared
   * mapping could change it unseen. 0, or the first negative errno.
   */
  writeBack(object: Ptr): number {
    const { memory, frames } = this.#env
    const id = memory.u32[(object >>> 2) + PROVIDER]!
    const provider = this.providers.get(id)
    if (provider?.writePage === undefined) return 0
    let problem = 0
    this.lock(object)
    const keep = this.#hasWritableMapping(object)
    this.#cache.forEach((object + CACHE) as Ptr, (index, pfn) => {
      const length = Math.min(PAGE_SIZE, this.size(object) - index * PAGE_SIZE)
      if ((frames.flags(pfn) & FrameFlag.dirtyPage) === 0 || length <= 0) return
      const result = provider.writePage!(this.identity(object), index, this.#bytes(pfn), length)
      if (result < 0) problem ||= result
      else if (!keep) frames.setFlags(pfn, frames.flags(pfn) & ~FrameFlag.dirtyPage)
    })
    this.unlock(object)
    return problem
  }

  /** Links a Vma that maps the object, and takes a reference for it. */
  attachVma(object: Ptr, vma: Ptr): void {
    this.retain(object)
    this.lock(object)
    const first = this.firstMapping(object)
    this.#vma.at(vma).nextMapping = first
    this.#vma.previousMapping = NULL
    if (first !== NULL) this.#vma.at(first).previousMapping = vma
    this.#env.memory.u32[(object >>> 2) + MAPPINGS] = vma
    this.unlock(object)
  }

  /** Unlinks a Vma and gives its reference back. */
  detachVma(object: Ptr, vma: Ptr): void {
    this.lock(object)
    const { nextMapping, previousMapping } = this.#vma.at(vma)
    if (nextMapping !== NULL) this.#vma.at(nextMapping).previousMapping = previousMapping
    if (previousMapping !== NULL) this.#vma.at(previousMapping).nextMapping = nextMapping
    else this.#env.memory.u32[(object >>> 2) + MAPPINGS] = nextMapping
    this.unlock(object)
    this.release(object)
  }

  /**
   * Takes the pages from byte `from` on out of the cache and zeroes the rest of the page that `from` cuts. The
   * second half of a truncation: no address space maps these pages any more.
   */
  dropFrom(object: Ptr, from: number): void {
    this.lock(object)
    this.#dropPages(object, pagesFor(from))
    const cut = (from & PAGE_MASK) === 0 ? NO_FRAME : this.find(object, Math.floor(from / PAGE_SIZE))
    const start = from % PAGE_SIZE
    if (cut !== NO_FRAME) this.#env.memory.fill((frameToPtr(cut) + start) as Ptr, 0, PAGE_SIZE - start)
    this.unlock(object)
  }

  /** Every cached page of an object, by rising index. */
  forEachPage(object: Ptr, visit: (index: number, pfn: Pfn) => void): void {
    this.#cache.forEach((object + CACHE) as Ptr, visit)
  }

  /** Every object of the machine. */
  forEach(visit: (object: Ptr) => void): void {
    const { u32 } = this.#env.memory
    let object = u32[wordIndex(Word.objectList)]! as Ptr
    while (object !== NULL) {
      const next = u32[(object >>> 2) + NEXT]! as Ptr
      visit(object)
      object = next
    }
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
    const lines = ['id kind size pages references']
    this.forEach((object) => {
      const { identity, kind, size, pages, references } = this
      const fields = [identity, kind, size, pages, references].map((field) => field.call(this, object))
      lines.push(fields.join(' '))
    })
    return `${lines.join('\n')}\n`
  }

  check(): void {
    let objects = 0
    this.forEach((object) => {
      this.#checkObject(object)
      objects++
    })
    const { slab } = this.#env
    assert(slab.used(this.#objects) === objects, 'every page object is in the list')
  }

  #checkObject(object: Ptr): void {
    const { frames } = this.#env
    const handle = (object + CACHE) as Ptr
    assert(this.#cache.check(handle) === this.pages(object), 'a page object counts its pages')
    this.#cache.forEach(handle, (index, pfn) => {
      assert(frames.owner(pfn) === object, 'a page cache frame knows its object')
      assert(frames.index(pfn) === index, 'a page cache frame knows its index')
      assert((frames.flags(pfn) & FrameFlag.file) !== 0, 'a page cache frame is marked so')
      assert(frames.refCount(pfn) >= 1, 'a page cache frame has the reference of its cache')
    })
    assert(this.#checkMappings(object) <= this.references(object), 'every mapping holds a reference')
  }

  #checkMappings(object: Ptr): number {
    let mappings = 0
    let previous = NULL
    for (let vma = this.firstMapping(object); vma !== NULL; vma = this.#vma.nextMapping) {
      this.#vma.at(vma)
      assert(this.#vma.object === object, 'a mapping in the list maps the object')
      assert(this.#vma.previousMapping === previous, 'the list of mappings is linked both ways')
      previous = vma
      mappings++
    }
    return mappings
  }

  #link(object: Ptr): void {
    const { memory, atomics } = this.#env
    const { u32 } = memory
    const head = wordIndex(Word.objectList)
    atomics.lock(lockPtr(LockWord.objects), LockRank.objects)
    u32[(object >>> 2) + IDENTITY] = ++u32[wordIndex(Word.nextObjectId)]!
    const first = u32[head]!
    u32[(object >>> 2) + NEXT] = first
    if (first !== 0) u32[(first >>> 2) + PREVIOUS] = object
    u32[head] = object
    atomics.unlock(lockPtr(LockWord.objects), LockRank.objects)
  }

  #unlink(object: Ptr): void {
    const { memory, atomics } = this.#env
    const { u32 } = memory
    atomics.lock(lockPtr(LockWord.objects), LockRank.objects)
    const next = u32[(object >>> 2) + NEXT]!
    const previous = u32[(object >>> 2) + PREVIOUS]!
    if (next !== 0) u32[(next >>> 2) + PREVIOUS] = previous
    if (previous !== 0) u32[(previous >>> 2) + NEXT] = next
    else u32[wordIndex(Word.objectList)] = next
    atomics.unlock(lockPtr(LockWord.objects), LockRank.objects)
  }

  #destroy(object: Ptr): void {
    assert(this.firstMapping(object) === NULL, 'a page object outlives its mappings')
    this.#unlink(object)
    this.#dropPages(object, 0)
    this.#env.slab.free(this.#objects, object)
  }

  #dropPages(object: Ptr, first: number): void {
    const { memory, frames, buddy } = this.#env
    if (first >= OBJECT_PAGES_MAX) return
    this.#cache.removeFrom((object + CACHE) as Ptr, first, (_index, pfn) => {
      memory.u32[(object >>> 2) + PAGES]!--
      frames.setFlags(pfn, frames.flags(pfn) & ~(FrameFlag.file | FrameFlag.dirtyPage))
      buddy.release(pfn)
    })
  }

  #hasWritableMapping(object: Ptr): boolean {
    for (let vma = this.firstMapping(object); vma !== NULL; vma = this.#vma.nextMapping) {
      if ((this.#vma.at(vma).flags & SHARED_WRITABLE) === SHARED_WRITABLE) return true
    }
    return false
  }

  #bytes(pfn: Pfn): Uint8Array {
    return this.#env.memory.u8.subarray(frameToPtr(pfn), frameToPtr(pfn) + PAGE_SIZE)
  }

  #getLocked(object: Ptr, index: number): number {
    const found = this.find(object, index)
    return found !== NO_FRAME ? found : this.#addPage(object, index)
  }

  /** A page that was not in the cache. */
  #addPage(object: Ptr, index: number): number {
    const { memory, frames, buddy } = this.#env
    const pfn = buddy.allocateZeroed(0)
    if (pfn === NO_FRAME) return -ENOMEM
    const problem =
      this.#fillPage(object, index, pfn) || this.#cache.insert((object + CACHE) as Ptr, index, pfn)
    if (problem !== 0) {
      buddy.release(pfn)
      return problem
    }
    frames.setFlags(pfn, frames.flags(pfn) | FrameFlag.file)
    frames.setOwner(pfn, object)
    frames.setIndex(pfn, index)
    memory.u32[(object >>> 2) + PAGES]!++
    return pfn
  }

  /** Asks the provider, if there is one. */
  #fillPage(object: Ptr, index: number, pfn: Pfn): number {
    if (this.kind(object) !== ObjectKind.provided) return 0
    const provider = this.providers.get(this.#env.memory.u32[(object >>> 2) + PROVIDER]!)
    if (provider === undefined) return -EIO
    return provider.readPage(this.identity(object), index, this.#bytes(pfn))
  }

  /** Copies part of one page; a hole of a file that is only here reads as zeroes and stays a hole. */
  #readPage(object: Ptr, offset: number, target: Uint8Array): number {
    const index = Math.floor(offset / PAGE_SIZE)
    const hole = this.find(object, index) === NO_FRAME && this.kind(object) !== ObjectKind.provided
    if (hole) {
      target.fill(0)
      return 0
    }
    const pfn = this.#getLocked(object, index)
    if (pfn < 0) return pfn
    const start = frameToPtr(pfn as Pfn) + (offset % PAGE_SIZE)
    target.set(this.#env.memory.u8.subarray(start, start + target.length))
    return 0
  }

  #writePage(object: Ptr, offset: number, source: Uint8Array): number {
    const pfn = this.#getLocked(object, Math.floor(offset / PAGE_SIZE))
    if (pfn < 0) return pfn
    this.#env.memory.u8.set(source, frameToPtr(pfn as Pfn) + (offset % PAGE_SIZE))
    this.markDirty(pfn as Pfn)
    return 0
  }
}

/** How many of `length` bytes from `offset` on lie in its page. */
function bytesInPage(offset: number, length: number): number {
  return Math.min(length, PAGE_SIZE - (offset % PAGE_SIZE))
}
