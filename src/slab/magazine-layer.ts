import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { FaultInjector } from '../frame/fault-injector.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { LockWord, lockPtr } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { CacheField, type CacheId, type CacheTable } from './cache-table.js'
import { HartMagazines } from './hart-magazines.js'
import { Magazine } from './magazine.js'
import type { SlabPool } from './slab-pool.js'

const LOCK = lockPtr(LockWord.slab)

/**
 * The harts' magazines in front of the slabs, with their locks: what a cache does when the hart's magazine may not be used without
 * one, is empty or is full. It is filled and emptied by halves; all magazines are emptied before an allocation fails.
 *
 * Takes the lock of a hart's magazines, under it the slab lock, and under that the frames lock.
 */
export class MagazineLayer {
  readonly pool: SlabPool
  readonly all: readonly HartMagazines[]
  readonly #isShared: boolean
  readonly #atomics: AtomicWords
  readonly #caches: CacheTable
  readonly #own: HartMagazines | undefined
  readonly #faults: FaultInjector | undefined

  constructor(
    memory: Memory,
    atomics: AtomicWords,
    pool: SlabPool,
    { hart, faults }: { hart: number; faults: FaultInjector | undefined },
  ) {
    this.pool = pool
    this.all = HartMagazines.all(memory)
    this.#isShared = memory.shared
    this.#atomics = atomics
    this.#caches = pool.caches
    this.#own = this.all[hart]
    this.#faults = faults
  }

  /** This hart's magazine when it may be used without a lock: on memory that is not shared, and nothing fails or is watched. Else one that is empty and full at once. */
  fast(cache: CacheId): Magazine {
    const isFast = this.#atomics.isPlain && this.#faults === undefined && this.#own !== undefined
    return isFast ? this.#own!.of(cache) : Magazine.none()
  }

  allocate(cache: CacheId): Ptr {
    if (this.#faults?.shouldFail()) return NULL
    const own = this.#own
    if (own === undefined || !this.#hasMagazines(cache)) return this.locked(() => this.pool.take(cache))
    const object = this.#takeOwn(own, cache)
    return object === NULL && this.drainAll(cache) > 0 ? this.locked(() => this.pool.take(cache)) : object
  }

  #takeOwn(own: HartMagazines, cache: CacheId): Ptr {
    const magazine = own.of(cache)
    this.#lockMagazines(own)
    try {
      if (magazine.count === 0) {
        this.locked(() => magazine.refill(magazine.limit >>> 1, (isFirst) => this.pool.take(cache, isFirst)))
      }
      return magazine.take()
    } finally {
      this.#unlockMagazines(own)
    }
  }

  free(cache: CacheId, object: Ptr): void {
    const own = this.#own
    if (own === undefined || !this.#hasMagazines(cache)) this.locked(() => this.pool.give(cache, object))
    else this.#giveOwn(own, cache, object)
  }

  #giveOwn(own: HartMagazines, cache: CacheId, object: Ptr): void {
    const magazine = own.of(cache)
    this.pool.assertUsed(cache, object)
    this.#lockMagazines(own)
    try {
      if (!this.#isShared) assert(!magazine.holds(object), 'slab: freed twice, or no object starts here')
      if (magazine.count >= magazine.limit) this.#drain(magazine, cache, magazine.limit >>> 1)
      magazine.give(object)
    } finally {
      this.#unlockMagazines(own)
    }
  }

  #hasMagazines(cache: CacheId): boolean {
    return this.#caches.get(cache, CacheField.limit) !== 0
  }

  /** Objects of a cache in all magazines. */
  held(cache: CacheId): number {
    let held = 0
    for (const magazines of this.all) held += magazines.of(cache).count
    return held
  }

  /** Puts what all harts' magazines hold of a cache back into the slabs; returns how many objects. */
  drainAll(cache: CacheId): number {
    let objects = 0
    for (const magazines of this.all) {
      const magazine = magazines.of(cache)
      this.#lockMagazines(magazines)
      try {
        objects += magazine.count
        this.#drain(magazine, cache, 0)
      } finally {
        this.#unlockMagazines(magazines)
      }
    }
    return objects
  }

  #drain(magazine: Magazine, cache: CacheId, keep: number): void {
    this.locked(() => magazine.drain(keep, (object) => this.pool.give(cache, object)))
  }

  /** Runs with the slab lock held. */
  locked<T>(operation: () => T): T {
    this.#atomics.lock(LOCK, LockRank.slab)
    try {
      return operation()
    } finally {
      this.#atomics.unlock(LOCK, LockRank.slab)
    }
  }

  #lockMagazines({ lockPtr }: HartMagazines): void {
    this.#atomics.lock(lockPtr, LockRank.magazines)
  }

  #unlockMagazines({ lockPtr }: HartMagazines): void {
    this.#atomics.unlock(lockPtr, LockRank.magazines)
  }
}
