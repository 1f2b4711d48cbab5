/**
 * The pages that a page object holds: page index → frame, a radix tree of 64-way nodes from the slab, as deep as
 * the largest index needs. The tree's handle is two words inside the object's record:
 *
 *     handle + 0   u32  root node (Ptr), 0 = empty
 *     handle + 4   u32  levels, 0 = empty
 *
 *     node + 0     u32  slots in use
 *     node + 4     u32  0
 *     node + 8     64 × u32   inner node: child Ptr; lowest level: Pfn; 0 = nothing
 *
 * Guarded by the object's lock.
 */
import { assert } from '../base/assert.js'
import { ENOMEM } from '../base/errno.js'
import { NO_FRAME, NULL, type Pfn, type Ptr } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { Memory } from '../state/memory.js'

const BITS = 6
const SLOTS = 1 << BITS
const SLOTS_OFFSET = 8
const NODE_BYTES = SLOTS_OFFSET + SLOTS * 4
const LEVELS_MAX = 5

/** Pages that one object can have: 2^30, 4 TiB. */
export const OBJECT_PAGES_MAX = 1 << (BITS * LEVELS_MAX)

type Visit = (index: number, pfn: Pfn) => void

interface Range {
  readonly first: number
  readonly end: number
  readonly visit: Visit
}

export class PageCache {
  readonly #memory: Memory
  readonly #nodes: SlabCache

  constructor(memory: Memory, slab: SlabAllocator) {
    this.#memory = memory
    this.#nodes = slab.createCache('page_cache_node', NODE_BYTES, 8)
  }

  /** The frame of a page, NO_FRAME when it is not there. */
  find(handle: Ptr, index: number): Pfn {
    const { u32 } = this.#memory
    let node = u32[handle >>> 2]!
    let shift = u32[(handle >>> 2) + 1]! * BITS
    if (index >>> shift !== 0) return NO_FRAME
    while (node !== 0 && shift > 0) {
      shift -= BITS
      node = u32[slotOf(node, shift, index)]!
    }
    return node as Pfn
  }

  /** Puts a frame in an empty place. 0, or -ENOMEM with no effect. */
  insert(handle: Ptr, index: number, pfn: Pfn): number {
    assert(index < OBJECT_PAGES_MAX, 'the page index fits the tree')
    const slot = this.#makeSlot(handle, index)
    if (slot === 0) {
      this.remove(handle, index)
      return -ENOMEM
    }
    assert(this.#memory.u32[slot] === 0, 'a page is inserted once')
    this.#memory.u32[slot] = pfn
    return 0
  }

  /** Puts a frame in the place of another one, which it returns. */
  replace(handle: Ptr, index: number, pfn: Pfn): Pfn {
    const { u32 } = this.#memory
    const slot = this.#makeSlot(handle, index)
    const before = u32[slot]! as Pfn
    assert(before !== NO_FRAME, 'a page is replaced that is there')
    u32[slot] = pfn
    return before
  }

  /** Takes a page out, with the nodes that this leaves empty; NO_FRAME when it is not there. */
  remove(handle: Ptr, index: number): Pfn {
    const { u32 } = this.#memory
    const root = u32[handle >>> 2]!
    const shift = (u32[(handle >>> 2) + 1]! - 1) * BITS
    if (root === 0) return NO_FRAME
    const pfn = index >>> shift < SLOTS ? this.#take(root, shift, index) : 0
    this.#dropEmptyRoot(handle)
    return pfn as Pfn
  }

  /** Takes out the pages `first` to `end` - 1; `drop` is told of each. */
  removeRange(handle: Ptr, first: number, end: number, drop: Visit): void {
    const { u32 } = this.#memory
    const root = u32[handle >>> 2]!
    if (root === 0) return
    this.#cut(root, (u32[(handle >>> 2) + 1]! - 1) * BITS, 0, { first, end, visit: drop })
    this.#dropEmptyRoot(handle)
  }

  /** Every page from `first` to `end` - 1, by rising index. */
  forEach(handle: Ptr, visit: Visit, first = 0, end: number = OBJECT_PAGES_MAX): void {
    const { u32 } = this.#memory
    const root = u32[handle >>> 2]!
    const shift = (u32[(handle >>> 2) + 1]! - 1) * BITS
    if (root !== 0) this.#visit(root, shift, 0, { first, end, visit })
  }

  /** The first page from `index` on; infinity when there is none. */
  next(handle: Ptr, index: number): number {
    const { u32 } = this.#memory
    const root = u32[handle >>> 2]!
    if (root === 0) return Number.POSITIVE_INFINITY
    return this.#nextIn(root, (u32[(handle >>> 2) + 1]! - 1) * BITS, 0, index)
  }

  #nextIn(node: number, shift: number, base: number, index: number): number {
    const { u32 } = this.#memory
    for (let i = index > base ? Math.min(SLOTS, (index - base) >>> shift) : 0; i < SLOTS; i++) {
      const child = u32[((node + SLOTS_OFFSET) >>> 2) + i]!
      if (child === 0) continue
      const at = base + (i << shift)
      const found = shift === 0 ? at : this.#nextIn(child, shift - BITS, at, index)
      if (found !== Number.POSITIVE_INFINITY) return found
    }
    return Number.POSITIVE_INFINITY
  }

