/**
 * The shape of a region: the order of its blocks, who dominates whom, where its loops begin. (Cooper, Harvey and Kennedy, "A
 * Simple, Fast Dominance Algorithm", 2001.)
 */
import type { Block, Region } from './region.js'

export interface GraphNode {
  /** Number of the block in the region. */
  readonly block: number
  /** Instructions. */
  readonly length: number
  /** Place in the reverse postorder of the nodes it goes on to; -1 = leaves the region. In the order of the block's edges. */
  readonly successors: number[]
  /** Place of the node that every way here comes through last. The entry's is itself. */
  dominator: number
  /** It is the first of a loop. */
  isHeader: boolean
  /** Ways that come here from nodes before it. */
  forwardEdges: number
  /** Nodes that it dominates directly and that several ways lead to, the last first. */
  merges: number[]
  /** The most instructions from here to the next header or exit: what is left of the budget must not be less. */
  longest: number
}

/**
 * Instructions of a small loop. (md5sum's have sixty, with ten accesses, before each of which two or three registers were stored: it took a sixth
 * longer. C++ containers, storms of malloc, gzip and Python's start have no loop of 49 to 96.)
 */
const SMALL_LOOP = 96

export class FlowGraph {
  /** In reverse postorder: the entry is 0, and an edge to a smaller or the same number goes back. */
  readonly nodes: readonly GraphNode[]
  /** By node: those that go on to it. */
  readonly predecessors: readonly (readonly number[])[]
  /** By the node of its header: the nodes of a loop, that one too. The outer ones first. */
  readonly loops = new Map<number, readonly number[]>()
  /** By node: header of the outermost loop that it is in; -1 = none. Nothing where there are no loops, as mostly. */
  #loopAround: Int16Array | undefined
  #isInSmallLoop: Uint8Array | undefined

  constructor(region: Region) {
    const nodes = makeNodes(region)
    const all = predecessorsOf(nodes)
    setDominators(nodes, all)
    this.nodes = nodes
    this.predecessors = cutIrreducible(nodes) ? predecessorsOf(nodes) : all
    classify(nodes)
    for (let node = 0; node < nodes.length; node++) if (nodes[node]!.isHeader) this.#findLoop(node)
  }

