/**
 * The records of page objects: slab cache "page_object", in one list for the machine.
 *
 *     0     u32  lock (LockRank.object)
 *     4     u32  references: open files, mappings, whoever called retain (atomic)
 *     8     f64  size in bytes, 0 to OBJECT_BYTES_MAX
 *     16    u32  page cache handle: root, levels (page-cache.ts)
 *     24    u32  pages in the cache
 *     28    u32  ObjectKind; bit 8: promised as a whole (overcommit.ts); bit 9: unevictable; bit 10: sealed against writes; bit 11: has had huge pages; bit 12: of the internal mount
 *     32    u32  provider id, 0 = none
 *     36    u32  identity, 1 and up
 *     40    Ptr  first mapping (a Vma record), linked through the Vma's own links
 *     44    Ptr  previous object, 48 Ptr next object (LockWord.objects)
 *     52    u32  errors of write-back (error-sequence.ts)
 *     56    u32  pages in the cache that are marked `dirtyPage` (atomic)
 *     60    Ptr  quota that its pages are charged to (page-quota.ts), NULL = none
 *     64    u32  mappings that are shared and may be written some day (VM_SHARED and VM_MAYWRITE)
 *     68    u32  lock of who writes pages to the provider (LockRank.writeBack)
 *     72    u32  1 = a mapping went, and the provider has not heard of it: then that mapping's reference is still there (atomic)
 *     76    u32  page after the last one that fallocate has made, past the end too (info->fallocend)
 *     80    u32  faults that had to ask the provider, less the pages that were there already (read-ahead.ts)
 *
 * Guarded by the object's lock unless a field says otherwise. The locks and the references of a free record are 0 (a constructor makes them
 * so): who comes from a frame without holding it may lock one and find that it is nobody's (tryRetainOf).
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr, pagesFor } from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { FrameTable } from '../frame/frame-table.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { readIntSetting, Setting } from '../state/settings.js'
import type { AddressSpace } from './address-space.js'
import { commitPages, isEnoughMemory, Overcommit } from './overcommit.js'

export const ObjectKind = {
  /** MAP_SHARED | MAP_ANONYMOUS, or a shared mapping of /dev/zero. */
  anonymousShared: 1,
  /** A file whose only home is the page cache. */
  tmpfs: 2,
  /** A file whose pages come from a PageProvider, and go back to it. */
  provided: 3,
  /** The kernel's own: [vdso] and [vvar]. Counted as a file's pages, and never dirty. */
  kernel: 4,
  /** memfd_secret: only the hart, and the kernel's copies from and to the program itself, reach its pages. */
  secret: 5,
  /** Memory of a pool of huge pages, of 2 MiB and of 1 GiB. The pools are empty: it has a size, but never a page. */
  huge: 6,
  gigantic: 7,
} as const
export type ObjectKind = (typeof ObjectKind)[keyof typeof ObjectKind]

/** What page objects are made of; MemoryManager is one. */
export interface ObjectsEnv {
  readonly memory: Memory
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly slab: SlabAllocator
}

export const OBJECT_BYTES = 88
const KIND_MASK = 0xff
const PROMISED = 0x100
const UNEVICTABLE = 0x200
const WRITE_SEALED = 0x400
const HAS_FOLIOS = 0x800
const INTERNAL = 0x1000
const LIST_LOCK = lockPtr(LockWord.objects)

export class ObjectRecords {
  /** The space of the program whose call or fault wants pages of an object, whoever maps it; set by who runs programs. */
  asker: (() => AddressSpace | undefined) | undefined
  protected readonly env: ObjectsEnv

  constructor(env: ObjectsEnv) {
    this.env = env
  }

  protected word(object: Ptr, offset: number): number {
    return this.env.memory.u32[(object + offset) >>> 2]!
  }

  protected setWord(object: Ptr, offset: number, value: number): void {
    this.env.memory.u32[(object + offset) >>> 2] = value
  }

  lock(object: Ptr): void {
    this.env.atomics.lock(object, LockRank.object)
  }

  unlock(object: Ptr): void {
    this.env.atomics.unlock(object, LockRank.object)
  }

  retain(object: Ptr): void {
    const before = this.env.atomics.add((object + 4) as Ptr, 1)
    assert(before > 0, 'a page object without references is retained')
  }

