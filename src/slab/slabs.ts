import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { CacheField } from './cache-table.js'
import { SlabField } from './slab-header.js'

/**
 * How slots leave a slab and come back to it, and the list of slabs with a free slot. `descriptor` is
 * CacheTable.word of the slab's cache. The caller holds the slab lock.
 */
export class Slabs {
  readonly #u32: Uint32Array

  constructor({ u32 }: Memory) {
    this.#u32 = u32
  }

  /** A free slot of a slab that has one, as it was left. */
  take(descriptor: number, slab: Ptr): Ptr {
    const u32 = this.#u32
    const header = slab >>> 2
    let slot = u32[header + SlabField.recycled]! as Ptr
    if (slot !== NULL) {
      u32[header + SlabField.recycled] = u32[(slot + u32[descriptor + CacheField.link]!) >>> 2]!
    } else {
      slot = u32[header + SlabField.fresh]! as Ptr
      u32[header + SlabField.fresh] = slot + u32[descriptor + CacheField.stride]!
    }
    const bit = (slot - slab - u32[descriptor + CacheField.first]!) >>> u32[descriptor + CacheField.shift]!
    u32[header + SlabField.map + (bit >>> 5)]! |= 1 << (bit & 31)
    u32[descriptor + CacheField.used]! += 1
    const used = (u32[header + SlabField.used]! += 1)
    if (used === 1) u32[descriptor + CacheField.empty]! -= 1
    if (used === u32[descriptor + CacheField.capacity]) this.unlink(descriptor, slab)
    return slot
  }

  /** Puts a used slot back into its slab: one that `isUsed`. */
  give(descriptor: number, slab: Ptr, slot: Ptr): void {
    const u32 = this.#u32
    const header = slab >>> 2
    const bit = (slot - slab - u32[descriptor + CacheField.first]!) >>> u32[descriptor + CacheField.shift]!
    u32[header + SlabField.map + (bit >>> 5)]! &= ~(1 << (bit & 31))
    u32[(slot + u32[descriptor + CacheField.link]!) >>> 2] = u32[header + SlabField.recycled]!
    u32[header + SlabField.recycled] = slot
    u32[descriptor + CacheField.used]! -= 1
    const used = (u32[header + SlabField.used]! -= 1)
    if (used === 0) u32[descriptor + CacheField.empty]! += 1
    if (used + 1 === u32[descriptor + CacheField.capacity]) this.link(descriptor, slab)
  }

  /** Whether a slot starts here, somewhere in the slab, and is used. */
  isUsed(descriptor: number, slab: Ptr, slot: number): boolean {
    const u32 = this.#u32
    const offset = slot - slab - u32[descriptor + CacheField.first]!
    const shift = u32[descriptor + CacheField.shift]!
    if (offset < 0 || (offset & ((1 << shift) - 1)) !== 0) return false
    const bit = offset >>> shift
    return (u32[(slab >>> 2) + SlabField.map + (bit >>> 5)]! & (1 << (bit & 31))) !== 0
  }

  /** Whether a slab has no used slot, and there is another such slab. */
  isSpare(descriptor: number, slab: Ptr): boolean {
    return this.#u32[(slab >>> 2) + SlabField.used] === 0 && this.#u32[descriptor + CacheField.empty]! > 1
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
}
