/**
 * Auxiliary vectors as they are kept beside the programs that were given them (saved_auxv of mm_struct): what /proc/PID/auxv and PR_GET_AUXV
 * tell, whatever a program has made of its stack. Slab cache "saved_auxv"; a fork shares one, and who changes one has it alone.
 *
 *     0    u32  references, one for each address space (atomic)
 *     8    u64  its words, those behind the end are 0
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { SpaceEnv } from './space-env.js'

/** Bytes of a vector: AT_VECTOR_SIZE words on riscv64. */
export const SAVED_VECTOR_BYTES = 66 * 8
const WORDS = 8

export class SavedVectors {
  readonly #env: Pick<SpaceEnv, 'memory' | 'atomics'>
  readonly #cache: SlabCache

  constructor(env: Pick<SpaceEnv, 'memory' | 'atomics' | 'slab'>) {
    this.#env = env
    this.#cache = env.slab.createCache('saved_auxv', WORDS + SAVED_VECTOR_BYTES, 8)
  }

  /** A vector of these bytes, and zeroes behind them, with one reference; NULL without memory. */
  create(bytes: Uint8Array): Ptr {
    assert(bytes.length <= SAVED_VECTOR_BYTES, 'a vector has a place for all its words')
    const vector = this.#cache.allocateZeroed()
    if (vector === NULL) return NULL
    const { u32, u8 } = this.#env.memory
    u32[vector >>> 2] = 1
    u8.set(bytes, vector + WORDS)
    return vector
  }

  /** Its bytes, as long as it is held. */
  bytes(vector: Ptr): Uint8Array {
    return this.#env.memory.u8.subarray(vector + WORDS, vector + WORDS + SAVED_VECTOR_BYTES)
  }

  /** NULL may be held. */
  retain(vector: Ptr): void {
    if (vector !== NULL) this.#env.atomics.add(vector, 1)
  }

  release(vector: Ptr): void {
    if (vector !== NULL && this.#env.atomics.add(vector, -1) === 1) this.#cache.free(vector)
  }

  /** Asserts that each has as many references as spaces hold it: `held`. */
  check(held: ReadonlyMap<Ptr, number>): void {
    assert(this.#cache.used === held.size, 'every auxiliary vector is held by a space')
    for (const [vector, spaces] of held)
      assert(this.#env.memory.u32[vector >>> 2] === spaces, 'an auxiliary vector counts who holds it')
  }
}
