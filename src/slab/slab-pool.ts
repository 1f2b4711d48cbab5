import { assert } from '../base/assert.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Ptr, ptrToFrame } from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from '../frame/frame-table.js'
import type { Memory } from '../state/memory.js'
import { CacheField, type CacheId, CacheTable } from './cache-table.js'
import { CacheFlag, SLAB_ORDER_MAX } from './geometry.js'
import { SlabDebug } from './slab-debug.js'
import { SlabField } from './slab-header.js'
import { Slabs } from './slabs.js'

/** Makes a free object what `allocate` gives, once, when its slab is made. */
export type Constructor = (object: Ptr) => void

/** The slabs of all caches: objects leave them and come back, slabs come and go. The caller holds the slab lock; the frames lock is taken under it. */
export class SlabPool {
  readonly caches: CacheTable
  readonly debug: SlabDebug
  readonly constructors = new Map<CacheId, Constructor>()
  readonly #memory: Memory
  readonly #u32: Uint32Array
  readonly #frames: FrameTable
  readonly #buddy: BuddyAllocator
  readonly #slabs: Slabs

  constructor(memory: Memory, frames: FrameTable, buddy: BuddyAllocator) {
    this.caches = new CacheTable(memory)
    this.debug = new SlabDebug(memory, this.caches)
    this.#memory = memory
    this.#u32 = memory.u32
    this.#frames = frames
    this.#buddy = buddy
    this.#slabs = new Slabs(memory)
  }