  /** The lock of who writes its pages to its provider. */
  protected writeBackLock(object: Ptr): Ptr {
    return (object + 68) as Ptr
  }

  protected unheardPtr(object: Ptr): Ptr {
    return (object + 72) as Ptr
  }

  references(object: Ptr): number {
    return this.word(object, 4)
  }

  /** Size in bytes. */
  size(object: Ptr): number {
    return this.env.memory.f64[(object + 8) >>> 3]!
  }

  /**
   * Changes the size and nothing else: for growth. Making an object smaller is truncateObject's work (truncate.ts),
   * because pages must leave the address spaces too.
   */
  setSize(object: Ptr, bytes: number): void {
    this.env.memory.f64[(object + 8) >>> 3] = bytes
  }

  /** What splitting a huge page leaves, though it lies past the end: up to this page. */
  protected allocatedEnd(object: Ptr): number {
    return this.word(object, 76)
  }

  protected setAllocatedEnd(object: Ptr, page: number): void {
    this.setWord(object, 76, page)
  }

  protected misses(object: Ptr): number {
    return this.word(object, 80)
  }

  protected setMisses(object: Ptr, misses: number): void {
    this.setWord(object, 80, misses)
  }

  protected cacheOf(object: Ptr): Ptr {
    return (object + 16) as Ptr
  }

  /** Pages in the cache. */
  pages(object: Ptr): number {
    return this.word(object, 24)
  }

  protected countPage(object: Ptr, change: number): void {
    this.setWord(object, 24, this.pages(object) + change)
    if (this.isSwapBacked(object) && !this.isPromised(object)) commitPages(this.env, change)
  }

  /** Whether all its pages are counted as promised, not each as it comes (VM_NORESERVE of a shmem file). */
  protected isPromised(object: Ptr): boolean {
    return (this.word(object, 28) & PROMISED) !== 0
  }

  /** Counts all of a new object as promised: until its end its size stays what it is. */
  promise(object: Ptr): void {
    assert(this.pages(object) === 0 && !this.isPromised(object), 'an object is promised once, when it is new')
    this.setWord(object, 28, this.word(object, 28) | PROMISED)
    commitPages(this.env, pagesFor(this.size(object)))
  }

  /** SHM_LOCK, or secret: whether MADV_PAGEOUT leaves its pages alone (AS_UNEVICTABLE). */
  isUnevictable(object: Ptr): boolean {
    return (this.word(object, 28) & UNEVICTABLE) !== 0 || this.isSecret(object)
  }

  setUnevictable(object: Ptr, isUnevictable: boolean): void {
    this.#mark(object, UNEVICTABLE, isUnevictable)
  }

  /** Whether seals of memfd_create keep its contents, also from MADV_REMOVE (F_SEAL_WRITE, F_SEAL_FUTURE_WRITE). */
  isWriteSealed(object: Ptr): boolean {
    return (this.word(object, 28) & WRITE_SEALED) !== 0
  }

  /** For good. */
  sealWrites(object: Ptr): void {
    this.#mark(object, WRITE_SEALED)
  }

  /** Whether any of its pages have been parts of huge pages (object-folios.ts): for those that never were, nobody needs to look for one. */
  hasFolios(object: Ptr): boolean {
    return (this.word(object, 28) & HAS_FOLIOS) !== 0
  }

  /** For good. */
  protected noteFolio(object: Ptr): void {
    this.#mark(object, HAS_FOLIOS)
  }

  /** Whether it is a file of the mount that only the kernel has: of memfd_create(2) and shmget(2), and shared anonymous memory. */
  isInternal(object: Ptr): boolean {
    return (this.word(object, 28) & INTERNAL) !== 0 || this.kind(object) === ObjectKind.anonymousShared
  }

  /** For good. */
  setInternal(object: Ptr): void {
    this.#mark(object, INTERNAL)
  }

