import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import type { FrameDropper } from '../frame/frame-dropper.js'
import { type EntryLoops, LIST_MAX } from './entry-loops.js'
import { Forgetting } from './forgetting.js'
import type { Shootdown } from './shootdown.js'

/** The part of the frame allocator that a batch needs. */
export interface FrameReleaser {
  /** Gives up one reference to each of the first `count` frames; `dropper` does it fast when the list is its own. */
  releaseAll(frames: Uint32Array, count: number, dropper?: FrameDropper): void
  releaseRun(pfn: Pfn, order: number): void
  free(pfn: Pfn, order: number): void
  /** The same for one frame that holds nothing but zeroes. */
  freeZeroed(pfn: Pfn): void
}

/** Frames that wait for the flush; when so many wait, it is done early. */
export const FRAMES_MAX = LIST_MAX
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
  readonly #shootdown: Shootdown
  readonly #buddy: FrameReleaser
  /** Where it waits to be used again. */
  readonly #idle: FlushBatch[] | undefined
  /** What was touched since the last flush. */
  readonly #touched = new Forgetting()
  /** Frames that wait; others write where `roomForRun` tells them. */
  readonly waiting: Uint32Array
  /** What fills `waiting` fast, when that stands where they do. */
  readonly loops: EntryLoops | undefined
  readonly #tables = new Uint32Array(TABLES_MAX)
  #root = NO_FRAME
  #frameCount = 0
  #tableCount = 0
  /** Runs that wait, and their order. */
  readonly #blocks = new Uint32Array(BLOCKS_MAX)
  #blockOrder = 0
  #blockCount = 0

  constructor(
    shootdown: Shootdown,
    buddy: FrameReleaser,
    idle: FlushBatch[] | undefined,
    loops: EntryLoops | undefined,
  ) {
    this.waiting = loops?.waiting ?? new Uint32Array(FRAMES_MAX)
    this.loops = loops
    this.#shootdown = shootdown
    this.#buddy = buddy
    this.#idle = idle
  }

  /** Nobody uses it. */
  get isIdle(): boolean {
    return this.#root === NO_FRAME
  }

  /** PageFlusher's. */
  begin(root: Pfn): void {
    assert(root !== NO_FRAME, 'a batch is for a root')
    this.#root = root
  }

  /** The entry of this page allows less than before, or another frame: TLBs must forget it. */
  touch(vpn: Vpn): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    this.#touched.addPage(vpn)
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
    this.#touched.addPages(vpn, pages)
    this.#frameCount += frames
  }

  /** The same for all pages of a huge leaf, whose first is `vpn`. */
  touchRun(vpn: Vpn, pages: number): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    this.#touched.addPages(vpn, pages)
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

  /**
   * Frees a table, after the flush: a hart may be in the midst of a walk through it, even when no page was touched. No entry points to it
   * any more. The root itself: no hart keeps using it.
   */
  freeTable(pfn: Pfn): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    if (pfn === this.#root) this.#shootdown.retire(pfn)
    if (this.#tableCount === TABLES_MAX) this.#settle()
    this.#tables[this.#tableCount++] = pfn
  }

  /** Flushes now, and gives the frames back: what comes next must not be seen by who still knows what was before. */
  flush(): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    this.#settle()
  }

  /** Flushes, gives the frames back, and ends the batch. */
  finish(): void {
    assert(this.#root !== NO_FRAME, 'a finished batch is used')
    this.#settle()
    this.#root = NO_FRAME
    this.#idle?.push(this)
  }

  #settle(): void {
    const isWalked = this.#tableCount > 0 && this.#shootdown.hasOthers
    if (!this.#touched.isEmpty || isWalked) this.#shootdown.forget(this.#root, this.#touched)
    if (this.#frameCount > 0) this.#buddy.releaseAll(this.waiting, this.#frameCount, this.loops?.dropper)
    for (let i = 0; i < this.#blockCount; i++)
      this.#buddy.releaseRun(this.#blocks[i]! as Pfn, this.#blockOrder)
    for (let i = 0; i < this.#tableCount; i++) this.#freeTable(this.#tables[i]! as Pfn)
    this.#touched.clear()
    this.#frameCount = 0
    this.#tableCount = 0
    this.#blockCount = 0
  }

  /** Nothing is mapped by it any more; but of a root, the kernel's half is. */
  #freeTable(pfn: Pfn): void {
    if (pfn === this.#root) this.#buddy.free(pfn, 0)
    else this.#buddy.freeZeroed(pfn)
  }
}
