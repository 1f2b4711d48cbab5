import { assert } from '../base/assert.js'
import { PAGE_SIZE } from '../base/numbers.js'
import { Region, regionPtr } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { HEADER_BYTES } from './slab-header.js'

declare const cacheBrand: unique symbol

/** Number of a cache, 0 to CACHES_MAX - 1. */
export type CacheId = number & { readonly [cacheBrand]: true }

export const CACHES_MAX = 64
export const OBJECT_BYTES_MAX = PAGE_SIZE
const OBJECT_BYTES_MIN = 8
const SLAB_ORDER_MAX = 3

const DESCRIPTOR_BYTES = 64
export const CACHE_TABLE_BYTES = CACHES_MAX * DESCRIPTOR_BYTES
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
}

/**
 * The caches' descriptors, in Region.slabCaches; guarded by the slab lock. What changes after a cache was made is
 * partial, used and slabs. 64 bytes each:
 *
 *     0   24 × u8  name, ASCII, padded with NUL; empty: the descriptor is unused, and all after it
 *     24  u32      size      bytes of an object, as asked for
 *     28  u32      stride    bytes from one object to the next: size rounded up to align
 *     32  u32      order     a slab is 2^order frames
 *     36  u32      first     bytes from a slab's start to its first object
 *     40  u32      shift     an object's bit in the slab's map of used objects: its distance from the first >>> shift
 *     44  u32      capacity  objects of a slab
 *     48  u32      partial   first slab that has a free object, 0 for none
 *     52  u32      used      objects given out
 *     56  u32      slabs
 *     60  u32      align     power of two, 8 to 4096
 */
export class CacheTable {
  readonly #memory: Memory
  readonly #base: number

  constructor(memory: Memory) {
    this.#memory = memory
    this.#base = regionPtr(memory, Region.slabCaches) >>> 2
  }

  get(cache: CacheId, field: CacheField): number {
    return this.#memory.u32[this.#base + (cache << 4) + field]!
  }

  /** Index in `memory.u32` of a descriptor's first word, for the hot paths. */
  word(cache: CacheId): number {
    return this.#base + (cache << 4)
  }

  /** Number of caches made so far. */
  get count(): number {
    let count = 0
    while (count < CACHES_MAX && this.name(count as CacheId) !== '') count++
    return count
  }

  name(cache: CacheId): string {
    const start = this.#base * 4 + cache * DESCRIPTOR_BYTES
    const bytes = this.#memory.u8.subarray(start, start + NAME_BYTES_MAX)
    return String.fromCharCode(...bytes).replace(/\0+$/, '')
  }

  /** The cache of this name; a new one when there is none. Asserts that an old one has this size and alignment. */
  findOrCreate(name: string, size: number, align: number): CacheId {
    const count = this.count
    for (let cache = 0 as CacheId; cache < count; cache++) {
      if (this.name(cache) !== name) continue
      const same = this.get(cache, CacheField.size) === size && this.get(cache, CacheField.align) === align
      assert(same, 'a cache of this name has another size or alignment')
      return cache
    }
    assert(count < CACHES_MAX, 'there are too many slab caches')
    return this.#create(count as CacheId, name, size, align)
  }

  #create(cache: CacheId, name: string, size: number, align: number): CacheId {
    assert(/^[!-~]{1,24}$/.test(name), 'the name of a cache is 1 to 24 printable ASCII characters')
    assert(
      Number.isInteger(size) && size > 0 && size <= OBJECT_BYTES_MAX,
      'a slab object has 1 to 4096 bytes',
    )
    assert(align >= 8 && align <= PAGE_SIZE && (align & (align - 1)) === 0, 'a bad alignment of slab objects')
    const start = this.#base * 4 + cache * DESCRIPTOR_BYTES
    for (let i = 0; i < name.length; i++) this.#memory.u8[start + i] = name.charCodeAt(i)
    const geometry = chooseGeometry(size, align)
    const { u32 } = this.#memory
    const word = this.word(cache)
    u32[word + CacheField.size] = size
    u32[word + CacheField.align] = align
    u32[word + CacheField.stride] = geometry.stride
    u32[word + CacheField.order] = geometry.order
    u32[word + CacheField.first] = geometry.first
    u32[word + CacheField.shift] = geometry.shift
    u32[word + CacheField.capacity] = geometry.capacity
    return cache
  }
}

interface Geometry {
  readonly stride: number
  readonly order: number
  readonly first: number
  readonly shift: number
  readonly capacity: number
}

/** The smallest slab that wastes at most an eighth of itself; the largest when none does. */
function chooseGeometry(size: number, align: number): Geometry {
  const stride = roundUp(Math.max(size, OBJECT_BYTES_MIN), align)
  for (let order = 0; ; order++) {
    const geometry = geometryOf(stride, align, order)
    const bytes = PAGE_SIZE << order
    if (order === SLAB_ORDER_MAX || bytes - geometry.capacity * size <= bytes / 8) return geometry
  }
}

/** The map of used objects has a bit for each 2^shift bytes, the largest power of two that divides the stride. */
function geometryOf(stride: number, align: number, order: number): Geometry {
  const bytes = PAGE_SIZE << order
  const shift = 31 - Math.clz32(stride & -stride)
  const mapBytes = Math.ceil((bytes >>> shift) / 32) * 4
  const first = roundUp(HEADER_BYTES + mapBytes, align)
  return { stride, order, first, shift, capacity: Math.floor((bytes - first) / stride) }
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to
}
