/**
 * How many pages the files of one file system may have (the size of a tmpfs), or the secret memory of one user: slab cache
 * "page_quota", kept as long as the machine.
 *
 *     0   u32  pages at most
 *     4   u32  pages in use (atomic)
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { AtomicWords } from '../state/atomics.js'
import type { Memory } from '../state/memory.js'

const QUOTA_BYTES = 8

export class PageQuotas {
  readonly #memory: Memory
  readonly #atomics: AtomicWords
  readonly #cache: SlabCache

  constructor(env: { memory: Memory; atomics: AtomicWords; slab: SlabAllocator }) {
    this.#memory = env.memory
    this.#atomics = env.atomics
    this.#cache = env.slab.createCache('page_quota', QUOTA_BYTES, 8)
  }

  /** NULL without memory. */
  create(pages: number): Ptr {
    const quota = this.#cache.allocateZeroed()
    if (quota !== NULL) this.#memory.u32[quota >>> 2] = pages
    return quota
  }

  most(quota: Ptr): number {
    return this.#memory.u32[quota >>> 2]!
  }

  /** Those above a lower limit stay. */
  setMost(quota: Ptr, pages: number): void {
    this.#memory.u32[quota >>> 2] = pages
  }

  used(quota: Ptr): number {
    return this.#memory.u32[(quota + 4) >>> 2]!
  }

  /** So many pages more; false when that is more than there may be. Of NULL there are as many as one likes. */
  charge(quota: Ptr, pages = 1): boolean {
    if (quota === NULL) return true
    // Not even for a moment where it is plain: others would find no room that is there.
    if (this.used(quota) + pages > this.most(quota)) return false
    const before = this.#atomics.add((quota + 4) as Ptr, pages)
    if (before + pages <= this.most(quota)) return true
    this.#atomics.add((quota + 4) as Ptr, -pages)
    return false
  }

  refund(quota: Ptr, pages = 1): void {
    if (quota === NULL) return
    const before = this.#atomics.add((quota + 4) as Ptr, -pages)
    assert(before >= pages, 'a page is refunded once')
  }
}
