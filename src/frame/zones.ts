import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import { Region, regionBytes, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { BumpAllocator } from './bump-allocator.js'
import { ORDER_MAX } from './frame-allocator.js'
import type { FrameTable } from './frame-table.js'
import type { Reach } from './reach.js'
import { watermarksFor } from './watermarks.js'
import { ZONE_BYTES, Zone } from './zone.js'

/** Of the upper zone, one frame in so many is kept back in the lower one (lowmem_reserve_ratio of Linux's DMA32). */
const PROTECTION_RATIO = 256

/**
 * The zones of RAM: frames below a limit, which some devices must have, and the rest. A machine whose RAM ends below the
 * limit has only the first. Whoever does not care gets a frame of the upper zone, then of the lower one as long as
 * that keeps its protection.
 */
export class Zones {
  /** Rising. */
  readonly all: readonly Zone[]
  readonly #last: number

  private constructor(memory: Memory, frames: FrameTable) {
    const start = regionPtr(memory, Region.zones)
    const count = regionBytes(memory, Region.zones) / ZONE_BYTES
    this.all = Array.from(
      { length: count },
      (_, i) => new Zone(memory, frames, (start + i * ZONE_BYTES) as Ptr),
    )
    this.#last = count - 1
  }

  static boot(memory: Memory, bump: BumpAllocator, frames: FrameTable, lowFrames: number): Zones {
    const end = frames.frameCount as Pfn
    const limits = lowFrames < end ? [0, lowFrames, end] : [0, end]
    const bytes = (limits.length - 1) * ZONE_BYTES
    const start = bump.allocateBytes(bytes)
    setRegion(memory, Region.zones, start, bytes)
    for (let i = 0; i + 1 < limits.length; i++) {
      Zone.boot(memory, (start + i * ZONE_BYTES) as Ptr, limits[i] as Pfn, limits[i + 1] as Pfn)
    }
    return new Zones(memory, frames)
  }

  static attach(memory: Memory, frames: FrameTable): Zones {
    return new Zones(memory, frames)
  }

  /** Once all frames are there: what the lower zone keeps. */
  protect(): void {
    const upper = this.all[1]
    if (upper !== undefined) this.all[0]!.protection = Math.floor(upper.managedFrames / PROTECTION_RATIO)
  }

  of(pfn: Pfn): Zone {
    const upper = this.all[this.#last]!
    return pfn >= upper.start ? upper : this.all[0]!
  }

  /** Zone.take from the best zone that may be taken from. */
  take(order: number, reach: Reach): Pfn {
    const upper = this.all[this.#last]!
    const pfn = upper.mayTake(order, reach) ? upper.take(order) : NO_FRAME
    return pfn !== NO_FRAME || this.#last === 0 ? pfn : this.#takeLow(order, reach)
  }

  #takeLow(order: number, reach: Reach): Pfn {
    const lower = this.all[0]!
    return lower.mayTake(order, reach) ? lower.take(order) : NO_FRAME
  }

  /** Every zone is below its low watermark: who allocates wakes kswapd then. */
  get areLow(): boolean {
    return this.all[this.#last]!.isLow && (this.#last === 0 || this.all[0]!.isLow)
  }

  /** How many frames some zone needs to reach its high watermark; 0 or less when one has (pgdat_balanced). */
  get missingToHigh(): number {
    return Math.min(...this.all.map((zone) => zone.missingToHigh))
  }

  /** Min watermarks of all zones together. */
  get minimum(): number {
    return this.#sum((zone) => zone.watermarks.min)
  }

  /** vm.min_free_kbytes, shared out among the zones by their size, and vm.watermark_scale_factor (__setup_per_zone_wmarks). */
  setWatermarks(minimumKib: number, scale: number): void {
    const total = this.managedFrames
    for (const zone of this.all) zone.watermarks = watermarksFor(zone.managedFrames, minimumKib, scale, total)
  }

  get freeFrames(): number {
    return this.#sum((zone) => zone.freeFrames)
  }

  get managedFrames(): number {
    // Every mmap of private memory asks.
    const low = this.all[0]!.managedFrames
    return this.#last === 0 ? low : low + this.all[1]!.managedFrames
  }

  get reservedFrames(): number {
    return this.#sum((zone) => zone.reservedFrames)
  }

  /** Free blocks of each order in all zones. */
  perOrder(): number[] {
    return Array.from({ length: ORDER_MAX + 1 }, (_, order) => this.#sum((zone) => zone.count(order)))
  }

  /** Zone.add, though a zone ends between the frames. */
  add(start: Pfn, end: Pfn): void {
    const zone = this.of(start)
    if (end <= zone.end) zone.add(start, end)
    else this.split(start, end, (part, first, last) => part.add(first, last))
  }

  /** The parts of a range of frames that lie in one zone each. */
  split(start: Pfn, end: Pfn, each: (zone: Zone, start: Pfn, end: Pfn) => void): void {
    for (const zone of this.all) {
      const first = Math.max(start, zone.start) as Pfn
      const last = Math.min(end, zone.end) as Pfn
      if (first < last) each(zone, first, last)
    }
  }

  #sum(of: (zone: Zone) => number): number {
    let sum = 0
    for (const zone of this.all) sum += of(zone)
    return sum
  }
}
