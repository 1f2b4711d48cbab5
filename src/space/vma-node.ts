/**
 * A node of the VMA tree: 736 bytes, slab cache "vma_node". The leaves (level 0) hold VMAs, the others nodes; an
 * entry says where its child begins and ends and the largest gap between two VMAs inside it. A gap between two
 * entries of a node is in neither child: it is `first[i] - last[i - 1]`, so that moving a VMA's bounds changes nodes
 * on the way to the root only, and no neighbour.
 *
 *     0    u32  count     1 to 24
 *     4    u32  level     0 = leaf
 *     8    u32  parent    NULL = root; while the node is spare: the next spare one
 *     64   f64  first[24]
 *     256  f64  last[24]  page after the last; Infinity beyond count, so that a search needs no limit
 *     448  f64  gap[24]   pages; 0 in a leaf
 *     640  u32  child[24]
 *
 * 24 entries (three cache lines of numbers): measured best of 16 to 48 for gap searches among 65,530 mappings, the
 * most that there can be; look-ups cost the same with all of them.
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { VMA_LEAF } from './vma.js'

export const NODE_BYTES = 736
export const NODE_ENTRIES = 24
export const NODE_LEVEL = 4
export const NODE_PARENT = 8
export const NODE_FIRST = 64
export const NODE_LAST = 256
export const NODE_GAP = 448
export const NODE_CHILD = 640

/** Numbers of a cache line: a search skips so many at once. */
const LINE = 8
/** So many entries of a leaf are moved without WebAssembly. */
const SHIFTED_HERE_MAX = 12

/** Reads and writes nodes; knows one node and its children, not the tree. */
export class VmaNodes {
  readonly #memory: Memory
  readonly #u32: Uint32Array
  readonly #f64: Float64Array

