import { assert } from '../base/assert.js'
import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { Region, regionPtr, Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { type CacheShape, chooseGeometry } from './geometry.js'

declare const cacheBrand: unique symbol

/** Number of a cache, 0 to CACHES_MAX - 1. */
export type CacheId = number & { readonly [cacheBrand]: true }

export const CACHES_MAX = 96
export const OBJECT_BYTES_MAX = 2 * PAGE_SIZE
const DESCRIPTOR_BYTES = 128
export const CACHE_TABLE_BYTES = CACHES_MAX * DESCRIPTOR_BYTES
const RESTORES = wordIndex(Word.restores)
const NAME_BYTES_MAX = 24

/** Fields of a descriptor, as words; see CacheTable. */
export const enum CacheField {
  size = 6,
  stride = 7,
  order = 8,
  first = 9,
  shift = 10,
  capacity = 11,
  partial = 12,
  used = 13,
  slabs = 14,
  align = 15,
  link = 16,
  empty = 17,
  limit = 18,
  flags = 19,
  margin = 20,
}

/**
 * The caches' descriptors, in Region.slabCaches; guarded by the slab lock. What changes after a cache was made is
 * partial, used, slabs and empty. 128 bytes each:
 *
 *     0   24 × u8  name, ASCII, padded with NUL; empty: the descriptor is unused, and all after it
 *     24  u32      size      bytes of an object, as asked for
 *     28  u32      stride    bytes from one slot to the next: an object, with what belongs to it, rounded up to align
 *     32  u32      order     a slab is 2^order frames
 *     36  u32      first     bytes from a slab's start to its first slot
 *     40  u32      shift     a slot's bit in the slab's map: its distance from the first >>> shift
 *     44  u32      capacity  objects of a slab
 *     48  u32      partial   first slab that has a free object, 0 for none
 *     52  u32      used      objects outside of their slabs: given out, or in a magazine
 *     56  u32      slabs
 *     60  u32      align     power of two, 8 to 4096
 *     64  u32      link      where in a free slot the pointer to the next one is
 *     68  u32      empty     slabs without a used object, 0 or 1
 *     72  u32      limit     objects of a hart's magazine, 0: there is none
 *     76  u32      flags     CacheFlag
 *     80  u32      margin    bytes from the start of a slot to its object
 */
export class CacheTable {
  readonly #memory: Memory
  readonly #base: number
  /** By name; those that this view has met. Caches are never unmade. */
  readonly #ids = new Map<string, CacheId>()
  #restores = 0

  constructor(memory: Memory) {
    this.#memory = memory
    this.#base = regionPtr(memory, Region.slabCaches) >>> 2
  }

  get(cache: CacheId, field: CacheField): number {
    return this.#memory.u32[this.word(cache) + field]!
  }

  /** Index in `memory.u32` of a descriptor's first word, for the hot paths. */
  word(cache: CacheId): number {
    return this.#base + (cache << 5)
  }

  /** Number of caches made so far. */
  get count(): number {
    let count = 0
    while (count < CACHES_MAX && this.#memory.u32[this.#base + (count << 5)] !== 0) count++
    return count
  }

  name(cache: CacheId): string {
    const start = this.word(cache) * 4
    const bytes = this.#memory.u8.subarray(start, start + NAME_BYTES_MAX)
    return String.fromCharCode(...bytes).replace(/\0+$/, '')
  }

  /** Bytes that may be used of an object of this cache: up to the next one's start, unless what is in between is watched. */
  usable(cache: CacheId): number {
    const isPlain = this.get(cache, CacheField.flags) === 0
    return this.get(cache, isPlain ? CacheField.stride : CacheField.size)
  }

  /** The cache of this name; a new one when there is none. Asserts that an old one has this size and alignment. */
  findOrCreate(name: string, shape: CacheShape): { cache: CacheId; isNew: boolean } {
    this.#meetOthers()
    const known = this.#ids.get(name)
    if (known !== undefined) {
      const same =
        this.get(known, CacheField.size) === shape.size && this.get(known, CacheField.align) === shape.align
      assert(same, 'a cache of this name has another size or alignment')
      return { cache: known, isNew: false }
    }
    const cache = this.#ids.size as CacheId
    assert(cache < CACHES_MAX, 'there are too many slab caches')
    this.#create(cache, name, shape)
    this.#ids.set(name, cache)
    return { cache, isNew: true }
  }

  /** Caches that others have made since; those of a snapshot that was put back are other ones. */
  #meetOthers(): void {
    const { u32 } = this.#memory
    if (u32[RESTORES] !== this.#restores) this.#ids.clear()
    this.#restores = u32[RESTORES]!
    for (let cache = this.#ids.size; cache < CACHES_MAX && u32[this.word(cache as CacheId)] !== 0; cache++)
      this.#ids.set(this.name(cache as CacheId), cache as CacheId)
  }

  #create(cache: CacheId, name: string, shape: CacheShape): void {
    const { size, align } = shape
    assert(/^[!-~]{1,24}$/.test(name), 'the name of a cache is 1 to 24 printable ASCII characters')
    assert(
      Number.isInteger(size) && size > 0 && size <= OBJECT_BYTES_MAX,
      'a slab object has 1 to 8192 bytes',
    )
    assert(align >= 8 && align <= PAGE_SIZE && (align & (align - 1)) === 0, 'a bad alignment of slab objects')
    const { u32, u8 } = this.#memory
    const word = this.word(cache)
    const geometry = chooseGeometry(shape)
    u32[word + CacheField.size] = size
    u32[word + CacheField.align] = align
    u32[word + CacheField.flags] = shape.flags
    u32[word + CacheField.stride] = geometry.stride
    u32[word + CacheField.order] = geometry.order
    u32[word + CacheField.first] = geometry.first
    u32[word + CacheField.shift] = geometry.shift
    u32[word + CacheField.capacity] = geometry.capacity
    u32[word + CacheField.link] = geometry.link
    u32[word + CacheField.margin] = geometry.margin
    u32[word + CacheField.limit] = geometry.limit
    for (let i = 0; i < name.length; i++) u8[word * 4 + i] = name.charCodeAt(i)
  }
}

/** The slot that an object lies in. */
export function slotOf(u32: Uint32Array, descriptor: number, object: Ptr): Ptr {
  return (object - u32[descriptor + CacheField.margin]!) as Ptr
}
