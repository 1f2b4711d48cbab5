/**
 * One region as a WebAssembly function (REGION_PARAMETERS):
 *
 *     store pc, return ~left unless every page is where it was, with the contents that it had; looked at once in an epoch
 *     store pc, return left when that is less than the longest way to the first loop
 *     block exit, block stop
 *       the blocks, structured: a loop at each header, whose first act is to leave if less is left than a turn may take;
 *       each loads registers that are used from there on (register-flow.ts), and each way out stores those that were written
 *     stop, exit: region-end.ts
 *
 * Who comes from another region has stored no pc: every way out stores it, and nobody reads it before.
 *
 * Blocks become structured code along the tree of dominators (Ramsey, "Beyond Relooper", 2022).
 */
import { assert } from '../../base/assert.js'
import type { Vpn } from '../../base/numbers.js'
import { Code, type Label } from '../../base/wasm/code.js'
import { i32, i64, local, op, type Value } from '../../base/wasm/value.js'
import type { HartLayout } from '../hart-layout.js'
import { codeEpoch, lastEpoch, noteEpoch } from './code-epoch.js'
import { REGION_PARAMETERS } from './dispatcher.js'
import type { Instruction } from './flow.js'
import { FlowGraph, type GraphNode } from './flow-graph.js'
import { writeIsGone } from './module-pages.js'
import type { PageSpans } from './page-spans.js'
import type { PageWindows } from './page-windows.js'
import type { Block, Edge, Region } from './region.js'
import { type BlockEnd, RegionEmitter } from './region-emitter.js'
import { storePc } from './region-end.js'
import { type HelperIndex, LEFT, type RegionFrame, STOP_PC_MAX, TLB } from './region-frame.js'
import type { RegionTools } from './region-tools.js'
import type { RegisterFlow } from './register-flow.js'

export interface RegionInput {
  readonly region: Region
  /** Every page that bytes of it are in, and the global variable that says where it is (module-pages.ts). */
  readonly pages: readonly { readonly vpn: Vpn; readonly global: number }[]
  readonly layout: HartLayout
  readonly helper: HelperIndex
  readonly tools: RegionTools
  readonly spans: PageSpans | undefined
  /** In the function table. */
  readonly place: number
  /** Whether accesses may share looks into the TLB (page-windows.ts). */
  readonly hasWindows: boolean
}

/** Writes the function of a region. */
export function emitRegion(input: RegionInput): Code {
  return new RegionFunction(input).emit()
}

/** What most regions are less than. */
const CODE_BYTES = 1024

class RegionFunction {
  readonly #input: RegionInput
  readonly #code = new Code(REGION_PARAMETERS, CODE_BYTES)
  readonly #frame: RegionFrame
  readonly #emitter: RegionEmitter
  readonly #graph: FlowGraph
  readonly #nodes: readonly GraphNode[]
  readonly #windows: PageWindows
  readonly #x: RegisterFlow
  readonly #f: RegisterFlow
  /** By node: the loop that it heads, the block that ends before it. */
  readonly #loops = new Map<number, Label>()
  readonly #blocks = new Map<number, Label>()

