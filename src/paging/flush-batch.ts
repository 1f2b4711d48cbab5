import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { Tlbs } from './tlb.js'

/** The part of the frame allocator that a batch needs. */
export interface FrameReleaser {
  /** Gives up one reference to each of the first `count` frames. */
  releaseAll(frames: Uint32Array, count: number): void
  releaseRun(pfn: Pfn, order: number): void
  free(pfn: Pfn, order: number): void
}

/**
 * Pages that are forgotten one by one; above it, all are. (One costs 2 ns, all 1,200 ns and the walks that
 * fill the TLB again.)
 */
export const PAGES_ONE_BY_ONE_MAX = 512
/** The same for the runs of huge leaves: the TLB holds the pages of so many. */
const RUNS_MAX = 8
/** Frames that wait for the flush; when so many wait, it is done early. */
export const FRAMES_MAX = 1024
/** The same for page tables. */
const TABLES_MAX = 64
/** The same for runs of frames. */
const BLOCKS_MAX = 64

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
  /** Frames that wait; others write where `roomForRun` tells them. */
  readonly waiting = new Uint32Array(FRAMES_MAX)
  readonly #tables = new Uint32Array(TABLES_MAX)
  #root = NO_FRAME
  /** Pages touched since the last flush; beyond PAGES_ONE_BY_ONE_MAX only counted. */
  #pageCount = 0
  readonly #runs = new Float64Array(RUNS_MAX)
  /** Pages of a run, and runs touched since the last flush; beyond RUNS_MAX only counted. */
  #runPages = 0
  #runCount = 0
  #frameCount = 0
  #tableCount = 0
  /** Runs that wait, and their order. */
  readonly #blocks = new Uint32Array(BLOCKS_MAX)
  #blockOrder = 0
  #blockCount = 0

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

  /**
   * For a loop over many entries: where in `waiting` there is room for `count` frames. Each put there gives up one
   * reference, after `addRun` has said how many they are. What waits already is settled first when there is no room.
   */
  roomForRun(count: number): number {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    assert(count <= FRAMES_MAX, 'a run is no longer than a table')
    if (this.#frameCount + count > FRAMES_MAX) this.#settle()
    return this.#frameCount
  }

  /** The entries of these adjacent pages are cleared, those that there were; `frames` were put into the place. */
  addRun(vpn: Vpn, pages: number, frames: number): void {
    const count = this.#pageCount
    if (count + pages <= PAGES_ONE_BY_ONE_MAX) {
      for (let i = 0; i < pages; i++) this.#pages[count + i] = vpn + i
    }
    this.#pageCount = count + pages
    this.#frameCount += frames
  }

  /** The same for all pages of a huge leaf, whose first is `vpn`. */
  touchRun(vpn: Vpn, pages: number): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    if (this.#runCount < RUNS_MAX) this.#runs[this.#runCount] = vpn
    this.#runPages = pages
    this.#runCount++
  }

  /** Gives up one reference to a frame, after the flush. Its entry was cleared (and so touched) before. */
  releaseFrame(pfn: Pfn): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    if (this.#frameCount === FRAMES_MAX) this.#settle()
    this.waiting[this.#frameCount++] = pfn
  }

  /** The same for each of 2^order frames: all runs are of one order, that of a huge leaf. */
  releaseRun(pfn: Pfn, order: number): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    if (this.#blockCount === BLOCKS_MAX) this.#settle()
    this.#blockOrder = order
    this.#blocks[this.#blockCount++] = pfn
  }

  /** Frees a table, after the flush. No entry points to it any more. The root itself: no hart keeps using it. */
  freeTable(pfn: Pfn): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    if (pfn === this.#root) this.#tlbs.deactivateRoot(pfn)
    if (this.#tableCount === TABLES_MAX) this.#settle()
    this.#tables[this.#tableCount++] = pfn
  }

  /** Flushes, gives the frames back, and ends the batch. */
  finish(): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    this.#settle()
    this.#root = NO_FRAME
    this.#idle.push(this)
  }

  #settle(): void {
    if (this.#pageCount > 0 || this.#runCount > 0) this.#flush()
    if (this.#frameCount > 0) this.#buddy.releaseAll(this.waiting, this.#frameCount)
    for (let i = 0; i < this.#blockCount; i++)
      this.#buddy.releaseRun(this.#blocks[i]! as Pfn, this.#blockOrder)
    for (let i = 0; i < this.#tableCount; i++) this.#buddy.free(this.#tables[i]! as Pfn, 0)
    this.#pageCount = 0
    this.#runCount = 0
    this.#frameCount = 0
    this.#tableCount = 0
    this.#blockCount = 0
  }

  #flush(): void {
    const all = this.#pageCount > PAGES_ONE_BY_ONE_MAX || this.#runCount > RUNS_MAX
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
    for (let i = 0; i < this.#runCount; i++) this.#tlbs.flushRun(hart, this.#runs[i] as Vpn, this.#runPages)
  }
}
