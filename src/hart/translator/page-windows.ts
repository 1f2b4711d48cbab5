/**
 * Which loads and stores of a region share a look into the TLB.
 *
 * What lies at several offsets from one register (a stack frame, a struct) mostly lies in one page. A *window* is the stretch that a
 * region reaches of it, for each base register. It *opens* where an access is due, for loads or for both: one look finds whether all
 * of it is in one page that the TLB has. From there on, accesses go there without looking until the register is written. If it does
 * not open, the region is left at that access, and the interpreter goes on. Nothing takes a page out of the tables while a region runs.
 */
import type { Instruction } from './flow.js'
import { type FlowGraph, predecessorsOf } from './flow-graph.js'
import type { Access } from './operands.js'

/** The longer a window, the more often a page ends in it: then it never opens. */
const WINDOW_BYTES_MAX = 256

export interface Window {
  readonly base: number
  /** Offset of its first byte from the register, and its bytes. */
  readonly low: number
  readonly bytes: number
}

export interface Opening {
  readonly window: Window
  /** For stores too. */
  readonly isWritten: boolean
}

/** Bases, a bit for each, by what is done in their windows. */
interface Uses {
  loads: number
  stores: number
}

export class PageWindows {
  readonly #graph: FlowGraph
  readonly #instructions: readonly (readonly Instruction[])[]
  readonly #windows = new Map<number, Window>()
  /** By node: accesses that come before their base is written, and bases that are written. */
  readonly #used: readonly Uses[]
  readonly #written: readonly number[]
  /** By node: accesses that may come after it. */
  readonly #usedAfter: readonly Uses[]
  /** By node that begins a loop: what opens before it. */
  readonly #before: readonly Uses[]
  readonly #openings = new Map<Instruction, Opening>()
  readonly #inside = new Set<Instruction>()

  /** `instructions`: of each node. Without `enabled` each access looks for itself. */
  constructor(graph: FlowGraph, instructions: readonly (readonly Instruction[])[], enabled: boolean) {
    this.#graph = graph
    this.#instructions = instructions
    if (enabled) this.#findWindows()
    this.#written = instructions.map((all) => all.reduce((set, { x }) => set | x.writes, 0))
    this.#used = instructions.map((all) => this.#usedFirst(all))
    this.#usedAfter = this.#flowBack()
    this.#before = graph.nodes.map((_, node) => this.#loopUses(node))
    this.#place()
  }

  /** The window that a load or a store goes through; nothing when it looks into the TLB for itself. */
  windowOf(instruction: Instruction): Window | undefined {
    return this.#inside.has(instruction) ? this.#windows.get(instruction.access!.base) : undefined
  }

  /** What opens just before an instruction. */
  openingAt(instruction: Instruction): Opening | undefined {
    return this.#openings.get(instruction)
  }

  /** What opens before the loop that a node begins. */
  openingsBefore(node: number): Opening[] {
    const { loads, stores } = this.#before[node]!
    return [...this.#windows.values()]
      .filter(({ base }) => ((loads | stores) >>> base) & 1)
      .map((window) => ({ window, isWritten: ((stores >>> window.base) & 1) !== 0 }))
  }

  #findWindows(): void {
    const accesses = new Map<number, Access[]>()
    for (const { access } of this.#instructions.flat()) {
      if (access !== undefined) accesses.set(access.base, [...(accesses.get(access.base) ?? []), access])
    }
    for (const [base, all] of accesses) {
      const inside = densest(all)
      const low = Math.min(...inside.map(({ offset }) => offset))
      const end = Math.max(...inside.map(({ offset, bytes }) => offset + bytes))
      this.#windows.set(base, { base, low, bytes: end - low })
    }
  }

