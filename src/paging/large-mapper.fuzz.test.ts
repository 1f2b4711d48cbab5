/** Leaves of all sizes against a naive model: the list of what was done, looked through for each page that is asked for. */
import { describe, expect, test } from 'vitest'
import { FakeArch } from '../arch/fake-arch.js'
import { EntryFlag, type MemoryManagementArch } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from '../arch/riscv64/sv48-sv57.js'
import { EEXIST, ENOMEM } from '../base/errno.js'
import type { Pfn, Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import type { FlushBatch } from './flush-batch.js'
import { LargeMapper } from './large-mapper.js'
import { newTable } from './page-mapper.js'
import { FakeHart } from './testing/fake-hart.js'
import { PagingMachine } from './testing/paging-machine.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 500)
const { read, write, execute, user, accessed, dirty } = EntryFlag
/** Of RAM. */
const FRAMES = 2048
const MARKS = accessed | dirty
const FLAGS = [read, read | write, read | execute, execute, read | write | execute].map(
  (flags) => flags | user,
)

/** What a change makes of what a page was mapped to. */
type Change = (vpn: Vpn, before: Page | undefined) => Page | undefined
interface Page {
  readonly pfn: number
  readonly flags: number
}

class Fuzzer {
  readonly machine: PagingMachine
  readonly mapper: LargeMapper
  readonly #random: Random
  readonly #hart: FakeHart
  readonly #changes: { readonly start: number; readonly end: number; readonly change: Change }[] = []
  /** Places where something was done: their surroundings are asked for. */
  readonly #places: Vpn[] = [0 as Vpn]
  readonly #splits: [vpn: Vpn, level: number][] = []
  readonly done: Record<string, number> = {}

  constructor(arch: MemoryManagementArch, seed: number) {
    this.machine = new PagingMachine(arch, { harts: 1 })
    this.mapper = new LargeMapper(this.machine, newTable(this.machine))
    this.#random = new Random(seed)
    this.machine.tlbs.activate(0, this.mapper.root)
    this.#hart = new FakeHart(this.machine, 0)
  }

  step(): void {
    const batch = this.machine.flusher.batch(this.mapper.root)
    if (this.#random.chance(0.1)) this.machine.faults.failFrom(this.#random.between(1, 3))
    this.#random
      .pick([this.#map, this.#map, this.#split, this.#merge, this.#protect, this.#unmap])
      .call(this, batch)
    this.machine.faults.reset()
    batch.finish()
    for (let i = 0; i < 12; i++) this.#ask()
    this.machine.tlbs.check(this.machine.arch)
  }

  #level(): number {
    return this.#random.below(this.machine.arch.levels)
  }

  #place(level: number): Vpn {
    const { arch } = this.machine
    const near = this.#random.pick(this.#places) + this.#random.between(-2, 2) * arch.span(this.#level())
    const any = Math.floor((this.#random.uint32() / 2 ** 32) * 2 * arch.userEnd) - arch.userEnd
    const vpn = this.#random.chance(0.9) ? near : any
    const span = arch.span(level)
    const aligned = Math.floor(Math.min(Math.max(vpn, arch.kernelStart), arch.userEnd - 1) / span) * span
    this.#places.push(aligned as Vpn)
    return aligned as Vpn
  }

  #range(): [start: Vpn, end: Vpn] {
    const start = this.#place(this.#level())
    const pages = this.machine.arch.span(this.#level()) * this.#random.between(1, 3)
    return [start, Math.min(start + pages, this.machine.arch.userEnd) as Vpn]
  }

  #note(start: number, end: number, change: Change): void {
    this.#changes.push({ start, end, change })
  }

  #count(what: string, result: number | boolean): void {
    this.done[`${what} ${result}`] = (this.done[`${what} ${result}`] ?? 0) + 1
  }

  #expected(vpn: Vpn): Page | undefined {
    let page: Page | undefined
    for (const { start, end, change } of this.#changes)
      if (vpn >= start && vpn < end) page = change(vpn, page)
    return page
  }

  #map(batch: FlushBatch): void {
    const { arch } = this.machine
    const level = this.#level()
    const [vpn, span] = [this.#place(level), arch.span(level)]
    const isAdjacent = this.#random.chance(0.6)
    const frame = isAdjacent ? ((vpn % FRAMES) + FRAMES) % FRAMES : this.#random.below(FRAMES)
    const pfn = Math.floor((arch.physBasePfn + frame) / span) * span - arch.physBasePfn
    const flags = this.#random.pick(isAdjacent ? FLAGS.slice(0, 1) : FLAGS)
    const result = this.mapper.mapLarge(vpn, level, pfn as Pfn, flags, batch)
    this.#count(`map ${level}`, result)
    if (result === 0)
      this.#note(vpn, vpn + span, (page) => ({ pfn: pfn + page - vpn, flags: implied(flags) }))
    else expect([-ENOMEM, -EEXIST]).toContain(result)
  }

  #split(batch: FlushBatch): void {
    const vpn = this.#place(this.#level())
    const level = this.mapper.leafLevel(vpn)
    if (level < 1) return
    const result = this.mapper.splitLarge(vpn, batch)
    this.#count(`split ${level}`, result)
    expect(this.mapper.leafLevel(vpn)).toBe(result === 0 ? level - 1 : level)
    if (result === 0) this.#splits.push([vpn, level])
  }

  #merge(batch: FlushBatch): void {
    const any = this.#random.between(1, this.machine.arch.levels - 1)
    const [vpn, level] = this.#splits.pop() ?? [this.#place(any), any]
    this.#count(`merge ${level}`, this.mapper.mergeLarge(vpn, level, batch))
  }

  #protect(batch: FlushBatch): void {
    const [start, end] = this.#range()
    const flags = this.#random.pick(FLAGS)
    const result = this.mapper.protectLarge(start, end, read | write | execute, flags, batch)
    this.#count('protect', result)
    if (result < 0) return
    this.#note(start, end, (_, page) => page && { pfn: page.pfn, flags: implied(flags) })
  }

  #unmap(batch: FlushBatch): void {
    const [start, end] = this.#range()
    const result = this.mapper.unmapLarge(start, end, batch)
    this.#count('unmap', result)
    if (result === 0) this.#note(start, end, () => undefined)
  }

  /** What the tables say of a page, and whether an access goes through. */
  #ask(): void {
    const span = this.machine.arch.span(this.#level())
    const wished = this.#random.pick(this.#places) + this.#random.between(-span, span)
    const vpn = Math.min(
      Math.max(wished, this.machine.arch.kernelStart),
      this.machine.arch.userEnd - 1,
    ) as Vpn
    const expected = this.#expected(vpn)
    const found = this.mapper.translate(vpn)
    expect(found ? { pfn: this.mapper.lastPfn, flags: this.mapper.lastFlags & ~MARKS } : undefined).toEqual(
      expected,
    )
    const access = this.#random.pick([read, write, execute])
    const isInRam = expected !== undefined && expected.pfn >= 0 && expected.pfn < FRAMES
    expect(this.#hart.access(vpn, access)).toBe(isInRam && (expected.flags & access) !== 0)
  }

  /** Everything unmapped, no table is left but the root. */
  end(): void {
    const { arch } = this.machine
    const batch = this.machine.flusher.batch(this.mapper.root)
    expect(this.mapper.unmapLarge(arch.kernelStart, arch.userEnd, batch)).toBe(0)
    batch.finish()
    expect(this.mapper.tableFrames()).toBe(1)
    expect(this.machine.frames.index(this.mapper.root)).toBe(0)
  }
}

