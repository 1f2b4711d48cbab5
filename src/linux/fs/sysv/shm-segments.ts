/**
 * The segments of SysV shared memory of the machine (ipc/shm.c). Each is a page object with a key; how often it is attached is
 * how many mappings the object has. One that was removed goes with its last mapping.
 */
import { assert } from '../../../base/assert.js'
import { ENOMEM, ENOSPC } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, pagesFor } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import type { SlabCache } from '../../../slab/slab-cache.js'
import { pagesOfKind } from '../../../space/huge-pool.js'
import type { ObjectKind } from '../../../space/page-object.js'
import { Word, wordIndex } from '../../../state/layout.js'
import { readSetting, readUnsignedSetting, Setting } from '../../../state/settings.js'
import type { FileEnvironment } from '../environment.js'
import { INDEX_BITS, SEGMENT_BYTES, ShmMode, ShmSegment } from './shm-segment.js'

/** Provider number of their objects: says when a mapping comes or goes. */
export const SHM_PROVIDER = 0xfffe
/** Indices are not used again before so many were given (ipc_min_cycle). */
const CYCLE_MIN = 64
const SEQUENCE_MAX = 1 << 16

/** What shmget asks for. */
export interface NewSegment {
  readonly key: number
  readonly bytes: number
  /** tmpfs, or huge pages. */
  readonly kind: ObjectKind
  readonly permissions: number
  readonly uid: number
  readonly gid: number
}

/** Huge pages are whole. */
function sizeFor(kind: ObjectKind, bytes: number): number {
  const unit = pagesOfKind(kind) * PAGE_SIZE
  return unit === PAGE_SIZE ? bytes : Math.ceil(bytes / unit) * unit
}

/** A machine has it from its start, although segments are made on first use. */
export function createSegmentCache({ slab }: MemoryManager): SlabCache {
  return slab.createCache('shm_segment', SEGMENT_BYTES, 8)
}

export class ShmSegments {
  readonly #env: FileEnvironment
  readonly #mm: MemoryManager
  readonly #cache: SlabCache
  /** Gives a new object its name in /proc/PID/maps. */
  readonly #name: (segment: ShmSegment) => void

  constructor(env: FileEnvironment, name: (segment: ShmSegment) => void) {
    this.#env = env
    this.#mm = env.mm
    this.#name = name
    this.#cache = createSegmentCache(env.mm)
    env.mm.objects.providers.set(SHM_PROVIDER, {
      opened: (object) => this.#opened(object),
      closed: (object) => this.#closed(object),
      endsUnmapped: (object) => this.#endsUnmapped(object),
      mapsAlone: true,
    })
  }

