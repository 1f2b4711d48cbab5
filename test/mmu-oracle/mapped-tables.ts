/** Tables that the mapper makes of random mappings of all sizes, and accesses to them. */
import { EntryFlag, type MemoryManagementArch } from '../../src/arch/memory-management-arch.js'
import type { Pfn, Vpn } from '../../src/base/numbers.js'
import type { Random } from '../../src/base/random.js'
import { FrameFlag } from '../../src/frame/frame-table.js'
import { LargeMapper } from '../../src/paging/large-mapper.js'
import { newTable } from '../../src/paging/page-mapper.js'
import { PagingMachine } from '../../src/paging/testing/paging-machine.js'
import { type Questions, randomOp, type Tables, type Verdict } from './comparison.js'
import { KIND_MASK, Op, POOL, RAM_BASE, STUB_FRAMES } from './qemu.js'

const { read, write, execute, user, global, accessed, dirty } = EntryFlag
/** The last one is PROT_NONE: there for the kernel, absent for the hardware. */
const ACCESSES = [read, read | write, execute, read | execute, read | write | execute, 0]
const RAM_PAGE = RAM_BASE / 4096
const POOL_PAGE = POOL.start / 4096
const POOL_PAGES = (POOL.end - POOL.start) / 4096

interface Mapping {
  readonly vpn: Vpn
  readonly level: number
  readonly pfn: Pfn
  readonly flags: number
}

export class MappedTables {
  readonly #arch: MemoryManagementArch
  readonly #random: Random
  readonly #machine: PagingMachine
  readonly #mapper: LargeMapper
  readonly #mappings: Mapping[] = []
  /** By level, by first page: what is to be there. */
  readonly #model: Map<number, Mapping>[]
  #last = 0 as Vpn

