/** How the nodes of a VMA tree are made, split, merged and given back as entries come and go. */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { type AddressSpace, SPACE_TREE_HEIGHT, SPACE_TREE_ROOT } from './address-space.js'
import type { SpareNodes } from './spare-nodes.js'
import type { VmaNodes } from './vma-node.js'
import { NODE_ENTRIES } from './vma-node-layout.js'
import type { VmaSummaries } from './vma-summaries.js'

/** A node with fewer entries is merged into a neighbour when the two fit into one with room to spare. */
export const ENTRIES_MIN = NODE_ENTRIES / 4
const ENTRIES_MERGED_MAX = (NODE_ENTRIES * 3) / 4

/** Any gap of a node may be gone. */
const ANY_GAP = Number.POSITIVE_INFINITY

export class VmaBalance {
  readonly #u32: Uint32Array
  readonly #nodes: VmaNodes
  readonly #spares: SpareNodes
  readonly #summaries: VmaSummaries

  constructor({ u32 }: Memory, nodes: VmaNodes, spares: SpareNodes, summaries: VmaSummaries) {
    this.#u32 = u32
    this.#nodes = nodes
    this.#spares = spares
    this.#summaries = summaries
  }

  /** Puts a VMA into a leaf, or a node into one above it, before the entry at `slot`. A full one is split; nodes are set aside. */
  insertEntry(space: AddressSpace, node: Ptr, slot: number, child: Ptr): void {
    if (this.#nodes.count(node) === NODE_ENTRIES) {
      const right = this.#split(space, node, slot)
      const kept = this.#nodes.count(node)
      if (slot > kept) {
        this.insertEntry(space, right, slot - kept, child)
        return
      }
    }
    const before = this.#nodes.gapBefore(node, slot)
    this.#nodes.open(node, slot)
    this.#nodes.setEntry(node, slot, child)
    this.#summaries.refreshUp(node, before, this.#nodes.gapsAt(node, slot))
  }

  /**
   * Moves entries of a full node to a new one on its right: half of them, or all but one when the new entry goes to
   * an end, because addresses are often handed out in order.
   */
  #split(space: AddressSpace, node: Ptr, slot: number): Ptr {
    const right = this.#spares.take(space)
    this.#nodes.setLevel(right, this.#nodes.level(node))
    this.#nodes.moveEntries(node, keptEntries(slot), right)
    if (this.#nodes.parent(node) === NULL) this.makeRoot(space, this.#nodes.level(node) + 1, node)
    this.#summaries.refreshUp(node, ANY_GAP, 0)
    const parent = this.#nodes.parent(node)
    this.insertEntry(space, parent, this.#nodes.slotOf(parent, node) + 1, right)
    return right
  }

  /** A node above the only one that there is, or a leaf of the first mapping. */
  makeRoot(space: AddressSpace, level: number, child: Ptr): void {
    const root = this.#spares.take(space)
    this.#nodes.setLevel(root, level)
    this.#nodes.setCount(root, 1)
    this.#nodes.setEntry(root, 0, child)
    this.#setRoot(space, root, level + 1)
  }

  #setRoot(space: AddressSpace, root: Ptr, height: number): void {
    this.#u32[(space.ptr + SPACE_TREE_ROOT) >>> 2] = root
    this.#u32[(space.ptr + SPACE_TREE_HEIGHT) >>> 2] = height
    if (root !== NULL) this.#nodes.setParent(root, NULL)
  }

  /** Takes the entry at `slot` out, and the node with it when that was the last. */
  removeEntry(space: AddressSpace, node: Ptr, slot: number): void {
    const isRoot = this.#nodes.parent(node) === NULL
    const before = isRoot ? 0 : this.#nodes.gapsAt(node, slot)
    this.#nodes.close(node, slot)
    if (isRoot) {
      this.#shrinkRoot(space, node)
      return
    }
    if (this.#nodes.count(node) === 0) {
      this.#removeNode(space, node)
      return
    }
    this.#summaries.refreshUp(node, before, this.#nodes.gapBefore(node, slot))
    if (this.#nodes.count(node) < ENTRIES_MIN) this.#mergeAway(space, node)
  }

  #removeNode(space: AddressSpace, node: Ptr): void {
    const parent = this.#nodes.parent(node)
    const slot = this.#nodes.slotOf(parent, node)
    this.#spares.free(space, node)
    this.removeEntry(space, parent, slot)
  }

  /** A root without entries is no tree, one with a single node gives its place to that. */
  #shrinkRoot(space: AddressSpace, root: Ptr): void {
    let node = root
    while (node !== NULL && this.#nodes.count(node) <= (this.#nodes.level(node) > 0 ? 1 : 0)) {
      const child = this.#nodes.level(node) > 0 ? this.#nodes.child(node, 0) : NULL
      this.#setRoot(space, child, this.#nodes.level(node))
      this.#nodes.cut(node, 0)
      this.#spares.free(space, node)
      node = child
    }
  }

  /** Joins the node with the neighbour on its left or right, if both fit into one. */
  #mergeAway(space: AddressSpace, node: Ptr): void {
    const parent = this.#nodes.parent(node)
    const slot = this.#nodes.slotOf(parent, node)
    const left = slot > 0 ? slot - 1 : 0
    if (left + 1 >= this.#nodes.count(parent)) return
    const into = this.#nodes.child(parent, left)
    const from = this.#nodes.child(parent, left + 1)
    if (this.#nodes.count(into) + this.#nodes.count(from) > ENTRIES_MERGED_MAX) return
    this.#nodes.moveEntries(from, 0, into)
    this.#summaries.refreshUp(into, ANY_GAP, this.#nodes.largestGap(into))
    this.#removeNode(space, from)
  }
}

/** How many entries of a full node stay in it when it is split for a new one at `slot`. */
function keptEntries(slot: number): number {
  if (slot === 0) return 1
  return slot === NODE_ENTRIES ? NODE_ENTRIES - 1 : NODE_ENTRIES / 2
}
