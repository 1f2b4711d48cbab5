import { assert } from '../base/assert.js'
import type { Pfn } from '../base/numbers.js'
import type { EntryLoops } from './entry-loops.js'
import { FlushBatch, type FrameReleaser } from './flush-batch.js'
import type { Shootdown } from './shootdown.js'

/**
 * Hands out flush batches. Whoever changes page-table entries takes one, passes it to the mapper, and finishes it;
 * the objects are used again, so that a page fault allocates nothing. Nested use gets another one.
 *
 *     const batch = flusher.batch(space.root)
 *     mapper.clear(entry, vpn, batch)
 *     batch.releaseFrame(pfn)
 *     batch.finish()
 */
export class PageFlusher {
  readonly #shootdown: Shootdown
  readonly #buddy: FrameReleaser
  /** The one that nearly all use. */
  readonly #first: FlushBatch
  /** Others that nobody uses. */
  readonly #idle: FlushBatch[] = []
  /** How many others were made so far. */
  #made = 0

  /** `loops` fill the first batch; those that are nested in it have lists of their own. */
  constructor(shootdown: Shootdown, buddy: FrameReleaser, loops?: EntryLoops) {
    this.#shootdown = shootdown
    this.#buddy = buddy
    this.#first = new FlushBatch(shootdown, buddy, undefined, loops)
  }

  #nested(): FlushBatch {
    const batch = this.#idle.pop()
    if (batch !== undefined) return batch
    this.#made++
    return new FlushBatch(this.#shootdown, this.#buddy, this.#idle, undefined)
  }

  /** A batch for changes below `root`. For the kernel's root it reaches every hart. */
  batch(root: Pfn): FlushBatch {
    const batch = this.#first.isIdle ? this.#first : this.#nested()
    batch.begin(root)
    return batch
  }

  /** Asserts that whoever took a batch has finished it: what one that was dropped knows of would never be flushed. Nobody has one meanwhile. */
  check(): void {
    assert(this.#first.isIdle && this.#idle.length === this.#made, 'a flush batch was dropped')
  }
}