  /** An object; NULL without a frame for a new slab, or when it may not grow. */
  take(cache: CacheId, mayGrow = true): Ptr {
    const u32 = this.#u32
    const descriptor = this.caches.word(cache)
    let slab = u32[descriptor + CacheField.partial]! as Ptr
    if (slab === NULL && mayGrow) slab = this.#grow(cache)
    if (slab === NULL) return NULL
    const object = (this.#slabs.take(descriptor, slab) + u32[descriptor + CacheField.margin]!) as Ptr
    if (this.#isDebug(descriptor)) this.debug.give(cache, object)
    return object
  }

  /** Puts an object back. Asserts that it is one of this cache's, and used. An empty slab goes when there is another. */
  give(cache: CacheId, object: Ptr): void {
    this.assertUsed(cache, object)
    const descriptor = this.caches.word(cache)
    const slab = this.#slabOf(cache, descriptor, object)
    if (this.#isDebug(descriptor)) this.debug.take(cache, object)
    this.#slabs.give(descriptor, slab, (object - this.#u32[descriptor + CacheField.margin]!) as Ptr)
    if (this.#slabs.isSpare(descriptor, slab)) this.#giveBack(descriptor, slab)
  }

  /** Asserts that an object of this cache starts here, and is outside of its slab. */
  assertUsed(cache: CacheId, object: Ptr): void {
    const descriptor = this.caches.word(cache)
    const slab = this.#slabOf(cache, descriptor, object)
    assert(slab !== NULL, 'slab: the object is not of this cache')
    if (this.#slabs.isUsed(descriptor, slab, object - this.#u32[descriptor + CacheField.margin]!)) return
    if (this.#isDebug(descriptor)) this.debug.report(cache, object, 'freed twice, or no object starts here')
    assert(false, 'slab: freed twice, or no object starts here')
  }

  /** Whether an object of this cache starts here, be it given out or not. Any number may be asked about. */
  isObject(cache: CacheId, pointer: number): boolean {
    const descriptor = this.caches.word(cache)
    const slab = this.#slabOf(cache, descriptor, pointer as Ptr)
    if (slab === NULL) return false
    const of = (field: CacheField) => this.#u32[descriptor + field]!
    const offset = pointer - of(CacheField.margin) - slab - of(CacheField.first)
    const stride = of(CacheField.stride)
    return offset >= 0 && offset % stride === 0 && offset / stride < of(CacheField.capacity)
  }

  /** The cache whose object starts at a pointer; undefined when the frame is of no slab. */
  cacheOf(object: Ptr): CacheId | undefined {
    for (let order = 0; order <= SLAB_ORDER_MAX; order++) {
      const slab = object & -(PAGE_SIZE << order)
      const flags = this.#frames.flags(ptrToFrame((slab >>> 0) as Ptr))
      if ((flags & FrameFlag.slab) === 0) continue
      return (flags & ORDER_MASK) >= order ? ((this.#u32[slab >>> 2]! - 1) as CacheId) : undefined
    }
    return undefined
  }

  /** Gives all empty slabs of a cache back; returns how many frames. */
  shrink(cache: CacheId): number {
    const u32 = this.#u32
    const descriptor = this.caches.word(cache)
    let frames = 0
    let slab = u32[descriptor + CacheField.partial]! as Ptr
    while (slab !== NULL) {
      const next = u32[(slab >>> 2) + SlabField.next]! as Ptr
      if (u32[(slab >>> 2) + SlabField.used] === 0) {
        frames += 1 << u32[descriptor + CacheField.order]!
        this.#giveBack(descriptor, slab)
      }
      slab = next
    }
    return frames
  }

  /** A new, empty slab on the cache's list; NULL without frames. */
  #grow(cache: CacheId): Ptr {
    const u32 = this.#u32
    const descriptor = this.caches.word(cache)
    const order = u32[descriptor + CacheField.order]!
    const pfn = this.#buddy.allocate(order)
    if (pfn === NO_FRAME) return NULL
    this.#frames.setFlags(pfn, FrameFlag.slab | order)
    const slab = frameToPtr(pfn)
    const first = u32[descriptor + CacheField.first]!
    this.#memory.u8.fill(0, slab, slab + first)
    u32[(slab >>> 2) + SlabField.cache] = cache + 1
    u32[(slab >>> 2) + SlabField.fresh] = slab + first
    u32[descriptor + CacheField.slabs]! += 1
    u32[descriptor + CacheField.empty]! += 1
    this.#slabs.link(descriptor, slab)
    if (u32[descriptor + CacheField.flags] !== 0) this.#prepareObjects(cache, slab)
    return slab
  }

  #prepareObjects(cache: CacheId, slab: Ptr): void {
    const of = (field: CacheField) => this.caches.get(cache, field)
    const construct = this.constructors.get(cache)
    const [flags, capacity, stride] = [of(CacheField.flags), of(CacheField.capacity), of(CacheField.stride)]
    const needsOne = (flags & CacheFlag.constructed) !== 0
    assert(!needsOne || construct !== undefined, 'slab: this thread has no constructor of the cache')
    let object = (slab + of(CacheField.first) + of(CacheField.margin)) as Ptr
    for (let i = 0; i < capacity; i++) {
      if ((flags & CacheFlag.debug) !== 0) this.debug.prepare(cache, object)
      construct?.(object)
      object = (object + stride) as Ptr
    }
  }

  #giveBack(descriptor: number, slab: Ptr): void {
    this.#slabs.unlink(descriptor, slab)
    this.#u32[descriptor + CacheField.slabs]! -= 1
    this.#u32[descriptor + CacheField.empty]! -= 1
    this.#buddy.free(ptrToFrame(slab), this.#u32[descriptor + CacheField.order]!)
  }

  #isDebug(descriptor: number): boolean {
    return (this.#u32[descriptor + CacheField.flags]! & CacheFlag.debug) !== 0
  }

  /** The slab that a pointer lies in, when it is one of this cache's; else NULL. */
  #slabOf(cache: CacheId, descriptor: number, object: Ptr): Ptr {
    const order = this.#u32[descriptor + CacheField.order]!
    const slab = ((object & -(PAGE_SIZE << order)) >>> 0) as Ptr
    const pfn = ptrToFrame(slab)
    if (pfn >= this.#frames.frameCount) return NULL
    if ((this.#frames.flags(pfn) & (FrameFlag.slab | ORDER_MASK)) !== (FrameFlag.slab | order)) return NULL
    return this.#u32[(slab >>> 2) + SlabField.cache] === cache + 1 ? slab : NULL
  }
}
