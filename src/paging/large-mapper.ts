import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { EBUSY, EEXIST, ENOMEM } from '../base/errno.js'
import { frameToPtr, NO_FRAME, NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from './flush-batch.js'
import { PageMapper } from './page-mapper.js'

const MARKS = EntryFlag.accessed | EntryFlag.dirty

/** A leaf of any size: its first page, its entry, its level. */
export type VisitLeaf = (vpn: Vpn, entry: Ptr, level: number) => void

/**
 * Leaves of every size that the architecture has, mapped, split and merged: the kernel's half. (What user space has of huge
 * pages is HugeMapper's, which may never fail to split.) Ranges are cut where they need to be, for which a table is taken: so
 * what changes a range may answer -ENOMEM, and then has changed no access, only the size of some leaves. -EBUSY: an entry of
 * the kernel's root would change, of which every address space has a copy.
 */
export class LargeMapper extends PageMapper {
  /**
   * Maps the pages of a leaf of `level`, which is aligned to its size on both sides, in place of another leaf of this size: 0, -ENOMEM,
   * -EBUSY, or -EEXIST when a table or a larger leaf is in the way. Nothing has changed then.
   */
  mapLarge(vpn: Vpn, level: number, pfn: Pfn, flags: number, batch: FlushBatch): number {
    const span = this.arch.span(level)
    assert(vpn % span === 0 && (pfn + this.arch.physBasePfn) % span === 0, 'a leaf is aligned to its size')
    if (this.isFixed(level - 1)) return -EBUSY
    if (this.leafLevel(vpn) > level) return -EEXIST
    const entry = this.entryFor(vpn, level) || this.makeTables(vpn, level)
    if (entry === NULL) return -ENOMEM
    if (this.isPresent(entry) && !this.isLeafAt(entry, level)) return -EEXIST
    if (this.install(entry, pfn, flags)) this.#touch(vpn, level, batch)
    return 0
  }

  /** Level of the leaf that maps a page, -1 for none. */
  leafLevel(vpn: Vpn): number {
    let table = this.root
    for (let level = this.top; level >= 0; level--) {
      const entry = this.entryAt(table, vpn, level)
      if (!this.isPresent(entry)) return -1
      if (this.isLeafAt(entry, level)) return level
      table = this.childOf(entry)
    }
    return -1
  }

  /** Makes the leaf that maps a page so many of the next smaller size, as they were: 0, or -ENOMEM or -EBUSY and nothing has changed. */
  splitLarge(vpn: Vpn, batch: FlushBatch): number {
    const level = this.leafLevel(vpn)
    assert(level > 0, 'there is no large leaf to split')
    if (this.isFixed(level - 1)) return -EBUSY
    const table = this.newTable()
    if (table === NO_FRAME) return -ENOMEM
    const entry = this.entryFor(vpn, level)
    const high = this.memory.u32[(entry >>> 2) + 1]!
    const low = this.publish(entry, 0, high)
    const [pfn, flags] = [this.arch.pfnOf(low, high), this.arch.flagsOf(low, high)]
    this.#fill(table, pfn, this.arch.span(level - 1), flags)
    this.publish(entry, this.arch.tableLow(table), this.arch.tableHigh(table))
    this.#touch(this.#first(vpn, level), level, batch)
    return 0
  }

  /** Every entry of an empty table, which nobody sees yet. */
  #fill(table: Pfn, first: Pfn, step: number, flags: number): void {
    const { arch } = this
    const entries = 2 ** arch.indexBits
    for (let i = 0; i < entries; i++) {
      const pfn = (first + i * step) as Pfn
      this.publish((frameToPtr(table) + i * 8) as Ptr, arch.leafLow(pfn, flags), arch.leafHigh(pfn, flags))
    }
    this.env.frames.setIndex(table, entries)
  }

  /**
   * Makes one leaf of `level` of the leaves in the table below it, when they map adjacent frames with the same access, aligned
   * to the larger size: whether it did. Accessed and dirty are what any of them was. The table goes to the batch.
   */
  mergeLarge(vpn: Vpn, level: number, batch: FlushBatch): boolean {
    const entry = this.entryFor(vpn, level)
    const table = entry === NULL ? NO_FRAME : this.childOf(entry)
    if (table === NO_FRAME || this.isFixed(level - 1) || !this.#isUniform(table, level)) return false
    this.publish(entry, 0, 0)
    const [pfn, flags] = this.#takeAll(table)
    this.env.frames.setIndex(table, 0)
    this.publish(entry, this.arch.leafLow(pfn, flags), this.arch.leafHigh(pfn, flags))
    this.#touch(this.#first(vpn, level), level, batch)
    batch.freeTable(table)
    return true
  }

  #isUniform(table: Pfn, level: number): boolean {
    const { arch, env } = this
    const entries = 2 ** arch.indexBits
    if (env.frames.index(table) !== entries) return false
    const first = frameToPtr(table)
    if (!this.isLeafAt(first, level - 1)) return false
    const [pfn, access] = [this.pfn(first), this.flags(first) & ~MARKS]
    if ((pfn + arch.physBasePfn) % arch.span(level) !== 0) return false
    for (let i = 1; i < entries; i++) {
      const entry = (first + i * 8) as Ptr
      if (!this.isLeafAt(entry, level - 1) || (this.flags(entry) & ~MARKS) !== access) return false
      if (this.pfn(entry) !== pfn + i * arch.span(level - 1)) return false
    }
    return true
  }

  /** The first frame and all flags of a table's leaves; they are cleared, so that a walker that is in the table marks none any more. */
  #takeAll(table: Pfn): [pfn: Pfn, flags: number] {
    const { arch } = this
    const pfn = this.pfn(frameToPtr(table))
    let flags = 0
    for (let i = 0; i < 2 ** arch.indexBits; i++) {
      const entry = (frameToPtr(table) + i * 8) as Ptr
      const high = this.memory.u32[(entry >>> 2) + 1]!
      flags |= arch.flagsOf(this.publish(entry, 0, 0), high)
    }
    return [pfn, flags]
  }

  /** Cuts the leaves at both ends of a range, so that it can be changed: 0, -ENOMEM or -EBUSY. */
  splitAround(start: Vpn, end: Vpn, batch: FlushBatch): number {
    if (this.#holdsFixedLeaf(start, end)) return -EBUSY
    for (const vpn of [start, end]) {
      if (vpn >= this.end) continue
      for (let level = this.leafLevel(vpn); level > 0; level = this.leafLevel(vpn)) {
        if (vpn % this.arch.span(level) === 0) break
        const result = this.splitLarge(vpn, batch)
        if (result < 0) return result
      }
    }
    return 0
  }

  #holdsFixedLeaf(start: Vpn, end: Vpn): boolean {
    let holds = false
    this.eachLeaf(start, end, (_, __, level) => {
      if (this.isFixed(level - 1)) holds = true
    })
    return holds
  }

  /** `changeFlags` for all leaves of a range: 0, -ENOMEM or -EBUSY. */
  protectLarge(start: Vpn, end: Vpn, clear: number, set: number, batch: FlushBatch): number {
    const result = this.splitAround(start, end, batch)
    if (result < 0) return result
    this.eachLeaf(start, end, (vpn, entry, level) => {
      const had = this.changeFlags(entry, vpn, clear, set, batch)
      if (level > 0 && (had & ~this.flags(entry)) !== 0) this.#touch(vpn, level, batch)
    })
    return 0
  }

  /** Unmaps all leaves of a range and gives back the tables that this leaves empty: 0, -ENOMEM or -EBUSY. Frames are the caller's. */
  unmapLarge(start: Vpn, end: Vpn, batch: FlushBatch): number {
    const result = this.splitAround(start, end, batch)
    if (result < 0) return result
    this.eachLeaf(start, end, (vpn, entry, level) => {
      this.clear(entry, vpn, batch)
      if (level > 0) this.#touch(vpn, level, batch)
    })
    this.prune(start, end, batch)
    return 0
  }

  /** Calls `visit` for every leaf that reaches into a range, in rising order. It may change or clear the entry. */
  eachLeaf(start: Vpn, end: Vpn, visit: VisitLeaf): void {
    this.#eachLeafIn(this.root, this.top, start, end, visit)
  }

  #eachLeafIn(table: Pfn, level: number, start: Vpn, end: Vpn, visit: VisitLeaf): void {
    for (let vpn = start; vpn < end; vpn = this.nextAt(vpn, level)) {
      const entry = this.entryAt(table, vpn, level)
      if (!this.isPresent(entry)) continue
      if (this.isLeafAt(entry, level)) visit(vpn, entry, level)
      else {
        const stop = Math.min(this.nextAt(vpn, level), end) as Vpn
        this.#eachLeafIn(this.childOf(entry), level - 1, vpn, stop, visit)
      }
    }
  }

  /** An entry of level 0 is one when it is present. */
  protected isLeafAt(entry: Ptr, level: number): boolean {
    return this.isPresent(entry) && (level === 0 || this.isLeaf(entry))
  }

  #first(vpn: Vpn, level: number): Vpn {
    const span = this.arch.span(level)
    return (Math.floor(vpn / span) * span) as Vpn
  }

  #touch(vpn: Vpn, level: number, batch: FlushBatch): void {
    if (level === 0) batch.touch(vpn)
    else batch.touchRun(vpn, this.arch.span(level))
  }
}
