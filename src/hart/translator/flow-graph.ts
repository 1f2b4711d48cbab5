/**
 * The shape of a region: the order of its blocks, who dominates whom, where its loops begin. (Cooper, Harvey and Kennedy, "A
 * Simple, Fast Dominance Algorithm", 2001.)
 */
import type { Region } from './region.js'

export interface GraphNode {
  /** Number of the block in the region. */
  readonly block: number
  /** Instructions. */
  readonly length: number
  /** Place in the reverse postorder of the nodes it goes on to; -1 = leaves the region. In the order of the block's edges. */
  successors: number[]
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

export class FlowGraph {
  /** In reverse postorder: the entry is 0, and an edge to a smaller or the same number goes back. */
  readonly nodes: readonly GraphNode[]
  /** By the node of its header: the nodes of a loop, that one too. */
  readonly loops: ReadonlyMap<number, ReadonlySet<number>>

  constructor(region: Region) {
    this.nodes = makeNodes(region)
    this.loops = findLoops(this.nodes)
  }

  /** The last node on every way to this one that is in no loop; the entry has no node before it. */
  outsideOfLoops(node: number): number {
    let place = node
    for (;;) {
      const header = this.#loopAround(place)
      if (header < 0) return place
      if (header === 0) return 0
      place = this.nodes[header]!.dominator
    }
  }

  /** Header of the outermost loop that a node is in; -1 = none. */
  #loopAround(node: number): number {
    for (const [header, body] of this.loops) if (body.has(node)) return header
    return -1
  }
}

/** The outer ones first. */
function findLoops(nodes: readonly GraphNode[]): Map<number, Set<number>> {
  const predecessors = predecessorsOf(nodes)
  const loops = new Map<number, Set<number>>()
  nodes.forEach(({ isHeader }, header) => {
    if (!isHeader) return
    const body = new Set([header])
    const queue = predecessors[header]!.filter((before) => before >= header)
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      if (body.has(node)) continue
      body.add(node)
      queue.push(...predecessors[node]!)
    }
    loops.set(header, body)
  })
  return loops
}

export function predecessorsOf(nodes: readonly GraphNode[]): number[][] {
  const predecessors = nodes.map((): number[] => [])
  nodes.forEach(({ successors }, place) => {
    for (const next of successors) if (next >= 0) predecessors[next]!.push(place)
  })
  return predecessors
}

function makeNodes(region: Region): GraphNode[] {
  const order = reversePostorder(region)
  const places = new Map(order.map((block, place) => [block, place]))
  const nodes = order.map((block): GraphNode => {
    const { edges, instructions } = region.blocks[block]!
    const successors = edges.map((edge) => ('block' in edge ? places.get(edge.block)! : -1))
    const length = instructions.length
    return {
      block,
      length,
      successors,
      dominator: -1,
      isHeader: false,
      forwardEdges: 0,
      merges: [],
      longest: 0,
    }
  })
  setDominators(nodes)
  cutIrreducible(nodes)
  classify(nodes)
  return nodes
}

function reversePostorder({ blocks }: Region): number[] {
  const seen = new Set<number>()
  const postorder: number[] = []
  const visit = (block: number): void => {
    if (seen.has(block)) return
    seen.add(block)
    for (const edge of blocks[block]!.edges) if ('block' in edge) visit(edge.block)
    postorder.push(block)
  }
  visit(0)
  return postorder.reverse()
}

function setDominators(nodes: readonly GraphNode[]): void {
  const predecessors = predecessorsOf(nodes)
  nodes[0]!.dominator = 0
  for (let changed = true; changed; ) {
    changed = false
    for (let place = 1; place < nodes.length; place++) {
      let dominator = -1
      for (const before of predecessors[place]!) {
        if (nodes[before]!.dominator < 0) continue
        dominator = dominator < 0 ? before : commonDominator(nodes, dominator, before)
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

/** A way back into the middle of a loop has no place in structured code: it leaves the region, and comes in again there. */
function cutIrreducible(nodes: readonly GraphNode[]): void {
  nodes.forEach((node, place) => {
    node.successors = node.successors.map((next) =>
      next >= 0 && next <= place && !dominates(nodes, next, place) ? -1 : next,
    )
  })
}

function classify(nodes: readonly GraphNode[]): void {
  nodes.forEach(({ successors }, place) => {
    for (const next of successors) {
      if (next < 0) continue
      if (next <= place) nodes[next]!.isHeader = true
      else nodes[next]!.forwardEdges++
    }
  })
  for (let place = nodes.length - 1; place >= 0; place--) {
    const node = nodes[place]!
    node.longest = node.length + longestAfter(nodes, place)
    if (place > 0 && node.forwardEdges > 1) nodes[node.dominator]!.merges.push(place)
  }
}

function longestAfter(nodes: readonly GraphNode[], place: number): number {
  const ways = nodes[place]!.successors.map((next) =>
    next > place && !nodes[next]!.isHeader ? nodes[next]!.longest : 0,
  )
  return Math.max(0, ...ways)
}
