/**
 * Pages whose address is known before anything runs (fixmap): slot 0 is the highest page of the window, as in Linux. The slots from
 * EARLY_SLOTS on are for mappings that are needed before areas can be made, and end before boot does (early_ioremap).
 */
import { assert } from '../base/assert.js'
import { EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, type Pfn, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from './flush-batch.js'
import type { KernelMapper } from './kernel-mapper.js'
import type { PageFlusher } from './page-flusher.js'

/** As many as NR_FIX_BTMAPS × FIX_BTMAPS_SLOTS of Linux: 7 mappings of up to 64 pages. */
export const EARLY_SLOTS = 7
export const EARLY_PAGES = 64

export class FixedMappings {
  readonly #mapper: KernelMapper
  readonly #flusher: PageFlusher
  readonly #end: number
  /** Slots below the early ones. */
  readonly slots: number

  constructor({ kernelMapper, flusher }: { kernelMapper: KernelMapper; flusher: PageFlusher }) {
    this.#mapper = kernelMapper
    this.#flusher = flusher
    const { start, pages } = kernelMapper.window('fixmap')
    this.#end = start + pages
    this.slots = Math.max(0, pages - EARLY_SLOTS * EARLY_PAGES)
  }

  /** Where a slot is. */
  page(slot: number): Vpn {
    return (this.#end - 1 - slot) as Vpn
  }

  /** Maps a slot to a frame, in place of what it mapped: 0, -ENOMEM, -EAGAIN inside another change, -EINVAL for no slot. */
  set(slot: number, pfn: Pfn, flags: number): number {
    if (!(slot >= 0 && slot < this.slots)) return -EINVAL
    return this.#change((batch) => this.#mapper.map(this.page(slot), pfn, flags, batch))
  }

  /** Unmaps a slot; nothing being there is no error. */
  clear(slot: number): void {
    this.#unmap(this.page(slot), 1)
  }

  /** A window on up to 64 adjacent frames, until `endEarly`: its first page, -ENOMEM without a free one, -EINVAL for more. */
  early(first: Pfn, pages: number, flags: number): Vpn | number {
    if (!(pages > 0 && pages <= EARLY_PAGES)) return -EINVAL
    for (let window = 0; window < EARLY_SLOTS; window++) {
      const start = this.#earlyStart(window)
      if (!this.#isFree(start)) continue
      const result = this.#change((batch) => this.#mapRun(start, first, pages, flags, batch))
      return result < 0 ? result : start
    }
    return -ENOMEM
  }

  endEarly(start: Vpn): void {
    this.#unmap(start, EARLY_PAGES)
  }

  /** Asserts that no early mapping was forgotten. */
  checkEarly(): void {
    for (let window = 0; window < EARLY_SLOTS; window++) {
      assert(this.#isFree(this.#earlyStart(window)), 'an early mapping has outlived boot')
    }
  }

  #earlyStart(window: number): Vpn {
    return (this.#end - this.slots - (window + 1) * EARLY_PAGES) as Vpn
  }

  #isFree(start: Vpn): boolean {
    const entry = this.#mapper.leaf(start)
    return entry === NULL || !this.#mapper.isPresent(entry)
  }

  #mapRun(start: Vpn, first: Pfn, pages: number, flags: number, batch: FlushBatch): number {
    for (let i = 0; i < pages; i++) {
      const result = this.#mapper.map((start + i) as Vpn, (first + i) as Pfn, flags, batch)
      if (result === 0) continue
      for (let done = 0; done < i; done++) this.#mapper.unmap((start + done) as Vpn, batch)
      return result
    }
    return 0
  }

  #unmap(start: Vpn, pages: number): void {
    this.#change((batch) => {
      for (let i = 0; i < pages; i++) this.#mapper.unmap((start + i) as Vpn, batch)
      return 0
    })
  }

  #change(body: (batch: FlushBatch) => number): number {
    const batch = this.#flusher.batch(this.#mapper.root)
    this.#mapper.enter()
    const result = body(batch)
    batch.finish()
    this.#mapper.leave()
    return result
  }
}
