/** Nodes of a VmaTree that are set aside in the record of a space, linked through their parent field: so an insert cannot fail half way. */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { Memory } from '../state/memory.js'
import { type AddressSpace, SPACE_SPARE_COUNT, SPACE_SPARE_NODES } from './address-space.js'
import type { VmaNodes } from './vma-node.js'
import { NODE_BYTES } from './vma-node-layout.js'

/** So many nodes that are not needed any more stay with the space: one mapping that comes and goes often is at a node's edge. */
const KEPT = 4

export class SpareNodes {
  readonly #u32: Uint32Array
  readonly #nodes: VmaNodes
  readonly #cache: SlabCache

  /** Boots or attaches: the state is in the spaces' records and the slab. */
  constructor({ u32 }: Memory, slab: SlabAllocator, nodes: VmaNodes) {
    this.#u32 = u32
    this.#nodes = nodes
    this.#cache = slab.createCache('vma_node', NODE_BYTES, 8)
  }

  count(space: AddressSpace): number {
    return this.#u32[(space.ptr + SPACE_SPARE_COUNT) >>> 2]!
  }

  /** Sets aside until there are so many. False without memory; what was set aside stays. */
  reserve(space: AddressSpace, wanted: number): boolean {
    while (this.count(space) < wanted) {
      const node = this.#cache.allocateZeroed()
      if (node === NULL) return false
      this.#nodes.clear(node)
      this.#push(space, node)
    }
    return true
  }

  /** One that was set aside. */
  take(space: AddressSpace): Ptr {
    const node = this.#u32[(space.ptr + SPACE_SPARE_NODES) >>> 2]! as Ptr
    assert(node !== NULL, 'nodes are reserved before an insert')
    this.#u32[(space.ptr + SPACE_SPARE_NODES) >>> 2] = this.#nodes.parent(node)
    this.#u32[(space.ptr + SPACE_SPARE_COUNT) >>> 2]!--
    this.#nodes.setParent(node, NULL)
    return node
  }

  /** Gives a node without entries back: to the space, or to the slab when that has some. */
  free(space: AddressSpace, node: Ptr): void {
    if (this.count(space) < KEPT) this.#push(space, node)
    else this.#cache.free(node)
  }

  /** Gives all that are set aside back to the slab. */
  release(space: AddressSpace): void {
    while (this.count(space) > 0) this.#cache.free(this.take(space))
  }

  #push(space: AddressSpace, node: Ptr): void {
    this.#nodes.setParent(node, this.#u32[(space.ptr + SPACE_SPARE_NODES) >>> 2]! as Ptr)
    this.#u32[(space.ptr + SPACE_SPARE_NODES) >>> 2] = node
    this.#u32[(space.ptr + SPACE_SPARE_COUNT) >>> 2]!++
  }

  /** Asserts that as many are linked as are counted; returns the count. */
  check(space: AddressSpace): number {
    const count = this.count(space)
    let found = 0
    let node = this.#u32[(space.ptr + SPACE_SPARE_NODES) >>> 2]! as Ptr
    for (; node !== NULL && found < count; node = this.#nodes.parent(node)) found++
    assert(node === NULL && found === count, 'the space counts its spare nodes')
    return count
  }

  /** Asserts that so many nodes were given out to all spaces together: none is lost. */
  checkTotal(nodes: number): void {
    assert(this.#cache.used === nodes, 'every node is in a tree, or spare')
  }
}