  #get(word: Word): number {
    return this.#mm.memory.u32[wordIndex(word)]!
  }

  #set(word: Word, value: number): void {
    this.#mm.memory.u32[wordIndex(word)] = value
  }

  /** By rising index. */
  *[Symbol.iterator](): Generator<ShmSegment> {
    let ptr = this.#get(Word.shmSegments)
    while (ptr !== NULL) {
      const segment = new ShmSegment(this.#mm.memory, ptr as Ptr)
      ptr = segment.next
      yield segment
    }
  }

  #find(isIt: (segment: ShmSegment) => boolean): ShmSegment | undefined {
    for (const segment of this) if (isIt(segment)) return segment
    return undefined
  }

  byId(id: number): ShmSegment | undefined {
    return this.#find((segment) => segment.id === id)
  }

  /** `key` is not IPC_PRIVATE. */
  byKey(key: number): ShmSegment | undefined {
    return this.#find((segment) => segment.key === key)
  }

  byIndex(index: number): ShmSegment | undefined {
    return this.#find((segment) => segment.index === index)
  }

  get count(): number {
    return this.#get(Word.shmCount)
  }

  /** The highest index in use; 0 when there is none. */
  get highest(): number {
    let highest = 0
    for (const { index } of this) highest = Math.max(highest, index)
    return highest
  }

  /** Pages of all segments (shm_tot). */
  get pages(): number {
    let pages = 0
    for (const { bytes } of this) pages += pagesFor(bytes)
    return pages
  }

  /** Times that it is attached. */
  attaches({ object }: ShmSegment): number {
    return this.#mm.objects.mappings(object)
  }

  /** Pages of it that are in memory. */
  resident({ object }: ShmSegment): number {
    return this.#mm.objects.pages(object)
  }

  /** A new segment, or -ENOSPC (shmall, shmmni), -ENOMEM. */
  create(wanted: NewSegment): ShmSegment | number {
    const { memory, objects } = this.#mm
    if (this.pages + pagesFor(wanted.bytes) > readUnsignedSetting(memory, Setting.shmAll)) return -ENOSPC
    if (this.count >= readSetting(memory, Setting.shmMni)) return -ENOSPC
    const object = objects.create(wanted.kind, sizeFor(wanted.kind, wanted.bytes), SHM_PROVIDER)
    const ptr = object === NULL ? NULL : this.#cache.allocateZeroed()
    if (ptr === NULL) {
      if (object !== NULL) objects.release(object)
      return -ENOMEM
    }
    objects.setInternal(object)
    const segment = new ShmSegment(memory, ptr)
    this.#fill(segment, wanted, object)
    this.#enlist(segment)
    this.#name(segment)
    return segment
  }

  #fill(segment: ShmSegment, { key, bytes, permissions, uid, gid }: NewSegment, object: Ptr): void {
    segment.key = key
    segment.mode = permissions
    segment.uid = uid
    segment.gid = gid
    segment.creatorUid = uid
    segment.creatorGid = gid
    segment.object = object
    segment.bytes = bytes
    segment.changed = this.now()
    segment.creator = this.#env.currentProcess()?.id ?? 0
  }

  /** Gives it an index and an id, and puts it in its place in the list. */
  #enlist(segment: ShmSegment): void {
    const index = this.#takeIndex()
    segment.id = this.#get(Word.shmSequence) * 2 ** INDEX_BITS + index
    let before: ShmSegment | undefined
    for (const other of this) if (other.index < index) before = other
    segment.next = (before?.next ?? this.#get(Word.shmSegments)) as Ptr
    if (before === undefined) this.#set(Word.shmSegments, segment.ptr)
    else before.next = segment.ptr
    this.#set(Word.shmCount, this.count + 1)
  }

  /** The next free index; a new turn begins when it is not higher than the one before (ipc_idr_alloc). */
  #takeIndex(): number {
    const most = Math.min(Math.max(Math.floor((this.count * 3) / 2), CYCLE_MIN), 2 ** INDEX_BITS)
    const taken = new Set([...this].map(({ index }) => index))
    let index = this.#get(Word.shmNextIndex) % most
    while (taken.has(index)) index = (index + 1) % most
    if (index < this.#get(Word.shmLastIndex)) {
      this.#set(Word.shmSequence, (this.#get(Word.shmSequence) + 1) % SEQUENCE_MAX)
    }
    this.#set(Word.shmLastIndex, index + 1)
    this.#set(Word.shmNextIndex, index + 1)
    return index
  }

  /** IPC_RMID: at once, or when nobody has it attached any more; nobody finds it by its key. */
  remove(segment: ShmSegment): void {
    segment.key = 0
    segment.mode |= ShmMode.removed
    this.#destroyUnused(segment)
  }

  /** Seconds since 1970. */
  now(): number {
    return this.#env.clock.timeOfDay().seconds
  }

  #opened(object: Ptr): void {
    const segment = this.#find((one) => one.object === object)
    if (segment === undefined) return
    segment.attached = this.now()
    segment.last = this.#env.currentProcess()?.id ?? segment.last
  }

  #closed(object: Ptr): void {
    const segment = this.#find((one) => one.object === object)
    if (segment === undefined) return
    segment.detached = this.now()
    segment.last = this.#env.currentProcess()?.id ?? segment.last
    this.#destroyUnused(segment)
  }

  /** A process has ended: what it made belongs to nobody, and goes when it is to be removed by force (exit_shm). */
  creatorEnded(id: number): void {
    for (const segment of [...this]) {
      if (segment.creator !== id || segment.isOrphan) continue
      segment.isOrphan = true
      if (this.#isForced()) this.#destroyUnused(segment)
    }
  }

  /** kernel.shm_rmid_forced was written: what nobody has and nobody is left of goes (shm_destroy_orphaned). */
  forcedWritten(): void {
    if (!this.#isForced()) return
    for (const segment of [...this]) if (segment.isOrphan) this.#destroyUnused(segment)
  }

  #isForced(): boolean {
    return readSetting(this.#mm.memory, Setting.shmRemovalForced) !== 0
  }

  #endsUnmapped(object: Ptr): boolean {
    const segment = this.#find((one) => one.object === object)
    return segment === undefined || (segment.mode & ShmMode.removed) !== 0 || this.#isForced()
  }

  /** shm_may_destroy. */
  #destroyUnused(segment: ShmSegment): void {
    const isWanted = (segment.mode & ShmMode.removed) === 0 && !this.#isForced()
    if (isWanted || this.attaches(segment) > 0) return
    const { memory, objects } = this.#mm
    let before: ShmSegment | undefined
    for (const other of this) if (other.next === segment.ptr) before = other
    if (before === undefined) this.#set(Word.shmSegments, segment.next)
    else before.next = segment.next
    this.#set(Word.shmCount, this.count - 1)
    const { object } = new ShmSegment(memory, segment.ptr)
    this.#cache.free(segment.ptr)
    objects.release(object)
  }

  #objectBytes({ object, bytes }: ShmSegment): number {
    return sizeFor(this.#mm.objects.kind(object), bytes)
  }

  /** Throws an InvariantError on a broken invariant of the list. */
  check(): void {
    let count = 0
    let last = -1
    for (const segment of this) {
      assert(segment.index > last, 'segments stand by rising index')
      assert(
        this.#mm.objects.size(segment.object) === this.#objectBytes(segment),
        'an object has the size of its segment',
      )
      const isLeft = (segment.mode & ShmMode.removed) !== 0 && this.attaches(segment) === 0
      assert(!isLeft, 'a removed segment goes with its last mapping')
      last = segment.index
      count++
    }
    assert(count === this.count, 'the segments are counted')
    assert(this.#cache.used === count, 'every segment is in the list')
  }
}
