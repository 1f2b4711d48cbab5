/**
 * What is translated together: the instructions that can be reached from an address inside one function, small functions that
 * it calls among them.
 */
import type { Instruction } from './flow.js'
import { Flow } from './operands.js'

/** Instructions of a region, and of a function that is taken into the ones that call it. */
const INSTRUCTIONS_MAX = 128
const LEAF_INSTRUCTIONS_MAX = 32

/** Reads the instruction at an address; nothing when it cannot be executed now. */
export type Fetch = (pc: number) => Instruction | undefined
/** Whether jumps have led to an address often enough that it is worth translating with what leads there. */
export type IsWarm = (pc: number) => boolean

/** Where a block goes on: number of a block, or the address when it leaves the region. */
export type Edge = { readonly block: number } | { readonly exit: number }

export interface Block {
  readonly pc: number
  readonly instructions: readonly Instruction[]
  /**
   * Where it may go on: of a branch the target, then what is behind it; of an indirect jump the return addresses that are blocks
   * here.
   */
  edges: Edge[]
}

export interface Region {
  /** The first one is the entry. */
  readonly blocks: readonly Block[]
}

/** A function without calls: its instructions can be reached from its start, and all end in returns. */
class Leaf {
  readonly returns: number[] = []
  readonly #seen = new Set<number>()

  static at(pc: number, fetch: Fetch): Leaf | undefined {
    const leaf = new Leaf()
    return leaf.#follow(pc, fetch) && leaf.returns.length > 0 ? leaf : undefined
  }

  #follow(start: number, fetch: Fetch): boolean {
    for (let pc = start; !this.#seen.has(pc); ) {
      const instruction = fetch(pc)
      if (instruction === undefined || this.#seen.size >= LEAF_INSTRUCTIONS_MAX) return false
      this.#seen.add(pc)
      const { flow, target, isCall, isReturn, bytes } = instruction
      if (flow === Flow.trap || isCall) return false
      if (flow === Flow.indirect) {
        if (isReturn) this.returns.push(pc)
        return isReturn
      }
      if (flow === Flow.branch && !this.#follow(target, fetch)) return false
      pc = flow === Flow.jump ? target : pc + bytes
    }
    return true
  }
}

class RegionFinder {
  readonly #fetch: Fetch
  readonly #isWarm: IsWarm
  readonly #instructions = new Map<number, Instruction>()
  readonly #leaders: Set<number>
  readonly #queue: number[]
  readonly #leaves = new Map<number, Leaf | undefined>()
  /** By the address of a return instruction: where it may return to. */
  readonly #returnsTo = new Map<number, number[]>()

  constructor(entry: number, fetch: Fetch, isWarm: IsWarm) {
    this.#fetch = fetch
    this.#isWarm = isWarm
    this.#leaders = new Set([entry])
    this.#queue = [entry]
  }

  find(): Region | undefined {
    for (let pc = this.#queue.shift(); pc !== undefined; pc = this.#queue.shift()) this.#follow(pc)
    const starts = [...this.#leaders].filter((pc) => this.#instructions.has(pc))
    if (starts.length === 0) return undefined
    const numbers = new Map(starts.map((pc, number) => [pc, number]))
    return { blocks: starts.map((pc) => this.#block(pc, numbers)) }
  }

  #lead(pc: number): void {
    if (this.#leaders.has(pc)) return
    this.#leaders.add(pc)
    this.#queue.push(pc)
  }

  #follow(start: number): void {
    for (let pc = start; !this.#instructions.has(pc) && this.#instructions.size < INSTRUCTIONS_MAX; ) {
      const instruction = this.#fetch(pc)
      if (instruction === undefined) return
      this.#instructions.set(pc, instruction)
      const { flow, bytes, target, isCall } = instruction
      if (flow === Flow.branch) this.#lead(pc + bytes)
      if (flow === Flow.jump && !isCall) this.#lead(target)
      if (flow === Flow.branch && this.#isWarm(target)) this.#lead(target)
      if (isCall) this.#call(instruction)
      if (flow !== Flow.next) return
      pc += bytes
    }
  }

  #call({ target, pc, bytes }: Instruction): void {
    if (!this.#isWarm(target)) return
    if (!this.#leaves.has(target)) this.#leaves.set(target, Leaf.at(target, this.#fetch))
    const leaf = this.#leaves.get(target)
    if (leaf === undefined) return
    this.#lead(target)
    this.#lead(pc + bytes)
    for (const at of leaf.returns) this.#returnsTo.set(at, [...(this.#returnsTo.get(at) ?? []), pc + bytes])
  }

  #block(start: number, numbers: ReadonlyMap<number, number>): Block {
    const instructions: Instruction[] = []
    let pc = start
    for (;;) {
      const instruction = this.#instructions.get(pc)
      if (instruction === undefined || (pc !== start && numbers.has(pc))) break
      instructions.push(instruction)
      pc += instruction.bytes
      if (instruction.flow !== Flow.next) break
    }
    const edge = (address: number): Edge => {
      const block = numbers.get(address)
      return block === undefined ? { exit: address } : { block }
    }
    return { pc: start, instructions, edges: this.#targets(instructions.at(-1)!).map(edge) }
  }

  #targets({ flow, pc, bytes, target, isReturn }: Instruction): number[] {
    if (flow === Flow.next) return [pc + bytes]
    if (flow === Flow.branch) return [target, pc + bytes]
    if (flow === Flow.jump) return [target]
    return isReturn ? (this.#returnsTo.get(pc) ?? []) : []
  }
}

/** The region that begins at an address; nothing when not even its first instruction can be executed. */
export function findRegion(entry: number, fetch: Fetch, isWarm: IsWarm): Region | undefined {
  return new RegionFinder(entry, fetch, isWarm).find()
}
