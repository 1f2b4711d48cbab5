/** Reads instructions where the program has them now, and notes which pages they are in. */
import {
  frameToPtr,
  NO_FRAME,
  PAGE_MASK,
  PAGE_SIZE,
  type Pfn,
  type Ptr,
  pageOf,
  type Vpn,
} from '../../base/numbers.js'
import type { Memory } from '../../state/memory.js'
import { decode, ILLEGAL } from '../decode-table.js'
import type { CodePages } from './code-pages.js'
import { Instruction } from './flow.js'
import type { OperandTable } from './operands.js'

/** More would make each call of the region look at more of the TLB. */
const PAGES_MAX = 4

export class RegionReader {
  readonly #memory: Memory
  readonly #decode: Ptr
  readonly #pages: CodePages
  readonly #operands: OperandTable
  /** Pages looked at, and their frames; NO_FRAME for those that cannot be used. */
  readonly frames = new Map<Vpn, Pfn>()
  readonly #instructions = new Map<number, Instruction>()

  constructor(memory: Memory, decodeTable: Ptr, pages: CodePages, operands: OperandTable) {
    this.#memory = memory
    this.#decode = decodeTable
    this.#pages = pages
    this.#operands = operands
  }

  /** The instruction at an address; nothing when it cannot be executed, or is illegal. */
  instruction(pc: number): Instruction | undefined {
    const known = this.#instructions.get(pc)
    if (known !== undefined) return known
    const read = this.#read(pc)
    if (read !== undefined) this.#instructions.set(pc, read)
    return read
  }

  #read(pc: number): Instruction | undefined {
    const low = this.#half(pc)
    if (low < 0) return undefined
    const high = (low & 3) === 3 ? this.#half(pc + 2) : 0
    if (high < 0) return undefined
    const word = (low | (high << 16)) >>> 0
    const number = decode(this.#memory, this.#decode, word)
    if (number === ILLEGAL) return undefined
    const operands = this.#operands.of(number)
    const { match, mask } = operands.definition
    return ((word ^ match) & mask) !== 0 ? undefined : new Instruction(pc, word, operands)
  }

  /** 16 bits, or -1. */
  #half(pc: number): number {
    const frame = this.#frameOf(pageOf(pc))
    return frame === NO_FRAME
      ? -1
      : this.#memory.u16[(frameToPtr(frame) + ((pc % PAGE_SIZE) & PAGE_MASK)) >>> 1]!
  }

  #frameOf(vpn: Vpn): Pfn {
    let frame = this.frames.get(vpn)
    if (frame === undefined) {
      frame = this.frames.size < PAGES_MAX ? this.#pages.frameOf(vpn) : NO_FRAME
      this.frames.set(vpn, frame)
    }
    return frame
  }
}
