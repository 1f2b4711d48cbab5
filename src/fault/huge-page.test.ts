/** Huge pages of one program and its children: what a fault makes, what splits it, failing allocations, random use. */
import { describe, expect, test } from 'vitest'
import { ENOMEM } from '../base/errno.js'
import type { Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { UserMapper } from '../paging/user-mapper.js'
import { countHugePages } from '../space/huge-usage.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { dropHugeZeroPage } from './huge-zero-page.js'
import { Program } from './testing.js'
import { copyFromUser, copyToUser } from './user-copy.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const PAGE = 4096
const HUGE = 512 * PAGE
const BASE = 0x10_0000_0000

function mapped(program: Program, bytes = HUGE, address = BASE): number {
  expect(program.mmap(address, bytes, RW, PRIVATE | mman.MAP_FIXED)).toBe(address)
  return address
}

function store(program: Program, address: number, value: number): boolean {
  return copyToUser(program.mm, program.space, address, Uint8Array.of(value)) === 0
}

function load(program: Program, address: number): number {
  const byte = new Uint8Array(1)
  return copyFromUser(program.mm, program.space, address, byte) === 0 ? byte[0]! : -1
}

function events(program: Program): Record<string, number> {
  const { memory } = program.mm
  const of = (counter: Counter) => counted(memory, counter)
  return { made: of(Counter.hugeFault), fallback: of(Counter.hugeFallback), split: of(Counter.hugeSplit) }
}

describe('a huge page', () => {
  test('is one fault, 512 resident pages, one block that comes back as one', () => {
    const program = Program.boot(16)
    const { mm, space } = program
    const before = mm.buddy.stats().perOrder.slice(9)
    mapped(program, 2 * HUGE)
    expect(store(program, BASE + 5 * PAGE, 7)).toBe(true)
    expect([space.counts.rssAnonymous, space.counts.minorFaults, countHugePages(mm).anonymous]).toEqual([
      512, 1, 1,
    ])
    for (let i = 0; i < 512; i++) expect(load(program, BASE + i * PAGE)).toBe(i === 5 ? 7 : 0)
    expect(space.counts.minorFaults).toBe(1)
    mm.check()
    expect(program.call('munmap', BASE, 2 * HUGE)).toBe(0)
    expect(mm.buddy.stats().perOrder.slice(9)).toEqual(before)
    mm.check()
    program.exit()
    expect(events(program)).toEqual({ made: 1, fallback: 0, split: 0 })
  })

  test('a program is left small pages where no block is free', () => {
    const program = Program.boot(8)
    for (let i = 0; i < 8; i++) mapped(program, HUGE, BASE + i * HUGE)
    let address = BASE
    while (events(program).fallback === 0) {
      expect(store(program, address, 1)).toBe(true)
      address += PAGE
    }
    expect(counted(program.mm.memory, Counter.allocationFailed)).toBe(0)
    while (store(program, address, 1)) address += PAGE
    expect(program.mm.buddy.freeFrames()).toBeLessThan(2)
    expect(events(program).made).toBeGreaterThan(0)
    expect(events(program).fallback).toBeGreaterThan(0)
    program.mm.check()
    program.exit()
    program.mm.check()
  })

  test('the page of zeroes is shared, and goes when nobody maps it', () => {
    const program = Program.boot(16)
    const { mm, space } = program
    mapped(program, 2 * HUGE)
    const before = mm.buddy.freeFrames()
    expect([load(program, BASE), load(program, BASE + HUGE)]).toEqual([0, 0])
    expect(before - mm.buddy.freeFrames()).toBeGreaterThanOrEqual(512)
    expect(before - mm.buddy.freeFrames()).toBeLessThan(1024)
    expect([space.counts.rssPages, countHugePages(mm).anonymous, dropHugeZeroPage(mm)]).toEqual([0, 0, 0])
    const child = program.fork()!
    mm.check()
    expect(store(child, BASE + PAGE, 3)).toBe(true)
    expect([load(program, BASE + PAGE), load(child, BASE + PAGE), child.space.counts.rssAnonymous]).toEqual([
      0, 3, 1,
    ])
    mm.check()
    child.exit()
    program.call('munmap', BASE, 2 * HUGE)
    expect(dropHugeZeroPage(mm)).toBe(512)
    mm.check()
  })

  describe.each([
    ['the mapping below', HUGE],
    ['the mapping above', HUGE - 100 * PAGE],
  ])('is split where the border of two mappings moves: %s grows', (_, from) => {
    /** Both mappings have a huge page; the call makes a hundred pages of one the other's. */
    function moved(call: 'mprotect' | 'madvise', argument: number): Program {
      const program = Program.boot(16)
      mapped(program, 2 * HUGE)
      for (const address of [BASE, BASE + HUGE]) expect(store(program, address + 50 * PAGE, 7)).toBe(true)
      const counts = () => [
        program.space.vmaCount,
        countHugePages(program.mm).anonymous,
        events(program).split,
      ]
      expect(program.call(call, BASE + (from < HUGE ? HUGE : 0), HUGE, argument)).toBe(0)
      expect(counts()).toEqual([2, 2, 0])
      expect(program.call(call, BASE + from, 100 * PAGE, argument)).toBe(0)
      expect(counts()).toEqual([2, 1, 1])
      program.mm.check()
      expect([50, 512 + 50].map((page) => load(program, BASE + page * PAGE))).toEqual([7, 7])
      return program
    }

    test('with another protection', () => {
      const program = moved('mprotect', mman.PROT_READ)
      const first = from / PAGE
      const pages = [first, first + 99, from < HUGE ? first - 1 : first + 100]
      expect(pages.map((page) => store(program, BASE + page * PAGE, 9))).toEqual([false, false, true])
      program.mm.check()
    })

    test('with other advice, of which the entries know nothing', () => {
      const program = moved('madvise', mman.MADV_DONTFORK)
      const child = program.fork()!
      const at = BASE + from + 99 * PAGE
      expect([load(program, at), load(child, at)]).toEqual([0, -1])
      program.mm.check()
    })
  })

  test('after a fork the last owner writes all of it, others split it and copy a page', () => {
    const program = Program.boot(16)
    mapped(program)
    store(program, BASE, 1)
    const child = program.fork()!
    expect(countHugePages(program.mm).anonymous).toBe(1)
    expect(store(child, BASE, 2)).toBe(true)
    expect(events(program).split).toBe(1)
    expect([load(program, BASE), load(child, BASE)]).toEqual([1, 2])
    program.mm.check()
    child.exit()
    const faults = program.space.counts.minorFaults
    for (let i = 0; i < 512; i++) store(program, BASE + i * PAGE, 9)
    expect([program.space.counts.minorFaults - faults, events(program).split]).toEqual([1, 1])
    program.mm.check()
  })
})

interface Scenario {
  readonly name: string
  readonly prepare: (program: Program) => void
  /** What may fail; true when it went through. */
  readonly act: (program: Program) => boolean
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'a store', prepare: () => {}, act: (p) => p.touch(BASE, Access.write) === FaultResult.ok },
  { name: 'a load', prepare: () => {}, act: (p) => p.touch(BASE, Access.read) === FaultResult.ok },
  {
    name: 'a store to zeroes',
    prepare: (p) => p.touch(BASE, Access.read),
    act: (p) => p.touch(BASE, Access.write) === FaultResult.ok,
  },
  {
    name: 'a store after a fork',
    prepare: (p) => {
      p.touch(BASE, Access.write)
      p.fork()
    },
    act: (p) => p.touch(BASE, Access.write) === FaultResult.ok,
  },
  {
    name: 'a fork',
    prepare: (p) => p.touch(BASE, Access.write),
    act: (p) => {
      const child = p.fork()
      if (child !== undefined) expect(child.space.counts.rssAnonymous).toBe(512)
      return child !== undefined
    },
  },
  {
    name: 'munmap of the middle',
    prepare: (p) => p.touch(BASE, Access.write),
    act: (p) => p.call('munmap', BASE + 9 * PAGE, PAGE) === 0,
  },
  {
    name: 'mprotect of the middle',
    prepare: (p) => p.touch(BASE, Access.write),
    act: (p) => p.call('mprotect', BASE + 9 * PAGE, PAGE, mman.PROT_READ) === 0,
  },
  {
    name: 'a move to a multiple of 2 MiB',
    prepare: (p) => p.touch(BASE, Access.write),
    act: (p) => p.call('mremap', BASE, HUGE, HUGE, 3, BASE + 1024 * HUGE) > 0,
  },
  {
    name: 'a move to elsewhere',
    prepare: (p) => p.touch(BASE, Access.write),
    act: (p) => p.call('mremap', BASE, HUGE, HUGE, 3, BASE + 1024 * HUGE + PAGE) > 0,
  },
  {
    name: 'a collapse',
    prepare: (p) => {
      p.call('madvise', BASE, HUGE, mman.MADV_NOHUGEPAGE)
      p.touch(BASE, Access.write)
      p.call('madvise', BASE, HUGE, mman.MADV_HUGEPAGE)
    },
    act: (p) => {
      const result = p.call('madvise', BASE, HUGE, mman.MADV_COLLAPSE)
      expect([0, -ENOMEM]).toContain(result)
      return result === 0
    },
  },
]