  /** Asserts the node counts and that no node is empty; returns how many pages and nodes there are. */
  check(handle: Ptr): { pages: number; nodes: number } {
    const { u32 } = this.#memory
    const root = u32[handle >>> 2]!
    const levels = u32[(handle >>> 2) + 1]!
    assert((root === 0) === (levels === 0), 'an empty page cache has no levels')
    assert(levels <= LEVELS_MAX, 'the page cache has at most five levels')
    const found = { pages: 0, nodes: 0 }
    if (root !== 0) this.#checkNode(root, (levels - 1) * BITS, found)
    return found
  }

  /** Asserts that all caches together have every node that was given out. */
  checkTotal(nodes: number): void {
    assert(this.#nodes.used === nodes, 'every page cache node belongs to an object')
  }

  #checkNode(node: number, shift: number, found: { pages: number; nodes: number }): void {
    const { u32 } = this.#memory
    let used = 0
    found.nodes++
    for (let i = 0; i < SLOTS; i++) {
      const child = u32[((node + SLOTS_OFFSET) >>> 2) + i]!
      if (child === 0) continue
      used++
      if (shift === 0) found.pages++
      else this.#checkNode(child, shift - BITS, found)
    }
    assert(used > 0 && used === u32[node >>> 2], 'a page cache node counts its slots')
  }

  /** The word that holds a page's frame, its slot counted as used; 0 without memory. */
  #makeSlot(handle: Ptr, index: number): number {
    const { u32 } = this.#memory
    if (!this.#grow(handle, index)) return 0
    let node = u32[handle >>> 2]!
    let shift = (u32[(handle >>> 2) + 1]! - 1) * BITS
    for (; shift > 0; shift -= BITS) {
      const slot = slotOf(node, shift, index)
      if (u32[slot] === 0 && !this.#addChild(node, slot)) return 0
      node = u32[slot]!
    }
    const slot = slotOf(node, 0, index)
    if (u32[slot] === 0) u32[node >>> 2]!++
    return slot
  }

  #addChild(node: number, slot: number): boolean {
    const child = this.#nodes.allocateZeroed()
    if (child === NULL) return false
    this.#memory.u32[slot] = child
    this.#memory.u32[node >>> 2]!++
    return true
  }

  /** Adds levels on top until the tree reaches `index`. */
  #grow(handle: Ptr, index: number): boolean {
    const { u32 } = this.#memory
    const word = handle >>> 2
    if (u32[word] === 0) return this.#plant(word, index)
    while (index >>> (u32[word + 1]! * BITS) !== 0) {
      const root = this.#nodes.allocateZeroed()
      if (root === NULL) return false
      u32[slotOf(root, 0, 0)] = u32[word]!
      u32[root >>> 2] = 1
      u32[word] = root
      u32[word + 1]!++
    }
    return true
  }

  /** The first root of an empty tree, at the height that `index` needs. */
  #plant(word: number, index: number): boolean {
    const root = this.#nodes.allocateZeroed()
    if (root === NULL) return false
    let levels = 1
    while (index >>> (levels * BITS) !== 0) levels++
    this.#memory.u32[word] = root
    this.#memory.u32[word + 1] = levels
    return true
  }

  #take(node: number, shift: number, index: number): number {
    const { u32 } = this.#memory
    const slot = slotOf(node, shift, index)
    const child = u32[slot]!
    if (child === 0) return 0
    const pfn = shift === 0 ? child : this.#take(child, shift - BITS, index)
    if (shift === 0 || u32[child >>> 2] === 0) this.#emptySlot(node, slot, shift)
    return pfn
  }

  /** `base` is the index that the node's first slot leads to. */
  #cut(node: number, shift: number, base: number, range: Range): void {
    const { u32 } = this.#memory
    const start = range.first > base ? Math.min(SLOTS, (range.first - base) >>> shift) : 0
    for (let i = start; i < SLOTS && base + (i << shift) < range.end; i++) {
      const slot = ((node + SLOTS_OFFSET) >>> 2) + i
      const child = u32[slot]!
      if (child === 0) continue
      if (shift === 0) range.visit(base + i, child as Pfn)
      else this.#cut(child, shift - BITS, base + (i << shift), range)
      if (shift === 0 || u32[child >>> 2] === 0) this.#emptySlot(node, slot, shift)
    }
  }

  #visit(node: number, shift: number, base: number, range: Range): void {
    const { u32 } = this.#memory
    const start = range.first > base ? Math.min(SLOTS, (range.first - base) >>> shift) : 0
    for (let i = start; i < SLOTS && base + (i << shift) < range.end; i++) {
      const child = u32[((node + SLOTS_OFFSET) >>> 2) + i]!
      if (child === 0) continue
      if (shift === 0) range.visit(base + i, child as Pfn)
      else this.#visit(child, shift - BITS, base + (i << shift), range)
    }
  }

  /** Clears a slot, giving an emptied child node back. */
  #emptySlot(node: number, slot: number, shift: number): void {
    const { u32 } = this.#memory
    if (shift > 0) this.#nodes.free(u32[slot]! as Ptr)
    u32[slot] = 0
    u32[node >>> 2]!--
  }

  #dropEmptyRoot(handle: Ptr): void {
    const { u32 } = this.#memory
    const root = u32[handle >>> 2]! as Ptr
    if (root === 0 || u32[root >>> 2] !== 0) return
    this.#nodes.free(root)
    u32[handle >>> 2] = 0
    u32[(handle >>> 2) + 1] = 0
  }
}

/** Word index of the slot that leads to `index`. */
function slotOf(node: number, shift: number, index: number): number {
  return ((node + SLOTS_OFFSET) >>> 2) + ((index >>> shift) & (SLOTS - 1))
}