const implied = (flags: number) => ((flags & write) !== 0 ? flags | read : flags)

const ARCHS = [new Riscv64Sv39(), new Riscv64Sv48(), new Riscv64Sv57(), new FakeArch()]

describe.each(ARCHS)('$name', (arch) => {
  test(`leaves of all sizes agree with the list of changes (seed ${SEED})`, () => {
    const fuzzer = new Fuzzer(arch, SEED)
    const free = fuzzer.machine.buddy.freeFrames()
    for (let step = 0; step < STEPS; step++) fuzzer.step()
    expect(Object.keys(fuzzer.done).join()).toMatch(/merge . true/)
    fuzzer.end()
    expect(fuzzer.machine.buddy.freeFrames()).toBe(free)
  })
})

/** Of Sv39 leaves of 2 MiB and 1 GiB, of Sv48 512 GiB too, of Sv57 256 TiB. */
const LEVELS = ARCHS.flatMap((arch) =>
  Array.from({ length: arch.levels - 1 }, (_, i) => ({ arch, level: i + 1 })),
)

test.each(LEVELS)(
  'a user leaf of level $level of $arch.name is mapped, split down to a page, and merged back',
  ({ arch, level }) => {
    const machine = new PagingMachine(arch, { harts: 1 })
    const mapper = new LargeMapper(machine, newTable(machine))
    const span = arch.span(level)
    const pfn = (span - (arch.physBasePfn % span)) as Pfn
    const batch = machine.flusher.batch(mapper.root)
    const flags = read | write | user
    expect(mapper.mapLarge(0 as Vpn, level, pfn, flags, batch)).toBe(0)
    const free = machine.buddy.freeFrames()
    const last = (span - 1) as Vpn
    const found = () => mapper.translate(last) && [mapper.leafLevel(last), mapper.lastPfn, mapper.lastFlags]
    expect(found()).toEqual([level, pfn + last, flags])
    for (let at = level; at > 0; at--) {
      expect(mapper.splitLarge(last, batch)).toBe(0)
      expect(found()).toEqual([at - 1, pfn + last, flags])
      expect(mapper.leafLevel(0 as Vpn)).toBe(level - 1)
    }
    expect(mapper.protectLarge(last, (last + 1) as Vpn, write, 0, batch)).toBe(0)
    expect(mapper.mergeLarge((last + 1 - arch.span(1)) as Vpn, 1, batch)).toBe(false)
    expect(mapper.protectLarge(last, (last + 1) as Vpn, 0, write, batch)).toBe(0)
    for (let at = 1; at <= level; at++) {
      expect(mapper.mergeLarge((last + 1 - arch.span(at)) as Vpn, at, batch)).toBe(true)
      expect(found()).toEqual([at, pfn + last, flags])
    }
    batch.finish()
    expect(machine.buddy.freeFrames()).toBe(free)
  },
)