describe.each(SCENARIOS)('$name', ({ prepare, act }) => {
  test('every allocation may fail: nothing is lost, and it succeeds afterwards', () => {
    const left = new Set<number>()
    for (let n = 1, goesOn = true; goesOn; n++) {
      const program = Program.boot(16)
      mapped(program)
      prepare(program)
      // A look at a page that is not there yet would put the huge page of zeroes there.
      const seen = program.space.counts.rssAnonymous > 0 ? load(program, BASE) : 0
      program.faults.reset()
      program.faults.failAt(n)
      const succeeded = act(program)
      goesOn = program.faults.count >= n
      program.faults.reset()
      program.mm.check()
      if (!succeeded) expect(act(program)).toBe(true)
      program.mm.check()
      expect(seen).toBe(0)
      for (const { ptr } of program.mm.allSpaces()) program.mm.spaces.release(ptr)
      program.mm.check()
      expect(program.mm.stats().spaces).toBe(0)
      expect(n).toBeLessThan(20)
      dropHugeZeroPage(program.mm)
      program.mm.slab.shrink()
      left.add(program.mm.buddy.freeFrames())
    }
    // The same when nothing has failed: that is the last round.
    expect(left.size).toBe(1)
  })
})

interface Page {
  value: number
  prot: number
}

