/**
 * What is translated together: the instructions that can be reached from an address inside one function, small functions that
 * it calls among them.
 */
import type { Instruction } from './flow.js'
import { Flow } from './operands.js'
import type { RegionReader } from './region-reader.js'

/** Instructions of a region, and of a function that is taken into the ones that call it. */
export const REGION_INSTRUCTIONS_MAX = 128
const LEAF_INSTRUCTIONS_MAX = 32

/** What is known of addresses. */
export interface Arrivals {
  /** Jumps have led there often enough that it is worth translating with what leads there. */
  isWarm(pc: number): boolean
  /** A region begins there. Others end before it: sqlite3 had each instruction translated three times without. */
  isTranslated(pc: number): boolean
}

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
  readonly length: number
}

/** A function without calls: its instructions can be reached from its start, and all end in returns. */
class Leaf {
  readonly returns: Instruction[] = []
  readonly #reader: RegionReader
  readonly #look: number
  #length = 0

  private constructor(reader: RegionReader, look: number) {
    this.#reader = reader
    this.#look = look
  }

  /** `look`: another number than those of earlier looks with the same reader. */
  static at(pc: number, reader: RegionReader, look: number): Leaf | undefined {
    const leaf = new Leaf(reader, look)
    return leaf.#follow(pc) && leaf.returns.length > 0 ? leaf : undefined
  }

  #follow(start: number): boolean {
    for (let pc = start; ; ) {
      const instruction = this.#reader.instruction(pc)
      if (instruction === undefined) return false
      if (instruction.leaf === this.#look) return true
      if (this.#length >= LEAF_INSTRUCTIONS_MAX) return false
      instruction.leaf = this.#look
      this.#length++
      const { flow } = instruction
      if (flow === Flow.next) {
        pc += instruction.bytes
        continue
      }
      if (flow === Flow.trap || instruction.isCall) return false
      if (flow === Flow.indirect) {
        if (!instruction.isReturn) return false
        this.returns.push(instruction)
        return true
      }
      if (flow === Flow.branch && !this.#follow(instruction.target)) return false
      pc = flow === Flow.jump ? instruction.target : pc + instruction.bytes
    }
  }
}

class RegionFinder {
  readonly #reader: RegionReader
  readonly #arrivals: Arrivals
  readonly #number: number
  /** What blocks begin with; some may not be reached before the region is full. */
  readonly #leaders: Instruction[] = []
  #length = 0
  readonly #leaves = new Map<number, Leaf | undefined>()
  /** By a return instruction: where it may return to. */
  readonly #returnsTo = new Map<Instruction, number[]>()

  constructor(reader: RegionReader, arrivals: Arrivals) {
    this.#reader = reader
    this.#arrivals = arrivals
    this.#number = reader.begin()
  }

  find(entry: number): Region | undefined {
    this.#lead(entry)
    const leaders = this.#leaders
    for (let i = 0; i < leaders.length; i++) this.#follow(leaders[i]!)
    const starts: Instruction[] = []
    for (let i = 0; i < leaders.length; i++) {
      const leader = leaders[i]!
      if (!this.#has(leader)) continue
      leader.block = starts.length
      starts.push(leader)
    }
    if (starts.length === 0) return undefined
    const blocks: Block[] = []
    for (let i = 0; i < starts.length; i++) blocks.push(this.#block(starts[i]!))
    return { blocks, length: this.#length }
  }

  #has(instruction: Instruction): boolean {
    return instruction.region === this.#number
  }

  /** Whether it is the first of a block of the region. */
  #isStart(instruction: Instruction): boolean {
    return instruction.leads === this.#number && this.#has(instruction)
  }

  #lead(pc: number): void {
    const instruction = this.#reader.instruction(pc)
    if (instruction === undefined || instruction.leads === this.#number) return
    instruction.leads = this.#number
    this.#leaders.push(instruction)
  }

  #follow(leader: Instruction): void {
    const number = this.#number
    let instruction: Instruction | undefined = leader
    while (
      instruction !== undefined &&
      instruction.region !== number &&
      this.#length < REGION_INSTRUCTIONS_MAX
    ) {
      instruction.region = number
      this.#length++
      const { flow, pc, bytes }: Instruction = instruction
      if (flow !== Flow.next) {
        this.#goOn(instruction)
        return
      }
      instruction = this.#arrivals.isTranslated(pc + bytes) ? undefined : this.#reader.instruction(pc + bytes)
    }
    // Two ways that meet, the one through the middle of an instruction of the other: what is behind belongs to both, and is a block of its own.
    if (instruction?.region === number) this.#lead(instruction.pc)
  }

  /** Leads to what another region does not begin with, or is in this one already. */
  #leadOn(pc: number): void {
    const instruction = this.#reader.known(pc)
    const isHere = instruction !== undefined && this.#has(instruction)
    if (isHere || !this.#arrivals.isTranslated(pc)) this.#lead(pc)
  }

  #goOn(instruction: Instruction): void {
    const { flow, pc, bytes, target, isCall } = instruction
    if (flow === Flow.branch) {
      this.#leadOn(pc + bytes)
      if (this.#arrivals.isWarm(target)) this.#leadOn(target)
    }
    if (flow === Flow.jump && !isCall) this.#leadOn(target)
    if (isCall) this.#call(instruction)
  }

  #call({ target, pc, bytes }: Instruction): void {
    if (!this.#arrivals.isWarm(target)) return
    if (!this.#leaves.has(target)) this.#leaves.set(target, this.#leafAt(target))
    const leaf = this.#leaves.get(target)
    if (leaf === undefined) return
    this.#lead(target)
    this.#lead(pc + bytes)
    for (const at of leaf.returns) this.#returnsTo.set(at, [...(this.#returnsTo.get(at) ?? []), pc + bytes])
  }

  #leafAt(pc: number): Leaf | undefined {
    return Leaf.at(pc, this.#reader, this.#reader.nextLook())
  }

  #block(start: Instruction): Block {
    const number = this.#number
    const instructions = [start]
    let last = start
    while (last.flow === Flow.next) {
      const next = this.#reader.known(last.pc + last.bytes)
      if (next === undefined || next.region !== number || next.leads === number) break
      instructions.push(next)
      last = next
    }
    const edges: Edge[] = []
    const { flow, pc, bytes } = last
    if (flow === Flow.branch || flow === Flow.jump) edges.push(this.#edge(last.target))
    if (flow === Flow.branch || flow === Flow.next) edges.push(this.#edge(pc + bytes))
    if (last.isReturn) for (const address of this.#returnsTo.get(last) ?? []) edges.push(this.#edge(address))
    return { pc: start.pc, instructions, edges }
  }

  #edge(address: number): Edge {
    const instruction = this.#reader.known(address)
    return instruction !== undefined && this.#isStart(instruction)
      ? { block: instruction.block }
      : { exit: address }
  }
}

/** The region that begins at an address; nothing when not even its first instruction can be executed. */
export function findRegion(entry: number, reader: RegionReader, arrivals: Arrivals): Region | undefined {
  return new RegionFinder(reader, arrivals).find(entry)
}
