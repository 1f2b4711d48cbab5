import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { VMA_LEAF } from './vma.js'
import { LeafPlaces } from './vma-leaf.js'
import {
  NODE_BEGIN,
  NODE_CHILD,
  NODE_ENTRIES,
  NODE_FIRST,
  NODE_GAP,
  NODE_LAST,
  NODE_LEVEL,
  NODE_PARENT,
} from './vma-node-layout.js'

/** Numbers of a cache line: a search skips so many at once. */
const LINE = 8
/** Where the other numbers of an entry stand, from its first page on: in `f64`. */
const LAST = NODE_ENTRIES
const GAP = 2 * NODE_ENTRIES
/** Where an entry's child stands, from the node on: in `u32`. */
const CHILD = NODE_CHILD / 4

/** Reads and writes nodes; knows one node and its children, not the tree. */
export class VmaNodes {
  readonly #memory: Memory
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  readonly #leaves: LeafPlaces

  constructor(memory: Memory) {
    this.#memory = memory
    this.#u32 = memory.u32
    this.#f64 = memory.f64
    this.#leaves = new LeafPlaces(memory)
  }

  count(node: Ptr): number {
    return this.#u32[node >>> 2]!
  }
  setCount(node: Ptr, count: number): void {
    this.#u32[node >>> 2] = count
  }
  level(node: Ptr): number {
    return this.#u32[(node + NODE_LEVEL) >>> 2]!
  }
  setLevel(node: Ptr, level: number): void {
    this.#u32[(node + NODE_LEVEL) >>> 2] = level
  }
  parent(node: Ptr): Ptr {
    return this.#u32[(node + NODE_PARENT) >>> 2]! as Ptr
  }
  setParent(node: Ptr, parent: Ptr): void {
    this.#u32[(node + NODE_PARENT) >>> 2] = parent
  }
  /** The place of the first entry. */
  begin(node: Ptr): number {
    return this.#u32[(node + NODE_BEGIN) >>> 2]!
  }
  first(node: Ptr, slot: number): number {
    return this.#f64[this.#firstAt(node) + slot]!
  }
  last(node: Ptr, slot: number): number {
    return this.#f64[this.#firstAt(node) + LAST + slot]!
  }
  gap(node: Ptr, slot: number): number {
    return this.#f64[this.#firstAt(node) + GAP + slot]!
  }
  child(node: Ptr, slot: number): Ptr {
    return this.#u32[this.#childAt(node) + slot]! as Ptr
  }