  /** A bit for the base of the window that an instruction's access lies in. */
  #baseOf({ access }: Instruction): number {
    const window = access && this.#windows.get(access.base)
    if (window === undefined) return 0
    const { low, bytes } = window
    const isInside = access!.offset >= low && access!.offset + access!.bytes <= low + bytes
    return isInside ? 1 << window.base : 0
  }

  /** The accesses of some instructions before their base is written. */
  #usedFirst(instructions: readonly Instruction[]): Uses {
    const used = { loads: 0, stores: 0 }
    let written = 0
    for (const instruction of instructions) {
      const base = this.#baseOf(instruction) & ~written
      if (instruction.access?.isStore) used.stores |= base
      else used.loads |= base
      written |= instruction.x.writes
    }
    return used
  }

  #flowBack(): Uses[] {
    const { nodes } = this.#graph
    const after = nodes.map(() => ({ loads: 0, stores: 0 }))
    for (let changed = true; changed; ) {
      changed = false
      for (let node = nodes.length - 1; node >= 0; node--) {
        const uses = after[node]!
        const { loads, stores } = uses
        for (const next of nodes[node]!.successors) {
          if (next < 0) continue
          uses.loads |= this.#used[next]!.loads | (after[next]!.loads & ~this.#written[next]!)
          uses.stores |= this.#used[next]!.stores | (after[next]!.stores & ~this.#written[next]!)
        }
        if (uses.loads !== loads || uses.stores !== stores) changed = true
      }
    }
    return after
  }

  /** Accesses that come whenever the loop begins, by bases that it does not write. */
  #loopUses(header: number): Uses {
    const loop = this.#graph.loops.get(header)
    if (loop === undefined) return { loads: 0, stores: 0 }
    let kept = ~0
    for (const node of loop) kept &= ~this.#written[node]!
    const { loads, stores } = this.#used[header]!
    return { loads: loads & kept, stores: stores & kept }
  }

  /** Decides for each access; what is open before a node depends on all nodes that lead to it. */
  #place(): void {
    const { nodes } = this.#graph
    const before = predecessorsOf(nodes)
    const after: Uses[] = nodes.map(() => ({ loads: ~0, stores: ~0 }))
    const openBefore = (from: readonly number[]): Uses => ({
      loads: from.reduce((open, one) => open & after[one]!.loads, ~0),
      stores: from.reduce((open, one) => open & after[one]!.stores, ~0),
    })
    for (let changed = true; changed; ) {
      changed = false
      nodes.forEach((_, node) => {
        const { loads, stores } = this.#before[node]!
        const open = node === 0 ? { loads: 0, stores: 0 } : openBefore(before[node]!)
        const old = after[node]!
        const now = this.#placeIn(node, {
          loads: open.loads | loads | stores,
          stores: open.stores | stores,
        })
        if (now.loads !== old.loads || now.stores !== old.stores) changed = true
        after[node] = now
      })
    }
    nodes.forEach((_, node) => {
      if (node === 0) return
      const open = openBefore(before[node]!.filter((one) => one < node))
      this.#before[node]!.loads &= ~open.loads
      this.#before[node]!.stores &= ~open.stores
    })
  }

  /** What is open after a node when this is before it. */
  #placeIn(node: number, before: Uses): Uses {
    let { loads, stores } = before
    this.#instructions[node]!.forEach((instruction, i) => {
      const base = this.#baseOf(instruction)
      this.#openings.delete(instruction)
      this.#inside.delete(instruction)
      const isOpen = (base & (instruction.access?.isStore ? stores : loads)) !== 0
      const opening = base === 0 || isOpen ? undefined : this.#openingFor(node, i, base)
      if (opening !== undefined) {
        this.#openings.set(instruction, opening)
        loads |= base
        if (opening.isWritten) stores |= base
      }
      if (isOpen || opening !== undefined) this.#inside.add(instruction)
      loads &= ~instruction.x.writes
      stores &= ~instruction.x.writes
    })
    return { loads, stores }
  }

  /** Nothing when no other access would profit. */
  #openingFor(node: number, index: number, base: number): Opening | undefined {
    const instructions = this.#instructions[node]!
    const { access, x } = instructions[index]!
    if (x.writes & base) return undefined
    const rest = instructions.slice(index + 1)
    const soon = this.#usedFirst(rest)
    const isWritten = access!.isStore || (soon.stores & base) !== 0
    const isKept = rest.every((one) => (one.x.writes & base) === 0)
    const after = isKept ? this.#usedAfter[node]! : { loads: 0, stores: 0 }
    const others = soon.loads | after.loads | (isWritten ? soon.stores | after.stores : 0)
    return (others & base) === 0 ? undefined : { window: this.#windows.get(access!.base)!, isWritten }
  }
}

/** The most accesses that fit into a window. */
function densest(accesses: readonly Access[]): Access[] {
  let best: Access[] = []
  for (const { offset: low } of accesses) {
    const inside = accesses.filter(
      ({ offset, bytes }) => offset >= low && offset + bytes <= low + WINDOW_BYTES_MAX,
    )
    if (inside.length > best.length) best = inside
  }
  return best
}
