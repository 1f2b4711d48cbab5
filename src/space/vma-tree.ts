/**
 * All mappings of an address space, sorted, in a B-tree of slab nodes (vma-node-layout.ts). Looking a page up, finding a
 * neighbour or a gap and changing a mapping all cost O(log n). The records of the VMAs come from here too.
 *
 * Nothing here fails half way: `reserve` sets nodes aside first (spare-nodes.ts; they stay for the next operation), and `insert` takes
 * only from those.
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { Memory } from '../state/memory.js'
import { type AddressSpace, SPACE_TREE_HEIGHT, SPACE_TREE_ROOT } from './address-space.js'
import { LastFound } from './last-found.js'
import { SpareNodes } from './spare-nodes.js'
import { VMA_BYTES, VMA_FLAGS, VMA_OFFSET, VMA_SPACE } from './vma.js'
import { ENTRIES_MIN, VmaBalance } from './vma-balance.js'
import { VmaNodes } from './vma-node.js'
import { NODE_ENTRIES } from './vma-node-layout.js'
import { VmaSummaries } from './vma-summaries.js'
import { checkVmaTree, type TreeCensus } from './vma-tree-check.js'

export class VmaTree {
  readonly nodes: VmaNodes
  readonly #memory: Memory
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  readonly #vmaCache: SlabCache
  readonly #spares: SpareNodes
  readonly #summaries: VmaSummaries
  readonly #balance: VmaBalance
  readonly #lastFound: LastFound

  /** Boots or attaches: the state is in the spaces' records and the slab. */
  constructor(memory: Memory, slab: SlabAllocator) {
    this.nodes = new VmaNodes(memory)
    this.#memory = memory
    this.#u32 = memory.u32
    this.#f64 = memory.f64
    this.#vmaCache = slab.createCache('vma', VMA_BYTES, 8)
    this.#spares = new SpareNodes(memory, slab, this.nodes)
    this.#summaries = new VmaSummaries(memory, this.nodes)
    this.#balance = new VmaBalance(memory, this.nodes, this.#spares, this.#summaries)
    this.#lastFound = new LastFound(memory)
  }

  /** A record of zeroes that is in no tree yet; NULL without memory. */
  allocateVma(): Ptr {
    return this.#vmaCache.allocateZeroed()
  }

  /** NULL is allowed. */
  freeVma(vma: Ptr): void {
    if (vma !== NULL) this.#vmaCache.free(vma)
  }

  /** The first mapping that ends above the page: it holds the page, or is the next one. NULL when there is none. */
  find(space: AddressSpace, vpn: Vpn): Ptr {
    const last = this.#lastFound
    const known = last.known(space.ptr, vpn)
    return known >= 0 ? (known as Ptr) : last.keep(space.ptr, vpn, this.#search(space, vpn))
  }

  /** For who knows what `find` would give for a page: the next search near it is spared. */
  keepFound(space: AddressSpace, vpn: Vpn, found: Ptr, below: Ptr): void {
    this.#lastFound.keep(space.ptr, vpn, found, below)
  }

  #search(space: AddressSpace, vpn: Vpn): Ptr {
    let node = this.root(space)
    if (node === NULL || this.nodes.last(node, this.nodes.count(node) - 1) <= vpn) return NULL
    for (let level = this.height(space); level > 0; level--) {
      // An entry that ends above the page has a child that does: no level needs a limit.
      node = this.nodes.childAbove(node, vpn)
    }
    return node
  }

  /** The mapping that holds the page; NULL when it is not mapped. */
  findHolding(space: AddressSpace, vpn: Vpn): Ptr {
    const vma = this.find(space, vpn)
    return vma !== NULL && this.startOf(vma) <= vpn ? vma : NULL
  }

  /** The last mapping that begins below the page; NULL when there is none. */
  findBelow(space: AddressSpace, vpn: Vpn): Ptr {
    const above = this.find(space, vpn)
    return above !== NULL && this.startOf(above) < vpn ? above : this.before(space, above)
  }

  /** The mapping before one, or the last one of all for NULL, which is no mapping's place behind them. */
  before(space: AddressSpace, vma: Ptr): Ptr {
    const last = this.#lastFound
    const known = last.before(space.ptr, vma)
    if (known >= 0) return known as Ptr
    const below = vma === NULL ? this.last(space) : this.previous(vma)
    last.keepBefore(space.ptr, vma, below)
    return below
  }

  /** First page of a mapping. */
  startOf(vma: Ptr): Vpn {
    return this.#f64[vma >>> 3]! as Vpn
  }

  /** Page after the last one of a mapping. */
  endOf(vma: Ptr): Vpn {
    return this.#f64[(vma + 8) >>> 3]! as Vpn
  }

  /** VM_* of a mapping. */
  flagsOf(vma: Ptr): number {
    return this.#u32[(vma + VMA_FLAGS) >>> 2]!
  }

  first(space: AddressSpace): Ptr {
    let node = this.root(space)
    if (node === NULL) return NULL
    for (let level = this.nodes.level(node); level >= 0; level--) node = this.nodes.child(node, 0)
    return node
  }

  last(space: AddressSpace): Ptr {
    let node = this.root(space)
    if (node === NULL) return NULL
    for (let level = this.nodes.level(node); level >= 0; level--) {
      node = this.nodes.child(node, this.nodes.count(node) - 1)
    }
    return node
  }

  next(vma: Ptr): Ptr {
    return this.nodes.neighbour(vma, 1)
  }

  previous(vma: Ptr): Ptr {
    return this.nodes.neighbour(vma, -1)
  }

  root(space: AddressSpace): Ptr {
    return this.#u32[(space.ptr + SPACE_TREE_ROOT) >>> 2]! as Ptr
  }

  height(space: AddressSpace): number {
    return this.#u32[(space.ptr + SPACE_TREE_HEIGHT) >>> 2]!
  }

  /**
   * Sets aside the nodes that so many inserts can need at most: each splits one node per level, and a new root. False
   * without memory; what was set aside stays.
   */
  reserve(space: AddressSpace, inserts: number): boolean {
    return this.#spares.reserve(space, inserts * (this.height(space) + 1))
  }

  /** Gives the nodes that are set aside back. */
  releaseSpares(space: AddressSpace): void {
    this.#spares.release(space)
  }

  /** Makes a record of zeroes a mapping, and puts it in as `insert` does. What it shows beside anonymous memory is in the record already. */
  insertNew(
    space: AddressSpace,
    vma: Ptr,
    start: Vpn,
    end: Vpn,
    pageOffset: number,
    flags: number,
    below: Ptr,
    above: Ptr,
  ): void {
    this.#f64[vma >>> 3] = start
    this.#f64[(vma + 8) >>> 3] = end
    this.#f64[(vma + VMA_OFFSET) >>> 3] = pageOffset
    this.#u32[(vma + VMA_FLAGS) >>> 2] = flags
    this.#insertBetween(space, vma, below, above)
  }

  /** Puts a mapping in, for which `reserve` made room. It overlaps no other; `above` is the one that comes next, or NULL. */
  insert(space: AddressSpace, vma: Ptr, above = this.find(space, this.startOf(vma))): void {
    this.#insertBetween(space, vma, this.#lastFound.before(space.ptr, above), above)
  }

  /** `below`: the mapping before `above`, or all, NULL; a negative number when that is not known. */
  #insertBetween(space: AddressSpace, vma: Ptr, below: number, above: Ptr): void {
    space.sequence++
    space.vmaCount++
    this.#u32[(vma + VMA_SPACE) >>> 2] = space.ptr
    const start = this.startOf(vma)
    if (this.endOf(vma) === space.searchedTop) space.searchedTop = start
    if (this.root(space) === NULL) this.#balance.makeRoot(space, 0, vma)
    else this.#insertBefore(space, vma, above)
    this.#lastFound.keep(space.ptr, start, vma, below)
  }

  #insertBefore(space: AddressSpace, vma: Ptr, above: Ptr): void {
    const { nodes } = this
    const leaf = nodes.holder(0, above !== NULL ? above : this.last(space))
    const slot = above !== NULL ? nodes.slotOf(leaf, above) : nodes.count(leaf)
    if (nodes.count(leaf) < NODE_ENTRIES) this.#insertVma(leaf, slot, vma)
    else this.#balance.insertEntry(space, leaf, slot, vma)
  }

  /** The leaf is not full. */
  #insertVma(leaf: Ptr, slot: number, vma: Ptr): void {
    const { nodes } = this
    const isRoot = nodes.parent(leaf) === NULL
    const before = isRoot ? 0 : nodes.gapBefore(leaf, slot)
    nodes.insertVma(leaf, slot, vma)
    if (!isRoot) this.#summaries.refreshUp(leaf, before, nodes.gapsBeside(leaf, slot))
  }

  /** Takes a mapping out. The record stays. */
  remove(space: AddressSpace, vma: Ptr): void {
    space.sequence++
    space.vmaCount--
    const { nodes } = this
    const leaf = nodes.holder(0, vma)
    const slot = nodes.slotOf(leaf, vma)
    if (space.searchedPages > 0)
      this.#gapGrows(
        space,
        slot + 1 < nodes.count(leaf) ? nodes.first(leaf, slot + 1) : this.#startAfter(vma),
      )
    this.#balance.removeEntry(space, leaf, slot)
  }

  /** First page of the mapping after one; Infinity when there is none. */
  #startAfter(vma: Ptr): number {
    const next = this.next(vma)
    return next === NULL ? Number.POSITIVE_INFINITY : this.startOf(next)
  }

  /** What a search has found is true still, but for the gap that ends at a page. */
  #gapGrows(space: AddressSpace, end: number): void {
    if (end <= space.searchedTop) return
    space.searchedTop = end < space.mapBase ? end : space.mapBase
  }

  /** Ends a mapping at a page inside it; `upper` is put in as the rest of it. `reserve` made room for one. */
  split(space: AddressSpace, vma: Ptr, at: Vpn, upper: Ptr): void {
    const { nodes } = this
    const start = this.startOf(vma)
    const end = this.endOf(vma)
    const leaf = nodes.holder(0, vma)
    this.#f64[upper >>> 3] = at
    this.#f64[(upper + 8) >>> 3] = end
    if (nodes.count(leaf) === NODE_ENTRIES) {
      const above = this.next(vma)
      this.setBounds(space, vma, start, at)
      this.insert(space, upper, above)
      return
    }
    // The two touch, so that no gap changes, and nothing above the leaf.
    space.sequence++
    space.vmaCount++
    this.#f64[(vma + 8) >>> 3] = at
    this.#u32[(upper + VMA_SPACE) >>> 2] = space.ptr
    const slot = nodes.slotOf(leaf, vma)
    nodes.setBounds(leaf, slot, start, at)
    nodes.insertVma(leaf, slot + 1, upper)
    this.#lastFound.keep(space.ptr, at, upper)
  }

  /** Gives a mapping all pages up to the end of the next one, and takes that out. Its record stays. What was free between the two is no gap any more. */
  absorb(space: AddressSpace, vma: Ptr, next: Ptr): void {
    const { nodes } = this
    const start = this.startOf(vma)
    const end = this.endOf(next)
    const gap = this.startOf(next) - this.endOf(vma)
    const leaf = nodes.holder(0, vma)
    const mayLose = nodes.parent(leaf) === NULL || nodes.count(leaf) > ENTRIES_MIN
    if (!mayLose || nodes.holder(0, next) !== leaf) {
      this.remove(space, next)
      this.setBounds(space, vma, start, end)
      return
    }
    space.sequence++
    space.vmaCount--
    this.#f64[(vma + 8) >>> 3] = end
    const slot = nodes.slotOf(leaf, vma)
    nodes.close(leaf, slot + 1)
    nodes.setBounds(leaf, slot, start, end)
    if (gap > 0 && nodes.parent(leaf) !== NULL) this.#summaries.refreshUp(leaf, gap, 0)
    this.#lastFound.keep(space.ptr, start, vma)
  }

  /** Moves the bounds of a mapping that is in the tree; it must stay between its neighbours. */
  setBounds(space: AddressSpace, vma: Ptr, start: Vpn, end: Vpn): void {
    space.sequence++
    if (start > this.startOf(vma) || end < this.endOf(vma)) space.searchedPages = 0
    this.#f64[vma >>> 3] = start
    this.#f64[(vma + 8) >>> 3] = end
    const leaf = this.nodes.holder(0, vma)
    const slot = this.nodes.slotOf(leaf, vma)
    const isRoot = this.nodes.parent(leaf) === NULL
    const before = isRoot ? 0 : this.nodes.gapsBeside(leaf, slot)
    this.nodes.setBounds(leaf, slot, start, end)
    if (!isRoot) this.#summaries.refreshUp(leaf, before, this.nodes.gapsBeside(leaf, slot))
  }

  /** Moves the border of two mappings that touch, which stays inside them: no gap changes. */
  moveBorder(space: AddressSpace, below: Ptr, above: Ptr, at: Vpn): void {
    const { nodes } = this
    const leaf = nodes.holder(0, below)
    if (nodes.holder(0, above) !== leaf) {
      const end = this.endOf(above)
      this.setBounds(space, below, this.startOf(below), at)
      this.setBounds(space, above, at, end)
      return
    }
    space.sequence++
    this.#f64[(below + 8) >>> 3] = at
    this.#f64[above >>> 3] = at
    nodes.setBorder(leaf, nodes.slotOf(leaf, above), at)
  }

  /** Asserts every invariant of the space's tree and returns what it is made of. */
  check(space: AddressSpace): TreeCensus {
    const tree = checkVmaTree(this.#memory, this.nodes, this.root(space), this.height(space), space.ptr)
    assert(tree.mappings === space.vmaCount, 'the space counts its mappings')
    return { mappings: tree.mappings, nodes: tree.nodes + this.#spares.check(space) }
  }

  /** Asserts that all spaces together have every record and node that was given out: none is lost. */
  checkTotals({ mappings, nodes }: TreeCensus): void {
    assert(this.#vmaCache.used === mappings, 'every mapping is in a tree')
    this.#spares.checkTotal(nodes)
  }
}
