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
import { REGION_INSTRUCTIONS_MAX } from './region.js'

/** Of one region at a time: what it needs is made once, and not for each region anew. */
export class RegisterFlow {
  readonly #kind: RegisterKind
  #graph!: FlowGraph
  /** By node, a bit for each register: read before they are written; written; either. */
  readonly #exposed = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #written = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #touched = new Int32Array(REGION_INSTRUCTIONS_MAX)
  /** By register: the last node that all its uses come through; -1 = none. */
  readonly #places = new Int16Array(32)
  /** By node: registers that may have been written before it, and not been stored. */
  readonly dirtyBefore = new Int32Array(REGION_INSTRUCTIONS_MAX)
  /** By node: registers that are loaded when it begins; those of node 0 before everything. */
  readonly loads = new Int32Array(REGION_INSTRUCTIONS_MAX)

  constructor(kind: RegisterKind) {
    this.#kind = kind
  }

  /** `instructions`: of each node. */
  begin(graph: FlowGraph, instructions: readonly (readonly Instruction[])[]): void {
    const nodes = instructions.length
    this.#graph = graph
    this.dirtyBefore.fill(0, 0, nodes)
    this.loads.fill(0, 0, nodes)
    let any = 0
    for (let node = 0; node < nodes; node++) any |= this.#findUses(node, instructions[node]!)
    if (any === 0) return
    if (graph.loops.size > 0) this.#findDirty()
    this.#placeLoads()
  }

  /** Whether what a node writes is stored on the way out only. */
  isLazy(node: number): boolean {
    return this.#graph.isInSmallLoop(node)
  }

  /** Registers that may have been written up to a node's end, and not been stored. */
  dirtyAfter(node: number): number {
    return this.isLazy(node) ? this.dirtyBefore[node]! | this.#written[node]! : 0
  }

  #findUses(node: number, instructions: readonly Instruction[]): number {
    const isInteger = this.#kind === 'x'
    let exposed = 0
    let written = 0
    let touched = 0
    for (let i = 0; i < instructions.length; i++) {
      const instruction = instructions[i]!
      const reads = isInteger ? instruction.xReads : instruction.fReads
      const writes = isInteger ? instruction.xWrites : instruction.fWrites
      exposed |= reads & ~written
      written |= writes
      touched |= reads | writes
    }
    this.#exposed[node] = exposed
    this.#written[node] = written
    this.#touched[node] = touched
    return touched
  }

  #findDirty(): void {
    const { nodes } = this.#graph
    const before = this.dirtyBefore
    for (let changed = true; changed; ) {
      changed = false
      for (let node = 0; node < nodes.length; node++) {
        const after = this.dirtyAfter(node)
        if (after === 0) continue
        const { successors } = nodes[node]!
        for (let i = 0; i < successors.length; i++) {
          const next = successors[i]!
          if (next < 0 || (after & ~before[next]!) === 0) continue
          before[next]! |= after
          changed = true
        }
      }
    }
  }

  #placeLoads(): void {
    this.#findPlaces()
    const places = this.#places
    for (let register = 0; register < 32; register++) {
      const place = places[register]!
      if (place < 0) continue
      const outside = this.#graph.outsideOfLoops(place)
      const bit = 1 << register
      const isWrittenFirst =
        outside === place && ((this.#exposed[place]! | this.dirtyBefore[place]!) & bit) === 0
      const isTouched = (this.#touched[place]! & bit) !== 0
      if (!(isWrittenFirst && isTouched)) this.loads[outside]! |= bit
    }
  }

  #findPlaces(): void {
    const { nodes } = this.#graph
    const places = this.#places.fill(-1)
    // Those that node 0 is the place of already.
    let rooted = 0
    for (let node = 0; node < nodes.length; node++) {
      for (
        let left = (this.#touched[node]! | this.dirtyBefore[node]!) & ~rooted;
        left !== 0;
        left &= left - 1
      ) {
        const register = 31 - Math.clz32(left & -left)
        const before = places[register]!
        const place = before < 0 ? node : commonDominator(nodes, before, node)
        places[register] = place
        if (place === 0) rooted |= 1 << register
      }
    }
  }
}
