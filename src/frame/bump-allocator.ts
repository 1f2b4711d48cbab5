import { assert } from '../base/assert.js'
import { ENOMEM, ErrnoError } from '../base/errno.js'
import { frameToPtr, NO_FRAME, type Pfn, type Ptr, pagesFor } from '../base/numbers.js'
import type { BootMemoryMap } from './boot-memory-map.js'
import type { FrameAllocator, FrameRange } from './frame-allocator.js'

/** Takes over from the bump allocator: gives frames for ever, contiguous and zero; NO_FRAME on failure. */
export interface Successor {
  reserve(frames: number): Pfn
}

/**
 * The first allocator of a boot: gives out the lowest usable frames that fit, for tables that are never freed.
 * Once the buddy allocator has taken over what is left, requests go to that one; so it does not matter in
 * which order the layers boot. RAM is zero when a machine boots, so what is given out is zero.
 */
export class BumpAllocator implements FrameAllocator {
  readonly map: BootMemoryMap
  #free: FrameRange[]
  readonly #taken: FrameRange[] = []
  #successor: Successor | undefined

  /** Throws an ErrnoError when the map has too little usable RAM. */
  constructor(map: BootMemoryMap) {
    map.assertBootable()
    this.map = map
    this.#free = [...map.ranges('usable')]
  }

  allocate(order: number): Pfn {
    if (this.#successor) return this.#successor.reserve(2 ** order)
    return this.#take(2 ** order, 2 ** order)
  }

  /** Boot tables are never freed. */
  free(): void {
    assert(false, 'what the bump allocator gave is never freed')
  }

  /** Whole frames for a table, zero. Throws an ErrnoError (ENOMEM) when RAM is too small: no boot goes on then. */
  allocateBytes(bytes: number): Ptr {
    const frames = pagesFor(bytes)
    const pfn = this.#successor ? this.#successor.reserve(frames) : this.#take(frames, 1)
    if (pfn === NO_FRAME) throw new ErrnoError(`RAM is too small for a boot table of ${bytes} bytes`, ENOMEM)
    return frameToPtr(pfn)
  }

  /** From now on `successor` answers. Returns what is left, for it to manage. */
  handOver(successor: Successor): readonly FrameRange[] {
    assert(this.#successor === undefined, 'the bump allocator hands over once')
    this.#successor = successor
    const left = this.#free
    this.#free = []
    return left
  }

  /** What was given out before the handing over. */
  get taken(): readonly FrameRange[] {
    return this.#taken
  }

  #take(frames: number, align: number): Pfn {
    const at = this.#free.findIndex(({ start, end }) => alignUp(start, align) + frames <= end)
    if (at < 0) return NO_FRAME
    const range = this.#free[at]!
    const start = alignUp(range.start, align)
    const end = (start + frames) as Pfn
    const rest = [
      { start: range.start, end: start },
      { start: end, end: range.end },
    ]
    this.#free.splice(at, 1, ...rest.filter((piece) => piece.start < piece.end))
    this.#taken.push({ start, end })
    return start
  }
}

function alignUp(value: number, align: number): Pfn {
  return (Math.ceil(value / align) * align) as Pfn
}
