import type { Pfn } from '../base/numbers.js'
import type { FrameTable } from './frame-table.js'

/** Takes references away from many frames of a list, on memory that no other thread uses. */
export interface FrameDropper {
  /**
   * One reference less to each of `count` frames of the list, from place `from` on. The single frames of which it was the last one become
   * ones inside a free block (FrameTable.dropLast), and stand in the list from place `from` on; returns how many these are. It ends early at a
   * frame whose last reference goes and that is none of them: a larger block.
   */
  drop(from: number, count: number): number
  /** How many frames the last call went over. */
  readonly dropped: number
}

/** The same in TypeScript, for any list. */
export class ListDropper implements FrameDropper {
  readonly #frames: FrameTable
  readonly #list: Uint32Array
  dropped = 0

  constructor(frames: FrameTable, list: Uint32Array) {
    this.#frames = frames
    this.#list = list
  }

  drop(from: number, count: number): number {
    const list = this.#list
    let free = from
    let at = from
    for (; at < from + count; at++) {
      const pfn = list[at]! as Pfn
      if (this.#frames.dropReference(pfn)) continue
      if (!this.#frames.dropLast(pfn)) break
      list[free++] = pfn
    }
    this.dropped = at - from
    return free - from
  }
}
