import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { BumpAllocator } from '../frame/bump-allocator.js'
import type { FaultInjector } from '../frame/fault-injector.js'
import type { FrameTable } from '../frame/frame-table.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { LockWord, lockPtr, Region, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { CACHE_TABLE_BYTES, CacheField, type CacheId, type CacheTable } from './cache-table.js'
import { CacheFlag } from './geometry.js'
import { Magazines } from './magazines.js'
import { checkSlabs } from './slab-check.js'
import { type Constructor, SlabPool } from './slab-pool.js'

const LOCK = lockPtr(LockWord.slab)
export interface SlabOptions {
  readonly faults?: FaultInjector | undefined
  /** Whose magazines this view uses: hart number, default 0. */
  readonly hart?: number | undefined
  /** At boot: harts of the machine, default 1. */
  readonly harts?: number | undefined
  /** Caches that are made from now on have red zones, poison, and know who got an object and who freed it. */
  readonly debug?: boolean | undefined
}

export interface CacheOptions {
  /** Makes an object of a new slab what `allocate` gives; whoever frees it leaves it so. Each thread says it anew. */
  readonly construct?: Constructor
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
 * that the kernel knows (VMAs, tree nodes, threads, …) lives here. Objects come from the hart's own magazine and go
 * back there; it is filled and emptied by halves. A cache keeps at most one empty slab; others go back to the buddy
 * allocator.
 *
 * Takes the lock of the hart's magazines, under it the slab lock, and under that the frames lock. On memory that is not shared
 * the magazines need no lock.
 */
export class SlabAllocator {
  readonly #memory: Memory
  readonly #atomics: AtomicWords
  readonly #frames: FrameTable
  readonly #pool: SlabPool
  readonly #caches: CacheTable
  readonly #all: readonly Magazines[]
  readonly #own: Magazines | undefined
  readonly #faults: FaultInjector | undefined
  readonly #debug: boolean
  /** This hart's magazines when they may be used without a lock; else some that are empty and full at once. */
  readonly #fast: Magazines

