/** Reads instructions where the program has them now, for one module, and notes which pages each region is in. */
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn, type Ptr, pageOf, type Vpn } from '../../base/numbers.js'
import type { Memory } from '../../state/memory.js'
import { decode, ILLEGAL } from '../decode-table.js'
import type { CodePages } from './code-pages.js'
import { Instruction } from './flow.js'
import type { OperandTable } from './operands.js'

/** More would make each call of the region look at more of the TLB. */
const PAGES_MAX = 4

/** Instructions are kept in rows of so many halfwords: a region reads little of a page. */
const ROW_SHIFT = 6
const ROW_HALFWORDS = 1 << ROW_SHIFT

type Row = (Instruction | undefined)[]

class ReadPage {
  readonly vpn: Vpn
  /** Address of its first byte. */
  readonly start: number
  /** NO_FRAME when it cannot be used. */
  readonly pfn: Pfn
  /** Those that were read, by halfword. */
  readonly rows: (Row | undefined)[] = []
  /** Number of the last region that looked at it. */
  region = 0

  constructor(vpn: Vpn, pfn: Pfn) {
    this.vpn = vpn
    this.start = vpn * PAGE_SIZE
    this.pfn = pfn
    for (let i = 0; i < PAGE_SIZE / 2 / ROW_HALFWORDS; i++) this.rows.push(undefined)
  }

  /** `place`: of the halfword. */
  row(place: number): Row {
    const number = place >>> ROW_SHIFT
    return (this.rows[number] ??= new Array<undefined>(ROW_HALFWORDS).fill(undefined))
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
    const page = this.#pageAt(pc)
    if (page === undefined) return undefined
    const place = (pc - page.start) >>> 1
    const row = page.row(place)
    return row[place & (ROW_HALFWORDS - 1)] ?? this.#read(pc, page, row)
  }

  /** The instruction at an address if it was read for this region or another. */
  known(pc: number): Instruction | undefined {
    let page = this.#page
    if (page === undefined || pc < page.start || pc >= page.start + PAGE_SIZE)
      page = this.#pages.get(pageOf(pc))
    if (page === undefined) return undefined
    const place = (pc - page.start) >>> 1
    return page.rows[place >>> ROW_SHIFT]?.[place & (ROW_HALFWORDS - 1)]
  }

  /** The frame of a page that was read from. */
  frameOf(vpn: Vpn): Pfn {
    return this.#pages.get(vpn)?.pfn ?? NO_FRAME
  }

  #read(pc: number, page: ReadPage, row: Row): Instruction | undefined {
    const place = (pc - page.start) >>> 1
    const low = this.#memory.u16[(frameToPtr(page.pfn) >>> 1) + place]!
    const high = (low & 3) === 3 ? this.#half(pc + 2) : 0
    if (high < 0) return undefined
    const word = (low | (high << 16)) >>> 0
    const number = decode(this.#memory, this.#decode, word)
    if (number === ILLEGAL) return undefined
    const operands = this.#operands.of(number)
    const { match, mask } = operands.definition
    if (((word ^ match) & mask) !== 0) return undefined
    return (row[place & (ROW_HALFWORDS - 1)] = new Instruction(pc, word, operands))
  }

  /** 16 bits, or -1. */
  #half(pc: number): number {
    const page = this.#pageAt(pc)
    return page === undefined
      ? -1
      : this.#memory.u16[(frameToPtr(page.pfn) >>> 1) + ((pc - page.start) >>> 1)]!
  }

  /** A page that the region may use. */
  #pageAt(pc: number): ReadPage | undefined {
    let page = this.#page
    if (page === undefined || pc < page.start || pc >= page.start + PAGE_SIZE)
      page = this.#otherPage(pageOf(pc))
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