  constructor(input: RegionInput) {
    const { region, tools, helper, spans, place } = input
    assert(region.blocks[0]!.pc < STOP_PC_MAX, 'an address fits into the constant of a way out')
    const { windows, x, f, frame } = tools
    const graph = new FlowGraph(region)
    const instructions: (readonly Instruction[])[] = []
    for (let node = 0; node < graph.nodes.length; node++)
      instructions.push(region.blocks[graph.nodes[node]!.block]!.instructions)
    this.#input = input
    this.#graph = graph
    this.#nodes = graph.nodes
    this.#windows = windows
    this.#x = x
    this.#f = f
    this.#frame = frame
    windows.begin(graph, instructions, input.hasWindows)
    x.begin(graph, instructions)
    f.begin(graph, instructions)
    frame.begin(this.#code, helper)
    this.#emitter = new RegionEmitter(tools, spans, place)
  }

  emit(): Code {
    const code = this.#code
    const { left } = this.#frame
    this.#checkPages()
    code.get(left).i32(this.#nodes[0]!.longest).op('i32_lt_s')
    this.#returnIf(local(left))
    this.#load(0)
    this.#frame.exit = code.block()
    this.#frame.stop = code.block()
    this.#tree(0)
    return code.append(this.#input.tools.regionEnd)
  }

  #checkPages(): void {
    const code = this.#code
    const { layout, pages, place } = this.#input
    // Other threads change code whenever they like.
    if (!layout.shared) {
      op('i32_ne', codeEpoch(layout), lastEpoch(layout, place))(code)
      code.ifUnlikely()
    }
    for (const { vpn, global } of pages) {
      writeIsGone(code, layout, vpn, global, TLB)
      this.#returnIf(op('i32_xor', local(this.#frame.left), i32(-1)))
    }
    if (layout.shared) return
    noteEpoch(code, layout, place)
    code.end()
  }

  /** With a condition on the stack: nothing is executed. Who comes from another region has not stored where it is. */
  #returnIf(value: Value): void {
    const code = this.#code
    code.ifUnlikely()
    storePc(code, this.#frame, i64(this.#input.region.blocks[0]!.pc))
    value(code)
    code.op('return').end()
  }

  #load(node: number): void {
    this.#frame.x.load(this.#x.loads[node]!)
    this.#frame.f.load(this.#f.loads[node]!)
  }

  /** A node and all that it dominates. */
  #tree(node: number): void {
    const { isHeader, merges, longest } = this.#nodes[node]!
    if (!isHeader) {
      if (node > 0) this.#load(node)
      this.#within(node, merges)
      return
    }
    this.#setDirty(node)
    for (const opening of this.#windows.openingsBefore(node)) {
      this.#emitter.openBefore(this.#blockOf(node).pc, opening)
    }
    this.#loops.set(node, this.#code.loop())
    op('i32_lt_s', local(this.#frame.left), i32(longest))(this.#code)
    this.#code.ifUnlikely()
    this.#setDirty(node)
    this.#frame.stopAt(this.#blockOf(node).pc, 0)
    this.#code.end()
    this.#within(node, merges)
    this.#code.end()
  }

  /** `merges`, the last first: each follows the block that leads to it. */
  #within(node: number, merges: readonly number[]): void {
    const [merge, ...others] = merges
    if (merge === undefined) {
      this.#body(node)
      return
    }
    this.#blocks.set(merge, this.#code.block())
    this.#within(node, others)
    this.#code.end()
    this.#tree(merge)
  }

  #blockOf(node: number): Block {
    return this.#input.region.blocks[this.#nodes[node]!.block]!
  }

  #setDirty(node: number): void {
    this.#frame.x.dirty = this.#x.dirtyBefore[node]!
    this.#frame.f.dirty = this.#f.dirtyBefore[node]!
    this.#frame.isLazy = this.#x.isLazy(node)
  }

  #body(node: number): void {
    const { instructions } = this.#blockOf(node)
    this.#setDirty(node)
    this.#code.get(LEFT).i32(instructions.length).op('i32_sub').set(LEFT)
    const end = this.#emitter.block(instructions, this.#windows.first(node), this.#graph.isInLoop(node))
    if (end?.kind !== 'left') this.#frame.mayLeave()
    this.#end(node, end)
  }

  #end(node: number, end: BlockEnd | undefined): void {
    const code = this.#code
    if (end?.kind === 'left') return
    if (end?.kind === 'jumpTo') this.#return(node, end.address)
    else if (end?.kind === 'branch') {
      end.condition(code)
      code.if()
      this.#goTo(node, 0)
      code.end()
      this.#goTo(node, 1)
    } else this.#goTo(node, 0)
  }

  /** An indirect jump: to a block if it is one of those that it may return to, else outside. */
  #return(node: number, address: Value): void {
    const code = this.#code
    const { exitPc } = this.#frame
    address(code)
    code.set(exitPc)
    this.#nodes[node]!.successors.forEach((next, i) => {
      if (next < 0) return
      op('i64_eq', local(exitPc), i64(this.#blockOf(next).pc))(code)
      code.if()
      this.#goTo(node, i)
      code.end()
    })
    this.#leaveBehind(node)
    code.br(this.#frame.exit)
  }

  /** At the end of a node, where blocks may have been written in between. */
  #leaveBehind(node: number): void {
    this.#frame.x.dirty = this.#x.dirtyAfter(node)
    this.#frame.f.dirty = this.#f.dirtyAfter(node)
    this.#frame.storeDirty()
  }

  #goTo(node: number, edge: number): void {
    const next = this.#nodes[node]!.successors[edge]!
    if (next < 0) {
      this.#leaveBehind(node)
      const { exitPc, exit } = this.#frame
      this.#code
        .i64(this.#addressOf(this.#blockOf(node).edges[edge]!))
        .set(exitPc)
        .br(exit)
    } else if (next <= node) this.#code.br(this.#loops.get(next)!)
    else if (this.#nodes[next]!.forwardEdges > 1) this.#code.br(this.#blocks.get(next)!)
    else this.#tree(next)
  }

  #addressOf(edge: Edge): number {
    return 'exit' in edge ? edge.exit : this.#input.region.blocks[edge.block]!.pc
  }
}
