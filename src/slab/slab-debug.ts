/**
 * Debug builds: what lies beside an object is a red zone, a free object is filled with poison, and for each object it is known
 * who got it and who freed it last (SLUB debugging of Linux, mm/slub.c and <linux/poison.h>).
 */
import { InvariantError } from '../base/assert.js'
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { CacheField, type CacheId, type CacheTable } from './cache-table.js'
import { CacheFlag } from './geometry.js'

const POISON_NEW = 0x5a
const POISON_FREE = 0x6b
const RED_FREE = 0xbb
const RED_USED = 0xcc
/** The first word of a free slot's red zone is its link. */
const LINK_BYTES = 4

interface Sites {
  given?: Error
  freed?: Error
}

/** Works on objects of caches with CacheFlag.debug; the slab lock is held. Everything throws an InvariantError that names both sites. */
export class SlabDebug {
  readonly #memory: Memory
  readonly #caches: CacheTable
  /** By object, of what this thread did. */
  readonly #sites = new Map<Ptr, Sites>()

  constructor(memory: Memory, caches: CacheTable) {
    this.#memory = memory
    this.#caches = caches
  }

  /** An object of a new slab. */
  prepare(cache: CacheId, object: Ptr): void {
    this.#paint(cache, object, RED_FREE)
    if (!this.#isConstructed(cache)) this.#fillObject(cache, object, POISON_FREE)
    this.#sites.delete(object)
  }

  /** A free object is given out. */
  give(cache: CacheId, object: Ptr): void {
    this.verify(cache, object, false)
    this.#paint(cache, object, RED_USED)
    if (!this.#isConstructed(cache)) this.#fillObject(cache, object, POISON_NEW)
    this.#sites.set(object, { ...this.#sites.get(object), given: new Error('given out') })
  }

  /** An object comes back. */
  take(cache: CacheId, object: Ptr): void {
    this.verify(cache, object, true)
    this.#paint(cache, object, RED_FREE)
    if (!this.#isConstructed(cache)) this.#fillObject(cache, object, POISON_FREE)
    this.#sites.set(object, { ...this.#sites.get(object), freed: new Error('freed') })
  }

  /** That nobody wrote beside an object, or to a free one. */
  verify(cache: CacheId, object: Ptr, isUsed: boolean): void {
    const { start, end, size } = this.#slot(cache, object)
    const red = isUsed ? RED_USED : RED_FREE
    if (!this.#isFilled(object + size, end, red)) this.#report(cache, object, 'written to beyond its end')
    if (!this.#isFilled(start + (isUsed ? 0 : LINK_BYTES), object, red)) {
      this.#report(cache, object, 'written to before its start')
    }
    if (isUsed || this.#isConstructed(cache) || this.#isFilled(object, object + size, POISON_FREE)) return
    this.#report(cache, object, 'used after it was freed')
  }

  /** Throws: what is wrong with an object, who got it and who freed it last, and where it was seen. */
  report(cache: CacheId, object: Ptr, problem: string): never {
    return this.#report(cache, object, problem)
  }

  #report(cache: CacheId, object: Ptr, problem: string): never {
    const { given, freed } = this.#sites.get(object) ?? {}
    const site = (error: Error | undefined) =>
      error?.stack?.replace(/^.*\n/, '') ?? '    in another thread, or never'
    throw new InvariantError(
      `slab: the object at 0x${object.toString(16)} of ${this.#caches.name(cache)} was ${problem}\n` +
        `  it was given out\n${site(given)}\n  it was freed last\n${site(freed)}\n  it was found`,
    )
  }

  #isConstructed(cache: CacheId): boolean {
    return (this.#caches.get(cache, CacheField.flags) & CacheFlag.constructed) !== 0
  }

  #slot(cache: CacheId, object: Ptr) {
    const start = object - this.#caches.get(cache, CacheField.margin)
    const end = start + this.#caches.get(cache, CacheField.stride)
    return { start, end, size: this.#caches.get(cache, CacheField.size) }
  }

  #paint(cache: CacheId, object: Ptr, red: number): void {
    const { start, end, size } = this.#slot(cache, object)
    this.#memory.u8.fill(red, start, object)
    this.#memory.u8.fill(red, object + size, end)
  }

  #fillObject(cache: CacheId, object: Ptr, byte: number): void {
    this.#memory.u8.fill(byte, object, object + this.#caches.get(cache, CacheField.size))
  }

  #isFilled(start: number, end: number, byte: number): boolean {
    const { u8 } = this.#memory
    for (let at = start; at < end; at++) if (u8[at] !== byte) return false
    return true
  }
}