  private constructor(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    buddy: BuddyAllocator,
    { faults, hart = 0, debug = false }: SlabOptions,
  ) {
    this.#memory = memory
    this.#atomics = atomics
    this.#frames = frames
    this.#pool = new SlabPool(memory, frames, buddy)
    this.#caches = this.#pool.caches
    this.#all = Magazines.all(memory)
    this.#own = this.#all[hart]
    this.#faults = faults
    this.#debug = debug
    const isFast = atomics.isPlain && faults === undefined && this.#own !== undefined
    this.#fast = isFast ? this.#own! : Magazines.none()
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
    Magazines.boot(memory, (bytes) => bump.allocateBytes(bytes), options.harts ?? 1)
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
   * 96 caches; a name is 1 to 24 printable ASCII characters, `size` 1 to 8192 bytes, `align` a power of two.
   */
  createCache(name: string, size: number, align = 8, { construct }: CacheOptions = {}): CacheId {
    const flags = (construct ? CacheFlag.constructed : 0) | (this.#debug ? CacheFlag.debug : 0)
    return this.#locked(() => {
      const { cache, isNew } = this.#caches.findOrCreate(name, { size, align, flags })
      const limit = this.#caches.get(cache, CacheField.limit)
      if (isNew) for (const magazines of this.#all) magazines.setLimit(cache, limit)
      if (construct !== undefined) this.#pool.constructors.set(cache, construct)
      return cache
    })
  }

  /** An object: its bytes are anything, or what the cache's constructor made of them. NULL when there is no frame for it. */
  allocate(cache: CacheId): Ptr {
    const object = this.#fast.take(cache)
    return object === NULL ? this.#allocateSlowly(cache) : object
  }

  /** The same, all bytes zero. Of a cache without constructor. */
  allocateZeroed(cache: CacheId): Ptr {
    const object = this.allocate(cache)
    if (object !== NULL) zeroObject(this.#memory, object, this.#caches.get(cache, CacheField.size))
    return object
  }

  #allocateSlowly(cache: CacheId): Ptr {
    if (this.#faults?.shouldFail()) return NULL
    const limit = this.#caches.get(cache, CacheField.limit)
    if (limit === 0 || this.#own === undefined) return this.#locked(() => this.#pool.take(cache))
    const object = this.#takeOwn(this.#own, cache, limit)
    return object === NULL && this.#drainAll(cache) > 0 ? this.#locked(() => this.#pool.take(cache)) : object
  }

  #takeOwn(own: Magazines, cache: CacheId, limit: number): Ptr {
    this.#lockMagazines(own)
    try {
      if (own.count(cache) === 0) {
        this.#locked(() => own.refill(cache, limit >>> 1, (isFirst) => this.#pool.take(cache, isFirst)))
      }
      return own.take(cache)
    } finally {
      this.#unlockMagazines(own)
    }
  }

  /** Gives an object back. Asserts that it is one of this cache's, and given out; on the fast path only once a magazine is emptied. */
  free(cache: CacheId, object: Ptr): void {
    if (!this.#fast.give(cache, object)) this.#freeSlowly(cache, object)
  }

  #freeSlowly(cache: CacheId, object: Ptr): void {
    const own = this.#own
    const limit = this.#caches.get(cache, CacheField.limit)
    if (limit === 0 || own === undefined) this.#locked(() => this.#pool.give(cache, object))
    else this.#giveOwn(own, cache, object, limit)
  }

  #giveOwn(own: Magazines, cache: CacheId, object: Ptr, limit: number): void {
    this.#pool.assertUsed(cache, object)
    this.#lockMagazines(own)
    try {
      if (!this.#memory.shared)
        assert(!own.holds(cache, object), 'slab: freed twice, or no object starts here')
      if (own.count(cache) >= limit) this.#drain(own, cache, limit >>> 1)
      own.give(cache, object)
    } finally {
      this.#unlockMagazines(own)
    }
  }

  /** Many objects at once, as of `allocate`: all of them, or none. Says which. */
  allocateMany(cache: CacheId, objects: Uint32Array, count: number): boolean {
    for (let i = 0; i < count; i++) {
      const object = this.allocate(cache)
      if (object === NULL) {
        this.freeMany(cache, objects, i)
        return false
      }
      objects[i] = object
    }
    return true
  }

  freeMany(cache: CacheId, objects: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) this.free(cache, objects[i]! as Ptr)
  }

  /** The cache that a given-out object is of; undefined when there is no object. */
  cacheOf(object: Ptr): CacheId | undefined {
    return this.#pool.cacheOf(object)
  }

  /**
   * Calls `look` while an object of this cache, given out or not, starts at `pointer`, which may be any number: its slab stays until that is
   * done, so that what a constructor has made of the object can be looked at (SLAB_TYPESAFE_BY_RCU of Linux). False without a call
   * when there is no such object. `look` takes no lock, but may try to.
   */
  whileThere(cache: CacheId, pointer: number, look: () => boolean): boolean {
    return this.#locked(() => this.#pool.isObject(cache, pointer) && look())
  }

  /** Bytes of an object of this cache that may be used: perhaps more than were asked for (ksize). */
  usableBytes(cache: CacheId): number {
    return this.#caches.usable(cache)
  }

  /** Objects of a cache that are given out. */
  used(cache: CacheId): number {
    let used = this.#caches.get(cache, CacheField.used)
    for (const magazines of this.#all) used -= magazines.count(cache)
    return used
  }

  /** Empties all harts' magazines, and gives the empty slabs back to the buddy allocator; returns how many frames. */
  shrink(): number {
    let frames = 0
    const count = this.#caches.count
    for (let cache = 0 as CacheId; cache < count; cache++) {
      this.#drainAll(cache)
      frames += this.#locked(() => this.#pool.shrink(cache))
    }
    return frames
  }

  /** Puts what all harts' magazines hold of a cache back into the slabs; returns how many objects. */
  #drainAll(cache: CacheId): number {
    let objects = 0
    for (const magazines of this.#all) {
      this.#lockMagazines(magazines)
      try {
        objects += magazines.count(cache)
        this.#drain(magazines, cache, 0)
      } finally {
        this.#unlockMagazines(magazines)
      }
    }
    return objects
  }

  #drain(magazines: Magazines, cache: CacheId, keep: number): void {
    this.#locked(() => magazines.drain(cache, keep, (object) => this.#pool.give(cache, object)))
  }

  stats(): CacheStats[] {
    const caches = this.#caches
    return Array.from({ length: caches.count }, (_, i) => {
      const cache = i as CacheId
      return {
        name: caches.name(cache),
        size: caches.get(cache, CacheField.size),
        objects: this.used(cache),
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

  /** Throws an InvariantError unless caches, slabs, lists, maps and magazines agree. Looks at every slab; no other hart allocates or frees meanwhile. */
  check(): void {
    this.#locked(() => checkSlabs(this.#memory, this.#frames, this.#pool, this.#all))
  }

  #locked<T>(operation: () => T): T {
    this.#atomics.lock(LOCK, LockRank.slab)
    try {
      return operation()
    } finally {
      this.#atomics.unlock(LOCK, LockRank.slab)
    }
  }

  #lockMagazines({ lockPtr }: Magazines): void {
    this.#atomics.lock(lockPtr, LockRank.magazines)
  }

  #unlockMagazines({ lockPtr }: Magazines): void {
    this.#atomics.unlock(lockPtr, LockRank.magazines)
  }
}

/** More bytes than this are zeroed by one instruction of WebAssembly, whose call costs as much as 200 bytes here. */
const ZERO_BYTES_MAX = 256

function zeroObject({ f64, fill }: Memory, object: Ptr, bytes: number): void {
  if (bytes > ZERO_BYTES_MAX || (bytes & 7) !== 0) {
    fill(object, 0, bytes)
    return
  }
  let at = object >>> 3
  for (let left = bytes >>> 3; left > 0; left -= 4, at += 4) {
    f64[at] = 0
    if (left > 1) f64[at + 1] = 0
    if (left > 2) f64[at + 2] = 0
    if (left > 3) f64[at + 3] = 0
  }
}
