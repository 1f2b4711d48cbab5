import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { CacheField } from './cache-table.js'
import { SlabField } from './slab-header.js'

/**
 * How objects leave a slab and come back to it, and the list of slabs with a free object. `descriptor` is
 * CacheTable.word of the slab's cache. The caller holds the slab lock.
 */
export class Slabs {
  readonly #memory: Memory
  readonly #u32: Uint32Array

  constructor(memory: Memory) {
    this.#memory = memory
    this.#u32 = memory.u32
  }

  /** A zeroed object of a slab that has a free one. */
  take(descriptor: number, slab: Ptr): Ptr {
    const u32 = this.#u32
    const header = slab >>> 2
    const stride = u32[descriptor + CacheField.stride]!
    let object = u32[header + SlabField.recycled]! as Ptr
    if (object !== NULL) {
      u32[header + SlabField.recycled] = u32[object >>> 2]!
      this.#memory.fill(object, 0, stride)
    } else {
      object = u32[header + SlabField.fresh]! as Ptr
      u32[header + SlabField.fresh] = object + stride
    }
    const bit = (object - slab - u32[descriptor + CacheField.first]!) >>> u32[descriptor + CacheField.shift]!
    u32[header + SlabField.map + (bit >>> 5)]! |= 1 << (bit & 31)
    u32[descriptor + CacheField.used]! += 1
    const used = (u32[header + SlabField.used]! += 1)
    if (used === u32[descriptor + CacheField.capacity]) this.unlink(descriptor, slab)
    return object
  }

  /**
   * Puts a given-out object back into its slab. False, and nothing happens, when none starts at `object`, which lies
   * somewhere in the slab.
   */
  give(descriptor: number, slab: Ptr, object: Ptr): boolean {
    if (!this.#clearUsed(descriptor, slab, object)) return false
    const u32 = this.#u32
    const header = slab >>> 2
    u32[object >>> 2] = u32[header + SlabField.recycled]!
    u32[header + SlabField.recycled] = object
    u32[descriptor + CacheField.used]! -= 1
    const used = (u32[header + SlabField.used]! -= 1)
    if (used + 1 === u32[descriptor + CacheField.capacity]) this.link(descriptor, slab)
    return true
  }

  /** Whether a slab has no object and is not needed: another slab has a free object for the next allocation. */
  isSpare(descriptor: number, slab: Ptr): boolean {
    const u32 = this.#u32
    if (u32[(slab >>> 2) + SlabField.used] !== 0) return false
    return u32[descriptor + CacheField.partial] !== slab || u32[(slab >>> 2) + SlabField.next] !== NULL
  }

  /** Puts a slab first on the list of those with a free object. */
  link(descriptor: number, slab: Ptr): void {
    const u32 = this.#u32
    const next = u32[descriptor + CacheField.partial]!
    u32[(slab >>> 2) + SlabField.previous] = NULL
    u32[(slab >>> 2) + SlabField.next] = next
    if (next !== NULL) u32[(next >>> 2) + SlabField.previous] = slab
    u32[descriptor + CacheField.partial] = slab
  }

  /** Takes a slab off that list. */
  unlink(descriptor: number, slab: Ptr): void {
    const u32 = this.#u32
    const previous = u32[(slab >>> 2) + SlabField.previous]!
    const next = u32[(slab >>> 2) + SlabField.next]!
    if (next !== NULL) u32[(next >>> 2) + SlabField.previous] = previous
    if (previous !== NULL) u32[(previous >>> 2) + SlabField.next] = next
    else u32[descriptor + CacheField.partial] = next
  }

  /** Whether a given-out object started here; if so, it no longer does. */
  #clearUsed(descriptor: number, slab: Ptr, object: Ptr): boolean {
    const u32 = this.#u32
    const offset = object - slab - u32[descriptor + CacheField.first]!
    const shift = u32[descriptor + CacheField.shift]!
    if (offset < 0 || (offset & ((1 << shift) - 1)) !== 0) return false
    const word = (slab >>> 2) + SlabField.map + ((offset >>> shift) >>> 5)
    const mask = 1 << ((offset >>> shift) & 31)
    const map = u32[word]!
    u32[word] = map & ~mask
    return (map & mask) !== 0
  }
}