  constructor(memory: Memory) {
    this.#memory = memory
    this.#u32 = memory.u32
    this.#f64 = memory.f64
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
  first(node: Ptr, slot: number): number {
    return this.#f64[((node + NODE_FIRST) >>> 3) + slot]!
  }
  last(node: Ptr, slot: number): number {
    return this.#f64[((node + NODE_LAST) >>> 3) + slot]!
  }
  gap(node: Ptr, slot: number): number {
    return this.#f64[((node + NODE_GAP) >>> 3) + slot]!
  }
  child(node: Ptr, slot: number): Ptr {
    return this.#u32[((node + NODE_CHILD) >>> 2) + slot]! as Ptr
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
    const base = (node + NODE_CHILD) >>> 2
    let at = base
    while (u32[at] !== child) at++
    return at - base
  }

  /** How many entries begin at a page or below it. */
  slotAfter(node: Ptr, start: number): number {
    const f64 = this.#f64
    const base = (node + NODE_FIRST) >>> 3
    const end = base + this.count(node)
    let at = base
    while (at < end && f64[at]! <= start) at++
    return at - base
  }

  /** Pages of the largest gap between two VMAs below the node. */
  largestGap(node: Ptr): number {
    const f64 = this.#f64
    const first = (node + NODE_FIRST) >>> 3
    const last = first + NODE_ENTRIES
    const gap = last + NODE_ENTRIES
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
    this.#u32[((node + NODE_CHILD) >>> 2) + slot] = child
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
    this.open(leaf, slot)
    this.#u32[((leaf + NODE_CHILD) >>> 2) + slot] = vma
    this.#u32[(vma + VMA_LEAF) >>> 2] = leaf
    this.setBounds(leaf, slot, this.#f64[vma >>> 3]!, this.#f64[(vma + 8) >>> 3]!)
  }

  /** Writes the bounds of a leaf's entry. */
  setBounds(leaf: Ptr, slot: number, first: number, last: number): void {
    this.#f64[((leaf + NODE_FIRST) >>> 3) + slot] = first
    this.#f64[((leaf + NODE_LAST) >>> 3) + slot] = last
  }

  /** The larger of the gaps on both sides of an entry. */
  gapsBeside(node: Ptr, slot: number): number {
    const below = this.gapBefore(node, slot)
    const above = this.gapBefore(node, slot + 1)
    return below > above ? below : above
  }

  /** The gap between two neighbouring entries, `slot` and the one before it; 0 at the ends of the node. */
  gapBefore(node: Ptr, slot: number): number {
    if (slot === 0 || slot === this.count(node)) return 0
    return this.first(node, slot) - this.last(node, slot - 1)
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
    const firstAt = ((node + NODE_FIRST) >>> 3) + slot
    const lastAt = ((node + NODE_LAST) >>> 3) + slot
    const gapAt = ((node + NODE_GAP) >>> 3) + slot
    if (f64[firstAt] === first && f64[lastAt] === last && f64[gapAt] === gap) return false
    f64[firstAt] = first
    f64[lastAt] = last
    f64[gapAt] = gap
    return true
  }

  /** Makes room before `slot`; the node is not full. */
  open(node: Ptr, slot: number): void {
    const count = this.count(node)
    if (slot < count) this.#shift(node, slot, slot + 1, count - slot)
    this.setCount(node, count + 1)
  }

  /** Takes the entry at `slot` out. */
  close(node: Ptr, slot: number): void {
    const count = this.count(node) - 1
    if (slot < count) this.#shift(node, slot + 1, slot, count - slot)
    this.cut(node, count)
  }

  /** Leaves the first `count` entries. */
  cut(node: Ptr, count: number): void {
    const f64 = this.#f64
    const last = (node + NODE_LAST) >>> 3
    const had = this.count(node)
    for (let slot = count; slot < had; slot++) f64[last + slot] = Number.POSITIVE_INFINITY
    this.setCount(node, count)
  }

  /** Makes a new record a node without entries. */
  clear(node: Ptr): void {
    this.setCount(node, NODE_ENTRIES)
    this.cut(node, 0)
  }

  /** The first entry that ends above the page; there must be one. */
  slotAbove(node: Ptr, vpn: number): number {
    const f64 = this.#f64
    const base = (node + NODE_LAST) >>> 3
    let at = base
    while (f64[at + LINE - 1]! <= vpn) at += LINE
    while (f64[at]! <= vpn) at++
    return at - base
  }

  /** Moves `count` entries within the node. (copyWithin is slow on shared memory; calls of WebAssembly cost as much as a few moves.) */
  #shift(node: Ptr, from: number, to: number, count: number): void {
    if (count <= SHIFTED_HERE_MAX && this.level(node) === 0) this.#shiftFew(node, from, to - from, count)
    else this.#shiftMany(node, from, to, count)
  }

  /** Entries of a leaf, by -1 or 1. */
  #shiftFew(leaf: Ptr, from: number, by: number, count: number): void {
    const f64 = this.#f64
    const u32 = this.#u32
    const end = by > 0 ? from - 1 : from + count
    let slot = by > 0 ? from + count - 1 : from
    for (; slot !== end; slot -= by) {
      const first = ((leaf + NODE_FIRST) >>> 3) + slot
      const child = ((leaf + NODE_CHILD) >>> 2) + slot
      f64[first + by] = f64[first]!
      f64[first + NODE_ENTRIES + by] = f64[first + NODE_ENTRIES]!
      u32[child + by] = u32[child]!
    }
  }

  #shiftMany(node: Ptr, from: number, to: number, count: number): void {
    const { copy } = this.#memory
    const bytes = count * 8
    copy((node + NODE_FIRST + to * 8) as Ptr, (node + NODE_FIRST + from * 8) as Ptr, bytes)
    copy((node + NODE_LAST + to * 8) as Ptr, (node + NODE_LAST + from * 8) as Ptr, bytes)
    if (this.level(node) > 0)
      copy((node + NODE_GAP + to * 8) as Ptr, (node + NODE_GAP + from * 8) as Ptr, bytes)
    copy((node + NODE_CHILD + to * 4) as Ptr, (node + NODE_CHILD + from * 4) as Ptr, count * 4)
  }

  /** Moves the entries from `slot` on to the end of another node of the same level. */
  moveEntries(from: Ptr, slot: number, to: Ptr): void {
    const count = this.count(from)
    let target = this.count(to)
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
