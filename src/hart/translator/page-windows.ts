/**
 * Which loads and stores of a region share a look into the TLB.
 *
 * What lies at several offsets from one register (a stack frame, a struct) mostly lies in one page. A *window* is the stretch that a
 * region reaches of it, for each base register. It *opens* where an access is due, for loads or for both: one look finds whether all
 * of it is in one page that the TLB has. From there on, accesses go there without looking until the register is written. If it does
 * not open, the region is left at that access, and the interpreter goes on. Nothing takes a page out of the tables while a region runs.
 *
 * Sets of windows are numbers, a bit for each base register. What is known of an instruction is in arrays, by its number: `instructions` of
 * all nodes in a row.
 */
import { assert } from '../../base/assert.js'
import type { Instruction } from './flow.js'
import type { FlowGraph } from './flow-graph.js'
import { REGION_INSTRUCTIONS_MAX } from './region.js'

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

/** What an instruction does of its window. */
const Step = {
  /** It looks into the TLB for itself, if it is a load or a store at all. */
  none: 0,
  /** It goes through the window, */
  inside: 1,
  /** which opens just before, for loads or for both. */
  opens: 2,
  opensForStores: 3,
} as const

/** Of one region at a time: what it needs is made once, and not for each region anew. */
export class PageWindows {
  #graph!: FlowGraph
  /** All of them, of the region before where it had more; those of a node begin at `#first[node]` and end where the next node's begin. */
  readonly #instructions: Instruction[] = []
  readonly #first = new Uint16Array(REGION_INSTRUCTIONS_MAX + 1)
  #nodes = 0
  readonly #windows: (Window | undefined)[] = new Array<undefined>(32).fill(undefined)
  /** By instruction: the window that its access lies in, and `Step`. */
  readonly #inWindow = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #steps = new Uint8Array(REGION_INSTRUCTIONS_MAX)
  /** By instruction: accesses that may come after it, and stores that come in its node. */
  readonly #loadsLater = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #storesLater = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #storesSoon = new Int32Array(REGION_INSTRUCTIONS_MAX)
  /** By node: accesses that come before their base is written, and bases that are written. */
  readonly #loadsFirst = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #storesFirst = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #written = new Int32Array(REGION_INSTRUCTIONS_MAX)
  /** By node, as long as something changes: what may come after it, or is open after it. */
  readonly #loadsAfter = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #storesAfter = new Int32Array(REGION_INSTRUCTIONS_MAX)
  /** By node that begins a loop: what opens before it. */
  readonly #loadsBefore = new Int32Array(REGION_INSTRUCTIONS_MAX)
  readonly #storesBefore = new Int32Array(REGION_INSTRUCTIONS_MAX)
  /** By register: the first and the last byte that is reached of it. */
  readonly #lows = new Int32Array(32)
  readonly #ends = new Int32Array(32)

