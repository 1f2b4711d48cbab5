/**
 * Names of anonymous memory (PR_SET_VMA_ANON_NAME; anon_vma_name of Linux): slab objects, each shared by the mappings that
 * were given it together, were cut from one or copied by fork. Cache "vma_name":
 *
 *     0   i32  references, atomic: one for each mapping that has the name
 *     4   u32  length in bytes
 *     8   …    the name, NAME_BYTES_MAX bytes
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { AtomicWords } from '../state/atomics.js'
import type { Memory } from '../state/memory.js'

/** ANON_VMA_NAME_MAX_LEN without the zero at the end. */
export const NAME_BYTES_MAX = 79
const TEXT = 8
const RECORD_BYTES = 88

export class VmaNames {
  readonly #memory: Memory
  readonly #atomics: AtomicWords
  readonly #cache: SlabCache

  constructor(memory: Memory, atomics: AtomicWords, slab: SlabAllocator) {
    this.#memory = memory
    this.#atomics = atomics
    this.#cache = slab.createCache('vma_name', RECORD_BYTES, 8)
  }

  /** A name of at most NAME_BYTES_MAX bytes with one reference, the caller's; NULL without memory. */
  create(text: Uint8Array): Ptr {
    assert(text.length <= NAME_BYTES_MAX, 'a name is not too long')
    const name = this.#cache.allocateZeroed()
    if (name === NULL) return NULL
    this.#memory.u32[name >>> 2] = 1
    this.#memory.u32[(name + 4) >>> 2] = text.length
    this.#memory.u8.set(text, name + TEXT)
    return name
  }

  /** One reference more. NULL, no name, is allowed everywhere. */
  retain(name: Ptr): Ptr {
    if (name !== NULL) this.#atomics.add(name, 1)
    return name
  }

  release(name: Ptr): void {
    if (name === NULL) return
    const before = this.#atomics.add(name, -1)
    assert(before > 0, 'a name is released once per reference')
    if (before === 1) this.#cache.free(name)
  }

  /** Whether two names read the same (anon_vma_name_eq). */
  equal(a: Ptr, b: Ptr): boolean {
    if (a === b) return true
    if (a === NULL || b === NULL) return false
    const { u8 } = this.#memory
    const length = this.#length(a)
    if (length !== this.#length(b)) return false
    for (let i = TEXT; i < TEXT + length; i++) if (u8[a + i] !== u8[b + i]) return false
    return true
  }

  text(name: Ptr): string {
    const start = name + TEXT
    return String.fromCharCode(...this.#memory.u8.slice(start, start + this.#length(name)))
  }

  /** `counts`: how many mappings have each name. */
  check(counts: ReadonlyMap<Ptr, number>): void {
    for (const [name, count] of counts) {
      assert(this.#atomics.load(name) === count, 'a name has a reference from each of its mappings')
      assert(this.#length(name) <= NAME_BYTES_MAX, 'a name is not too long')
    }
    assert(this.#cache.used === counts.size, 'every name belongs to a mapping')
  }

  #length(name: Ptr): number {
    return this.#memory.u32[(name + 4) >>> 2]!
  }
}