  constructor(arch: MemoryManagementArch, random: Random, count: number) {
    this.#arch = arch
    this.#random = random
    this.#machine = new PagingMachine(arch, {
      bytes: 128 * 2 ** 20,
      harts: 1,
      noMap: [{ start: 1 as Pfn, end: STUB_FRAMES as Pfn }],
    })
    this.#mapper = new LargeMapper(this.#machine, newTable(this.#machine))
    this.#model = Array.from({ length: arch.levels }, () => new Map())
    while (this.#mappings.length < count) this.#map()
  }

  get tables(): Tables {
    const { memory, frames } = this.#machine
    const tables = Array.from({ length: frames.frameCount }, (_, pfn) => pfn as Pfn).filter(
      (pfn) => (frames.flags(pfn) & FrameFlag.table) !== 0,
    )
    return { memory, arch: this.#arch, root: this.#mapper.root, frames: tables }
  }

  /** How many mappings there are of each size, the smallest first. */
  get sizes(): number[] {
    return this.#model.map(({ size }) => size)
  }

  #map(): void {
    const level = this.#level()
    const span = this.#arch.span(level)
    const vpn = (Math.floor(this.#place(level) / span) * span) as Vpn
    const mapping = { vpn, level, pfn: this.#target(level), flags: this.#flags() }
    const batch = this.#machine.flusher.batch(this.#mapper.root)
    const isTaken = this.#model[level]!.has(vpn)
    const result = isTaken ? -1 : this.#mapper.mapLarge(vpn, level, mapping.pfn, mapping.flags, batch)
    batch.finish()
    if (result < 0) return
    this.#model[level]!.set(vpn, mapping)
    this.#mappings.push(mapping)
    this.#last = vpn
  }

  #level(): number {
    const dice = this.#random.below(1000)
    if (dice < 770) return 0
    if (dice < 970) return 1
    return dice < 997 ? 2 : this.#random.between(2, this.#arch.levels - 1)
  }

  /** Often near the one before, so that tables are shared. */
  #place(level: number): number {
    const { kernelStart, userEnd } = this.#arch
    if (this.#random.chance(0.3)) return this.#anywhere()
    const near = this.#last + this.#random.between(-48, 80) * this.#arch.span(level)
    return Math.min(Math.max(near, kernelStart), userEnd - 1)
  }

  #anywhere(): number {
    const part = this.#random.uint32() / 2 ** 32 + this.#random.uint32() / 2 ** 64
    return Math.floor(part * 2 * this.#arch.userEnd) - this.#arch.userEnd
  }

  /** A place in the pool; leaves that are larger than it begin at physical address 0. */
  #target(level: number): Pfn {
    const span = this.#arch.span(level)
    if (span > POOL_PAGE) return -RAM_PAGE as Pfn
    const places = Math.max(1, Math.floor(POOL_PAGES / span))
    return (POOL_PAGE + this.#random.below(places) * span - RAM_PAGE) as Pfn
  }

  #flags(): number {
    const optional = [user, global, accessed, dirty].filter(() => this.#random.chance(0.5))
    return optional.reduce((flags, flag) => flags | flag, this.#random.pick(ACCESSES))
  }

  /** Asks about random accesses; throws when walk, mapper and the list of mappings do not agree already. */
  ask(questions: Questions, count: number): void {
    while (questions.asked.length < count) {
      const page = this.#page()
      const op = randomOp(this.#random)
      const verdict = questions.ask(page, op)
      if (verdict === undefined) continue
      for (const [who, says] of [
        ['the mapper', this.#byMapper(page, op)],
        ['the list of mappings', this.#byList(page, op)],
      ] as const) {
        if (says !== verdict)
          throw new Error(`page ${page.toString(16)}, ${op}: ${verdict} by the walk, ${says} by ${who}`)
      }
    }
  }

  #page(): bigint {
    const mapping = this.#random.pick(this.#mappings)
    const span = this.#arch.span(mapping.level)
    const dice = this.#random.below(100)
    let vpn: number = mapping.vpn
    if (dice < 8) vpn += this.#random.between(-4, 4) * span
    else if (dice < 12) vpn = this.#anywhere()
    else if (span > POOL_PAGE) vpn += POOL_PAGE + this.#random.below(POOL_PAGES)
    else vpn += this.#random.below(span)
    const page = BigInt(vpn) * 4096n
    return dice >= 98 ? page ^ (1n << BigInt(this.#random.between(12 + 9 * this.#arch.levels, 63))) : page
  }

  #byMapper(page: bigint, op: number): Verdict {
    const vpn = this.#canonical(page)
    if (vpn === undefined || !this.#mapper.translate(vpn)) return 'page fault'
    return verdictOf(op, this.#mapper.lastPfn, this.#mapper.lastFlags)
  }

  #byList(page: bigint, op: number): Verdict {
    const vpn = this.#canonical(page)
    if (vpn === undefined) return 'page fault'
    for (const [level, mappings] of this.#model.entries()) {
      const span = this.#arch.span(level)
      const found = mappings.get(Math.floor(vpn / span) * span)
      if (found !== undefined) return verdictOf(op, (found.pfn + vpn - found.vpn) as Pfn, found.flags)
    }
    return 'page fault'
  }

  #canonical(page: bigint): Vpn | undefined {
    const bits = BigInt.asUintN(64, page)
    const [low, high] = [Number(bits & 0xffffffffn), Number(bits >> 32n)]
    if (!this.#arch.isCanonical(low, high)) return undefined
    return Number(BigInt.asIntN(64, page) >> 12n) as Vpn
  }
}

/** The manual's rules, in the mapper's words. */
function verdictOf(op: number, pfn: Pfn, flags: number): Verdict {
  const isUserPage = (flags & user) !== 0
  const kind = op & KIND_MASK
  if ((op & Op.supervisor) === 0 ? !isUserPage : isUserPage && (kind === Op.fetch || (op & Op.sum) === 0)) {
    return 'page fault'
  }
  const byMxr = kind === Op.load && (op & Op.mxr) !== 0 ? execute : 0
  const needed = kind === Op.fetch ? execute : kind === Op.load ? read | byMxr : write
  const granted = (flags & write) !== 0 ? flags | read : flags
  return (granted & needed) !== 0 ? RAM_BASE + pfn * 4096 + offsetOf(kind) : 'page fault'
}

const offsetOf = (kind: number) => (kind === Op.load ? 0 : kind === Op.fetch ? 8 : 0xff8)
