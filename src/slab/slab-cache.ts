import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { CacheField, type CacheId } from './cache-table.js'
import { MagazineWord } from './magazine.js'
import type { MagazineLayer } from './magazine-layer.js'

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
 * One named cache, as one thread sees it (kmem_cache of Linux): objects of one size. All that it knows is in the buffer.
 *
 * `allocate` and `free` are hot and written for V8: what Magazine.take and give do is written out, so that the words are a field of the
 * cache itself. A pair takes 3.0 ns so, with the magazine as a field 4.8. Functions that close over the words are no faster.
 */
export class SlabCache {
  readonly id: CacheId
  /** Bytes of an object, as asked for. */
  readonly size: number
  readonly #memory: Memory
  readonly #layer: MagazineLayer
  /** Those of this hart's magazine when it may be used without a lock; else of one that is empty and full at once. */
  readonly #words: Int32Array

  constructor(memory: Memory, layer: MagazineLayer, id: CacheId) {
    this.id = id
    this.size = layer.pool.caches.get(id, CacheField.size)
    this.#memory = memory
    this.#layer = layer
    this.#words = layer.fast(id).words
  }

  /** An object: its bytes are anything, or what the cache's constructor made of them. NULL when there is no frame for it. */
  allocate(): Ptr {
    const words = this.#words
    const count = words[MagazineWord.count]!
    if (count === 0) return this.#layer.allocate(this.id)
    words[MagazineWord.count] = count - 1
    return (words[(count + (MagazineWord.objects - 1)) | 0]! >>> 0) as Ptr
  }

  /** The same, all bytes zero. Of a cache without constructor. */
  allocateZeroed(): Ptr {
    const object = this.allocate()
    if (object !== NULL) zeroObject(this.#memory, object, this.size)
    return object
  }

  /** Gives an object back. Asserts that it is one of this cache's, and given out; on the fast path only once a magazine is emptied. */
  free(object: Ptr): void {
    const words = this.#words
    const count = words[MagazineWord.count]!
    if (count >= words[MagazineWord.limit]!) {
      this.#layer.free(this.id, object)
      return
    }
    words[MagazineWord.count] = count + 1
    words[(count + MagazineWord.objects) | 0] = object
  }

  /** Many objects at once, as of `allocate`: all of them, or none. Says which. */
  allocateMany(objects: Uint32Array, count: number): boolean {
    for (let i = 0; i < count; i++) {
      const object = this.allocate()
      if (object === NULL) {
        this.freeMany(objects, i)
        return false
      }
      objects[i] = object
    }
    return true
  }

  freeMany(objects: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) this.free(objects[i]! as Ptr)
  }

  /**
   * Calls `look` while an object of this cache, given out or not, starts at `pointer`, which may be any number: its slab stays until that is
   * done, so that what a constructor has made of the object can be looked at (SLAB_TYPESAFE_BY_RCU of Linux). False without a call
   * when there is no such object. `look` takes no lock, but may try to.
   */
  whileThere(pointer: number, look: () => boolean): boolean {
    const { pool } = this.#layer
    return this.#layer.locked(() => pool.isObject(this.id, pointer) && look())
  }

  /** Bytes of an object that may be used: perhaps more than were asked for (ksize). */
  get usableBytes(): number {
    return this.#layer.pool.caches.usable(this.id)
  }

  /** Objects that are given out. */
  get used(): number {
    return this.#get(CacheField.used) - this.#layer.held(this.id)
  }

  stats(): CacheStats {
    return {
      name: this.#layer.pool.caches.name(this.id),
      size: this.size,
      objects: this.used,
      slabs: this.#get(CacheField.slabs),
      framesPerSlab: 1 << this.#get(CacheField.order),
      objectsPerSlab: this.#get(CacheField.capacity),
    }
  }

  #get(field: CacheField): number {
    return this.#layer.pool.caches.get(this.id, field)
  }
}

/** More bytes than this are zeroed by one instruction of WebAssembly, whose call costs as much as 200 bytes here. */
const ZERO_BYTES_MAX = 256

function zeroObject(memory: Memory, object: Ptr, bytes: number): void {
  if (bytes > ZERO_BYTES_MAX || (bytes & 7) !== 0) {
    memory.fill(object, 0, bytes)
    return
  }
  const { f64 } = memory
  let at = object >>> 3
  for (let left = bytes >>> 3; left > 0; left -= 4, at += 4) {
    f64[at] = 0
    if (left > 1) f64[at + 1] = 0
    if (left > 2) f64[at + 2] = 0
    if (left > 3) f64[at + 3] = 0
  }
}
