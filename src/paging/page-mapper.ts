import { ENTRY_FLAGS_ALL } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { ENOMEM } from '../base/errno.js'
import { NO_FRAME, NULL, type Pfn, type Ptr, ptrToFrame, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from './flush-batch.js'
import { PageTable } from './page-table.js'
import { checkTables } from './page-table-check.js'
import type { PagingEnv } from './paging-env.js'
import { TableRuns } from './table-runs.js'

/**
 * Changes page tables. It knows nothing of VMAs and touches no reference count of the frames that it maps: whoever
 * maps holds a reference, whoever clears gives it to the batch.
 *
 * Tables are counted: the frame table's `index` of a table's frame is the number of its present entries, so an empty
 * one is found without looking through it. A new table is filled before it is published, and an entry is stored
 * high word first, so a concurrent walker never sees half of a change.
 *
 * Guarded by: the lock of the space that owns the root; for the kernel's tables the lock `kernelTables`.
 */
export class PageMapper extends PageTable {
  protected readonly env: PagingEnv
  /** Written out here: fork and faults take a tenth longer when each word is a call. */
  readonly #isPlain: boolean

  constructor(env: PagingEnv, root: Pfn, start?: Vpn, end?: Vpn) {
    super(env.memory, env.arch, root, start, end)
    this.env = env
    this.#isPlain = env.atomics.isPlain
  }

  /** The 4 KiB entry of a page, tables made where there are none. NULL without frames: then nothing has changed. */
  makeLeaf(vpn: Vpn): Ptr {
    const entry = this.leaf(vpn)
    return entry !== NULL ? entry : this.makeTables(vpn, 0)
  }

  /** The level-1 entry on the way to a page, in the same way: for a huge leaf. */
  makeSlot(vpn: Vpn): Ptr {
    const slot = this.slot(vpn)
    return slot !== NULL ? slot : this.makeTables(vpn, 1)
  }

  /** The page's entry at level `target`, which is in no table yet. */
  protected makeTables(vpn: Vpn, target: number): Ptr {
    assert(vpn >= this.start && vpn < this.end, 'the page is not in this half')
    let level = this.top
    let slot = this.entryAt(this.root, vpn, level)
    for (let child = this.childOf(slot); child !== NO_FRAME; child = this.childOf(slot)) {
      slot = this.entryAt(child, vpn, --level)
    }
    assert(!this.isPresent(slot), 'a superpage is in the way')
    if (this.isFixed(level - 1)) return NULL
    const table = this.#newTables(vpn, level - 1, target)
    if (table === NO_FRAME) return NULL
    this.linkTable(slot, table)
    return target === 0 ? this.leaf(vpn) : this.entryFor(vpn, target)
  }

  /** Whether tables of this level are neither made nor given back. */
  protected isFixed(_level: number): boolean {
    return false
  }

  /** A table of `level` and below it those down to `target` that lead to `vpn`; NO_FRAME (and none made) without frames. */
  #newTables(vpn: Vpn, level: number, target: number): Pfn {
    let table = this.newTable()
    for (let at = target + 1; table !== NO_FRAME && at <= level; at++)
      table = this.#tableAbove(table, vpn, at)
    return table
  }

  /** A table of `level` that leads to `vpn` through `child`. Without a frame NO_FRAME, and `child` and those below it are given back. */
  #tableAbove(child: Pfn, vpn: Vpn, level: number): Pfn {
    const table = this.newTable()
    if (table !== NO_FRAME) this.linkTable(this.entryAt(table, vpn, level), child)
    else this.#freeUnused(child, vpn, level - 1)
    return table
  }

  /** Tables that were never linked to the others, from one of `level` downwards. */
  #freeUnused(table: Pfn, vpn: Vpn, level: number): void {
    const child = level === 0 ? NO_FRAME : this.childOf(this.entryAt(table, vpn, level))
    if (child !== NO_FRAME) this.#freeUnused(child, vpn, level - 1)
    this.env.buddy.free(table, 0)
  }

  /** An empty table that nothing points to; NO_FRAME without frames. */
  protected newTable(): Pfn {
    return newTable(this.env)
  }

  /** Lets an absent entry point to a table. */
  protected linkTable(slot: Ptr, table: Pfn): void {
    this.publish(slot, this.arch.tableLow(table), this.arch.tableHigh(table))
    this.countEntry(slot, 1)
  }

  /** Maps the entry's page to a frame, in place of whatever was there. Keeps no reference count. */
  set(entry: Ptr, vpn: Vpn, pfn: Pfn, flags: number, batch: FlushBatch): void {
    if (this.install(entry, pfn, flags)) batch.touch(vpn)
  }

  /** `set` for an entry that is empty. It needs no batch: no TLB knows anything of it. */
  fill(entry: Ptr, pfn: Pfn, flags: number): void {
    const { arch } = this
    assert(this.isEmpty(entry), 'an entry that is filled is empty')
    this.#storeHigh(entry >>> 2, arch.leafHigh(pfn, flags))
    this.swap(entry >>> 2, arch.leafLow(pfn, flags))
    this.countEntry(entry, 1)
  }

  /** Stores a leaf. True when it replaced something, of which TLBs may know. */
  protected install(entry: Ptr, pfn: Pfn, flags: number): boolean {
    const { arch } = this
    const old = this.publish(entry, arch.leafLow(pfn, flags), arch.leafHigh(pfn, flags))
    if (arch.isPresent(old)) return true
    this.countEntry(entry, 1)
    return false
  }

  /** Replaces all flags of a present entry; returns those that it had. */
  setFlags(entry: Ptr, vpn: Vpn, flags: number, batch: FlushBatch): number {
    return this.changeFlags(entry, vpn, ENTRY_FLAGS_ALL, flags, batch)
  }

  /**
   * Takes some flags from a present entry and gives it others; returns those that it had, accessed and dirty as they
   * were at that moment. A TLB is flushed only when something was taken: what it lacks it asks for.
   */
  changeFlags(entry: Ptr, vpn: Vpn, clear: number, set: number, batch: FlushBatch): number {
    const { arch } = this
    const word = entry >>> 2
    const high = this.memory.u32[word + 1]!
    const low = this.take(word)
    const had = arch.flagsOf(low, high)
    const flags = (had & ~clear) | set
    const pfn = arch.pfnOf(low, high)
    this.publish(entry, arch.leafLow(pfn, flags), arch.leafHigh(pfn, flags))
    if ((had & ~flags) !== 0) batch.touch(vpn)
    return had
  }

  /** Unmaps a present entry's page; returns the flags that it had (dirty: its contents are not elsewhere). */
  clear(entry: Ptr, vpn: Vpn, batch: FlushBatch): number {
    const { u32 } = this.memory
    const word = entry >>> 2
    const high = u32[word + 1]!
    const low = this.swap(word, 0)
    assert(this.arch.isPresent(low), 'an absent entry is cleared')
    u32[word + 1] = 0
    this.countEntry(entry, -1)
    batch.touch(vpn)
    return this.arch.flagsOf(low, high)
  }

  /** Maps one page, or -ENOMEM. */
  map(vpn: Vpn, pfn: Pfn, flags: number, batch: FlushBatch): number {
    const entry = this.makeLeaf(vpn)
    if (entry === NULL) return -ENOMEM
    this.set(entry, vpn, pfn, flags, batch)
    return 0
  }

  /** Unmaps one page and gives back tables that this leaves empty. False when it was not mapped. */
  unmap(vpn: Vpn, batch: FlushBatch): boolean {
    const entry = this.leaf(vpn)
    if (entry === NULL || !this.isPresent(entry)) return false
    this.clear(entry, vpn, batch)
    if (this.env.frames.index(ptrToFrame(entry)) === 0) this.prune(vpn, (vpn + 1) as Vpn, batch)
    return true
  }

  /** `changeFlags` for what is mapped by the `pages` entries from `entry` on. */
  changeRun(entry: Ptr, vpn: Vpn, pages: number, clear: number, set: number, batch: FlushBatch): void {
    for (let i = 0; i < pages; i++) {
      const at = this.neighbour(entry, i)
      if (this.isPresent(at)) this.changeFlags(at, (vpn + i) as Vpn, clear, set, batch)
    }
  }

  /** `changeFlags` for every mapped page of a range. */
  protectRange(start: Vpn, end: Vpn, clear: number, set: number, batch: FlushBatch): void {
    const runs = new TableRuns(this, start, end)
    while (runs.next()) this.changeRun(runs.entry, runs.vpn, runs.pages, clear, set, batch)
  }

  /** Gives back the tables on the way to these pages that hold nothing; never the root. */
  prune(start: Vpn, end: Vpn, batch: FlushBatch): void {
    this.pruneBetween(start, end, this.start, this.end, batch)
  }

  /**
   * The same for the tables whose pages all lie between `low` and `high`, the ends of the neighbouring mappings: Linux
   * keeps a table, be it empty, as long as a mapping reaches into it, and it shows (free_pgd_range: no huge page comes
   * where there is a table).
   */
  pruneBetween(start: Vpn, end: Vpn, low: Vpn, high: Vpn, batch: FlushBatch): void {
    if (!this.#holdsTable(start, end, low, high)) return
    if (end > this.nextAt(start, 1)) this.#pruneAll(start, end, low, high, batch)
    else this.#pruneAbove(start, low, high, batch)
  }

  #pruneAll(start: Vpn, end: Vpn, low: Vpn, high: Vpn, batch: FlushBatch): void {
    if (end <= this.nextAt(start, this.top) && this.#hasNoTable(start)) return
    this.eachTable(start, end, (table, slot, level, vpn) =>
      this.#pruneTable(table, slot, level + 1, vpn, low, high, batch),
    )
  }

  /** The tables on the way to one page, the lowest first: without a closure, because each munmap of a page that was used comes here. */
  #pruneAbove(vpn: Vpn, low: Vpn, high: Vpn, batch: FlushBatch): void {
    for (let level = 1; level <= this.top; level++) {
      const slot = this.entryFor(vpn, level)
      const table = slot === NULL ? NO_FRAME : this.childOf(slot)
      if (table !== NO_FRAME && !this.#pruneTable(table, slot, level, vpn, low, high, batch)) return
    }
  }

  /** The table that an entry at `level` points to. False when it stays, and with it those above. */
  #pruneTable(
    table: Pfn,
    slot: Ptr,
    level: number,
    vpn: Vpn,
    low: Vpn,
    high: Vpn,
    batch: FlushBatch,
  ): boolean {
    if (this.env.frames.index(table) !== 0 || this.isFixed(level - 1)) return false
    if (this.arch.spanStart(vpn, level) < low || this.nextAt(vpn, level) > high) return false
    this.publish(slot, 0, 0)
    this.countEntry(slot, -1)
    batch.freeTable(table)
    return true
  }

  /** Whether a table that the range reaches into can lie between the bounds at all. */
  #holdsTable(start: Vpn, end: Vpn, low: Vpn, high: Vpn): boolean {
    const { arch } = this
    const first = arch.spanStart(start, 1)
    const next = this.nextAt(start, 1)
    if (first >= low) return next <= high
    return next < end && next < arch.spanStart(high, 1)
  }

  /** Nothing was ever mapped near: the root itself points to no table. */
  #hasNoTable(vpn: Vpn): boolean {
    return this.childOf(this.entryAt(this.root, vpn, this.top)) === NO_FRAME
  }

  /** Throws an InvariantError unless tables, counts and entries are sound. Looks at every entry. */
  check(): void {
    checkTables(this, this.env)
  }

  protected countEntry(entry: Ptr, change: number): void {
    const { frames } = this.env
    const table = ptrToFrame(entry)
    frames.setIndex(table, frames.index(table) + change)
  }

  /** Stores both words so that a walker sees the old entry, none, or the new one. Returns the old low word. */
  protected publish(entry: Ptr, low: number, high: number): number {
    const { u32 } = this.memory
    const word = entry >>> 2
    if (u32[word + 1] === high) return this.swap(word, low)
    const old = this.swap(word, 0)
    this.#storeHigh(word, high)
    this.swap(word, low)
    return old
  }

  /** The entry is absent meanwhile. */
  #storeHigh(word: number, high: number): void {
    if (this.#isPlain) this.memory.u32[word + 1] = high
    else this.env.atomics.store((((word + 1) << 2) >>> 0) as Ptr, high)
  }

  /** Reads a low word that is about to be replaced: meanwhile a walker on another thread must not mark it. */
  protected take(word: number): number {
    return this.#isPlain ? this.memory.u32[word]! : this.swap(word, 0)
  }

  protected swap(word: number, low: number): number {
    if (!this.#isPlain) return this.env.atomics.exchange(((word << 2) >>> 0) as Ptr, low) >>> 0
    const { u32 } = this.memory
    const old = u32[word]!
    u32[word] = low
    return old
  }
}

/** A frame of zeroes, marked as a table with no entries; NO_FRAME without frames. */
export function newTable({ buddy, frames }: PagingEnv): Pfn {
  const table = buddy.allocateZeroed(0)
  if (table === NO_FRAME) return table
  frames.set(table, 1, FrameFlag.table, NO_FRAME, 0)
  return table
}
