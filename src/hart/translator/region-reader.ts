/** Reads instructions where the program has them now, for one module, and notes which pages each region is in. */
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

/** Which one of its page an address is. */
function halfwordOf(pc: number): number {
  return ((pc % PAGE_SIZE) & PAGE_MASK) >>> 1
}

class ReadPage {
  readonly vpn: Vpn
  /** NO_FRAME when it cannot be used. */
  readonly pfn: Pfn
  /** Those that were read, by halfword. */
  readonly instructions: (Instruction | undefined)[] = new Array(PAGE_SIZE / 2)
  /** Number of the last region that looked at it. */
  region = 0

  constructor(vpn: Vpn, pfn: Pfn) {
    this.vpn = vpn
    this.pfn = pfn
  }
}

export class RegionReader {
  readonly #memory: Memory
  readonly #decode: Ptr
  readonly #codePages: CodePages
  readonly #operands: OperandTable
  readonly #pages = new Map<Vpn, ReadPage>()
  /** The last one that was read from. */
  #page: ReadPage | undefined
  #region = 0
  #looks = 0
  /** Pages that the region has looked at. */
  #pagesUsed = 0

  constructor(memory: Memory, decodeTable: Ptr, pages: CodePages, operands: OperandTable) {
    this.#memory = memory
    this.#decode = decodeTable
    this.#codePages = pages
    this.#operands = operands
  }

  /** What is read from now on is for another region. Its number: no two of a reader have the same, nor 0. */
  begin(): number {
    this.#page = undefined
    this.#pagesUsed = 0
    return ++this.#region
  }

  /** A number for a look at what is read: no two of a reader have the same, nor 0. */
  nextLook(): number {
    return ++this.#looks
  }

  /** The instruction at an address; nothing when it cannot be executed, or is illegal. */
  instruction(pc: number): Instruction | undefined {
    const page = this.#pageOf(pageOf(pc))
    if (page === undefined) return undefined
    const place = halfwordOf(pc)
    return page.instructions[place] ?? this.#read(pc, page, place)
  }

  /** The instruction at an address if it was read for this region or another. */
  known(pc: number): Instruction | undefined {
    const vpn = pageOf(pc)
    const page = this.#page?.vpn === vpn ? this.#page : this.#pages.get(vpn)
    return page?.instructions[halfwordOf(pc)]
  }

  /** The frame of a page that was read from. */
  frameOf(vpn: Vpn): Pfn {
    return this.#pages.get(vpn)?.pfn ?? NO_FRAME
  }

  #read(pc: number, page: ReadPage, place: number): Instruction | undefined {
    const low = this.#memory.u16[(frameToPtr(page.pfn) >>> 1) + place]!
    const high = (low & 3) === 3 ? this.#half(pc + 2) : 0
    if (high < 0) return undefined
    const word = (low | (high << 16)) >>> 0
    const number = decode(this.#memory, this.#decode, word)
    if (number === ILLEGAL) return undefined
    const operands = this.#operands.of(number)
    const { match, mask } = operands.definition
    if (((word ^ match) & mask) !== 0) return undefined
    const read = new Instruction(pc, word, operands)
    page.instructions[place] = read
    return read
  }

  /** 16 bits, or -1. */
  #half(pc: number): number {
    const page = this.#pageOf(pageOf(pc))
    return page === undefined ? -1 : this.#memory.u16[(frameToPtr(page.pfn) >>> 1) + halfwordOf(pc)]!
  }

  /** A page that the region may use. */
  #pageOf(vpn: Vpn): ReadPage | undefined {
    let page = this.#page
    if (page?.vpn !== vpn) page = this.#otherPage(vpn)
    return page !== undefined && page.pfn !== NO_FRAME ? page : undefined
  }

  #otherPage(vpn: Vpn): ReadPage | undefined {
    let page = this.#pages.get(vpn)
    if (page?.region !== this.#region) {
      if (this.#pagesUsed >= PAGES_MAX) return undefined
      this.#pagesUsed++
      if (page === undefined) this.#pages.set(vpn, (page = new ReadPage(vpn, this.#codePages.frameOf(vpn))))
      page.region = this.#region
    }
    this.#page = page
    return page
  }
}