  /** Not all who do are under the same lock. */
  #mark(object: Ptr, bit: number, isSet = true): void {
    const at = (object + 28) as Ptr
    if (isSet) this.env.atomics.or(at, bit)
    else this.env.atomics.and(at, ~bit)
  }

  /** Pages that are promised for an object. */
  protected promisedFor(object: Ptr): number {
    if (this.isPromised(object)) return pagesFor(this.size(object))
    return this.isSwapBacked(object) ? this.pages(object) : 0
  }

  kind(object: Ptr): ObjectKind {
    return (this.word(object, 28) & KIND_MASK) as ObjectKind
  }

  /** Whether its pages live only in memory: no word to a provider when they change. */
  isShmem(object: Ptr): boolean {
    const kind = this.kind(object)
    return kind !== ObjectKind.provided && kind !== ObjectKind.kernel
  }

  isSecret(object: Ptr): boolean {
    return this.kind(object) === ObjectKind.secret
  }

  /** Whether its pages count as shared memory, and each as promised (PG_swapbacked, shmem_acct_blocks): secret ones count as a file's. */
  isSwapBacked(object: Ptr): boolean {
    return this.isShmem(object) && !this.isSecret(object)
  }

  /** Whether so many pages more may come, where each counts for itself. */
  protected mayPromise(object: Ptr, pages: number): boolean {
    const isLimited = readIntSetting(this.env.memory, Setting.overcommitMemory) === Overcommit.never
    if (!isLimited || !this.isSwapBacked(object) || this.isPromised(object)) return true
    return isEnoughMemory(this.env, this.asker?.(), pages)
  }

  /** Whether its pages are huge ones, of which there are none. */
  isHuge(object: Ptr): boolean {
    return this.kind(object) >= ObjectKind.huge
  }

  /** Who provides the pages; 0 = nobody. */
  provider(object: Ptr): number {
    return this.word(object, 32)
  }

  /** A number that names the object for providers, futexes and `maps`; never used twice. */
  identity(object: Ptr): number {
    return this.word(object, 36)
  }

  /** Errors of write-back, as error-sequence.ts has them. */
  errors(object: Ptr): number {
    return this.word(object, 52)
  }

  setErrors(object: Ptr, word: number): void {
    this.setWord(object, 52, word)
  }

  /** Pages that differ from what the provider has. */
  dirtyPages(object: Ptr): number {
    return this.word(object, 56)
  }

  protected countDirty(object: Ptr, change: number): void {
    this.env.atomics.add((object + 56) as Ptr, change)
  }

  /** What its pages are charged to; NULL = nothing. */
  quota(object: Ptr): Ptr {
    return this.word(object, 60) as Ptr
  }

  /** Before it has pages. */
  setQuota(object: Ptr, quota: Ptr): void {
    this.setWord(object, 60, quota)
  }

  /** Fills a new, zeroed record and puts it in the list. */
  protected enlist(object: Ptr, kind: ObjectKind, bytes: number, provider: number): void {
    const { u32 } = this.env.memory
    this.setSize(object, bytes)
    this.setWord(object, 4, 1)
    this.setWord(object, 28, kind)
    this.setWord(object, 32, provider)
    this.env.atomics.lock(LIST_LOCK, LockRank.objects)
    this.setWord(object, 36, ++u32[wordIndex(Word.nextObjectId)]!)
    const first = u32[wordIndex(Word.objectList)]! as Ptr
    this.setWord(object, 48, first)
    if (first !== NULL) this.setWord(first, 44, object)
    u32[wordIndex(Word.objectList)] = object
    this.env.atomics.unlock(LIST_LOCK, LockRank.objects)
  }

  /** A reference to the first object of the list, or to the one after `object`, that is not going; NULL when there is none. */
  protected retainNext(object: Ptr): Ptr {
    const { atomics, memory } = this.env
    atomics.lock(LIST_LOCK, LockRank.objects)
    let next = object === NULL ? memory.u32[wordIndex(Word.objectList)]! : this.word(object, 48)
    while (next !== NULL && !atomics.addUnlessZero((next + 4) as Ptr)) next = this.word(next as Ptr, 48)
    atomics.unlock(LIST_LOCK, LockRank.objects)
    return next as Ptr
  }

  protected delist(object: Ptr): void {
    this.env.atomics.lock(LIST_LOCK, LockRank.objects)
    const previous = this.word(object, 44) as Ptr
    const next = this.word(object, 48) as Ptr
    if (next !== NULL) this.setWord(next, 44, previous)
    if (previous !== NULL) this.setWord(previous, 48, next)
    else this.env.memory.u32[wordIndex(Word.objectList)] = next
    this.env.atomics.unlock(LIST_LOCK, LockRank.objects)
  }
}
