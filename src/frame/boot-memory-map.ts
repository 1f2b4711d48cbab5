import { EINVAL, ErrnoError } from '../base/errno.js'
import { PAGE_SIZE, type Pfn } from '../base/numbers.js'
import type { FrameRange } from './frame-allocator.js'

/** Usable RAM below which no machine boots: 2 MiB. */
export const USABLE_FRAMES_MIN = 512

/**
 * What a range of RAM is for:
 * - usable: boot tables and the buddy allocator
 * - reserved: RAM that is never given out, but is in the kernel's linear map (the header, a loaded image)
 * - noMap: RAM that the kernel must not map either (firmware, a device's window)
 */
export type RangeKind = 'usable' | 'reserved' | 'noMap'

/** One line of a firmware's memory map; bytes counted from the start of RAM. */
export interface BootEntry {
  readonly start: number
  readonly bytes: number
  readonly kind: RangeKind
}

interface KindRange extends FrameRange {
  readonly kind: RangeKind
}

/**
 * Which frames of RAM may be used, said once before boot, as the memory map that firmware hands to a kernel.
 * Ranges count in frames. What was never added, or was removed, is a hole. Frame 0, the header, is always
 * reserved. A bad range throws an ErrnoError (EINVAL) that says what is wrong with it; the map is as before then.
 */
export class BootMemoryMap {
  readonly frameCount: number
  /** Rising, without overlap. */
  #ranges: KindRange[] = []

  constructor(frameCount: number) {
    this.frameCount = frameCount
  }

  /** All of RAM usable: what a machine without a map of its own gets. */
  static wholeRam(frameCount: number): BootMemoryMap {
    return new BootMemoryMap(frameCount).add(0, frameCount)
  }

  /** A map from lines in bytes: the usable ones are added first, the others carved out of them. */
  static fromEntries(frameCount: number, entries: readonly BootEntry[]): BootMemoryMap {
    const map = new BootMemoryMap(frameCount)
    for (const { start, bytes, kind } of entries) {
      if (kind === 'usable') map.add(start / PAGE_SIZE, bytes / PAGE_SIZE)
    }
    for (const { start, bytes, kind } of entries) {
      if (kind === 'reserved') map.reserve(start / PAGE_SIZE, bytes / PAGE_SIZE)
      if (kind === 'noMap') map.noMap(start / PAGE_SIZE, bytes / PAGE_SIZE)
    }
    return map
  }

  /** RAM that may be used. It must not overlap anything said before. */
  add(start: number, frames: number): this {
    const range = this.#checked(start, frames)
    const other = this.#ranges.find((it) => it.start < range.end && range.start < it.end)
    if (other) throw refusal(`${text(range)} overlaps ${other.kind} RAM at ${text(other)}`)
    this.#ranges.push({ ...range, kind: 'usable' })
    if (range.start === 0) this.#carve({ start: 0 as Pfn, end: 1 as Pfn }, 'reserved')
    this.#sort()
    return this
  }

  /** Makes a hole in usable RAM. */
  remove(start: number, frames: number): this {
    return this.#carve(this.#checkedUsable(start, frames), undefined)
  }

  reserve(start: number, frames: number): this {
    return this.#carve(this.#checkedUsable(start, frames), 'reserved')
  }

  noMap(start: number, frames: number): this {
    return this.#carve(this.#checkedUsable(start, frames), 'noMap')
  }

  /** The ranges of one kind, rising. */
  ranges(kind: RangeKind): readonly FrameRange[] {
    return this.#ranges.filter((it) => it.kind === kind).map(({ start, end }) => ({ start, end }))
  }

  usableFrames(): number {
    return this.ranges('usable').reduce((sum, { start, end }) => sum + end - start, 0)
  }

  /** Throws when no machine can boot with this map. */
  assertBootable(): void {
    const usable = this.usableFrames()
    if (usable === 0) throw refusal('there is no usable RAM')
    if (usable < USABLE_FRAMES_MIN) {
      throw refusal(`too small: ${usable} usable frames, ${USABLE_FRAMES_MIN} are needed`)
    }
  }

  #checked(start: number, frames: number): FrameRange {
    if (!Number.isInteger(start) || !Number.isInteger(frames)) {
      throw refusal(`unaligned: the range at ${hex(start)} is not whole 4 KiB frames`)
    }
    const range = { start: start as Pfn, end: (start + frames) as Pfn }
    if (frames <= 0) throw refusal(`the range at ${hex(start)} is empty`)
    if (start < 0 || range.end > this.frameCount) {
      throw refusal(`${text(range)} lies outside RAM, which ends at ${hex(this.frameCount)}`)
    }
    return range
  }

  /** Frame 0 counts as usable here: reserving it again says nothing new, and firmware maps do. */
  #checkedUsable(start: number, frames: number): FrameRange {
    const range = this.#checked(start, frames)
    let covered: number = range.start === 0 && this.#headerIsReserved() ? 1 : range.start
    for (const it of this.#ranges) {
      if (it.kind === 'usable' && it.start <= covered && covered < it.end) covered = it.end
    }
    if (covered >= range.end) return range
    const other = this.#ranges.find((it) => it.start <= covered && covered < it.end)
    if (other) throw refusal(`${text(range)} overlaps ${other.kind} RAM at ${text(other)}`)
    throw refusal(`${text(range)} is not wholly in usable RAM`)
  }

  /** Cuts a range out of usable RAM and, unless it becomes a hole, puts it back as another kind. */
  #carve(cut: FrameRange, kind: RangeKind | undefined): this {
    const start = Math.max(cut.start, this.#headerIsReserved() ? 1 : 0) as Pfn
    const pieces: KindRange[] = []
    for (const range of this.#ranges) {
      if (range.kind !== 'usable' || range.end <= start || cut.end <= range.start) pieces.push(range)
      else {
        if (range.start < start) pieces.push({ ...range, end: start })
        if (cut.end < range.end) pieces.push({ ...range, start: cut.end })
      }
    }
    if (kind && start < cut.end) pieces.push({ start, end: cut.end, kind })
    this.#ranges = pieces
    this.#sort()
    return this
  }

  #headerIsReserved(): boolean {
    return this.#ranges.some(({ start, kind }) => start === 0 && kind === 'reserved')
  }

  #sort(): void {
    this.#ranges.sort((a, b) => a.start - b.start)
  }
}

function refusal(problem: string): ErrnoError {
  return new ErrnoError(`boot memory map: ${problem}`, EINVAL)
}

function hex(frame: number): string {
  return `0x${(frame * PAGE_SIZE).toString(16)}`
}

function text({ start, end }: FrameRange): string {
  return `${hex(start)}-${hex(end)}`
}
