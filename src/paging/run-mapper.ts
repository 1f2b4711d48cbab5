import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { EntryLoops } from './entry-loops.js'
import type { FlushBatch } from './flush-batch.js'
import { PageMapper } from './page-mapper.js'

/** Frames that a loop over many entries has met: anonymous memory, and pages of objects. */
export interface FrameTally {
  anonymous: number
  others: number
}

/** Who remembers that a frame of an object was written to through an entry that goes away. */
export interface DirtyKeeper {
  markDirty(pfn: Pfn): void
}

/**
 * What fork and munmap do to many entries of one table at a time: frames and entries are counted once for all of them. On memory
 * that no other thread uses the loops are WebAssembly (EntryLoops), but for short runs; else, and for what those leave, they are here.
 */
export class RunMapper extends PageMapper {
  /**
   * For fork: the absent entries from `target` on, of another address space's table, map what our `pages` entries from
   * `entry` on map, not accessed yet (pte_mkold). With `protects` nobody may write these pages any more: our entries change too. Every frame that is counted
   * has one reference more and is nobody's alone any more; `tally` says how many there were.
   */
  share(
    entry: Ptr,
    vpn: Vpn,
    pages: number,
    target: Ptr,
    protects: boolean,
    batch: FlushBatch,
    tally: FrameTally,
  ): void {
    const loops = this.env.entryLoops?.forEntries(pages)
    if (loops !== undefined) this.#shareFast(loops, entry, vpn, pages, target, protects, batch, tally)
    else this.#shareEach(entry, vpn, pages, target, protects, batch, tally)
  }

  #shareFast(
    loops: EntryLoops,
    entry: Ptr,
    vpn: Vpn,
    pages: number,
    target: Ptr,
    protects: boolean,
    batch: FlushBatch,
    tally: FrameTally,
  ): void {
    loops.share(entry, target, pages, protects)
    const { present, counted, anonymous, first, last } = loops
    tally.anonymous += anonymous
    tally.others += counted - anonymous
    if (last >= first) batch.addRun((vpn + first) as Vpn, last - first + 1, 0)
    if (present > 0) this.countEntry(target, present)
  }

  #shareEach(
    entry: Ptr,
    vpn: Vpn,
    pages: number,
    target: Ptr,
    protects: boolean,
    batch: FlushBatch,
    tally: FrameTally,
  ): void {
    const { u32 } = this.memory
    const { arch } = this
    const { buddy } = this.env
    const accessed = arch.accessedMask
    const words = (target - entry) >> 2
    const first = entry >>> 2
    let present = 0
    let anonymous = 0
    let others = 0
    for (let i = 0; i < pages; i++) {
      const word = first + i * 2
      let low = u32[word]!
      if (!arch.isPresent(low)) continue
      if (protects && arch.isWritable(low)) low = this.#writeProtect(word, (vpn + i) as Vpn, batch)
      const high = u32[word + 1]!
      u32[word + words + 1] = high
      u32[word + words] = low & ~accessed
      present++
      if (arch.isSpecial(low)) continue
      if (buddy.retainUser(arch.frameOf(low, high))) anonymous++
      else others++
    }
    tally.anonymous += anonymous
    tally.others += others
    if (present > 0) this.countEntry(target, present)
  }

  /** Takes the right to write from a present entry; returns its new low word. */
  #writeProtect(word: number, vpn: Vpn, batch: FlushBatch): number {
    const low = this.arch.writeProtected(this.take(word))
    this.swap(word, low)
    batch.touch(vpn)
    return low
  }

  /**
   * Unmaps what is mapped by the `pages` entries from `entry` on and gives the frames' references to the batch. `tally` says
   * how many were counted; `keeper` is told of frames of objects whose entry was dirty.
   */
  clearRun(
    entry: Ptr,
    vpn: Vpn,
    pages: number,
    batch: FlushBatch,
    tally: FrameTally,
    keeper: DirtyKeeper,
  ): void {
    const loops = batch.loops?.forEntries(pages)
    const done = loops === undefined ? 0 : this.#clearFast(loops, entry, vpn, pages, batch, tally)
    if (done === pages) return
    const rest = (entry + done * 8) as Ptr
    this.#clearEach(rest, (vpn + done) as Vpn, pages - done, batch, tally, keeper)
  }

  /** As far as there is nothing but anonymous memory; returns how many entries that is. */
  #clearFast(
    loops: EntryLoops,
    entry: Ptr,
    vpn: Vpn,
    pages: number,
    batch: FlushBatch,
    tally: FrameTally,
  ): number {
    const done = loops.clear(entry, pages, batch.roomForRun(pages))
    const { present, counted, first, last } = loops
    if (present === 0) return done
    tally.anonymous += counted
    batch.addRun((vpn + first) as Vpn, last - first + 1, counted)
    this.countEntry(entry, -present)
    return done
  }

  #clearEach(
    entry: Ptr,
    vpn: Vpn,
    pages: number,
    batch: FlushBatch,
    tally: FrameTally,
    keeper: DirtyKeeper,
  ): void {
    const { u32 } = this.memory
    const { arch } = this
    const { frames } = this.env
    const first = entry >>> 2
    const room = batch.roomForRun(pages)
    const { waiting } = batch
    let from = pages
    let to = 0
    let cleared = 0
    let counted = 0
    let anonymous = 0
    for (let i = 0; i < pages; i++) {
      const word = first + i * 2
      if (!arch.isPresent(u32[word]!)) continue
      const high = u32[word + 1]!
      const low = this.swap(word, 0)
      u32[word + 1] = 0
      if (cleared++ === 0) from = i
      to = i
      if (arch.isSpecial(low)) continue
      const pfn = arch.frameOf(low, high)
      if ((frames.flags(pfn) & FrameFlag.anonymous) !== 0) anonymous++
      else this.#keepDirty(low, high, pfn, keeper)
      waiting[room + counted++] = pfn
    }
    if (cleared === 0) return
    tally.anonymous += anonymous
    tally.others += counted - anonymous
    batch.addRun((vpn + from) as Vpn, to - from + 1, counted)
    this.countEntry(entry, -cleared)
  }

  #keepDirty(low: number, high: number, pfn: Pfn, keeper: DirtyKeeper): void {
    const isDirty = (this.arch.flagsOf(low, high) & EntryFlag.dirty) !== 0
    if (isDirty && (this.env.frames.flags(pfn) & FrameFlag.file) !== 0) keeper.markDirty(pfn)
  }
}