  /** Where the first page of the first entry stands. */
  #firstAt(node: Ptr): number {
    return ((node + NODE_FIRST) >>> 3) + this.#u32[(node + NODE_BEGIN) >>> 2]!
  }
  #childAt(node: Ptr): number {
    return (node >>> 2) + CHILD + this.#u32[(node + NODE_BEGIN) >>> 2]!
  }

  /** The node that holds a VMA (level 0) or a node. */
  holder(level: number, child: Ptr): Ptr {
    return this.#u32[(child + (level === 0 ? VMA_LEAF : NODE_PARENT)) >>> 2]! as Ptr
  }
  #setHolder(level: number, child: Ptr, node: Ptr): void {
    this.#u32[(child + (level === 0 ? VMA_LEAF : NODE_PARENT)) >>> 2] = node
  }

  /** Where in the node a child stands. */
  slotOf(node: Ptr, child: Ptr): number {
    const u32 = this.#u32
    const base = this.#childAt(node)
    let at = base
    while (u32[at] !== child) at++
    return at - base
  }

  /** Pages of the largest gap between two VMAs below the node. */
  largestGap(node: Ptr): number {
    const f64 = this.#f64
    const first = this.#firstAt(node)
    const last = first + LAST
    const gap = first + GAP
    const count = this.count(node)
    let largest = f64[gap]!
    for (let i = 1; i < count; i++) {
      const between = f64[first + i]! - f64[last + i - 1]!
      if (between > largest) largest = between
      const inside = f64[gap + i]!
      if (inside > largest) largest = inside
    }
    return largest
  }

  /** Writes what the entry says about its child, and the child's way back. */
  setEntry(node: Ptr, slot: number, child: Ptr): void {
    this.#u32[this.#childAt(node) + slot] = child
    this.#setHolder(this.level(node), child, node)
    this.refreshEntry(node, slot)
  }

  /** Takes the child's bounds and gap over into its entry. Whether that changed anything. */
  refreshEntry(node: Ptr, slot: number): boolean {
    const child = this.child(node, slot)
    if (this.level(node) === 0) {
      return this.setSummary(node, slot, this.#f64[child >>> 3]!, this.#f64[(child + 8) >>> 3]!, 0)
    }
    const last = this.last(child, this.count(child) - 1)
    return this.setSummary(node, slot, this.first(child, 0), last, this.largestGap(child))
  }

  /** Puts a VMA into a leaf that is not full, before the entry at `slot`. */
  insertVma(leaf: Ptr, slot: number, vma: Ptr): void {
    this.#leaves.open(leaf, slot)
    this.#u32[this.#childAt(leaf) + slot] = vma
    this.#u32[(vma + VMA_LEAF) >>> 2] = leaf
    this.setBounds(leaf, slot, this.#f64[vma >>> 3]!, this.#f64[(vma + 8) >>> 3]!)
  }

  /** Writes the bounds of a leaf's entry. */
  setBounds(leaf: Ptr, slot: number, first: number, last: number): void {
    const at = this.#firstAt(leaf) + slot
    this.#f64[at] = first
    this.#f64[at + LAST] = last
  }

  /** Writes where a leaf's entry begins, and the one before it ends. */
  setBorder(leaf: Ptr, slot: number, at: number): void {
    const first = this.#firstAt(leaf) + slot
    this.#f64[first] = at
    this.#f64[first + LAST - 1] = at
  }

  /** The larger of the gaps on both sides of an entry. */
  gapsBeside(node: Ptr, slot: number): number {
    const f64 = this.#f64
    const at = this.#firstAt(node) + slot
    const below = slot > 0 ? f64[at]! - f64[at + LAST - 1]! : 0
    const above = slot + 1 < this.count(node) ? f64[at + 1]! - f64[at + LAST]! : 0
    return below > above ? below : above
  }

  /** The gap between two neighbouring entries, `slot` and the one before it; 0 at the ends of the node. */
  gapBefore(node: Ptr, slot: number): number {
    if (slot === 0 || slot === this.count(node)) return 0
    const at = this.#firstAt(node) + slot
    return this.#f64[at]! - this.#f64[at + LAST - 1]!
  }

  /** The largest gap that an entry has a part in: the one inside it, and those on both sides. */
  gapsAt(node: Ptr, slot: number): number {
    const sides = this.gapsBeside(node, slot)
    const inside = this.gap(node, slot)
    return sides > inside ? sides : inside
  }

  /** Writes bounds and gap of an entry. Whether that changed anything. */
  setSummary(node: Ptr, slot: number, first: number, last: number, gap: number): boolean {
    const f64 = this.#f64
    const at = this.#firstAt(node) + slot
    if (f64[at] === first && f64[at + LAST] === last && f64[at + GAP] === gap) return false
    f64[at] = first
    f64[at + LAST] = last
    f64[at + GAP] = gap
    return true
  }

  /** Makes room before `slot`; the node is not full. */
  open(node: Ptr, slot: number): void {
    if (this.level(node) === 0) {
      this.#leaves.open(node, slot)
      return
    }
    const count = this.count(node)
    if (slot < count) this.#shift(node, slot, slot + 1, count - slot)
    this.setCount(node, count + 1)
  }

  /** Takes the entry at `slot` out. */
  close(node: Ptr, slot: number): void {
    if (this.level(node) === 0) {
      this.#leaves.close(node, slot)
      return
    }
    const count = this.count(node) - 1
    if (slot < count) this.#shift(node, slot + 1, slot, count - slot)
    this.cut(node, count)
  }

  /** Leaves the first `count` entries. The places of the others are as in a new node: it may become a leaf, where no entry has a gap. */
  cut(node: Ptr, count: number): void {
    const f64 = this.#f64
    const last = this.#firstAt(node) + LAST
    const had = this.count(node)
    for (let slot = count; slot < had; slot++) {
      f64[last + slot] = Number.POSITIVE_INFINITY
      f64[last + (GAP - LAST) + slot] = 0
    }
    this.setCount(node, count)
    if (count === 0) this.#leaves.pack(node)
  }

  /** Makes a record of zeroes a node without entries. */
  clear(node: Ptr): void {
    this.setCount(node, NODE_ENTRIES)
    this.cut(node, 0)
  }

  /**
   * The child of the first entry that ends above the page; there must be one. Where the entries begin does not matter, and is not asked: of a
   * node that is in no cache each line costs as much as all else.
   */
  childAbove(node: Ptr, vpn: number): Ptr {
    const f64 = this.#f64
    const base = (node + NODE_LAST) >>> 3
    let at = base
    while (f64[at + LINE - 1]! <= vpn) at += LINE
    while (f64[at]! <= vpn) at++
    return this.#u32[(node >>> 2) + CHILD + at - base]! as Ptr
  }

  /** Moves `count` entries within the node, which is no leaf. */
  #shift(node: Ptr, from: number, to: number, count: number): void {
    const memory = this.#memory
    const bytes = count * 8
    memory.copy((node + NODE_FIRST + to * 8) as Ptr, (node + NODE_FIRST + from * 8) as Ptr, bytes)
    memory.copy((node + NODE_LAST + to * 8) as Ptr, (node + NODE_LAST + from * 8) as Ptr, bytes)
    memory.copy((node + NODE_GAP + to * 8) as Ptr, (node + NODE_GAP + from * 8) as Ptr, bytes)
    memory.copy((node + NODE_CHILD + to * 4) as Ptr, (node + NODE_CHILD + from * 4) as Ptr, count * 4)
  }

  /** Moves the entries from `slot` on to the end of another node of the same level. */
  moveEntries(from: Ptr, slot: number, to: Ptr): void {
    const count = this.count(from)
    let target = this.count(to)
    this.#leaves.pack(to)
    this.setCount(to, target + count - slot)
    for (let i = slot; i < count; i++) this.setEntry(to, target++, this.child(from, i))
    this.cut(from, slot)
  }

  /** The mapping after (1) or before (-1) one in key order; NULL at the end. */
  neighbour(vma: Ptr, direction: 1 | -1): Ptr {
    let inner = vma
    let node = this.holder(0, vma)
    for (;;) {
      const slot = this.slotOf(node, inner) + direction
      if (slot >= 0 && slot < this.count(node)) return this.#nearest(node, slot, direction)
      inner = node
      node = this.parent(node)
      if (node === NULL) return NULL
    }
  }

  /** Down from an entry to the mapping nearest to the side that one comes from. */
  #nearest(node: Ptr, slot: number, direction: 1 | -1): Ptr {
    let child = this.child(node, slot)
    for (let level = this.level(node); level > 0; level--) {
      child = this.child(child, direction === 1 ? 0 : this.count(child) - 1)
    }
    return child
  }
}
