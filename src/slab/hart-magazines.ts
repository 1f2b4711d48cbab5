import type { Ptr } from '../base/numbers.js'
import { Region, regionBytes, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { CACHES_MAX, type CacheId } from './cache-table.js'
import { MAGAZINE_WORDS, Magazine } from './magazine.js'

const LOCK_BYTES = 64
const MAGAZINE_BYTES = MAGAZINE_WORDS * 4
const HART_BYTES = LOCK_BYTES + CACHES_MAX * MAGAZINE_BYTES

/** Where in the region a hart's magazine of a cache is. */
export function magazineOffset(hart: number, cache: CacheId): number {
  return hart * HART_BYTES + LOCK_BYTES + cache * MAGAZINE_BYTES
}

/**
 * The magazines of one hart, by cache. In Region.magazines, for each hart:
 *
 *     0   i32            lock: held for each operation, also by whoever empties them
 *     64  96 × Magazine
 */
export class HartMagazines {
  readonly lockPtr: Ptr
  readonly #memory: Memory
  /** By cache; views are made when they are needed. */
  readonly #magazines: Magazine[] = []

  private constructor(memory: Memory, ptr: Ptr) {
    this.#memory = memory
    this.lockPtr = ptr
  }

  static boot(memory: Memory, allocateBytes: (bytes: number) => Ptr, harts: number): void {
    setRegion(memory, Region.magazines, allocateBytes(harts * HART_BYTES), harts * HART_BYTES)
  }

  /** Those of all harts. */
  static all(memory: Memory): HartMagazines[] {
    const start = regionPtr(memory, Region.magazines)
    const harts = regionBytes(memory, Region.magazines) / HART_BYTES
    return Array.from(
      { length: harts },
      (_, hart) => new HartMagazines(memory, (start + hart * HART_BYTES) as Ptr),
    )
  }

  of(cache: CacheId): Magazine {
    this.#magazines[cache] ??= this.#view(cache)
    return this.#magazines[cache]!
  }

  #view(cache: CacheId): Magazine {
    const start = this.lockPtr + magazineOffset(0, cache)
    return new Magazine(new Int32Array(this.#memory.raw.buffer, start, MAGAZINE_WORDS))
  }
}
