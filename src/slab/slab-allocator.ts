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
import { checkSlabs } from './slab-check.js'
import { SlabField } from './slab-header.js'
import { Slabs } from './slabs.js'

const LOCK = lockPtr(LockWord.slab)

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
  readonly #slabs: Slabs
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
    this.#slabs = new Slabs(memory)
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
    const descriptor = this.#caches.word(cache)
    this.#atomics.lock(LOCK, LockRank.slab)
    let slab = this.#u32[descriptor + CacheField.partial]! as Ptr
    if (slab === NULL) slab = this.#grow(cache)
    const object = slab === NULL ? NULL : this.#slabs.take(descriptor, slab)
    this.#atomics.unlock(LOCK, LockRank.slab)
    return object
  }

  /** Gives an object back. Asserts that it is one of this cache's, and given out. */
  free(cache: CacheId, object: Ptr): void {
    const descriptor = this.#caches.word(cache)
    this.#atomics.lock(LOCK, LockRank.slab)
    const slab = this.#slabOf(cache, descriptor, object)
    const ok = slab !== NULL && this.#slabs.give(descriptor, slab, object)
    if (ok && this.#slabs.isSpare(descriptor, slab)) this.#giveBack(descriptor, slab)
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
    const count = this.#caches.count
    for (let cache = 0 as CacheId; cache < count; cache++)
      frames += this.#shrinkCache(this.#caches.word(cache))
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

  #shrinkCache(descriptor: number): number {
    const u32 = this.#u32
    let frames = 0
    let slab = u32[descriptor + CacheField.partial]! as Ptr
    while (slab !== NULL) {
      const next = u32[(slab >>> 2) + SlabField.next]! as Ptr
      if (u32[(slab >>> 2) + SlabField.used] === 0) {
        frames += 1 << u32[descriptor + CacheField.order]!
        this.#giveBack(descriptor, slab)
      }
      slab = next
    }
    return frames
  }

  /** A new, empty slab on the cache's list; NULL without frames. */
  #grow(cache: CacheId): Ptr {
    const u32 = this.#u32
    const descriptor = this.#caches.word(cache)
    const order = u32[descriptor + CacheField.order]!
    const pfn = this.#buddy.allocateZeroed(order)
    if (pfn === NO_FRAME) return NULL
    this.#frames.setFlags(pfn, FrameFlag.slab | order)
    const slab = frameToPtr(pfn)
    u32[(slab >>> 2) + SlabField.cache] = cache + 1
    u32[(slab >>> 2) + SlabField.fresh] = slab + u32[descriptor + CacheField.first]!
    u32[descriptor + CacheField.slabs]! += 1
    this.#slabs.link(descriptor, slab)
    return slab
  }

  #giveBack(descriptor: number, slab: Ptr): void {
    this.#slabs.unlink(descriptor, slab)
    this.#u32[descriptor + CacheField.slabs]! -= 1
    this.#buddy.free(ptrToFrame(slab), this.#u32[descriptor + CacheField.order]!)
  }

  /** The slab that a pointer lies in, when it is one of this cache's; else NULL. */
  #slabOf(cache: CacheId, descriptor: number, object: Ptr): Ptr {
    const order = this.#u32[descriptor + CacheField.order]!
    const slab = ((object & -(PAGE_SIZE << order)) >>> 0) as Ptr
    const pfn = ptrToFrame(slab)
    if (pfn >= this.#frames.frameCount) return NULL
    if ((this.#frames.flags(pfn) & (FrameFlag.slab | ORDER_MASK)) !== (FrameFlag.slab | order)) return NULL
    return this.#u32[(slab >>> 2) + SlabField.cache] === cache + 1 ? slab : NULL
  }
}
