import type { Ptr } from '../base/numbers.js'
import { NULL } from '../base/numbers.js'
import { Region, regionBytes, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { reverseWords } from '../state/words.js'
import { CACHES_MAX, type CacheId } from './cache-table.js'

/** Words of a magazine: a power of two. */
const enum Word {
  count = 0,
  limit = 1,
  objects = 2,
  shift = 6,
}
const LOCK_BYTES = 64
const HART_WORDS = CACHES_MAX << Word.shift
const HART_BYTES = LOCK_BYTES + HART_WORDS * 4
/** The magazines of a thread that has none: nothing can be taken, and all are full. */
const NONE = new Int32Array(HART_WORDS)

/**
 * Objects that one hart keeps for itself, by cache: most allocations touch nothing else. In Region.magazines, for
 * each hart:
 *
 *     0   i32   lock: held for each operation, also by whoever empties them
 *     64  96 × { i32 count, i32 limit, 62 × u32 objects }   a stack for each cache
 *
 * For the slabs these objects are used. On memory that is not shared nobody else is there, and no lock is needed.
 *
 * `take` and `give` are hot and written for V8: the field has a value from the start, so that its type is known, and a view
 * that starts with the first magazine needs no sum.
 */
export class Magazines {
  #words: Int32Array = NONE
  readonly lockPtr: Ptr

  private constructor(words: Int32Array, lockPtr: Ptr) {
    this.#words = words
    this.lockPtr = lockPtr
  }

  /** Magazines of which none can be used. */
  static none(): Magazines {
    return new Magazines(NONE, NULL)
  }

  static boot(memory: Memory, allocateBytes: (bytes: number) => Ptr, harts: number): void {
    setRegion(memory, Region.magazines, allocateBytes(harts * HART_BYTES), harts * HART_BYTES)
  }

  /** Those of all harts. */
  static all(memory: Memory): Magazines[] {
    const start = regionPtr(memory, Region.magazines)
    const harts = regionBytes(memory, Region.magazines) / HART_BYTES
    return Array.from({ length: harts }, (_, hart) => {
      const ptr = start + hart * HART_BYTES
      return new Magazines(new Int32Array(memory.raw.buffer, ptr + LOCK_BYTES, HART_WORDS), ptr as Ptr)
    })
  }

  /** An object, as it was left; NULL when the magazine is empty. */
  take(cache: CacheId): Ptr {
    const words = this.#words
    const at = cache << Word.shift
    const count = words[at]!
    if (count === 0) return NULL
    words[at] = count - 1
    return (words[(at + count + (Word.objects - 1)) | 0]! >>> 0) as Ptr
  }

  /** False when the magazine is full. */
  give(cache: CacheId, object: Ptr): boolean {
    const words = this.#words
    const at = cache << Word.shift
    const count = words[at]!
    if (count >= words[at + Word.limit]!) return false
    words[at] = count + 1
    words[(at + count + Word.objects) | 0] = object
    return true
  }

  count(cache: CacheId): number {
    return this.#words[cache << Word.shift]!
  }

  setLimit(cache: CacheId, limit: number): void {
    this.#words[(cache << Word.shift) + Word.limit] = limit
  }

  holds(cache: CacheId, object: Ptr): boolean {
    const start = (cache << Word.shift) + Word.objects
    return this.#words.subarray(start, start + this.count(cache)).includes(object | 0)
  }

  /** The objects of a cache, the one that goes last first. */
  objects(cache: CacheId): Ptr[] {
    const start = (cache << Word.shift) + Word.objects
    return Array.from(this.#words.subarray(start, start + this.count(cache)), (word) => (word >>> 0) as Ptr)
  }

  /** Fills the empty magazine with up to `objects` objects; the first one goes first. `next` is told whether there is none yet; it ends with NULL. */
  refill(cache: CacheId, objects: number, next: (isFirst: boolean) => Ptr): void {
    const words = this.#words
    const start = (cache << Word.shift) + Word.objects
    let count = 0
    for (let object = next(true); object !== NULL; object = count < objects ? next(false) : NULL) {
      words[start + count++] = object
    }
    reverseWords(words, start, count)
    words[cache << Word.shift] = count
  }

  /** Takes out the objects that have been here longest until `keep` are left. */
  drain(cache: CacheId, keep: number, each: (object: Ptr) => void): void {
    const words = this.#words
    const start = (cache << Word.shift) + Word.objects
    const count = this.count(cache)
    const gone = Math.max(0, count - keep)
    for (let i = 0; i < gone; i++) each((words[start + i]! >>> 0) as Ptr)
    words.copyWithin(start, start + gone, start + count)
    words[cache << Word.shift] = count - gone
  }
}