  /** `instructions`: of each node. Without `enabled` each access looks for itself. */
  begin(graph: FlowGraph, instructions: readonly (readonly Instruction[])[], enabled: boolean): void {
    const nodes = instructions.length
    this.#graph = graph
    this.#nodes = nodes
    let length = 0
    for (let node = 0; node < nodes; node++) {
      const all = instructions[node]!
      for (let i = 0; i < all.length; i++) this.#instructions[length++] = all[i]!
      this.#first[node + 1] = length
    }
    assert(length <= REGION_INSTRUCTIONS_MAX, 'no instruction of a region is in two blocks')
    this.#steps.fill(Step.none, 0, length)
    this.#loadsBefore.fill(0, 0, nodes)
    this.#storesBefore.fill(0, 0, nodes)
    if (!enabled || !this.#findWindows(length)) return
    this.#findAccesses()
    this.#findLater()
    this.#openBeforeLoops()
    this.#place()
  }

  /** Keeps nothing of the last region alive. */
  end(): void {
    this.#instructions.length = 0
  }

  /** Number of a node's first instruction. */
  first(node: number): number {
    return this.#first[node]!
  }

  /** The window that an instruction's load or store goes through; nothing when it looks into the TLB for itself. */
  windowOf(number: number): Window | undefined {
    return this.#steps[number] === Step.none ? undefined : this.#windows[this.#instructions[number]!.rs1]
  }

  /** What opens just before an instruction that goes through a window. */
  openingAt(number: number): Opening | undefined {
    const step = this.#steps[number]!
    if (step < Step.opens) return undefined
    return { window: this.windowOf(number)!, isWritten: step === Step.opensForStores }
  }

  /** What opens before the loop that a node begins. */
  openingsBefore(node: number): Opening[] {
    const openings: Opening[] = []
    const stores = this.#storesBefore[node]!
    for (let left = this.#loadsBefore[node]! | stores; left !== 0; left &= left - 1) {
      const base = 31 - Math.clz32(left & -left)
      openings.push({ window: this.#windows[base]!, isWritten: ((stores >>> base) & 1) !== 0 })
    }
    return openings
  }

  /** All that is reached of a base register, or of what is too long the stretch with the most accesses. Whether there is any. */
  #findWindows(length: number): boolean {
    const lows = this.#lows.fill(2 ** 31 - 1)
    const ends = this.#ends.fill(-(2 ** 31))
    let bases = 0
    for (let i = 0; i < length; i++) {
      const { accessBytes, rs1, imm } = this.#instructions[i]!
      if (accessBytes === 0) continue
      bases |= 1 << rs1
      if (imm < lows[rs1]!) lows[rs1] = imm
      if (imm + accessBytes > ends[rs1]!) ends[rs1] = imm + accessBytes
    }
    for (let base = 1; base < 32; base++) {
      if ((bases & (1 << base)) === 0) this.#windows[base] = undefined
      else {
        const low = lows[base]!
        const bytes = ends[base]! - low
        this.#windows[base] = bytes > WINDOW_BYTES_MAX ? this.#densest(base, length) : { base, low, bytes }
      }
    }
    return bases !== 0
  }

  #densest(base: number, length: number): Window {
    const accesses = this.#instructions
      .slice(0, length)
      .filter((one) => one.accessBytes !== 0 && one.rs1 === base)
    let window: Window = { base, low: 0, bytes: 0 }
    let most = 0
    for (const { imm: low } of accesses) {
      let end = low
      let inside = 0
      for (let i = 0; i < accesses.length; i++) {
        const last = accesses[i]!.imm + accesses[i]!.accessBytes
        if (accesses[i]!.imm < low || last > low + WINDOW_BYTES_MAX) continue
        inside++
        if (last > end) end = last
      }
      if (inside > most) window = { base, low, bytes: end - low }
      if (inside > most) most = inside
    }
    return window
  }

  #findAccesses(): void {
    for (let node = 0; node < this.#nodes; node++) {
      let loads = 0
      let stores = 0
      let written = 0
      for (let i = this.#first[node]!; i < this.#first[node + 1]!; i++) {
        const instruction = this.#instructions[i]!
        const base = this.#baseOf(instruction)
        this.#inWindow[i] = base
        if (instruction.isStore) stores |= base & ~written
        else loads |= base & ~written
        written |= instruction.xWrites
      }
      this.#loadsFirst[node] = loads
      this.#storesFirst[node] = stores
      this.#written[node] = written
    }
  }

