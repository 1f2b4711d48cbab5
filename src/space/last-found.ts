import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { SPACE_ID, SPACE_SEQUENCE } from './address-space.js'

const RESTORES = wordIndex(Word.restores)
/** Of what was not asked yet. */
const UNKNOWN = -1
/** Indices in the bounds. */
const LOW = 0
const HIGH = 1
/** Behind all pages. */
const NOWHERE = Number.POSITIVE_INFINITY

/**
 * What the last search of this thread among the mappings of a space found, and for which pages the answer is the same: one call asks
 * for one place several times, and the next call and fault for one near it. It is good as long as the space's tree has not changed.
 * A space without a number is still being made, and another one may be made at the same place: of those nothing is kept.
 */
export class LastFound {
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  /** Numbers may be infinite, so they stand in an array: in fields V8 would box them. */
  readonly #bounds = new Float64Array(2)
  #space: Ptr = NULL
  #id = 0
  #sequence = 0
  #restores = 0
  /** The first mapping that ends above each of those pages, or NULL. */
  vma: Ptr = NULL
  /** The mapping before that one, or the last of all before NULL; UNKNOWN. */
  #below = UNKNOWN

  constructor({ u32, f64 }: Memory) {
    this.#u32 = u32
    this.#f64 = f64
  }

  /** What a search for the page would find, or a negative number when that is not known. */
  known(space: Ptr, vpn: Vpn): number {
    const bounds = this.#bounds
    const isNear = vpn >= bounds[LOW]! && vpn < bounds[HIGH]!
    return isNear && this.#isCurrent(space) ? this.vma : UNKNOWN
  }

  /** What precedes a mapping (NULL: all of them), or a negative number when that is not known. */
  before(space: Ptr, vma: Ptr): number {
    return this.vma === vma && this.#isCurrent(space) ? this.#below : UNKNOWN
  }

  keepBefore(space: Ptr, vma: Ptr, below: Ptr): void {
    if (this.vma === vma && this.#isCurrent(space)) this.#below = below
  }

  #isCurrent(space: Ptr): boolean {
    const words = this.#u32
    return (
      this.#space === space &&
      words[RESTORES] === this.#restores &&
      words[(space + SPACE_SEQUENCE) >>> 2] === this.#sequence &&
      words[(space + SPACE_ID) >>> 2] === this.#id
    )
  }

  /** A search for a page has found a mapping that begins at or above it, or holds it; or none, NULL. Returns that. `below`: as `before` says. */
  keep(space: Ptr, vpn: Vpn, vma: Ptr, below: number = UNKNOWN): Ptr {
    const u32 = this.#u32
    const bounds = this.#bounds
    bounds[LOW] = vpn
    bounds[HIGH] = NOWHERE
    if (vma !== NULL) {
      const f64 = this.#f64
      const start = f64[vma >>> 3]!
      if (start < bounds[LOW]!) bounds[LOW] = start
      bounds[HIGH] = f64[(vma + 8) >>> 3]!
    }
    const id = u32[(space + SPACE_ID) >>> 2]!
    this.#id = id
    this.#space = id === 0 ? NULL : space
    this.#sequence = u32[(space + SPACE_SEQUENCE) >>> 2]!
    this.#restores = u32[RESTORES]!
    this.vma = vma
    this.#below = below
    return vma
  }
}
