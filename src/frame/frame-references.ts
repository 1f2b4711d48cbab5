import { assert } from '../base/assert.js'
import type { Pfn } from '../base/numbers.js'
import type { AtomicWords } from '../state/atomics.js'
import type { FrameDropper } from './frame-dropper.js'
import { FrameFlag, FrameMask, type FrameTable, ORDER_MASK } from './frame-table.js'

/** Fewer frames are released one by one: to collect those that are free costs more than a lock for all of them saves. */
const MANY = 4

/** Reference counts of allocated frames; the last reference frees. On shared memory each step is one atomic operation. */
export abstract class FrameReferences {
  readonly #shared: boolean
  readonly #counts: AtomicWords
  readonly #table: FrameTable
  /** How many frames the last `#drop` went over. */
  #dropped = 0

  protected constructor(shared: boolean, atomics: AtomicWords, frames: FrameTable) {
    this.#shared = shared
    this.#counts = atomics
    this.#table = frames
  }

  /** Gives a block with one reference back. */
  abstract free(pfn: Pfn, order: number): void
  /** FrameTable.dropLast. */
  protected abstract dropLast(pfn: Pfn): boolean
  /** Frees the single frames at places `from` to `to` - 1 of a list, whose entries are those inside a free block; `dropper`: when the list is its own. */
  protected abstract giveAll(pfns: Uint32Array, from: number, to: number, dropper?: FrameDropper): void
  /** Puts a block, or 2^order single frames with one reference each, where they merge with their neighbours. */
  protected abstract giveBack(pfn: Pfn, order: number): void

  /**
   * Makes an allocated block so many single frames: each with one reference, these flags and this owner, and indices that
   * count from `index`.
   */
  divide(pfn: Pfn, order: number, flags: number, owner: number, index: number): void {
    for (let i = 0; i < 1 << order; i++) this.#table.set((pfn + i) as Pfn, 1, flags, owner, index + i)
  }

  /** Whether each of 2^order single frames has one reference and no more. */
  isRunAlone(pfn: Pfn, order: number): boolean {
    for (let i = 0; i < 1 << order; i++) if (this.#table.refCount((pfn + i) as Pfn) !== 1) return false
    return true
  }

  /** One more reference to an allocated block. */
  retain(pfn: Pfn): void {
    const frames = this.#table
    if (this.#shared) {
      assert(this.#counts.add(frames.refCountPtr(pfn), 1) > 0, 'a free frame is retained')
      return
    }
    const count = frames.refCount(pfn)
    assert(count > 0, 'a free frame is retained')
    frames.setRefCount(pfn, count + 1)
  }

  /**
   * One reference more to a frame that another address space maps from now on (fork), so that it is nobody's alone any
   * more; whether it is anonymous memory. One call for each page.
   */
  retainUser(pfn: Pfn): boolean {
    if (!this.#shared) return (this.#table.addSharer(pfn) & FrameFlag.anonymous) !== 0
    this.retain(pfn)
    const flags = this.#table.flags(pfn)
    if ((flags & FrameFlag.exclusive) !== 0) this.#table.setFlags(pfn, flags & ~FrameFlag.exclusive)
    return (flags & FrameFlag.anonymous) !== 0
  }

  /** One reference less; the last one frees the block. */
  release(pfn: Pfn): void {
    if (this.#dropShared(pfn)) return
    const frames = this.#table
    assert(frames.refCount(pfn) > 0, 'a free frame is released')
    this.free(pfn, frames.flags(pfn) & ORDER_MASK)
  }

  /** Takes a reference away unless it is the last one; says whether it did. */
  #dropShared(pfn: Pfn): boolean {
    const frames = this.#table
    if (!this.#shared) return frames.dropReference(pfn)
    const count = this.#counts.add(frames.refCountPtr(pfn), -1)
    assert(count > 0, 'a free frame is released')
    if (count > 1) return true
    // Nobody else has it: the last reference goes with the frame.
    frames.setRefCount(pfn, 1)
    return false
  }

  /**
   * `release` for the first `count` of many frames; most have other references (fork) or were single (exit). The list is used
   * up. `dropper` does the same as `#drop`, faster, when the list is its own and the memory too.
   */
  releaseAll(pfns: Uint32Array, count: number, dropper?: FrameDropper): void {
    if (count < MANY) for (let i = 0; i < count; i++) this.release(pfns[i]! as Pfn)
    else this.#releaseMany(pfns, count, dropper)
  }

  #releaseMany(pfns: Uint32Array, count: number, dropper?: FrameDropper): void {
    for (let from = 0; from < count; from++) {
      const freed = dropper?.drop(from, count - from) ?? this.#drop(pfns, from, count)
      if (freed > 0) this.giveAll(pfns, from, from + freed, dropper)
      from += dropper?.dropped ?? this.#dropped
      if (from < count) this.release(pfns[from]! as Pfn)
    }
  }

  /** FrameDropper.drop for places `from` to `to` - 1 of any list. */
  #drop(pfns: Uint32Array, from: number, to: number): number {
    let free = from
    let at = from
    for (; at < to; at++) {
      const pfn = pfns[at]! as Pfn
      if (this.#dropShared(pfn)) continue
      if (!this.dropLast(pfn)) break
      pfns[free++] = pfn
    }
    this.#dropped = at - from
    return free - from
  }

  /** One reference less to each of 2^order single frames, aligned; when these were the last ones, they are a block again at once. */
  releaseRun(pfn: Pfn, order: number): void {
    if (!this.isRunAlone(pfn, order)) {
      for (let i = 0; i < 1 << order; i++) this.release((pfn + i) as Pfn)
      return
    }
    assert(this.#isRunSingle(pfn, order), 'a run is of single frames')
    this.giveBack(pfn, order)
  }

  #isRunSingle(pfn: Pfn, order: number): boolean {
    let flags = 0
    for (let i = 0; i < 1 << order; i++) flags |= this.#table.flags((pfn + i) as Pfn)
    return (flags & FrameMask.allocation) === 0
  }
}