  /** A bit for the base of the window that an instruction's access lies in. */
  #baseOf({ accessBytes, rs1, imm }: Instruction): number {
    const window = accessBytes === 0 ? undefined : this.#windows[rs1]
    if (window === undefined) return 0
    const { low, bytes } = window
    return imm >= low && imm + accessBytes <= low + bytes ? 1 << rs1 : 0
  }

  /** Accesses that may come after each node, and then after each instruction, before their base is written. */
  #findLater(): void {
    const { nodes, loops } = this.#graph
    const loadsAfter = this.#loadsAfter.fill(0, 0, nodes.length)
    const storesAfter = this.#storesAfter.fill(0, 0, nodes.length)
    // Once without loops: all that a node goes on to is known then.
    for (let changed = true; changed; ) {
      changed = false
      for (let node = nodes.length - 1; node >= 0; node--) {
        const { successors } = nodes[node]!
        let loads = loadsAfter[node]!
        let stores = storesAfter[node]!
        for (let i = 0; i < successors.length; i++) {
          const next = successors[i]!
          if (next < 0) continue
          const kept = ~this.#written[next]!
          loads |= this.#loadsFirst[next]! | (loadsAfter[next]! & kept)
          stores |= this.#storesFirst[next]! | (storesAfter[next]! & kept)
        }
        if (loads !== loadsAfter[node] || stores !== storesAfter[node]) changed = loops.size > 0
        loadsAfter[node] = loads
        storesAfter[node] = stores
      }
    }
    for (let node = 0; node < nodes.length; node++) {
      this.#findLaterIn(node, loadsAfter[node]!, storesAfter[node]!)
    }
  }

  #findLaterIn(node: number, loadsAfter: number, storesAfter: number): void {
    let loads = loadsAfter
    let stores = storesAfter
    let soon = 0
    for (let i = this.#first[node + 1]! - 1; i >= this.#first[node]!; i--) {
      this.#loadsLater[i] = loads
      this.#storesLater[i] = stores
      this.#storesSoon[i] = soon
      const { xWrites, isStore } = this.#instructions[i]!
      const base = this.#inWindow[i]!
      loads = (loads & ~xWrites) | (isStore ? 0 : base)
      stores = (stores & ~xWrites) | (isStore ? base : 0)
      soon = (soon & ~xWrites) | (isStore ? base : 0)
    }
  }

  /** Accesses that come whenever a loop begins, by bases that it does not write. */
  #openBeforeLoops(): void {
    for (const [header, loop] of this.#graph.loops) {
      let kept = ~0
      for (const node of loop) kept &= ~this.#written[node]!
      this.#loadsBefore[header] = this.#loadsFirst[header]! & kept
      this.#storesBefore[header] = this.#storesFirst[header]! & kept
    }
  }

  /** Decides for each access; what is open before a node depends on all nodes that lead to it. */
  #place(): void {
    const { predecessors: before, loops } = this.#graph
    const loadsAfter = this.#loadsAfter.fill(~0, 0, before.length)
    const storesAfter = this.#storesAfter.fill(~0, 0, before.length)
    for (let changed = true; changed; ) {
      changed = false
      for (let node = 0; node < before.length; node++) {
        const stores = node === 0 ? 0 : allOf(storesAfter, before[node]!, before.length)
        const loads = node === 0 ? 0 : allOf(loadsAfter, before[node]!, before.length)
        const opened = this.#storesBefore[node]!
        if (this.#placeIn(node, loads | this.#loadsBefore[node]! | opened, stores | opened))
          changed = loops.size > 0
      }
    }
    for (const header of loops.keys()) {
      if (header === 0) continue
      this.#loadsBefore[header]! &= ~allOf(loadsAfter, before[header]!, header)
      this.#storesBefore[header]! &= ~allOf(storesAfter, before[header]!, header)
    }
  }

  /** With what is open before a node; whether something else is open after it than was said. */
  #placeIn(node: number, loadsBefore: number, storesBefore: number): boolean {
    let loads = loadsBefore
    let stores = storesBefore
    for (let i = this.#first[node]!; i < this.#first[node + 1]!; i++) {
      const base = this.#inWindow[i]!
      const { isStore, xWrites } = this.#instructions[i]!
      if (base !== 0) {
        const isOpen = (base & (isStore ? stores : loads)) !== 0
        const step = isOpen ? Step.inside : this.#opening(i, base, isStore, xWrites)
        this.#steps[i] = step
        if (step >= Step.opens) loads |= base
        if (step === Step.opensForStores) stores |= base
      }
      loads &= ~xWrites
      stores &= ~xWrites
    }
    const isOther = loads !== this.#loadsAfter[node] || stores !== this.#storesAfter[node]
    this.#loadsAfter[node] = loads
    this.#storesAfter[node] = stores
    return isOther
  }

  /** Whether its window opens before an access: only when others profit. */
  #opening(number: number, base: number, isStore: boolean, xWrites: number): number {
    if (xWrites & base) return Step.none
    const isWritten = isStore || (this.#storesSoon[number]! & base) !== 0
    const others = this.#loadsLater[number]! | (isWritten ? this.#storesLater[number]! : 0)
    if ((others & base) === 0) return Step.none
    return isWritten ? Step.opensForStores : Step.opens
  }
}

/** What is in the sets of all of some nodes, of those below `end`. */
function allOf(sets: Int32Array, nodes: readonly number[], end: number): number {
  let all = ~0
  for (let i = 0; i < nodes.length; i++) if (nodes[i]! < end) all &= sets[nodes[i]!]!
  return all
}
