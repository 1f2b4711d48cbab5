import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { Vma } from './vma.js'
import type { VmaNodes } from './vma-node.js'
import { NODE_ENTRIES } from './vma-node-layout.js'

/** What trees are made of; spare nodes count. */
export interface TreeCensus {
  readonly mappings: number
  readonly nodes: number
}

/** Asserts all invariants of one space's tree; returns how many mappings and nodes are in it. */
export function checkVmaTree(
  memory: Memory,
  nodes: VmaNodes,
  root: Ptr,
  height: number,
  space: Ptr,
): TreeCensus {
  assert((root === NULL) === (height === 0), 'a tree without nodes has no height')
  if (root === NULL) return { mappings: 0, nodes: 0 }
  assert(nodes.level(root) === height - 1, 'the root stands at the height of the tree')
  assert(nodes.parent(root) === NULL, 'the root has no parent')
  const checker = new Checker(memory, nodes, space)
  checker.node(root)
  return { mappings: checker.mappings, nodes: checker.nodes }
}

class Checker {
  readonly #nodes: VmaNodes
  readonly #space: Ptr
  readonly #vma: Vma
  #end = Number.NEGATIVE_INFINITY
  mappings = 0
  nodes = 0

  constructor(memory: Memory, nodes: VmaNodes, space: Ptr) {
    this.#nodes = nodes
    this.#space = space
    this.#vma = new Vma(memory)
  }

  /** Checks a node and all below it, in key order, and counts them. */
  node(node: Ptr): void {
    const nodes = this.#nodes
    this.nodes++
    const count = nodes.count(node)
    const begin = nodes.begin(node)
    assert(count >= 1 && begin + count <= NODE_ENTRIES, 'a node has 1 to 24 entries')
    assert(begin === 0 || nodes.level(node) === 0, 'only in a leaf there are places before the first entry')
    for (let slot = -begin; slot < 0; slot++) {
      assert(nodes.last(node, slot) === 0, 'no page is sought before the first entry')
    }
    for (let slot = count; begin + slot < NODE_ENTRIES; slot++) {
      assert(nodes.last(node, slot) === Number.POSITIVE_INFINITY, 'unused entries end nowhere')
    }
    for (let slot = 0; slot < count; slot++) {
      const child = nodes.child(node, slot)
      assert(nodes.holder(nodes.level(node), child) === node, 'a child knows the node that holds it')
      if (nodes.level(node) === 0) this.#mapping(child)
      else this.#inner(node, child)
      assert(!nodes.refreshEntry(node, slot), 'an entry says the bounds and largest gap of its child')
    }
  }

  #inner(node: Ptr, child: Ptr): void {
    assert(this.#nodes.level(child) === this.#nodes.level(node) - 1, 'levels fall by one')
    this.node(child)
  }

  #mapping(ptr: Ptr): void {
    const vma = this.#vma.at(ptr)
    assert(vma.space === this.#space, 'a mapping knows its space')
    assert(vma.start < vma.end, 'a mapping has pages')
    assert(vma.start >= this.#end, 'mappings are sorted and do not overlap')
    this.#end = vma.end
    this.mappings++
  }
}
