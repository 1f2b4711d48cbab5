import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { frameToPtr, NO_FRAME, NULL, type Pfn, type Ptr, ptrToFrame, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { FlushBatch } from './flush-batch.js'
import { type DirtyKeeper, type FrameTally, RunMapper } from './run-mapper.js'
import { TableRuns } from './table-runs.js'

/**
 * Huge leaves: an entry of level 1 that maps a whole table's worth of pages (2 MiB on Sv39), a shorthand for as many
 * entries of level 0. Each of its frames has a reference count of its own, so that splitting a leaf touches no frame: a
 * table is filled and published in its place. A `special` one maps the huge zero page, which is one block.
 *
 * Splitting must not fail in the midst of an munmap, so every huge leaf has a table set aside (pgtable_trans_huge_deposit
 * of Linux): those of the leaves of one level-1 table are a list, whose head is the frame table's `owner` of that table,
 * linked through their own `owner`.
 */
export class HugeMapper extends RunMapper {
  /** Pages of a huge leaf, and log2 of them. */
  get hugePages(): number {
    return this.arch.span(1)
  }
  get hugeOrder(): number {
    return this.arch.indexBits
  }

  /** Whether blocks, which are aligned from the start of RAM, are aligned in the hardware's count too. */
  get hasHugeLeaves(): boolean {
    return this.arch.physBasePfn % this.hugePages === 0
  }

  /** The first page of the leaf that would hold a page. */
  hugeStart(vpn: Vpn): Vpn {
    return this.arch.spanStart(vpn, 1)
  }

  /** A table to be set aside; NO_FRAME without frames. */
  newDeposit(): Pfn {
    return this.newTable()
  }

  /** Lets an absent entry of level 1 map the block at `pfn`, with a table set aside for it. Keeps no reference count. */
  setHuge(slot: Ptr, pfn: Pfn, flags: number, deposit: Pfn): void {
    const { arch } = this
    assert(!this.isPresent(slot), 'a huge leaf replaces nothing')
    this.publish(slot, arch.leafLow(pfn, flags), arch.leafHigh(pfn, flags))
    this.countEntry(slot, 1)
    this.#deposit(slot, deposit)
  }

  /** `changeFlags` for a huge leaf. */
  changeHuge(leaf: Ptr, vpn: Vpn, clear: number, set: number, batch: FlushBatch): number {
    const had = this.changeFlags(leaf, vpn, clear, set, batch)
    if ((had & ~this.flags(leaf)) !== 0) batch.touchRun(this.hugeStart(vpn), this.hugePages)
    return had
  }

  /** Puts a table with the same pages in the place of a huge leaf. The zero page's becomes one of many small ones. */
  split(leaf: Ptr, vpn: Vpn, batch: FlushBatch): void {
    const { arch } = this
    const { u32 } = this.memory
    const table = this.#withdraw(leaf)
    const high = u32[(leaf >>> 2) + 1]!
    const low = this.publish(leaf, 0, high)
    const [pfn, flags] = [arch.pfnOf(low, high), arch.flagsOf(low, high)]
    const isZero = (flags & EntryFlag.special) !== 0
    const first = isZero ? (u32[wordIndex(Word.zeroFrame)]! as Pfn) : pfn
    this.#fill(table, first, isZero ? 0 : 1, flags)
    this.publish(leaf, arch.tableLow(table), arch.tableHigh(table))
    batch.touchRun(this.hugeStart(vpn), this.hugePages)
    if (isZero) batch.releaseFrame(pfn)
    count(this.memory, Counter.hugeSplit)
  }

  /** Every entry of an empty table, which nobody sees yet. */
  #fill(table: Pfn, first: Pfn, step: number, flags: number): void {
    const { arch } = this
    const { u32 } = this.memory
    const word = frameToPtr(table) >>> 2
    for (let i = 0; i < this.hugePages; i++) {
      const pfn = (first + i * step) as Pfn
      u32[word + i * 2 + 1] = arch.leafHigh(pfn, flags)
      u32[word + i * 2] = arch.leafLow(pfn, flags)
    }
    this.env.frames.setIndex(table, this.hugePages)
  }

  /** Splits the huge leaf that has `vpn` inside and not as its first page: a mapping, or a change, begins there. */
  splitAt(vpn: Vpn, batch: FlushBatch): void {
    if (vpn % this.hugePages === 0) return
    const leaf = this.hugeLeaf(vpn)
    if (leaf !== NULL) this.split(leaf, vpn, batch)
  }

  /**
   * Unmaps a range: `clearRun` and `clearHuge` for all that is in it; a huge leaf that reaches beyond it is split, or goes away if it is an object's.
   */
  clearRange(start: Vpn, end: Vpn, batch: FlushBatch, tally: FrameTally, keeper: DirtyKeeper): void {
    const runs = new TableRuns(this, start, end)
    while (runs.next()) {
      const { entry, vpn, pages } = runs
      if (!runs.isHuge) this.clearRun(entry, vpn, pages, batch, tally, keeper)
      else if (pages === this.hugePages) this.clearHuge(entry, vpn, batch, tally)
      else if (this.isObjects(entry)) this.dropHuge(entry, vpn, batch, tally)
      else this.#clearPart(entry, vpn, pages, batch, tally, keeper)
    }
  }

  #clearPart(
    leaf: Ptr,
    vpn: Vpn,
    pages: number,
    batch: FlushBatch,
    tally: FrameTally,
    keeper: DirtyKeeper,
  ): void {
    this.split(leaf, vpn, batch)
    this.clearRun(this.entryAt(this.childOf(leaf), vpn, 0), vpn, pages, batch, tally, keeper)
  }

  /** Afterwards every huge leaf is in the range as a whole, or not at all. */
  splitEnds(start: Vpn, end: Vpn, batch: FlushBatch): void {
    this.splitAt(start, batch)
    this.splitAt(end, batch)
  }

  /** Unmaps a huge leaf; frames and the table set aside go to the batch, `tally` counts the frames. */
  clearHuge(leaf: Ptr, vpn: Vpn, batch: FlushBatch, tally: FrameTally): void {
    const pfn = this.pfn(leaf)
    const isZero = (this.flags(leaf) & EntryFlag.special) !== 0
    this.publish(leaf, 0, 0)
    this.countEntry(leaf, -1)
    batch.touchRun(this.hugeStart(vpn), this.hugePages)
    batch.freeTable(this.#withdraw(leaf))
    if (isZero) batch.releaseFrame(pfn)
    else {
      tally[this.#isAnonymous(pfn) ? 'anonymous' : 'others'] += this.hugePages
      batch.releaseRun(pfn, this.hugeOrder)
    }
  }

  /** Whether a huge leaf maps pages of an object. These can be faulted in again, so it is never split: it goes away (__split_huge_pmd_locked). */
  isObjects(leaf: Ptr): boolean {
    return (this.flags(leaf) & EntryFlag.special) === 0 && !this.#isAnonymous(this.pfn(leaf))
  }

  #isAnonymous(pfn: Pfn): boolean {
    return (this.env.frames.flags(pfn) & FrameFlag.anonymous) !== 0
  }

  /** clearHuge for one of which only a part was to go, or to change. */
  dropHuge(leaf: Ptr, vpn: Vpn, batch: FlushBatch, tally: FrameTally): void {
    this.clearHuge(leaf, vpn, batch, tally)
    count(this.memory, Counter.hugeSplit)
  }

  /** For fork: the absent entry `target` of another space maps what our leaf maps; nobody may write it any more. */
  shareHuge(leaf: Ptr, vpn: Vpn, to: HugeMapper, target: Ptr, deposit: Pfn, batch: FlushBatch): void {
    this.changeHuge(leaf, vpn, EntryFlag.write, 0, batch)
    const [pfn, flags] = [this.pfn(leaf), this.flags(leaf)]
    const { buddy } = this.env
    const counted = (flags & EntryFlag.special) !== 0 ? 1 : this.hugePages
    for (let i = 0; i < counted; i++) buddy.retainUser((pfn + i) as Pfn)
    to.setHuge(target, pfn, flags & ~EntryFlag.accessed, deposit)
  }

  /** Lets an absent entry map what a leaf maps, as it is, and the leaf nothing any more. */
  moveHuge(leaf: Ptr, vpn: Vpn, target: Ptr, batch: FlushBatch): void {
    const [pfn, flags, deposit] = [this.pfn(leaf), this.flags(leaf), this.#withdraw(leaf)]
    this.publish(leaf, 0, 0)
    this.countEntry(leaf, -1)
    batch.touchRun(this.hugeStart(vpn), this.hugePages)
    this.setHuge(target, pfn, flags, deposit)
  }

  /** Takes the table of small pages that leads to a page out of the tree. */
  takeTable(vpn: Vpn, batch: FlushBatch): Pfn {
    const slot = this.slot(vpn)
    const table = this.childOf(slot)
    assert(table !== NO_FRAME, 'there is no table to take')
    this.publish(slot, 0, 0)
    this.countEntry(slot, -1)
    batch.touchRun(this.hugeStart(vpn), this.hugePages)
    return table
  }

  override protectRange(start: Vpn, end: Vpn, clear: number, set: number, batch: FlushBatch): void {
    const run = this.runOf(start, end)
    if (run !== NULL) {
      this.changeRun(run, start, end - start, clear, set, batch)
      return
    }
    this.splitEnds(start, end, batch)
    const runs = new TableRuns(this, start, end)
    while (runs.next()) {
      if (runs.isHuge) this.changeHuge(runs.entry, runs.vpn, clear, set, batch)
      else this.changeRun(runs.entry, runs.vpn, runs.pages, clear, set, batch)
    }
  }

  /** Calls `visit` for every huge leaf that reaches into a range. It may change or split the leaf. */
  eachHuge(start: Vpn, end: Vpn, visit: (vpn: Vpn, leaf: Ptr, pages: number) => void): void {
    this.walkRuns(start, end, () => {}, visit)
  }

  /** Those set aside count: Linux counts them too (VmPTE). */
  override tableFrames(): number {
    let frames = super.tableFrames()
    this.eachHuge(this.start, this.end, () => frames++)
    return frames
  }

  #deposit(slot: Ptr, table: Pfn): void {
    const { frames } = this.env
    const holder = ptrToFrame(slot)
    frames.setOwner(table, frames.owner(holder))
    frames.setOwner(holder, table)
  }

  #withdraw(slot: Ptr): Pfn {
    const { frames } = this.env
    const holder = ptrToFrame(slot)
    const table = frames.owner(holder) as Pfn
    assert(table !== NO_FRAME, 'a huge leaf has a table set aside')
    frames.setOwner(holder, frames.owner(table))
    frames.setOwner(table, 0)
    return table
  }
}
