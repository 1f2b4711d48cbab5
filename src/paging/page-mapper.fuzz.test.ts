import { describe, expect, test } from 'vitest'
import { FakeArch } from '../arch/fake-arch.js'
import { ENTRY_FLAGS_ALL, EntryFlag, type MemoryManagementArch } from '../arch/memory-management-arch.js'
import { Riscv64Entries } from '../arch/riscv64/entries.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from '../arch/riscv64/sv48-sv57.js'
import { walkRiscv64 } from '../arch/riscv64/walk.js'
import { ENOMEM } from '../base/errno.js'
import { NULL, type Pfn, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import type { FlushBatch } from './flush-batch.js'
import { FakeHart } from './testing/fake-hart.js'
import { PagingMachine } from './testing/paging-machine.js'
import type { UserMapper } from './user-mapper.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 200)
const { read, write, execute, user, accessed, dirty } = EntryFlag
const FLAGS = [read, read | write, read | execute, execute, read | write | execute, 0].map((f) => f | user)

interface Mapping {
  readonly pfn: Pfn
  readonly flags: number
}

/** A mapper, the naive Map that it must agree with, and two harts that use it all the time. */
class Fuzzer {
  readonly machine: PagingMachine
  readonly mapper: UserMapper
  readonly model = new Map<Vpn, Mapping>()
  readonly #random: Random
  readonly #harts: readonly FakeHart[]
  readonly #hot: readonly number[]

  constructor(arch: MemoryManagementArch, shared: boolean, seed: number) {
    this.machine = new PagingMachine(arch, { shared })
    this.mapper = this.machine.newUser()
    this.#random = new Random(seed)
    this.#harts = [0, 1].map((hart) => new FakeHart(this.machine, hart))
    for (const hart of [0, 1]) this.machine.tlbs.activate(hart, this.mapper.root)
    const [one, two] = [arch.span(1), arch.span(arch.levels - 1)]
    this.#hot = [0, one, two, 2 * one, arch.userEnd / 2, arch.userEnd - one, arch.userEnd]
  }

  /** One change and some accesses; then everything is compared. */
  step(): void {
    const batch = this.machine.flusher.batch(this.mapper.root)
    const fails = this.#random.chance(0.1)
    if (fails) this.machine.faults.failFrom(this.#random.between(1, 3))
    const change = this.#random.pick([
      this.#map,
      this.#map,
      this.#unmap,
      this.#protect,
      this.#move,
      this.#drop,
      this.#mapHuge,
      this.#split,
    ])
    change.call(this, batch)
    this.machine.faults.reset()
    batch.finish()
    for (let i = 0; i < 8; i++) this.#access()
    this.#compare()
  }

  /** Near a border of tables, where mistakes are. */
  #page(): Vpn {
    const vpn = this.#random.pick(this.#hot) + this.#random.between(-6, 6)
    return Math.min(Math.max(vpn, 0), this.machine.arch.userEnd - 1) as Vpn
  }

  #range(): [start: Vpn, end: Vpn] {
    const [a, b] = [this.#page(), this.#page()]
    return [Math.min(a, b) as Vpn, (Math.max(a, b) + 1) as Vpn]
  }

  #inRange(start: Vpn, end: Vpn): Vpn[] {
    return [...this.model.keys()].filter((vpn) => vpn >= start && vpn < end)
  }

  #map(batch: FlushBatch): void {
    const pfn = this.machine.buddy.allocate(0)
    if (pfn === 0) return
    const [vpn, flags] = [this.#page(), this.#random.pick(FLAGS)]
    this.mapper.splitEnds(vpn, (vpn + 1) as Vpn, batch)
    if (this.mapper.map(vpn, pfn, flags, batch) === -ENOMEM) {
      batch.releaseFrame(pfn)
      return
    }
    const old = this.model.get(vpn)
    if (old) batch.releaseFrame(old.pfn)
    this.model.set(vpn, { pfn, flags })
  }

  #unmap(batch: FlushBatch): void {
    const vpn =
      this.#random.chance(0.8) && this.model.size > 0
        ? this.#random.pick([...this.model.keys()])
        : this.#page()
    const old = this.model.get(vpn)
    this.mapper.splitEnds(vpn, (vpn + 1) as Vpn, batch)
    expect(this.mapper.unmap(vpn, batch)).toBe(old !== undefined)
    if (old) batch.releaseFrame(old.pfn)
    this.model.delete(vpn)
  }

  #protect(batch: FlushBatch): void {
    const [start, end] = this.#range()
    const flags = this.#random.pick(FLAGS)
    const clear = this.#random.chance(0.5) ? ENTRY_FLAGS_ALL : write
    this.mapper.protectRange(start, end, clear, flags, batch)
    for (const vpn of this.#inRange(start, end)) {
      const old = this.model.get(vpn)!
      this.model.set(vpn, { pfn: old.pfn, flags: this.#implied((this.#implied(old.flags) & ~clear) | flags) })
    }
  }

  #implied(flags: number): number {
    return (flags & write) !== 0 ? flags | read : flags
  }

  #move(batch: FlushBatch): void {
    const [from, to] = [this.#page(), this.#page()]
    const pages = this.#random.between(1, 12) + (this.#random.chance(0.4) ? this.mapper.hugePages : 0)
    this.#moveTo(batch, from, to, pages)
    if (this.#random.chance(0.3))
      this.#moveTo(batch, this.#hugePage(), this.#hugePage(), this.mapper.hugePages)
  }

  #moveTo(batch: FlushBatch, from: Vpn, to: Vpn, pages: number): void {
    const isApart = from + pages <= to || to + pages <= from
    const [end, last] = [(from + pages) as Vpn, (to + pages) as Vpn]
    if (!isApart || Math.max(end, last) > this.machine.arch.userEnd || this.#inRange(to, last).length > 0)
      return
    const result = this.mapper.move(from, to, pages, batch)
    this.mapper.prune(from, end, batch)
    this.mapper.prune(to, last, batch)
    if (result === -ENOMEM) return
    for (const vpn of this.#inRange(from, end)) {
      this.model.set((vpn - from + to) as Vpn, this.model.get(vpn)!)
      this.model.delete(vpn)
    }
  }

  /** As a munmap does: clear what a walk finds, then prune. */
  #drop(batch: FlushBatch): void {
    if (!this.#random.chance(0.3)) return
    const [start, end] = this.#range()
    this.mapper.splitEnds(start, end, batch)
    this.mapper.walk(start, end, (vpn, entry) => {
      batch.releaseFrame(this.mapper.pfn(entry))
      this.mapper.clear(entry, vpn, batch)
      expect(this.model.delete(vpn)).toBe(true)
    })
    const tally = { anonymous: 0, others: 0 }
    this.mapper.eachHuge(start, end, (vpn, leaf, pages) => {
      expect(pages).toBe(this.mapper.hugePages)
      this.mapper.clearHuge(leaf, vpn, batch, tally)
      for (let i = 0; i < pages; i++) this.model.delete((vpn + i) as Vpn)
    })
    expect(tally.anonymous % this.mapper.hugePages).toBe(0)
    this.mapper.prune(start, end, batch)
    expect(this.#inRange(start, end)).toEqual([])
  }

  #hugePage(): Vpn {
    return this.mapper.hugeStart(this.#page())
  }

  /** A huge leaf where there is no table, as a fault makes it. */
  #mapHuge(batch: FlushBatch): void {
    const { buddy } = this.machine
    const [vpn, flags] = [this.#hugePage(), this.#random.pick(FLAGS)]
    if (!this.mapper.hasHugeLeaves) return
    const slot = this.mapper.makeSlot(vpn)
    if (slot === NULL || this.mapper.isPresent(slot)) return
    const pfn = buddy.allocate(this.mapper.hugeOrder)
    const deposit = pfn === 0 ? pfn : this.mapper.newDeposit()
    if (deposit === 0) {
      if (pfn !== 0) buddy.free(pfn, this.mapper.hugeOrder)
      this.mapper.prune(vpn, (vpn + 1) as Vpn, batch)
      return
    }
    buddy.divide(pfn, this.mapper.hugeOrder, 0, 0, 0)
    this.mapper.setHuge(slot, pfn, flags, deposit)
    for (let i = 0; i < this.mapper.hugePages; i++)
      this.model.set((vpn + i) as Vpn, { pfn: (pfn + i) as Pfn, flags })
  }

  #split(batch: FlushBatch): void {
    this.mapper.splitAt(this.#page(), batch)
  }

  #access(): void {
    const vpn = this.model.size > 0 ? this.#random.pick([...this.model.keys()]) : this.#page()
    const flag = this.#random.pick([read, write, execute])
    const flags = this.#implied(this.model.get(vpn)?.flags ?? 0)
    expect(this.#random.pick(this.#harts).access(vpn, flag)).toBe((flags & flag) !== 0)
  }

  #compare(): void {
    this.machine.check()
    this.mapper.check()
    this.#compareWalk()
    const { arch } = this.machine
    const tables = new Set<string>()
    for (const vpn of this.model.keys()) {
      for (let level = 1; level < arch.levels; level++)
        tables.add(`${level} ${Math.floor(vpn / arch.span(level))}`)
    }
    expect(this.mapper.tableFrames()).toBe(tables.size + 1)
    const sample = this.#page()
    expect(this.mapper.translate(sample)).toBe(this.model.has(sample))
    if (arch instanceof Riscv64Entries) this.#compareReference(sample)
  }

  #compareWalk(): void {
    const all: string[] = []
    let [small, huge, wrong] = [0, 0, 0]
    this.mapper.walk(this.mapper.start, this.mapper.end, (vpn, entry) => {
      small++
      if (entry !== this.mapper.leaf(vpn) || this.model.get(vpn)?.pfn !== this.mapper.pfn(entry)) wrong++
    })
    this.mapper.eachHuge(this.mapper.start, this.mapper.end, (vpn, leaf, pages) => {
      huge += pages
      if (leaf !== this.mapper.hugeLeaf((vpn + pages - 1) as Vpn)) wrong++
    })
    this.mapper.walkPages(this.mapper.start, this.mapper.end, (vpn, pfn, flags) => {
      all.push(`${vpn} ${pfn} ${flags & ~(accessed | dirty)}`)
    })
    expect([small + huge, wrong]).toEqual([this.model.size, 0])
    const model = [...this.model].sort(([a], [b]) => a - b)
    expect(all.join('\n')).toBe(
      model.map(([vpn, { pfn, flags }]) => `${vpn} ${pfn} ${this.#implied(flags)}`).join('\n'),
    )
  }

  /** The manual's walk gives the very access that the model gives. */
  #compareReference(vpn: Vpn): void {
    const { memory } = this.machine
    const mapping = this.model.get(vpn)
    const request = {
      root: this.mapper.root,
      address: BigInt(vpn) * 4096n,
      user: true,
      updateAccessedDirty: true,
    }
    for (const [access, flag] of [
      ['read', read],
      ['write', write],
      ['execute', execute],
    ] as const) {
      const result = walkRiscv64(memory, { ...request, levels: this.machine.arch.levels, access })
      const allowed = mapping !== undefined && (this.#implied(mapping.flags) & flag) !== 0
      expect(result.status).toBe(allowed ? 'ok' : 'page-fault')
      if (result.status === 'ok') expect(result.physical).toBe(BigInt(mapping!.pfn + 0x80000) * 4096n)
    }
  }

  /** Everything is unmapped: no frame is lost. */
  end(): void {
    const batch = this.machine.flusher.batch(this.mapper.root)
    this.mapper.eachHuge(this.mapper.start, this.mapper.end, (vpn, leaf) =>
      this.mapper.split(leaf, vpn, batch),
    )
    for (const [vpn, { pfn }] of this.model) {
      this.mapper.clear(this.mapper.leaf(vpn), vpn, batch)
      batch.releaseFrame(pfn)
    }
    this.mapper.destroy(batch)
    batch.finish()
  }
}

describe.each([
  { arch: new Riscv64Sv39(), shared: false },
  { arch: new Riscv64Sv39(), shared: true },
  { arch: new Riscv64Sv48(), shared: true },
  { arch: new Riscv64Sv57(), shared: false },
  { arch: new FakeArch(), shared: false },
  { arch: new FakeArch(), shared: true },
])('$arch.name, shared memory $shared', ({ arch, shared }) => {
  test(`random changes agree with a Map of pages (seed ${SEED})`, () => {
    const fuzzer = new Fuzzer(arch, shared, SEED)
    const free = fuzzer.machine.buddy.freeFrames()
    for (let step = 0; step < STEPS; step++) {
      try {
        fuzzer.step()
      } catch (error) {
        throw new Error(`PAGODA_SEED=${SEED}, step ${step}`, { cause: error })
      }
    }
    fuzzer.end()
    fuzzer.machine.check()
    expect(fuzzer.machine.buddy.freeFrames()).toBe(free + 1)
    expect(fuzzer.mapper.leaf(0 as Vpn)).toBe(NULL)
  })
})
