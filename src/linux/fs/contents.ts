/**
 * The bytes of files: page objects of the buffer, so that mmap and read see the same pages. This is the one place
 * where files touch the memory manager's objects.
 */
import { EFBIG, ENOMEM, ENOSPC } from '../../base/errno.js'
import { NO_FRAME, NULL, PAGE_SIZE, type Pfn, type Ptr, pagesFor } from '../../base/numbers.js'
import { withRoom } from '../../fault/reclaim.js'
import { FrameFlag } from '../../frame/frame-table.js'
import type { MemoryManager } from '../../mm.js'
import { pagesOfKind } from '../../space/huge-pool.js'
import { OBJECT_PAGES_MAX } from '../../space/page-cache.js'
import { ObjectKind, type PageObjects, type PageProvider } from '../../space/page-object.js'
import { allowsObjectFolio, mayMakeObjectFolios } from '../../space/shmem-policy.js'
import { splitFolioAt } from '../../space/split-object-folio.js'
import { punchHole, truncateObject } from '../../space/truncate.js'
import { unmapOriginals } from '../../space/unmap-originals.js'
import { HUGE_PAGES } from '../../space/vm-flags.js'
import { writeBackObject, writeBackUnmapped } from '../../space/write-back.js'
import { FILE_BYTES_MAX } from './flags.js'

/** Pages that are read together when a program says which it will want. */
const READ_AHEAD_PAGES = 512

