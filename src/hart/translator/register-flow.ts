/**
 * When a region takes registers of one kind (x or f) from the hart's record, and which it must put back where it is left.
 *
 * A register is loaded at the last node that all its uses come through, outside of loops; so what only a rare way needs costs the
 * others nothing. In small loops a register that is written is stored on the way out, on every way on which it may have been
 * written, and counts as used there; elsewhere as soon as the region may be left, which makes ways out short.
 */

import type { Instruction } from './flow.js'
import { commonDominator, type FlowGraph } from './flow-graph.js'
import type { RegisterKind } from './operands.js'

/** Instructions of a loop in which registers are stored on the way out only. */
const SMALL_LOOP = 48

/** Registers of a node, a bit for each. */
interface NodeUse {
  /** Read before they are written. */
  exposed: number
  written: number
  touched: number
}

export class RegisterFlow {
  readonly #graph: FlowGraph
  readonly #uses: NodeUse[]
  readonly #lazy: ReadonlySet<number>
  /** By node: registers that may have been written before it, and not been stored. */
  readonly dirtyBefore: number[]
  /** By node: registers that are loaded when it begins; those of node 0 before everything. */
  readonly loads: number[]

  /** `instructions`: of each node. */
  constructor(graph: FlowGraph, instructions: readonly (readonly Instruction[])[], kind: RegisterKind) {
    this.#graph = graph
    this.#uses = instructions.map((all) => nodeUse(all, kind))
    this.#lazy = smallLoops(graph)
    this.dirtyBefore = this.#dirty()
    this.loads = this.#placeLoads()
  }

  /** Whether what a node writes is stored on the way out only. */
  isLazy(node: number): boolean {
    return this.#lazy.has(node)
  }

  /** Registers that may have been written up to a node's end, and not been stored. */
  dirtyAfter(node: number): number {
    return this.isLazy(node) ? this.dirtyBefore[node]! | this.#uses[node]!.written : 0
  }

  #dirty(): number[] {
    const { nodes } = this.#graph
    const before = nodes.map(() => 0)
    for (let changed = true; changed; ) {
      changed = false
      nodes.forEach(({ successors }, node) => {
        const after = this.isLazy(node) ? before[node]! | this.#uses[node]!.written : 0
        for (const next of successors) {
          if (next < 0 || (after & ~before[next]!) === 0) continue
          before[next]! |= after
          changed = true
        }
      })
    }
    return before
  }

  #placeLoads(): number[] {
    const { nodes } = this.#graph
    const loads = nodes.map(() => 0)
    const touched = nodes.map((_, node) => this.#uses[node]!.touched | this.dirtyBefore[node]!)
    for (let register = 0; register < 32; register++) {
      const bit = 1 << register
      let place = -1
      touched.forEach((registers, node) => {
        if (registers & bit) place = place < 0 ? node : commonDominator(nodes, place, node)
      })
      if (place < 0) continue
      const outside = this.#graph.outsideOfLoops(place)
      const isWrittenFirst =
        outside === place && ((this.#uses[place]!.exposed | this.dirtyBefore[place]!) & bit) === 0
      const isTouched = (this.#uses[place]!.touched & bit) !== 0
      if (!(isWrittenFirst && isTouched)) loads[outside]! |= bit
    }
    return loads
  }
}

function smallLoops({ nodes, loops }: FlowGraph): Set<number> {
  const inside = new Set<number>()
  for (const body of loops.values()) {
    let length = 0
    for (const node of body) length += nodes[node]!.length
    if (length <= SMALL_LOOP) for (const node of body) inside.add(node)
  }
  return inside
}

function nodeUse(instructions: readonly Instruction[], kind: RegisterKind): NodeUse {
  const use: NodeUse = { exposed: 0, written: 0, touched: 0 }
  for (const instruction of instructions) {
    const { reads, writes } = instruction[kind]
    use.exposed |= reads & ~use.written
    use.written |= writes
    use.touched |= reads | writes
  }
  return use
}
