import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { Tlbs } from './tlb.js'

/** The part of the frame allocator that a batch needs. */
export interface FrameReleaser {
  release(pfn: Pfn): void
  free(pfn: Pfn, order: number): void
}

/**
 * Pages that are forgotten one by one; above it, all are. (One costs 2 ns, all 1,200 ns and the walks that
 * fill the TLB again.)
 */
export const PAGES_ONE_BY_ONE_MAX = 512
/** Frames that wait for the flush; when so many wait, it is done early. */
export const FRAMES_MAX = 512
/** Marks a waiting frame as a table: frame numbers stay below 2^20. */
const TABLE = 2 ** 31

/**
 * What must happen, in this order, after page-table entries were changed: TLBs forget the pages, then frames and
 * tables that were reachable through them are given back. Rule 1 of the design: an entry is changed only with a batch
 * in hand, and a frame is freed only by the batch. So nobody can use a frame of which a TLB still knows.
 */
export class FlushBatch {
  readonly #memory: Memory
  readonly #tlbs: Tlbs
  readonly #buddy: FrameReleaser
  readonly #idle: FlushBatch[]
  readonly #pages = new Float64Array(PAGES_ONE_BY_ONE_MAX)
  readonly #frames = new Uint32Array(FRAMES_MAX)
  #root = NO_FRAME
  /** Pages touched since the last flush; beyond PAGES_ONE_BY_ONE_MAX only counted. */
  #pageCount = 0
  #frameCount = 0

  constructor(memory: Memory, tlbs: Tlbs, buddy: FrameReleaser, idle: FlushBatch[]) {
    this.#memory = memory
    this.#tlbs = tlbs
    this.#buddy = buddy
    this.#idle = idle
  }

  /** PageFlusher's. */
  begin(root: Pfn): void {
    assert(root !== NO_FRAME, 'a batch is for a root')
    this.#root = root
  }

  /** The entry of this page allows less than before, or another frame: TLBs must forget it. */
  touch(vpn: Vpn): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    if (this.#pageCount < PAGES_ONE_BY_ONE_MAX) this.#pages[this.#pageCount] = vpn
    this.#pageCount++
  }

  /** Gives up one reference to a frame, after the flush. Its entry was cleared (and so touched) before. */
  releaseFrame(pfn: Pfn): void {
    this.#wait(pfn)
  }

  /** Frees a table, after the flush. No entry points to it any more. The root itself: no hart keeps using it. */
  freeTable(pfn: Pfn): void {
    if (pfn === this.#root) this.#tlbs.deactivateRoot(pfn)
    this.#wait(pfn + TABLE)
  }

  /** Flushes, gives the frames back, and ends the batch. */
  finish(): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    this.#settle()
    this.#root = NO_FRAME
    this.#idle.push(this)
  }

  #wait(frame: number): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    if (this.#frameCount === FRAMES_MAX) this.#settle()
    this.#frames[this.#frameCount++] = frame
  }

  #settle(): void {
    if (this.#pageCount > 0) this.#flush()
    for (let i = 0; i < this.#frameCount; i++) this.#giveBack(this.#frames[i]!)
    this.#pageCount = 0
    this.#frameCount = 0
  }

  #giveBack(frame: number): void {
    if (frame >= TABLE) this.#buddy.free((frame - TABLE) as Pfn, 0)
    else this.#buddy.release(frame as Pfn)
  }

  #flush(): void {
    const all = this.#pageCount > PAGES_ONE_BY_ONE_MAX
    let harts = 0
    for (let hart = 0; hart < this.#tlbs.hartCount; hart++) {
      if (!this.#isUsedBy(hart)) continue
      if (all) this.#tlbs.flushAll(hart)
      else this.#flushPages(hart)
      harts++
    }
    if (harts > 0) count(this.#memory, all ? Counter.flushFull : Counter.flushPages)
  }

  /** The kernel's half is part of every address space. */
  #isUsedBy(hart: number): boolean {
    const active = this.#tlbs.activeRoot(hart)
    if (active === NO_FRAME) return false
    return active === this.#root || this.#root === this.#memory.u32[wordIndex(Word.kernelRoot)]
  }

  #flushPages(hart: number): void {
    for (let i = 0; i < this.#pageCount; i++) this.#tlbs.flushPage(hart, this.#pages[i] as Vpn)
  }
}
