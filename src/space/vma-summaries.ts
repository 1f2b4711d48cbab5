/** What the nodes above a node say of it: its bounds, and its largest gap. */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import type { VmaNodes } from './vma-node.js'
import { NODE_BEGIN, NODE_CHILD, NODE_ENTRIES, NODE_FIRST, NODE_PARENT } from './vma-node-layout.js'

/** Where the other numbers of an entry stand, from its first page on: in `f64`. */
const LAST = NODE_ENTRIES
const GAP = 2 * NODE_ENTRIES

/**
 * Keeps that true. Each mmap and munmap comes here, so all is read and written in place: with VmaNodes' accessors it takes
 * three times as long.
 */
export class VmaSummaries {
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  readonly #nodes: VmaNodes

  constructor({ u32, f64 }: Memory, nodes: VmaNodes) {
    this.#u32 = u32
    this.#f64 = f64
    this.#nodes = nodes
  }

  /**
   * The node's entries changed: tells the entries above it, as far as they change. `lost` is the largest of the gaps that
   * may be gone, `gained` the largest of those that may be new: a node's maximum is sought anew only when it was lost.
   */
  refreshUp(node: Ptr, lost: number, gained: number): void {
    const u32 = this.#u32
    const f64 = this.#f64
    let gone = lost
    let found = gained
    let child: number = node
    for (let parent = u32[(child + NODE_PARENT) >>> 2]!; parent !== NULL; ) {
      const children = (parent + NODE_CHILD) >>> 2
      let slot = 0
      while (u32[children + slot] !== child) slot++
      const at = ((parent + NODE_FIRST) >>> 3) + slot
      const below = ((child + NODE_FIRST) >>> 3) + u32[(child + NODE_BEGIN) >>> 2]!
      const first = f64[below]!
      const last = f64[below + LAST + u32[child >>> 2]! - 1]!
      const oldFirst = f64[at]!
      const oldLast = f64[at + LAST]!
      const oldGap = f64[at + GAP]!
      const gap = found >= oldGap ? found : gone < oldGap ? oldGap : this.#seekGap(child as Ptr, found)
      if (oldFirst === first && oldLast === last && oldGap === gap) return
      gone = oldGap
      found = gap
      if (slot > 0) {
        const end = f64[at + LAST - 1]!
        if (oldFirst - end > gone) gone = oldFirst - end
        if (first - end > found) found = first - end
      }
      if (slot + 1 < u32[parent >>> 2]!) {
        const start = f64[at + 1]!
        if (start - oldLast > gone) gone = start - oldLast
        if (start - last > found) found = start - last
      }
      f64[at] = first
      f64[at + LAST] = last
      f64[at + GAP] = gap
      child = parent
      parent = u32[(parent + NODE_PARENT) >>> 2]!
    }
  }

  /** The largest gap of a node; `found` is one. Of half of all pages it is the largest: the one where mmap places mostly is, of the whole space. */
  #seekGap(node: Ptr, found: number): number {
    const nodes = this.#nodes
    const pages = nodes.last(node, nodes.count(node) - 1) - nodes.first(node, 0)
    return 2 * found >= pages ? found : nodes.largestGap(node)
  }
}