export class FileContents {
  readonly #mm: MemoryManager
  readonly #objects: PageObjects

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#objects = mm.objects
  }

  /** An empty file of tmpfs or a memfd, its pages charged to a quota: NULL without memory. */
  create(quota: Ptr): Ptr {
    const object = this.#objects.create(ObjectKind.tmpfs, 0, 0)
    if (object !== NULL) this.#objects.setQuota(object, quota)
    return object
  }

  /** A file of huge pages. */
  createHuge(kind: ObjectKind): Ptr {
    return this.#objects.create(kind, 0, 0)
  }

  /** An empty file of memfd_secret, its pages charged to its user: NULL without memory. */
  createSecret(quota: Ptr): Ptr {
    const object = this.#objects.create(ObjectKind.secret, 0, 0)
    if (object !== NULL) this.#objects.setQuota(object, quota)
    return object
  }

  /** How many pages what a file's pages are charged to may have from now on. */
  limitPages(object: Ptr, pages: number): void {
    this.#objects.quotas.setMost(this.#objects.quota(object), pages)
  }

  /** Bytes of one of its pages: a file of huge pages is sized in those. */
  pageBytes(object: Ptr): number {
    return pagesOfKind(this.#objects.kind(object)) * PAGE_SIZE
  }

  /** A quota of so many pages; NULL, which limits nothing, without memory. */
  createQuota(pages: number): Ptr {
    return this.#objects.quotas.create(pages)
  }

  /** Pages at most and in use. */
  quota(quota: Ptr): { most: number; used: number } {
    return { most: this.#objects.quotas.most(quota), used: this.#objects.quotas.used(quota) }
  }

  /** A file whose pages a provider reads; NULL without memory. */
  createProvided(bytes: number, provider: number): Ptr {
    return this.#objects.create(ObjectKind.provided, bytes, provider)
  }

  /** Says who reads and writes the pages of provided objects. */
  provide(provider: number, pages: PageProvider): void {
    this.#objects.providers.set(provider, pages)
  }

  release(object: Ptr): void {
    this.#objects.release(object)
  }

  size(object: Ptr): number {
    return this.#objects.size(object)
  }

  /** Truncates or extends with zeroes: 0 or -EFBIG. */
  resize(object: Ptr, bytes: number): number {
    if (bytes > FILE_BYTES_MAX) return -EFBIG
    truncateObject(this.#mm, object, bytes)
    return 0
  }

  /** Zeroes a part of the file, beyond its end too; whole pages are given back, its size stays. */
  punch(object: Ptr, offset: number, length: number): void {
    const end = offset + length
    const first = pagesFor(offset)
    const last = Math.floor(end / PAGE_SIZE)
    splitFolioAt(this.#mm, object, offset)
    splitFolioAt(this.#mm, object, end)
    if (first < last) punchHole(this.#mm, object, first, last - first)
    // For a hole inside page 0 Linux reckons an end of -1, and unmaps all from its first whole page on (shmem_fallocate).
    if (end < PAGE_SIZE) unmapOriginals(this.#mm, object, first, OBJECT_PAGES_MAX)
    this.#objects.clear(object, offset, Math.min(end, first * PAGE_SIZE))
    if (first <= last) this.#objects.clear(object, last * PAGE_SIZE, end)
  }

  /** Sees to it that every page of a part is there, past the end too: 0, or -ENOSPC and those that were added are gone again. */
  allocate(object: Ptr, offset: number, length: number): number {
    const end = pagesFor(offset + length)
    const first = Math.floor(offset / PAGE_SIZE)
    if (end - first > this.frames().free + this.pages(object)) return -ENOSPC
    const added: number[] = []
    for (let index = first; index < end; index++) {
      if (this.#reserveFolio(object, index, offset + length, added)) {
        index += HUGE_PAGES - 1 - (index % HUGE_PAGES)
        continue
      }
      const result = this.#objects.reserve(object, index)
      if (result > 0) added.push(index)
      if (result >= 0) continue
      for (const page of added) this.#objects.dropRange(object, page, page + 1)
      return -ENOSPC
    }
    this.#objects.noteAllocated(object, end)
    return 0
  }

  /** Where Linux reserves a huge page, so do we; then true. `end`: of what is reserved, in bytes. */
  #reserveFolio(object: Ptr, index: number, end: number, added: number[]): boolean {
    const objects = this.#objects
    if (!mayMakeObjectFolios(this.#mm.memory) || objects.find(object, index) !== NO_FRAME) return false
    const bytes = Math.max(objects.size(object), end)
    if (!allowsObjectFolio(this.#mm, { object, index, bytes }) || !objects.addFolio(object, index, true))
      return false
    const first = index - (index % HUGE_PAGES)
    for (let i = 0; i < HUGE_PAGES; i++) added.push(first + i)
    return true
  }

  /** Where the next data or hole begins, as pages have contents or not, not before `offset` and not after the end. */
  seek(object: Ptr, offset: number, what: 'data' | 'hole'): number {
    const page = Math.floor(offset / PAGE_SIZE)
    const found =
      what === 'data' ? this.#objects.nextData(object, page) : this.#objects.nextHole(object, page)
    return Math.min(this.size(object), Math.max(offset, found * PAGE_SIZE))
  }

  /** A seal: only mappings that there are still write it. */
  sealWrites(object: Ptr): void {
    this.#objects.sealWrites(object)
  }

  /** Shared mappings that may write to it, now or later. */
  writableMappings(object: Ptr): number {
    return this.#objects.writableMappings(object)
  }

  /** Bytes read, fewer at the end of the file; -EIO, -ENOMEM. */
  read(object: Ptr, offset: number, target: Uint8Array): number {
    return this.#inParts(target.length, (done) =>
      this.#objects.read(object, offset + done, done === 0 ? target : target.subarray(done)),
    )
  }

  /** Pages that the provider has come into the cache, from `first` to `end` - 1, until memory is short. Nobody hears of errors. */
  readAhead(object: Ptr, first: number, end: number): void {
    const stop = Math.min(end, pagesFor(this.#objects.size(object)))
    let mayGoOn = true
    // Not all of it under the object's lock at once: others want pages of it, too.
    for (let at = first; at < stop && mayGoOn; at += READ_AHEAD_PAGES) {
      const isLow = () => this.#mm.buddy.zones.areLow
      this.#objects.readAhead(object, at, Math.min(stop, at + READ_AHEAD_PAGES), () => !isLow())
      mayGoOn = !isLow()
    }
  }

  /** Where memory runs out on the way, some is made and the rest is done then. */
  #inParts(length: number, transfer: (done: number) => number): number {
    let done = 0
    let count: number
    do {
      count = withRoom(
        this.#mm,
        (result) => result === -ENOMEM,
        () => transfer(done),
      )
      if (count > 0) done += count
    } while (count > 0 && done < length)
    return done > 0 ? done : count
  }

  /** Bytes written, the file growing as needed; what fits before -ENOMEM or -EFBIG. */
  write(object: Ptr, offset: number, source: Uint8Array): number {
    if (source.length === 0) return 0
    if (offset >= FILE_BYTES_MAX) return -EFBIG
    return this.#inParts(source.length, (done) =>
      this.#objects.write(object, offset + done, done === 0 ? source : source.subarray(done)),
    )
  }

  /** Pages that it holds now (st_blocks). */
  pages(object: Ptr): number {
    return this.#objects.pages(object)
  }

  /** How many pages from `first` to `end` - 1 are there, and how many of them differ from what the provider has. */
  cached(object: Ptr, first: number, end: number): { cached: number; dirty: number } {
    const { frames } = this.#mm
    const isProvided = this.#objects.kind(object) === ObjectKind.provided
    const count = { cached: 0, dirty: 0 }
    const add = (_index: number, pfn: Pfn) => {
      count.cached++
      if (isProvided && (frames.flags(pfn) & FrameFlag.dirtyPage) !== 0) count.dirty++
    }
    const last = Math.min(end, OBJECT_PAGES_MAX)
    if (first < last) this.#objects.forEachPage(object, add, first, last)
    return count
  }

  /** Names the object for its provider. */
  identity(object: Ptr): number {
    return this.#objects.identity(object)
  }

  /** Identities of all objects that there are. */
  living(): Set<number> {
    const living = new Set<number>()
    this.#objects.forEach((object) => {
      living.add(this.#objects.identity(object))
    })
    return living
  }

  /** Whether any address space maps it. */
  isMapped(object: Ptr): boolean {
    return this.#objects.firstMapping(object) !== NULL
  }

  /** Takes over bytes that the provider has already written. */
  update(object: Ptr, offset: number, source: Uint8Array): void {
    this.#objects.update(object, offset, source)
  }

  /** Gives pages that mappings have changed to the provider: all of them, or those that hold a byte from `offset` on. */
  writeBack(object: Ptr, offset = 0, length = Number.POSITIVE_INFINITY): number {
    return writeBackObject(this.#mm, object, Math.floor(offset / PAGE_SIZE), pagesFor(offset + length))
  }

  /** Pages from `first` to `end` - 1 leave the cache, as far as the provider has them and nobody uses them (mapping_try_invalidate). */
  forget(object: Ptr, first: number, end: number): void {
    const last = Math.min(end, OBJECT_PAGES_MAX)
    if (this.#objects.kind(object) !== ObjectKind.provided || first >= last) return
    writeBackObject(this.#mm, object, first, last)
    const found: number[] = []
    this.#objects.forEachPage(object, (index) => found.push(index), first, last)
    for (const index of found) this.#objects.dropUnused(object, index)
  }

  /** writeBack when the last mapping goes, and its space's lock is held. */
  writeBackUnmapped(object: Ptr): number {
    return writeBackUnmapped(this.#mm, object)
  }

  /** Pages that the provider does not have yet as they are. */
  dirtyPages(object: Ptr): number {
    return this.#objects.dirtyPages(object)
  }

  /** Where errors of write-back stand: what a new open file keeps, and what is news for one that kept `since`. */
  errors(object: Ptr): number {
    return this.#objects.errors(object)
  }

  setErrors(object: Ptr, word: number): void {
    this.#objects.setErrors(object, word)
  }

  frames(): { total: number; free: number } {
    return { total: this.#mm.buddy.totalFrames(), free: this.#mm.buddy.freeFrames() }
  }
}
