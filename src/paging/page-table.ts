import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import { NO_FRAME, NULL, PAGE_SHIFT, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { dumpLeaves } from './page-table-dump.js'

const ENTRY_BYTES = 8
/** Nothing is mapped there. */
export const HOLE = -1
/** areAbsent looks through so many entries. */
const SEEN_AT_ONCE = 32

/** A run of entries of one table, or a huge leaf: its first page, its first entry, its pages. */
export type VisitRun = (vpn: Vpn, entry: Ptr, pages: number) => void

/**
 * A tree of page tables, for reading: what the hardware walks, seen through the architecture's format. A view that
 * costs nothing to make. `start` and `end` bound the pages that it answers for: a user's mapper never looks into the
 * kernel's half of its root.
 *
 *     vpn  →  root entry  →  …  →  level 0 entry  →  frame
 *             512 GiB/512          4 KiB               (Sv39: 1 GiB, 2 MiB, 4 KiB)
 */
export class PageTable {
  readonly root: Pfn
  readonly start: Vpn
  readonly end: Vpn
  /** What the last successful `translate` found: the frame of that very page, and the leaf's EntryFlags. */
  lastPfn: Pfn = NO_FRAME
  lastFlags = 0
  protected readonly memory: Memory
  protected readonly arch: MemoryManagementArch
  protected readonly top: number

  constructor(
    memory: Memory,
    arch: MemoryManagementArch,
    root: Pfn,
    start: Vpn = arch.kernelStart,
    end: Vpn = arch.userEnd,
  ) {
    this.memory = memory
    this.arch = arch
    this.root = root
    this.start = start
    this.end = end
    this.top = arch.levels - 1
  }

  /** The 4 KiB entry of a page; NULL when a table on the way is absent, or the page is not ours. */
  leaf(vpn: Vpn): Ptr {
    if (vpn < this.start || vpn >= this.end) return NULL
    return this.arch.leafEntry(this.memory.u32, this.root, vpn)
  }

  /** The entry that many pages further on in the same table. */
  neighbour(entry: Ptr, pages: number): Ptr {
    return (entry + pages * ENTRY_BYTES) as Ptr
  }

  /**
   * The level-1 entry on the way to a page, which points to a table of 4 KiB leaves, is a huge leaf, or absent; NULL when
   * the table that it would stand in is absent, or the page is not ours.
   */
  slot(vpn: Vpn): Ptr {
    if (vpn < this.start || vpn >= this.end) return NULL
    let table = this.root
    for (let level = this.top; level > 1; level--) {
      table = this.childOf(this.entryAt(table, vpn, level))
      if (table === NO_FRAME) return NULL
    }
    return this.entryAt(table, vpn, 1)
  }

  /** The entry of a page at any level; NULL when a table on the way is absent, or a leaf is in its place. */
  entryFor(vpn: Vpn, level: number): Ptr {
    if (vpn < this.start || vpn >= this.end) return NULL
    let table = this.root
    for (let at = this.top; at > level; at--) {
      table = this.childOf(this.entryAt(table, vpn, at))
      if (table === NO_FRAME) return NULL
    }
    return this.entryAt(table, vpn, level)
  }

  /** The first page behind the absent entry for which `slot` of a page is NULL. */
  afterHole(vpn: Vpn): Vpn {
    let table = this.root
    for (let level = this.top; level > 1; level--) {
      table = this.childOf(this.entryAt(table, vpn, level))
      if (table === NO_FRAME) return this.nextAt(vpn, level)
    }
    return this.nextAt(vpn, 1)
  }

  /**
   * The first 4 KiB entry of a range that lies in one table. HOLE when one absent entry stands for all of it, as mostly for what was mapped and never
   * used; NULL when it lies in several tables, or has a huge leaf.
   */
  runOrHole(start: Vpn, end: Vpn): Ptr | typeof HOLE {
    let table = this.root
    for (let level = this.top; level > 0; level--) {
      const entry = this.entryAt(table, start, level)
      table = this.childOf(entry)
      if (table === NO_FRAME) return this.isPresent(entry) || end > this.nextAt(start, level) ? NULL : HOLE
    }
    return end <= this.nextAt(start, 1) ? this.entryAt(table, start, 0) : NULL
  }

  /** Whether the entries from one on map nothing; false when they are too many to be seen at once. */
  areAbsent(entry: Ptr, pages: number): boolean {
    if (pages > SEEN_AT_ONCE) return false
    const { arch } = this
    const { u32 } = this.memory
    const word = entry >>> 2
    for (let i = 0; i < pages; i++) if (arch.isPresent(u32[word + i * 2]!)) return false
    return true
  }

  /** The first 4 KiB entry of a range that lies in one table; NULL when there is no such table, or there are several. */
  runOf(start: Vpn, end: Vpn): Ptr {
    return end <= this.nextAt(start, 1) ? this.leaf(start) : NULL
  }

  /** The huge leaf (of level 1) that maps a page, or NULL. */
  hugeLeaf(vpn: Vpn): Ptr {
    const slot = this.slot(vpn)
    return slot !== NULL && this.isLeaf(slot) ? slot : NULL
  }

  /** Whether the entry maps a frame, be it with no access at all (PROT_NONE). */
  isPresent(entry: Ptr): boolean {
    return this.arch.isPresent(this.memory.u32[entry >>> 2]!)
  }

  /** The frame that a present entry maps. */
  pfn(entry: Ptr): Pfn {
    const { u32 } = this.memory
    return this.arch.pfnOf(u32[entry >>> 2]!, u32[(entry >>> 2) + 1]!)
  }

  /** The frame of a page that an entry maps, be it a huge leaf. Entries of huge leaves stand in other tables than small ones. */
  pfnAt(entry: Ptr, vpn: Vpn): Pfn {
    const pfn = this.pfn(entry)
    return entry === this.leaf(vpn) ? pfn : ((pfn + (vpn % this.arch.span(1))) as Pfn)
  }

  /** The EntryFlags of a present entry. */
  flags(entry: Ptr): number {
    const { u32 } = this.memory
    return this.arch.flagsOf(u32[entry >>> 2]!, u32[(entry >>> 2) + 1]!)
  }

  /** Looks a page up as the hardware does, superpages too. True when mapped: see `lastPfn` and `lastFlags`. */
  translate(vpn: Vpn): boolean {
    if (vpn < this.start || vpn >= this.end) return false
    let table = this.root
    for (let level = this.top; level >= 0; level--) {
      const entry = this.entryAt(table, vpn, level)
      if (!this.isPresent(entry)) return false
      if (level === 0 || this.isLeaf(entry)) return this.#found(entry, vpn, level)
      table = this.childOf(entry)
    }
    return false
  }

  #found(entry: Ptr, vpn: Vpn, level: number): boolean {
    const span = this.arch.span(level)
    this.lastPfn = (this.pfn(entry) + (vpn - Math.floor(vpn / span) * span)) as Pfn
    this.lastFlags = this.flags(entry)
    return true
  }

  /**
   * Calls `visit` for the present 4 KiB leaves of the pages `start` to `end` - 1, in rising order. Absent tables are
   * skipped at their full size, huge leaves are for `visitHuge` (see walkRuns). `visit` may change the entry that it is given, and no table.
   */
  walk(start: Vpn, end: Vpn, visit: (vpn: Vpn, entry: Ptr) => void, visitHuge?: VisitRun): void {
    const { arch } = this
    const { u32 } = this.memory
    const visitRun: VisitRun = (first, at, pages) => {
      let entry = at
      for (let i = 0; i < pages; i++) {
        if (arch.isPresent(u32[entry >>> 2]!)) visit((first + i) as Vpn, entry)
        entry = (entry + 8) as Ptr
      }
    }
    this.walkRuns(start, end, visitRun, visitHuge)
  }

  /** Calls `visit` for every mapped page of a range in rising order, whatever the size of its leaf. For reading. */
  walkPages(start: Vpn, end: Vpn, visit: (vpn: Vpn, pfn: Pfn, flags: number) => void): void {
    const span = this.arch.span(1)
    const visitRun: VisitRun = (first, at, pages) => {
      for (let i = 0; i < pages; i++) {
        const entry = (at + i * 8) as Ptr
        if (this.isPresent(entry)) visit((first + i) as Vpn, this.pfn(entry), this.flags(entry))
      }
    }
    this.walkRuns(start, end, visitRun, (first, leaf, pages) => {
      const [pfn, flags] = [this.pfn(leaf) + (first % span), this.flags(leaf)]
      for (let i = 0; i < pages; i++) visit((first + i) as Vpn, (pfn + i) as Pfn, flags)
    })
  }

  /**
   * Calls `visit` for the part of each 4 KiB-leaf table that is in the range: `pages` entries from `entry` on, present or
   * not; and `visitHuge` for each huge leaf of which `pages` pages from `vpn` on are in the range. For loops over many
   * pages that must be tight.
   */
  walkRuns(start: Vpn, end: Vpn, visit: VisitRun, visitHuge?: VisitRun): void {
    this.#walkTable(this.root, this.top, this.#clampLow(start), this.#clampHigh(end), visit, visitHuge)
  }

  #walkTable(
    table: Pfn,
    level: number,
    start: Vpn,
    end: Vpn,
    visit: VisitRun,
    visitHuge: VisitRun | undefined,
  ): void {
    for (let vpn = this.#nextUsed(table, level, start, end); vpn < end; ) {
      const entry = this.entryAt(table, vpn, level)
      const child = this.childOf(entry)
      const next = this.nextAt(vpn, level)
      const stop = next < end ? next : end
      if (child === NO_FRAME) {
        if (level === 1 && visitHuge !== undefined && this.isLeaf(entry)) visitHuge(vpn, entry, stop - vpn)
      } else if (level === 1) visit(vpn, this.entryAt(child, vpn, 0), stop - vpn)
      else this.#walkTable(child, level - 1, vpn, stop, visit, visitHuge)
      vpn = this.#nextUsed(table, level, next, end)
    }
  }

  /**
   * The first page from `vpn` on whose entry in the table is not empty, or one that is passed over in vain: `end`, and where the upper half of
   * a root is followed by the lower one. Most entries are empty.
   */
  #nextUsed(table: Pfn, level: number, vpn: Vpn, end: Vpn): Vpn {
    if (vpn >= end) return end
    const { arch } = this
    const { u32 } = this.memory
    const first = this.entryAt(table, vpn, level) >>> 2
    if ((u32[first]! | u32[first + 1]!) !== 0) return vpn
    const span = arch.span(level)
    const begin = arch.spanStart(vpn, level)
    const inTable = (1 << arch.indexBits) - arch.index(vpn, level)
    const entries = Math.min(Math.ceil((end - begin) / span), inTable)
    let i = 1
    while (i < entries && (u32[first + 2 * i]! | u32[first + 2 * i + 1]!) === 0) i++
    return (begin + i * span) as Vpn
  }

  /**
   * Calls `visit` for every entry above level 0 that points to a table and is on the way to a page in the range,
   * children before parents. `visit` may remove the table from the entry.
   */
  protected eachTable(
    start: Vpn,
    end: Vpn,
    visit: (table: Pfn, entry: Ptr, level: number, vpn: Vpn) => void,
  ): void {
    this.#eachTableIn(this.root, this.top, this.#clampLow(start), this.#clampHigh(end), visit)
  }

  #eachTableIn(
    table: Pfn,
    level: number,
    start: Vpn,
    end: Vpn,
    visit: (table: Pfn, entry: Ptr, level: number, vpn: Vpn) => void,
  ): void {
    if (level === 0) return
    for (let vpn = this.#nextUsed(table, level, start, end); vpn < end; ) {
      const entry = this.entryAt(table, vpn, level)
      const child = this.childOf(entry)
      const next = this.nextAt(vpn, level)
      if (child !== NO_FRAME) {
        this.#eachTableIn(child, level - 1, vpn, next < end ? next : end, visit)
        visit(child, entry, level - 1, vpn)
      }
      vpn = this.#nextUsed(table, level, next, end)
    }
  }

  /** Frames that hold tables, the root included. */
  tableFrames(): number {
    let frames = 1
    this.eachTable(this.start, this.end, () => frames++)
    return frames
  }

  /** The mapped 4 KiB pages as ranges, one line each. */
  dump(): string {
    return dumpLeaves(this)
  }

  /** The entry of `table` that is on the way to `vpn`. */
  entryAt(table: Pfn, vpn: Vpn, level: number): Ptr {
    return (((table << PAGE_SHIFT) | (this.arch.index(vpn, level) << 3)) >>> 0) as Ptr
  }

  /** Whether both words of an entry are 0: it maps nothing, and says nothing of what was there. */
  isEmpty(entry: Ptr): boolean {
    const { u32 } = this.memory
    return (u32[entry >>> 2]! | u32[(entry >>> 2) + 1]!) === 0
  }

  /** The table that an entry above level 0 points to, or NO_FRAME. */
  childOf(entry: Ptr): Pfn {
    const { u32 } = this.memory
    return this.arch.tableOf(u32[entry >>> 2]!, u32[(entry >>> 2) + 1]!)
  }

  /** Whether a present entry maps frames (and does not point to a table). */
  isLeaf(entry: Ptr): boolean {
    return this.arch.isLeaf(this.memory.u32[entry >>> 2]!)
  }

  /** First page that the next entry at `level` covers. */
  nextAt(vpn: Vpn, level: number): Vpn {
    return (this.arch.spanStart(vpn, level) + this.arch.span(level)) as Vpn
  }

  #clampLow(vpn: Vpn): Vpn {
    return vpn < this.start ? this.start : vpn
  }

  #clampHigh(vpn: Vpn): Vpn {
    return vpn > this.end ? this.end : vpn
  }
}
