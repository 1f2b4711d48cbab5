import { assert } from '../base/assert.js'
import {
  frameToPtr,
  NO_FRAME,
  NULL,
  PAGE_MASK,
  PAGE_SIZE,
  type Ptr,
  pagesFor,
  ptrToFrame,
} from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import { ORDER_MAX, orderFor } from '../frame/frame-allocator.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from '../frame/frame-table.js'
import type { Memory } from '../state/memory.js'
import { CACHES_MAX, OBJECT_BYTES_MAX } from './cache-table.js'
import type { SlabAllocator } from './slab-allocator.js'
import type { SlabCache } from './slab-cache.js'

/** The classes, as Linux has them: powers of two, and two in between where much would be wasted. */
const CLASS_BYTES = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, OBJECT_BYTES_MAX] as const
const STEP_BYTES = 8
/** Objects begin at multiples of this, or of the largest power of two that divides their size. */
const CACHE_LINE = 64

/**
 * Memory of any size, which is given back by its pointer alone (kmalloc, kfree, krealloc and ksize of Linux): an object of
 * one of the caches kmalloc-8 to kmalloc-8192, or above that a block of frames. NULL when there is none.
 */
export class GeneralAllocator {
  readonly #memory: Memory
  readonly #slab: SlabAllocator
  readonly #buddy: BuddyAllocator
  readonly #frames: FrameTable
  /** By bytes / 8, rounded up. */
  readonly #caches: readonly SlabCache[]
  /** 1 for each cache that is among them. */
  readonly #isGeneral = new Uint8Array(CACHES_MAX)

  constructor(env: { memory: Memory; slab: SlabAllocator; buddy: BuddyAllocator; frames: FrameTable }) {
    this.#memory = env.memory
    this.#slab = env.slab
    this.#buddy = env.buddy
    this.#frames = env.frames
    const caches = new Array<SlabCache>(OBJECT_BYTES_MAX / STEP_BYTES + 1)
    let filled = 0
    for (const bytes of CLASS_BYTES) {
      const align = Math.min(bytes & -bytes, CACHE_LINE)
      const cache = this.#slab.createCache(`kmalloc-${bytes}`, bytes, align)
      this.#isGeneral[cache.id] = 1
      const end = bytes / STEP_BYTES + 1
      caches.fill(cache, filled, end)
      filled = end
    }
    this.#caches = caches
  }

  /** At least so many bytes, which are anything. */
  allocate(bytes: number): Ptr {
    if (bytes > OBJECT_BYTES_MAX) return this.#allocateBlock(bytes)
    const object = this.#caches[(bytes + (STEP_BYTES - 1)) >>> 3]!.allocate()
    return object === NULL && bytes > PAGE_SIZE / 2 ? this.#allocateBlock(bytes) : object
  }

  /** Also when there is no room for a slab of so large objects: a slab is more than an object needs. */
  #allocateBlock(bytes: number): Ptr {
    const order = orderFor(pagesFor(bytes))
    if (order > ORDER_MAX) return NULL
    const pfn = this.#buddy.allocate(order)
    if (pfn === NO_FRAME) return NULL
    this.#frames.setFlags(pfn, FrameFlag.large | order)
    return frameToPtr(pfn)
  }

  /** The same, zero. */
  allocateZeroed(bytes: number): Ptr {
    const ptr = this.allocate(bytes)
    if (ptr !== NULL) this.#memory.fill(ptr, 0, bytes)
    return ptr
  }

  /** Gives back what `allocate` gave. NULL is nothing. */
  free(ptr: Ptr): void {
    if (ptr === NULL) return
    const order = this.#largeOrder(ptr)
    if (order !== undefined) this.#buddy.free(ptrToFrame(ptr), order)
    else this.#cacheOf(ptr).free(ptr)
  }

  /** Bytes that may be used at a pointer: at least as many as were asked for. */
  usableBytes(ptr: Ptr): number {
    const order = this.#largeOrder(ptr)
    return order === undefined ? this.#cacheOf(ptr).usableBytes : PAGE_SIZE * 2 ** order
  }

  /** The same bytes with room for so many, perhaps elsewhere. NULL without memory: then all is as it was. */
  resize(ptr: Ptr, bytes: number): Ptr {
    if (ptr === NULL) return this.allocate(bytes)
    const usable = this.usableBytes(ptr)
    if (bytes <= usable) return ptr
    const moved = this.allocate(bytes)
    if (moved === NULL) return NULL
    this.#memory.copy(moved, ptr, usable)
    this.free(ptr)
    return moved
  }

  /** The order of a block of frames; undefined when the pointer is not the start of one. */
  #largeOrder(ptr: Ptr): number | undefined {
    if ((ptr & PAGE_MASK) !== 0) return undefined
    const flags = this.#frames.flags(ptrToFrame(ptr))
    return (flags & FrameFlag.large) !== 0 ? flags & ORDER_MASK : undefined
  }

  #cacheOf(ptr: Ptr): SlabCache {
    const cache = this.#slab.cacheOf(ptr)
    assert(
      cache !== undefined && this.#isGeneral[cache.id] === 1,
      'slab: this pointer is of no general allocation',
    )
    return cache
  }
}