  /** The last node on every way to this one that is in no loop; the entry has no node before it. */
  outsideOfLoops(node: number): number {
    if (this.#loopAround === undefined) return node
    let place = node
    for (;;) {
      const header = this.#loopAround[place]!
      if (header < 0) return place
      if (header === 0) return 0
      place = this.nodes[header]!.dominator
    }
  }

  isInLoop(node: number): boolean {
    return this.#loopAround !== undefined && this.#loopAround[node]! >= 0
  }

  isInSmallLoop(node: number): boolean {
    return this.#isInSmallLoop !== undefined && this.#isInSmallLoop[node] === 1
  }

  #findLoop(header: number): void {
    const loopAround = (this.#loopAround ??= new Int16Array(this.nodes.length).fill(-1))
    const isInSmallLoop = (this.#isInSmallLoop ??= new Uint8Array(this.nodes.length))
    const body = [header]
    const isInside = new Uint8Array(this.nodes.length)
    isInside[header] = 1
    let length = 0
    for (let i = 0; i < body.length; i++) {
      const node = body[i]!
      length += this.nodes[node]!.length
      if (loopAround[node]! < 0) loopAround[node] = header
      const before = this.predecessors[node]!
      for (let j = 0; j < before.length; j++) {
        const next = before[j]!
        if (isInside[next] === 1 || (node === header && next < header)) continue
        isInside[next] = 1
        body.push(next)
      }
    }
    this.loops.set(header, body)
    if (length <= SMALL_LOOP) for (const node of body) isInSmallLoop[node] = 1
  }
}

function predecessorsOf(nodes: readonly GraphNode[]): number[][] {
  const predecessors: number[][] = []
  for (let node = 0; node < nodes.length; node++) predecessors.push([])
  for (let node = 0; node < nodes.length; node++) {
    const { successors } = nodes[node]!
    for (let i = 0; i < successors.length; i++)
      if (successors[i]! >= 0) predecessors[successors[i]!]!.push(node)
  }
  return predecessors
}

function makeNodes({ blocks }: Region): GraphNode[] {
  const order = reversePostorder(blocks)
  const places = new Int16Array(blocks.length).fill(-1)
  for (let place = 0; place < order.length; place++) places[order[place]!] = place
  const nodes: GraphNode[] = []
  for (let place = 0; place < order.length; place++) {
    const block = order[place]!
    const { edges, instructions } = blocks[block]!
    const successors: number[] = []
    for (let i = 0; i < edges.length; i++) {
      const edge = edges[i]!
      successors.push('block' in edge ? places[edge.block]! : -1)
    }
    const length = instructions.length
    nodes.push({
      block,
      length,
      successors,
      dominator: -1,
      isHeader: false,
      forwardEdges: 0,
      merges: [],
      longest: 0,
    })
  }
  return nodes
}

function reversePostorder(blocks: readonly Block[]): number[] {
  const seen = new Uint8Array(blocks.length)
  const postorder: number[] = []
  const visit = (block: number): void => {
    seen[block] = 1
    const { edges } = blocks[block]!
    for (let i = 0; i < edges.length; i++) {
      const edge = edges[i]!
      if ('block' in edge && seen[edge.block] === 0) visit(edge.block)
    }
    postorder.push(block)
  }
  visit(0)
  return postorder.reverse()
}

function setDominators(nodes: readonly GraphNode[], predecessors: readonly (readonly number[])[]): void {
  nodes[0]!.dominator = 0
  for (let changed = true; changed; ) {
    changed = false
    for (let place = 1; place < nodes.length; place++) {
      const before = predecessors[place]!
      let dominator = -1
      for (let i = 0; i < before.length; i++) {
        const one = before[i]!
        if (nodes[one]!.dominator < 0) continue
        dominator = dominator < 0 ? one : commonDominator(nodes, dominator, one)
      }
      if (nodes[place]!.dominator !== dominator) changed = true
      nodes[place]!.dominator = dominator
    }
  }
}

export function commonDominator(nodes: readonly GraphNode[], a: number, b: number): number {
  while (a !== b) {
    while (a > b) a = nodes[a]!.dominator
    while (b > a) b = nodes[b]!.dominator
  }
  return a
}

function dominates(nodes: readonly GraphNode[], a: number, b: number): boolean {
  while (b > a) b = nodes[b]!.dominator
  return a === b
}

/**
 * A way back into the middle of a loop has no place in structured code: it leaves the region, and comes in again there. Whether there was
 * one.
 */
function cutIrreducible(nodes: readonly GraphNode[]): boolean {
  let isCut = false
  for (let place = 0; place < nodes.length; place++) {
    const { successors } = nodes[place]!
    for (let i = 0; i < successors.length; i++) {
      const next = successors[i]!
      if (next < 0 || next > place || dominates(nodes, next, place)) continue
      successors[i] = -1
      isCut = true
    }
  }
  return isCut
}

function classify(nodes: readonly GraphNode[]): void {
  for (let place = 0; place < nodes.length; place++) {
    const { successors } = nodes[place]!
    for (let i = 0; i < successors.length; i++) {
      const next = successors[i]!
      if (next < 0) continue
      if (next <= place) nodes[next]!.isHeader = true
      else nodes[next]!.forwardEdges++
    }
  }
  for (let place = nodes.length - 1; place >= 0; place--) {
    const node = nodes[place]!
    node.longest = node.length + longestAfter(nodes, place)
    if (place > 0 && node.forwardEdges > 1) nodes[node.dominator]!.merges.push(place)
  }
}

function longestAfter(nodes: readonly GraphNode[], place: number): number {
  const { successors } = nodes[place]!
  let longest = 0
  for (let i = 0; i < successors.length; i++) {
    const next = successors[i]!
    if (next > place && !nodes[next]!.isHeader && nodes[next]!.longest > longest)
      longest = nodes[next]!.longest
  }
  return longest
}
