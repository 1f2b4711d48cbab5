import type { Ptr } from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { BumpAllocator } from '../frame/bump-allocator.js'
import type { FaultInjector } from '../frame/fault-injector.js'
import type { FrameTable } from '../frame/frame-table.js'
import type { AtomicWords } from '../state/atomics.js'
import { Region, setRegion, Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { CACHE_TABLE_BYTES, CacheField, type CacheId, type CacheTable } from './cache-table.js'
import { CacheFlag } from './geometry.js'
import { HartMagazines } from './hart-magazines.js'
import { MagazineLayer } from './magazine-layer.js'
import { type CacheStats, SlabCache } from './slab-cache.js'
import { checkSlabs } from './slab-check.js'
import { type Constructor, SlabPool } from './slab-pool.js'

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

const RESTORES = wordIndex(Word.restores)

/**
 * Objects of a fixed size, by named caches, each cut from slabs of 1 to 8 frames of its own. Everything small
 * that the kernel knows (VMAs, tree nodes, threads, …) lives here. Objects come from the hart's own magazine and go
 * back there. A cache keeps at most one empty slab; others go back to the buddy allocator.
 */
export class SlabAllocator {
  readonly #memory: Memory
  readonly #frames: FrameTable
  readonly #pool: SlabPool
  readonly #caches: CacheTable
  readonly #layer: MagazineLayer
  readonly #debug: boolean
  /** By number; views are made when they are needed. */
  readonly #views: SlabCache[] = []
  /** Snapshots that had been put back when they were made. */
  #restores = 0

  private constructor(
    memory: Memory,
    atomics: AtomicWords,
    frames: FrameTable,
    buddy: BuddyAllocator,
    { faults, hart = 0, debug = false }: SlabOptions,
  ) {
    this.#memory = memory
    this.#frames = frames
    this.#pool = new SlabPool(memory, frames, buddy)
    this.#caches = this.#pool.caches
    this.#layer = new MagazineLayer(memory, atomics, this.#pool, { hart, faults })
    this.#debug = debug
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
    HartMagazines.boot(memory, (bytes) => bump.allocateBytes(bytes), options.harts ?? 1)
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
  createCache(name: string, size: number, align = 8, { construct }: CacheOptions = {}): SlabCache {
    const flags = (construct ? CacheFlag.constructed : 0) | (this.#debug ? CacheFlag.debug : 0)
    return this.#layer.locked(() => {
      const { cache, isNew } = this.#caches.findOrCreate(name, { size, align, flags })
      const limit = this.#caches.get(cache, CacheField.limit)
      if (isNew) for (const magazines of this.#layer.all) magazines.of(cache).limit = limit
      if (construct !== undefined) this.#pool.constructors.set(cache, construct)
      return this.cache(cache)
    })
  }

  /** The cache of this number. */
  cache(id: CacheId): SlabCache {
    const restores = this.#memory.u32[RESTORES]!
    // The numbers of a snapshot that was put back may be those of other caches.
    if (restores !== this.#restores) this.#views.length = 0
    this.#restores = restores
    this.#views[id] ??= new SlabCache(this.#memory, this.#layer, id)
    return this.#views[id]!
  }

  /** The cache that a given-out object is of; undefined when there is no object. */
  cacheOf(object: Ptr): SlabCache | undefined {
    const cache = this.#pool.cacheOf(object)
    return cache === undefined ? undefined : this.cache(cache)
  }

  /** Empties all harts' magazines, and gives the empty slabs back to the buddy allocator; returns how many frames. */
  shrink(): number {
    let frames = 0
    const count = this.#caches.count
    for (let cache = 0 as CacheId; cache < count; cache++) {
      this.#layer.drainAll(cache)
      frames += this.#layer.locked(() => this.#pool.shrink(cache))
    }
    return frames
  }

  stats(): CacheStats[] {
    return Array.from({ length: this.#caches.count }, (_, cache) => this.cache(cache as CacheId).stats())
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
    this.#layer.locked(() => checkSlabs(this.#memory, this.#frames, this.#pool, this.#layer.all))
  }
}
