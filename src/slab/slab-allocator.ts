import { assert } from '../base/assert.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Ptr, ptrToFrame } from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { BumpAllocator } from '../frame/bump-allocator.js'
import type { FaultInjector } from '../frame/fault-injector.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from '../frame/frame-table.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { LockWord, lockPtr, Region, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { CACHE_TABLE_BYTES, CacheField, type CacheId, CacheTable } from './cache-table.js'
import { SlabField } from './slab.js'
import { checkSlabs } from './slab-check.js'

const LOCK = lockPtr(LockWord.slab)

/** Up to this many bytes a loop of stores is faster than a call of memory.fill. */
const LOOP_BYTES_MAX = 256

export interface SlabOptions {
  readonly faults?: FaultInjector | undefined
}

export interface CacheStats {
  readonly name: string
  /** Bytes of an object, as asked for. */
  readonly size: number
  /** Objects given out. */
  readonly objects: number
  readonly slabs: number
  readonly framesPerSlab: number
  readonly objectsPerSlab: number
}

/**
 * Objects of a fixed size, by named caches, each cut from slabs of 1 to 8 frames of its own. Everything small
 * that the kernel knows (VMAs, tree nodes, threads, …) lives here. A cache keeps at most one empty slab; others go
 * back to the buddy allocator at once.
 *
 * Takes the slab lock, and under it the frames lock when a slab comes or goes.
 */
export class SlabAllocator {
  readonly #u32: Uint32Array
  readonly #memory: Memory
  readonly #atomics: AtomicWords
  readonly #frames: FrameTable
  readonly #buddy: BuddyAllocator
  readonly #caches: CacheTable
  readonly #faults: FaultInjector | undefined

  private constructor(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    buddy: BuddyAllocator,
    options: SlabOptions,
  ) {
    this.#u32 = memory.u32
    this.#memory = memory
    this.#atomics = atomics
    this.#frames = frames
    this.#buddy = buddy
    this.#caches = new CacheTable(memory)
    this.#faults = options.faults
  }

  static boot(
    memory: Memory,
    atomics: AtomicWords,
    bump: BumpAllocator,
    frames: FrameTable,
    buddy: BuddyAllocator,
    options: SlabOptions = {},
  ): SlabAllocator {
    setRegion(memory, Region.slabCaches, bump.allocateBytes(CACHE_TABLE_BYTES), CACHE_TABLE_BYTES)
    return new SlabAllocator(memory, atomics, frames, buddy, options)
  }

  static attach(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    buddy: BuddyAllocator,
    options: SlabOptions = {},
  ): SlabAllocator {
    return new SlabAllocator(memory, atomics, frames, buddy, options)
  }

  /**
   * The cache of this name; made when it is not there yet, so that whoever attaches later gets the same. At most
   * 64 caches; a name is 1 to 24 printable ASCII characters, `size` 1 to 4096 bytes, `align` a power of two.
   */
  createCache(name: string, size: number, align = 8): CacheId {
    this.#atomics.lock(LOCK, LockRank.slab)
    try {
      return this.#caches.findOrCreate(name, size, align)
    } finally {
      this.#atomics.unlock(LOCK, LockRank.slab)
    }
  }

  /** An object, all zero; NULL when there is no frame for it. */
  allocate(cache: CacheId): Ptr {
    if (this.#faults?.shouldFail()) return NULL
    this.#atomics.lock(LOCK, LockRank.slab)
    let slab = this.#caches.get(cache, CacheField.partial) as Ptr
    if (slab === NULL) slab = this.#grow(cache)
    const object = slab === NULL ? NULL : this.#take(cache, slab)
    this.#atomics.unlock(LOCK, LockRank.slab)
    return object
  }

  /** Gives an object back. Asserts that it is one of this cache's, and given out. */
  free(cache: CacheId, object: Ptr): void {
    this.#atomics.lock(LOCK, LockRank.slab)
    const slab = this.#slabOf(cache, object)
    const ok = slab !== NULL && this.#clearUsed(cache, slab, object)
    if (ok) this.#give(cache, slab, object)
    this.#atomics.unlock(LOCK, LockRank.slab)
    assert(slab !== NULL, 'slab: the object is not of this cache')
    assert(ok, 'slab: freed twice, or no object starts here')
  }

  /** Objects of a cache that are given out. */
  used(cache: CacheId): number {
    return this.#caches.get(cache, CacheField.used)
  }

  /** Gives the empty slabs that the caches keep back to the buddy allocator; returns how many frames. */
  shrink(): number {
    let frames = 0
    this.#atomics.lock(LOCK, LockRank.slab)
    for (let cache = 0 as CacheId; cache < this.#caches.count; cache++) {
      let slab = this.#caches.get(cache, CacheField.partial) as Ptr
      while (slab !== NULL) {
        const next = this.#field(slab, SlabField.next) as Ptr
        if (this.#field(slab, SlabField.used) === 0) {
          frames += 1 << this.#caches.get(cache, CacheField.order)
          this.#giveBack(cache, slab)
        }
        slab = next
      }
    }
    this.#atomics.unlock(LOCK, LockRank.slab)
    return frames
  }

  stats(): CacheStats[] {
    const caches = this.#caches
    return Array.from({ length: caches.count }, (_, i) => {
      const cache = i as CacheId
      return {
        name: caches.name(cache),
        size: caches.get(cache, CacheField.size),
        objects: caches.get(cache, CacheField.used),
        slabs: caches.get(cache, CacheField.slabs),
        framesPerSlab: 1 << caches.get(cache, CacheField.order),
        objectsPerSlab: caches.get(cache, CacheField.capacity),
      }
    })
  }

  /** The caches, in the columns of /proc/slabinfo (slabinfo(5)) up to the number of slabs. */
  dump(): string {
    const head =
      '# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : slabdata <num_slabs>\n'
    const rows = this.stats().map(({ name, size, objects, slabs, framesPerSlab, objectsPerSlab }) => {
      const numbers = [objects, slabs * objectsPerSlab, size, objectsPerSlab, framesPerSlab]
      const text = numbers.map((n, i) => String(n).padStart(i < 3 ? 6 : 4)).join(' ')
      return `${name.padEnd(17)} ${text} : slabdata ${String(slabs).padStart(6)}\n`
    })
    return head + rows.join('')
  }

  /** Throws an InvariantError unless caches, slabs, lists and maps agree. Looks at every slab. */
  check(): void {
    this.#atomics.lock(LOCK, LockRank.slab)
    try {
      checkSlabs(this.#memory, this.#frames, this.#caches)
    } finally {
      this.#atomics.unlock(LOCK, LockRank.slab)
    }
  }

  #field(slab: Ptr, field: number): number {
    return this.#u32[(slab >>> 2) + field]!
  }

  #setField(slab: Ptr, field: number, value: number): void {
    this.#u32[(slab >>> 2) + field] = value
  }

  /** A new, empty slab on the cache's list; NULL without frames. */
  #grow(cache: CacheId): Ptr {
    const caches = this.#caches
    const order = caches.get(cache, CacheField.order)
    const pfn = this.#buddy.allocateZeroed(order)
    if (pfn === NO_FRAME) return NULL
    this.#frames.setFlags(pfn, FrameFlag.slab | order)
    const slab = frameToPtr(pfn)
    this.#setField(slab, SlabField.cache, cache + 1)
    this.#setField(slab, SlabField.fresh, slab + caches.get(cache, CacheField.first))
    caches.set(cache, CacheField.slabs, caches.get(cache, CacheField.slabs) + 1)
    this.#link(cache, slab)
    return slab
  }

  /** An object of a slab that has a free one. */
  #take(cache: CacheId, slab: Ptr): Ptr {
    const caches = this.#caches
    let object = this.#field(slab, SlabField.recycled) as Ptr
    if (object !== NULL) {
      this.#setField(slab, SlabField.recycled, this.#u32[object >>> 2]!)
      this.#zero(object, caches.get(cache, CacheField.stride))
    } else {
      object = this.#field(slab, SlabField.fresh) as Ptr
      this.#setField(slab, SlabField.fresh, object + caches.get(cache, CacheField.stride))
    }
    const bit = (object - slab - caches.get(cache, CacheField.first)) >>> caches.get(cache, CacheField.shift)
    this.#u32[(slab >>> 2) + SlabField.map + (bit >>> 5)]! |= 1 << (bit & 31)
    const used = this.#field(slab, SlabField.used) + 1
    this.#setField(slab, SlabField.used, used)
    if (used === caches.get(cache, CacheField.capacity)) this.#unlink(cache, slab)
    caches.set(cache, CacheField.used, caches.get(cache, CacheField.used) + 1)
    return object
  }

  /** Puts an object whose bit is cleared already back into its slab. */
  #give(cache: CacheId, slab: Ptr, object: Ptr): void {
    const caches = this.#caches
    const used = this.#field(slab, SlabField.used) - 1
    this.#setField(slab, SlabField.used, used)
    this.#u32[object >>> 2] = this.#field(slab, SlabField.recycled)
    this.#setField(slab, SlabField.recycled, object)
    caches.set(cache, CacheField.used, caches.get(cache, CacheField.used) - 1)
    if (used + 1 === caches.get(cache, CacheField.capacity)) this.#link(cache, slab)
    if (used === 0 && !this.#isOnlyPartial(cache, slab)) this.#giveBack(cache, slab)
  }

  /** Whether no other slab has a free object. Such a slab is kept when it is empty: the next allocation needs it. */
  #isOnlyPartial(cache: CacheId, slab: Ptr): boolean {
    return this.#caches.get(cache, CacheField.partial) === slab && this.#field(slab, SlabField.next) === NULL
  }

  #giveBack(cache: CacheId, slab: Ptr): void {
    const caches = this.#caches
    this.#unlink(cache, slab)
    caches.set(cache, CacheField.slabs, caches.get(cache, CacheField.slabs) - 1)
    this.#buddy.free(ptrToFrame(slab), caches.get(cache, CacheField.order))
  }

  /** The slab that a pointer lies in, when it is one of this cache's; else NULL. */
  #slabOf(cache: CacheId, object: Ptr): Ptr {
    const order = this.#caches.get(cache, CacheField.order)
    const slab = (object & -(PAGE_SIZE << order)) >>> 0
    const pfn = ptrToFrame(slab as Ptr)
    if (pfn >= this.#frames.frameCount) return NULL
    if ((this.#frames.flags(pfn) & (FrameFlag.slab | ORDER_MASK)) !== (FrameFlag.slab | order)) return NULL
    return this.#field(slab as Ptr, SlabField.cache) === cache + 1 ? (slab as Ptr) : NULL
  }

  /** Whether a given-out object started here; if so, it no longer does. */
  #clearUsed(cache: CacheId, slab: Ptr, object: Ptr): boolean {
    const offset = object - slab - this.#caches.get(cache, CacheField.first)
    const shift = this.#caches.get(cache, CacheField.shift)
    if (offset < 0 || (offset & ((1 << shift) - 1)) !== 0) return false
    const word = (slab >>> 2) + SlabField.map + ((offset >>> shift) >>> 5)
    const mask = 1 << ((offset >>> shift) & 31)
    if ((this.#u32[word]! & mask) === 0) return false
    this.#u32[word]! &= ~mask
    return true
  }

  #zero(object: Ptr, bytes: number): void {
    if (bytes > LOOP_BYTES_MAX) {
      this.#memory.fill(object, 0, bytes)
      return
    }
    const u32 = this.#u32
    const end = (object + bytes) >>> 2
    for (let word = object >>> 2; word < end; word++) u32[word] = 0
  }

  /** Puts a slab first on the list of those with a free object. */
  #link(cache: CacheId, slab: Ptr): void {
    const next = this.#caches.get(cache, CacheField.partial) as Ptr
    this.#setField(slab, SlabField.previous, NULL)
    this.#setField(slab, SlabField.next, next)
    if (next !== NULL) this.#setField(next, SlabField.previous, slab)
    this.#caches.set(cache, CacheField.partial, slab)
  }

  #unlink(cache: CacheId, slab: Ptr): void {
    const previous = this.#field(slab, SlabField.previous) as Ptr
    const next = this.#field(slab, SlabField.next) as Ptr
    if (next !== NULL) this.#setField(next, SlabField.previous, previous)
    if (previous !== NULL) this.#setField(previous, SlabField.next, next)
    else this.#caches.set(cache, CacheField.partial, next)
  }
}
