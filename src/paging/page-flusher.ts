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
  readonly #idle: FlushBatch[] = []
  /** Batches made so far. */
  #made = 0

  /** `loops` fill the first batch; those that are nested in it have lists of their own. */
  constructor(shootdown: Shootdown, buddy: FrameReleaser, loops?: EntryLoops) {
    this.#shootdown = shootdown
    this.#buddy = buddy
    this.#idle.push(this.#create(loops))
  }

  #create(loops: EntryLoops | undefined): FlushBatch {
    this.#made++
    return new FlushBatch(this.#shootdown, this.#buddy, this.#idle, loops)
  }

  /** A batch for changes below `root`. For the kernel's root it reaches every hart. */
  batch(root: Pfn): FlushBatch {
    const batch = this.#idle.pop() ?? this.#create(undefined)
    batch.begin(root)
    return batch
  }

  /** Asserts that whoever took a batch has finished it: what one that was dropped knows of would never be flushed. Nobody has one meanwhile. */
  check(): void {
    assert(this.#idle.length === this.#made, 'a flush batch was dropped')
  }
}