describe('merging', () => {
  const setUp = () => {
    const machine = new PagingMachine(new Riscv64Sv39(), { harts: 1 })
    const mapper = new LargeMapper(machine, newTable(machine))
    const batch = machine.flusher.batch(mapper.root)
    expect(mapper.mapLarge(512 as Vpn, 1, 1024 as Pfn, read | write, batch)).toBe(0)
    expect(mapper.splitLarge(600 as Vpn, batch)).toBe(0)
    return { machine, mapper, batch }
  }

  test('adjacent frames that do not begin where a leaf may are left', () => {
    const { machine, mapper, batch } = setUp()
    for (let i = 0; i < 512; i++) {
      expect(mapper.mapLarge((1024 + i) as Vpn, 0, (1025 + i) as Pfn, read | write, batch)).toBe(0)
    }
    expect(mapper.mergeLarge(1024 as Vpn, 1, batch)).toBe(false)
    expect(mapper.leafLevel(1024 as Vpn)).toBe(0)
    batch.finish()
    machine.tlbs.check(machine.arch)
  })

  test('what was split is merged again; accessed and dirty are kept', () => {
    const { machine, mapper, batch } = setUp()
    machine.tlbs.activate(0, mapper.root)
    expect(new FakeHart(machine, 0).access(700 as Vpn, write)).toBe(true)
    expect(mapper.mergeLarge(512 as Vpn, 1, batch)).toBe(true)
    expect([mapper.leafLevel(900 as Vpn), mapper.translate(900 as Vpn)]).toEqual([1, true])
    expect([mapper.lastPfn, mapper.lastFlags]).toEqual([1024 + 900 - 512, read | write | accessed | dirty])
    batch.finish()
    expect(mapper.tableFrames()).toBe(2)
    machine.tlbs.check(machine.arch)
  })

  test.each([
    [
      'another access',
      (mapper: LargeMapper, batch: FlushBatch) =>
        mapper.protectLarge(800 as Vpn, 801 as Vpn, write, 0, batch),
    ],
    ['a hole', (mapper: LargeMapper, batch: FlushBatch) => mapper.unmapLarge(800 as Vpn, 801 as Vpn, batch)],
    [
      'another frame',
      (mapper: LargeMapper, batch: FlushBatch) =>
        mapper.mapLarge(800 as Vpn, 0, 5 as Pfn, read | write, batch),
    ],
  ])('is not done over %s', (_, change) => {
    const { mapper, batch } = setUp()
    expect(change(mapper, batch)).toBe(0)
    expect(mapper.mergeLarge(512 as Vpn, 1, batch)).toBe(false)
    expect(mapper.leafLevel(512 as Vpn)).toBe(0)
  })
})