/** A process and what it must find: pages from BASE on, undefined where nothing is mapped. */
class Fuzzed {
  readonly program: Program
  readonly pages: (Page | undefined)[]

  constructor(program: Program, pages: (Page | undefined)[]) {
    this.program = program
    this.pages = pages
  }
}

const PAGES = 4 * 512

class Fuzzer {
  readonly #random: Random
  readonly #family: Fuzzed[]

  constructor(random: Random) {
    this.#random = random
    this.#family = [new Fuzzed(Program.boot(48), new Array(PAGES).fill(undefined))]
  }

  step(): void {
    const one = this.#random.pick(this.#family)
    const act = this.#random.pick([
      this.#map,
      this.#unmap,
      this.#protect,
      this.#drop,
      this.#store,
      this.#store,
      this.#load,
      this.#move,
      this.#collapse,
      this.#family.length < 3 ? this.#fork : this.#exit,
    ])
    act.call(this, one)
    one.program.mm.check()
  }

  /** Whole multiples of 2 MiB often, else anything near their borders. */
  #range(): [first: number, pages: number] {
    const huge = this.#random.below(4)
    if (this.#random.chance(0.5)) return [huge * 512, 512 * this.#random.between(1, 4 - huge)]
    const first = Math.min(PAGES - 1, Math.max(0, huge * 512 + this.#random.between(-3, 9)))
    const pages = this.#random.pick([1, 2, 5, 511, 512, 513])
    return [first, Math.min(pages, PAGES - first)]
  }

  #each(one: Fuzzed, first: number, pages: number, change: (page: Page | undefined) => Page | undefined) {
    for (let i = first; i < first + pages; i++) one.pages[i] = change(one.pages[i])
  }

  #map(one: Fuzzed): void {
    const [first, pages] = this.#range()
    mapped(one.program, pages * PAGE, BASE + first * PAGE)
    this.#each(one, first, pages, () => ({ value: 0, prot: RW }))
  }

  #unmap(one: Fuzzed): void {
    const [first, pages] = this.#range()
    expect(one.program.call('munmap', BASE + first * PAGE, pages * PAGE)).toBe(0)
    this.#each(one, first, pages, () => undefined)
  }

  #protect(one: Fuzzed): void {
    const [first, pages] = this.#range()
    const prot = this.#random.pick([RW, RW, mman.PROT_READ, 0])
    const hole = one.pages.findIndex((page, i) => i >= first && page === undefined)
    const reached = hole < 0 ? pages : Math.min(pages, hole - first)
    const result = one.program.call('mprotect', BASE + first * PAGE, pages * PAGE, prot)
    expect(result).toBe(reached < pages ? -ENOMEM : 0)
    this.#each(one, first, reached, (page) => ({ ...page!, prot }))
  }

  #drop(one: Fuzzed): void {
    const [first, pages] = this.#range()
    one.program.call('madvise', BASE + first * PAGE, pages * PAGE, mman.MADV_DONTNEED)
    this.#each(one, first, pages, (page) => page && { ...page, value: 0 })
  }

  #store(one: Fuzzed): void {
    const at = this.#range()[0]
    const page = one.pages[at]
    const value = this.#random.between(1, 255)
    const allowed = page !== undefined && (page.prot & mman.PROT_WRITE) !== 0
    expect(store(one.program, BASE + at * PAGE, value)).toBe(allowed)
    if (allowed) one.pages[at] = { ...page, value }
  }

  #load(one: Fuzzed): void {
    for (let i = 0; i < 5; i++) {
      const at = this.#range()[0]
      const page = one.pages[at]
      const expected = page !== undefined && page.prot !== 0 ? page.value : -1
      expect(load(one.program, BASE + at * PAGE)).toBe(expected)
    }
  }

  /** There and back again, through a place that is a multiple of 2 MiB away, or not. */
  #move(one: Fuzzed): void {
    const [first, pages] = this.#range()
    if (one.pages.slice(first, first + pages).some((page) => page === undefined)) return
    const from = BASE + first * PAGE
    const far = from + 4096 * HUGE + this.#random.pick([0, PAGE, 3 * PAGE])
    const moved = one.program.call('mremap', from, pages * PAGE, pages * PAGE, 3, far)
    // Over the end of one mapping it is refused.
    if (moved < 0) return
    expect(moved).toBe(far)
    one.program.mm.check()
    expect(one.program.call('mremap', far, pages * PAGE, pages * PAGE, 3, from)).toBe(from)
  }

  #collapse(one: Fuzzed): void {
    const [first, pages] = this.#range()
    one.program.call('madvise', BASE + first * PAGE, pages * PAGE, mman.MADV_COLLAPSE)
  }

  #fork(one: Fuzzed): void {
    const child = one.program.fork()
    if (child !== undefined) this.#family.push(new Fuzzed(child, [...one.pages]))
  }

  #exit(one: Fuzzed): void {
    this.#family.splice(this.#family.indexOf(one), 1)
    one.program.exit()
  }

  /** Every page of everybody is as it must be. */
  end(): void {
    const { mm } = this.#family[0]!.program
    for (const { program, pages } of this.#family) {
      const mapper = new UserMapper(mm, program.space.root)
      pages.forEach((page, i) => {
        if (page === undefined) expect(mapper.translate((BASE / PAGE + i) as Vpn)).toBe(false)
        else if (page.prot !== 0 && page.value !== 0) expect(load(program, BASE + i * PAGE)).toBe(page.value)
      })
      program.exit()
    }
    mm.check()
    dropHugeZeroPage(mm)
    expect(mm.stats().spaces).toBe(0)
    expect(mm.slab.stats().every(({ objects }) => objects === 0)).toBe(true)
  }
}

test(`random use by a family agrees with a model of pages (seed ${SEED})`, () => {
  const fuzzer = new Fuzzer(new Random(SEED))
  for (let step = 0; step < Number(process.env.PAGODA_FUZZ_STEPS ?? 150); step++) {
    try {
      fuzzer.step()
    } catch (error) {
      throw new Error(`PAGODA_SEED=${SEED}, step ${step}`, { cause: error })
    }
  }
  fuzzer.end()
})
