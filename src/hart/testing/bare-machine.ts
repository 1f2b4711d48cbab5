import { EntryFlag } from '../../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../../arch/riscv64/sv39.js'
import { PAGE_SIZE, type Pfn, type Ptr } from '../../base/numbers.js'
import { Tlbs } from '../../paging/tlb.js'
import { CODE_ENTRIES_STRIDE, Region, regionPtr, setRegion, writeHeader } from '../../state/layout.js'
import { Memory } from '../../state/memory.js'
import { DECODE_TABLE_BYTES } from '../decode-table.js'
import { FLOAT_NAMES, INTEGER_NAMES } from '../disassembler.js'
import type { Exit } from '../exit.js'
import { Hart } from '../hart.js'
import type { HartParts } from '../hart-parts.js'
import { HART_BYTES, HartField } from '../hart-state.js'
import type { KeptTranslations } from '../translator/kept-translations.js'
import { assemble } from './assembler.js'

export const CODE = 0x10000
export const DATA = 0x20000
const ARCH = new Riscv64Sv39()
const RWX = EntryFlag.read | EntryFlag.write | EntryFlag.execute | EntryFlag.user

export interface BareMachineOptions {
  readonly shared?: boolean
  readonly bytes?: number
  readonly threshold?: number
  readonly kept?: KeptTranslations
  readonly parts?: HartParts
}

/**
 * A hart, memory and page tables made by hand, no kernel: 16 pages of code at CODE and 16 of data at DATA. Frames
 * come one after another and are never given back.
 */
export class BareMachine {
  readonly memory: Memory
  readonly tlbs: Tlbs
  readonly hart: Hart
  readonly root: Pfn
  #nextFrame = 1

  constructor({ shared = false, bytes = 8 * 2 ** 20, threshold = 0, kept, parts }: BareMachineOptions = {}) {
    this.memory = Memory.allocate(bytes, shared)
    writeHeader(this.memory, ARCH.id, 1)
    const bump = { allocateBytes: (size: number) => this.#bytes(size) }
    Tlbs.bootHeaders(this.memory, bump, 1)
    this.tlbs = Tlbs.boot(this.memory, bump)
    setRegion(this.memory, Region.harts, this.#bytes(HART_BYTES), HART_BYTES)
    setRegion(this.memory, Region.scratch, this.#bytes(DECODE_TABLE_BYTES), DECODE_TABLE_BYTES)
    setRegion(this.memory, Region.codeStamps, this.#bytes(bytes / 2048), bytes / 2048)
    setRegion(this.memory, Region.codeEntries, this.#bytes(CODE_ENTRIES_STRIDE), CODE_ENTRIES_STRIDE)
    const options = { threshold, ...(kept && { kept }), ...(parts && { parts }) }
    this.hart = Hart.create({ memory: this.memory, arch: ARCH, tlbs: this.tlbs }, 0, options)
    this.root = this.frame()
    this.hart.setRoot(this.root)
    for (let page = 0; page < 16; page++) this.map(CODE + page * PAGE_SIZE, this.frame(), RWX)
    for (let page = 0; page < 16; page++) {
      // Of pages in a row some lie one behind the other, and some do not.
      if (page % 7 === 6) this.frame()
      this.map(DATA + page * PAGE_SIZE, this.frame(), RWX)
    }
  }

  #bytes(size: number): Ptr {
    const ptr = this.#nextFrame * PAGE_SIZE
    this.#nextFrame += Math.ceil(size / PAGE_SIZE)
    return ptr as Ptr
  }

  /** A fresh frame, all zero. */
  frame(): Pfn {
    return this.#nextFrame++ as Pfn
  }

  /** The page-table entry of an address at a level, making the tables above it. */
  entry(address: number, level = 0): Ptr {
    let table: number = this.root
    for (let at = 2; ; at--) {
      const index = Math.floor(address / 2 ** (12 + 9 * at)) & 511
      const entry = (table * PAGE_SIZE + index * 8) as Ptr
      if (at === level) return entry
      const { u32 } = this.memory
      if (u32[entry >>> 2] === 0) {
        const next = this.frame()
        u32[(entry >>> 2) + 1] = ARCH.tableHigh(next)
        u32[entry >>> 2] = ARCH.tableLow(next)
      }
      table = ARCH.tableOf(u32[entry >>> 2]!, u32[(entry >>> 2) + 1]!)
    }
  }

  map(address: number, frame: Pfn, flags: number, level = 0): void {
    this.setEntry(address, ARCH.leafLow(frame, flags), ARCH.leafHigh(frame, flags), level)
  }

  /** Writes the raw words of an entry and flushes the TLB. */
  setEntry(address: number, low: number, high: number, level = 0): void {
    const entry = this.entry(address, level) >>> 2
    this.memory.u32[entry] = low
    this.memory.u32[entry + 1] = high
    this.tlbs.flushAll(0)
  }

  unmap(address: number): void {
    this.setEntry(address, 0, 0)
  }

  /** The raw low word of an entry. */
  pte(address: number): number {
    return this.memory.u32[this.entry(address) >>> 2]!
  }

  /** Where a mapped byte is in the buffer. */
  place(address: number): number {
    const entry = this.entry(address) >>> 2
    const pfn = ARCH.pfnOf(this.memory.u32[entry]!, this.memory.u32[entry + 1]!)
    return pfn * PAGE_SIZE + (address % PAGE_SIZE)
  }

  /** As the kernel would: what was translated from there is forgotten. */
  write(address: number, bytes: Uint8Array): void {
    bytes.forEach((byte, i) => {
      const place = this.place(address + i)
      this.memory.u8[place] = byte
      this.memory.u16[(regionPtr(this.memory, Region.codeStamps) >>> 1) + Math.floor(place / PAGE_SIZE)] = 0
    })
  }

  /** Little endian, unsigned. */
  read(address: number, bytes: number): bigint {
    let value = 0n
    for (let i = bytes - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(this.memory.u8[this.place(address + i)]!)
    return value
  }

  /** Registers by name ("a0", "fa0"), as unsigned 64-bit numbers. */
  set(registers: Readonly<Record<string, bigint | number>>): this {
    for (const [name, value] of Object.entries(registers)) {
      const bits = BigInt.asUintN(64, BigInt(value))
      this.hart.setHalves(fieldOf(name), Number(bits & 0xffffffffn), Number(bits >> 32n))
    }
    return this
  }

  get(name: string): bigint {
    const field = fieldOf(name)
    return (BigInt(this.hart.high(field)) << 32n) | BigInt(this.hart.low(field))
  }

  /** Puts a program at CODE and executes it until it leaves, 100,000 instructions at most. */
  run(source: string, budget = 100_000, origin = CODE): Exit {
    this.write(origin, assemble(source, origin))
    this.hart.pc = origin
    return this.hart.run(budget)
  }
}

function fieldOf(name: string): number {
  if (name === 'pc') return HartField.pc
  const integer = INTEGER_NAMES.indexOf(name)
  if (integer >= 0) return HartField.x + integer * 8
  const float = FLOAT_NAMES.indexOf(name)
  if (float < 0) throw new Error(`unknown register ${name}`)
  return HartField.f + float * 8
}
