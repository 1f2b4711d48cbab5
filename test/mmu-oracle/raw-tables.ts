/** Tables of random bits, as no kernel writes them: reserved bits, misaligned leaves, pointers that have A, D or U, leaves in every level. */
import type { MemoryManagementArch } from '../../src/arch/memory-management-arch.js'
import type { Pfn } from '../../src/base/numbers.js'
import type { Random } from '../../src/base/random.js'
import { Memory } from '../../src/state/memory.js'
import { type Questions, randomOp, type Tables } from './comparison.js'
import { POOL, RAM_BASE, STUB_FRAMES } from './qemu.js'

const VALID = 1n
const TABLES_MAX = 3000

export class RawTables {
  readonly #arch: MemoryManagementArch
  readonly #random: Random
  readonly #memory = Memory.allocate(32 * 2 ** 20, false)
  readonly #root: Pfn
  #next = STUB_FRAMES

  constructor(arch: MemoryManagementArch, random: Random) {
    this.#arch = arch
    this.#random = random
    this.#root = this.#build(arch.levels - 1)
  }

  get tables(): Tables {
    const frames = Array.from({ length: this.#next - STUB_FRAMES }, (_, i) => (STUB_FRAMES + i) as Pfn)
    return { memory: this.#memory, arch: this.#arch, root: this.#root, frames }
  }

  /** A table and what it leads to. */
  #build(level: number): Pfn {
    const table = this.#next++ as Pfn
    const entries = this.#entryCount(level)
    for (let i = 0; i < entries; i++) this.#set(table, this.#random.below(512), this.#entry(level))
    return table
  }

  /** So that the accesses are spread over all of some thousand tables. */
  #entryCount(level: number): number {
    const { levels } = this.#arch
    if (level === levels - 1) return 960 / 2 ** levels
    return level === 0 ? this.#random.between(4, 60) : level === 1 ? this.#random.between(4, 12) : 3
  }

  #set(table: Pfn, index: number, entry: bigint): void {
    this.#memory.u32[table * 1024 + index * 2] = Number(entry & 0xffffffffn)
    this.#memory.u32[table * 1024 + index * 2 + 1] = Number(entry >> 32n)
  }

  #entry(level: number): bigint {
    const isPointer = level > 0 && this.#random.chance(level === 1 ? 0.8 : 0.9)
    const entry = isPointer ? this.#pointer(level) : this.#leaf(level)
    return this.#random.chance(0.03) ? entry ^ (1n << BigInt(this.#random.between(54, 63))) : entry
  }

  /** Some have bits that only leaves may have, G, or bits for software. Without room it is the root again. */
  #pointer(level: number): bigint {
    const hasRoom = this.#next - STUB_FRAMES < TABLES_MAX
    const table = hasRoom ? this.#build(level - 1) : STUB_FRAMES
    const odd = this.#random.chance(0.08) ? BigInt(this.#random.below(1024)) & ~0xen : 0n
    return (BigInt(RAM_BASE / 4096 + table) << 10n) | odd | VALID
  }

  /** Any ten low bits; the page is in the pool, and mostly aligned to the leaf's size. */
  #leaf(level: number): bigint {
    const span = this.#arch.span(level)
    let page = POOL.start / 4096 + this.#random.below((POOL.end - POOL.start) / 4096)
    if (this.#random.chance(0.8)) page -= page % span
    const valid = this.#random.chance(0.95) ? VALID : 0n
    return (BigInt(page) << 10n) | BigInt(this.#random.below(512) * 2) | valid
  }

  ask(questions: Questions, count: number): void {
    for (let tries = 0; questions.asked.length < count && tries < count * 50; tries++) {
      questions.ask(this.#page(), randomOp(this.#random))
    }
  }

  /** Along entries that are there, as far as they lead. */
  #page(): bigint {
    const { levels } = this.#arch
    let address = 0n
    let table = this.#root as number
    for (let level = levels - 1; level >= 0; level--) {
      const index = table === 0 || this.#random.chance(0.02) ? this.#random.below(512) : this.#used(table)
      address = (address << 9n) | BigInt(index)
      table = table === 0 ? 0 : this.#childOf(table, index)
    }
    const page = BigInt.asIntN(12 + 9 * levels, address << 12n)
    return this.#random.chance(0.001) ? page ^ (1n << 62n) : page
  }

  /** An index from a random place on whose entry is not zero. */
  #used(table: number): number {
    const start = this.#random.below(512)
    for (let i = 0; i < 512; i++) {
      const index = (start + i) % 512
      if (this.#memory.u32[table * 1024 + index * 2] !== 0) return index
    }
    return start
  }

  #childOf(table: number, index: number): number {
    const low = this.#memory.u32[table * 1024 + index * 2]!
    const frame = (low >>> 10) - RAM_BASE / 4096
    return (low & 15) === 1 && frame >= STUB_FRAMES && frame < this.#next ? frame : 0
  }
}
