import { describe, expect, test } from 'vitest'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { restoreSnapshot, takeSnapshot } from '../state/snapshot.js'
import { AddressSpace, spaceGeometry } from './address-space.js'
import { bootMachine } from './testing.js'
import { Vma } from './vma.js'
import { highestGap, lowestGap, NO_GAP } from './vma-gaps.js'
import { VmaTree } from './vma-tree.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 3000)
const SEED = Number(process.env.PAGODA_SEED ?? 1)

/** A tree on its own, and the same mappings as sorted pairs. */
class Pair {
  readonly env = bootMachine()
  readonly tree = new VmaTree(this.env.mm.memory, this.env.mm.slab)
  readonly space: AddressSpace
  readonly model: { start: number; end: number; ptr: Ptr }[] = []
  /** Borders that were moved. */
  borders = 0

  constructor() {
    const { bytes, align } = spaceGeometry(this.env.mm.memory)
    const cache = this.env.mm.slab.createCache('space', bytes, align)
    this.space = new AddressSpace(this.env.mm.memory, cache.allocateZeroed())
    this.space.id = 1 // with a number, so that what was found is kept
  }

  view(ptr: Ptr): Vma {
    return new Vma(this.env.mm.memory, ptr)
  }

  insert(start: number, end: number): void {
    expect(this.tree.reserve(this.space, 1)).toBe(true)
    const ptr = this.tree.allocateVma()
    const vma = this.view(ptr)
    vma.start = start as Vpn
    vma.end = end as Vpn
    this.tree.insert(this.space, ptr)
    this.model.push({ start, end, ptr })
    this.model.sort((a, b) => a.start - b.start)
  }

  remove(index: number): void {
    const { ptr } = this.model.splice(index, 1)[0]!
    this.tree.remove(this.space, ptr)
    this.tree.freeVma(ptr)
  }

  split(index: number, at: number): void {
    expect(this.tree.reserve(this.space, 1)).toBe(true)
    const vma = this.model[index]!
    const ptr = this.tree.allocateVma()
    this.tree.split(this.space, vma.ptr, at as Vpn, ptr)
    this.model.splice(index + 1, 0, { start: at, end: vma.end, ptr })
    vma.end = at
  }

  /** The mapping takes the next one in, and what is free between them. */
  absorb(index: number): void {
    const [vma, next] = [this.model[index]!, this.model.splice(index + 1, 1)[0]!]
    this.tree.absorb(this.space, vma.ptr, next.ptr)
    this.tree.freeVma(next.ptr)
    vma.end = next.end
  }

  /** Between the mapping before one and that one, which touch. */
  moveBorder(index: number, at: number): void {
    const [below, above] = [this.model[index - 1]!, this.model[index]!]
    this.tree.moveBorder(this.space, below.ptr, above.ptr, at as Vpn)
    below.end = at
    above.start = at
    this.borders++
  }

  overlaps(start: number, end: number): boolean {
    return this.model.some((vma) => vma.start < end && start < vma.end)
  }

  compareWalk(): void {
    const forwards: Ptr[] = []
    for (let vma = this.tree.first(this.space); vma !== NULL; vma = this.tree.next(vma)) forwards.push(vma)
    expect(forwards).toEqual(this.model.map(({ ptr }) => ptr))
    const backwards: Ptr[] = []
    for (let vma = this.tree.last(this.space); vma !== NULL; vma = this.tree.previous(vma))
      backwards.push(vma)
    expect(backwards.reverse()).toEqual(forwards)
  }

  /** Free runs of pages in [low, high), lowest first. */
  gaps(low: number, high: number): { start: number; end: number }[] {
    const gaps = []
    let start = low
    for (const vma of this.model) {
      gaps.push({ start, end: Math.min(vma.start, high) })
      start = Math.max(start, vma.end)
    }
    gaps.push({ start, end: high })
    return gaps
  }

  /** Looks pages up, and what precedes them, at and beside the bounds of a mapping, where what the last search found holds just yet or no longer. */
  compareNear(index: number): void {
    const { start, end } = this.model[index]!
    for (const vpn of [start, end - 1, Math.max(0, start - 1), end, start, end - 1] as Vpn[]) {
      const at = this.model.findIndex((vma) => vma.end > vpn)
      const found = this.model[at]?.ptr ?? NULL
      expect(this.tree.find(this.space, vpn)).toBe(found)
      const below = this.model[at < 0 ? this.model.length - 1 : at - 1]?.ptr ?? NULL
      expect(this.tree.before(this.space, found)).toBe(below)
    }
  }

  compareLookups(random: Random, limit: number): void {
    const vpn = random.below(limit) as Vpn
    const found = this.model.find(({ end }) => end > vpn)
    expect(this.tree.find(this.space, vpn)).toBe(found?.ptr ?? NULL)
    expect(this.tree.findHolding(this.space, vpn)).toBe(found && found.start <= vpn ? found.ptr : NULL)
    expect(this.tree.findBelow(this.space, vpn)).toBe(
      this.model.filter(({ start }) => start < vpn).at(-1)?.ptr ?? NULL,
    )
    const pages = random.between(1, random.chance(0.5) ? 8 : 200)
    const low = random.below(limit / 2)
    const high = random.between(low, limit)
    const fitting = this.gaps(low, high).filter(({ start, end }) => end - start >= pages)
    const last = fitting.at(-1)
    expect(highestGap(this.tree, this.space, pages, low, high)).toBe(last ? last.end - pages : NO_GAP)
    expect(lowestGap(this.tree, this.space, pages, low, high)).toBe(fitting[0]?.start ?? NO_GAP)
  }
}

function step(pair: Pair, random: Random, limit: number, growing: boolean): void {
  const { model, tree, space } = pair
  const start = random.below(limit)
  const end = start + random.between(1, 6)
  const kind = random.below(14)
  if (kind < (growing ? 6 : 3) && !pair.overlaps(start, end)) pair.insert(start, end)
  else if (kind < 8 && model.length > 0) {
    if (!growing || kind === 7) pair.remove(random.below(model.length))
  } else if (kind >= 12 && model.length > 1) {
    if (!growing || kind === 13) pair.absorb(random.below(model.length - 1))
  } else if (model.length > 0) {
    const index = random.below(model.length)
    const vma = model[index]!
    const below = model[index - 1]
    if (kind === 9 && below?.end === vma.start && vma.end - below.start > 2) {
      pair.moveBorder(index, random.between(below.start + 1, vma.end - 1))
      return
    }
    if (kind >= 10 && vma.end - vma.start > 1) {
      pair.split(index, random.between(vma.start + 1, vma.end - 1))
      return
    }
    const low = model[index - 1]?.end ?? 0
    const high = model[index + 1]?.start ?? Math.max(limit, vma.end)
    vma.start = random.between(low, vma.end - 1)
    vma.end = random.between(vma.start + 1, high)
    tree.setBounds(space, vma.ptr, vma.start as Vpn, vma.end as Vpn)
  }
}

describe('VmaTree', () => {
  test(`agrees with a sorted list, random steps (seed ${SEED})`, () => {
    const random = new Random(SEED)
    const pair = new Pair()
    const limit = 20000
    for (let i = 0; i < STEPS; i++) {
      step(pair, random, limit, i % 1500 < 1000)
      pair.tree.check(pair.space)
      if (pair.model.length > 0) pair.compareNear(random.below(pair.model.length))
      pair.compareLookups(random, limit)
      if (i % 50 === 0) pair.compareWalk()
    }
    expect(pair.borders).toBeGreaterThan(STEPS / 100)
  })

  test.each(['rising', 'falling', 'inwards'])('fills and empties in %s order', (order) => {
    const pair = new Pair()
    const count = 700
    const position = (i: number): number =>
      order === 'rising' ? i : order === 'falling' ? count - i : i % 2 === 0 ? i : 2 * count - i
    for (let i = 0; i < count; i++) pair.insert(position(i) * 10, position(i) * 10 + 5)
    pair.tree.check(pair.space)
    pair.compareWalk()
    expect(pair.tree.height(pair.space)).toBeLessThanOrEqual(4)
    while (pair.model.length > 0) {
      pair.remove(order === 'rising' ? 0 : pair.model.length - 1)
      pair.tree.check(pair.space)
    }
    pair.tree.releaseSpares(pair.space)
    expect(pair.env.mm.slab.stats().find(({ name }) => name === 'vma_node')?.objects).toBe(0)
    expect(pair.env.mm.slab.stats().find(({ name }) => name === 'vma')?.objects).toBe(0)
  })

  // Far below a program's mappings stands the program itself: between them is the largest gap.
  test.each([0, 40])(
    `mappings that come and go at both ends, as mmap makes them, above %i others (seed ${SEED})`,
    (others) => {
      const random = new Random(SEED)
      const pair = new Pair()
      const { model } = pair
      for (let i = 0; i < others; i++) pair.insert(i * 3, i * 3 + 2)
      pair.insert(100_000, 100_001)
      let wanted = others + 1
      for (let i = 0; i < STEPS; i++) {
        if (i % 100 === 0) wanted = others + random.below(random.chance(0.5) ? 700 : 30)
        const below = random.chance(0.8)
        const comes = model.length === others || random.chance(model.length < wanted ? 0.7 : 0.3)
        const gap = random.below(3)
        const lowest = model[others]?.start ?? 100_000
        const highest = model.length > others ? model.at(-1)!.end : 100_000
        if (!comes)
          pair.remove(below ? others + random.below(Math.min(3, model.length - others)) : model.length - 1)
        else if (below) pair.insert(lowest - gap - 2, lowest - gap)
        else pair.insert(highest + gap, highest + gap + 2)
        pair.tree.check(pair.space)
        if (model.length > 0) pair.compareNear(random.below(model.length))
        if (i % 50 === 0) pair.compareWalk()
      }
    },
  )

  test('a large gap that becomes smaller than another one is not the largest any more', () => {
    const pair = new Pair()
    for (const start of [0, 41, 80]) pair.insert(start, start + 1) // gaps of 40 and 38 pages
    for (let i = 0; i < 40; i++) pair.insert(1000 + i, 1001 + i)
    expect(pair.tree.height(pair.space)).toBe(2)
    while (pair.model[3]!.start < 1030) pair.remove(3)
    pair.insert(36, 41)
    pair.tree.check(pair.space)
    expect(highestGap(pair.tree, pair.space, 38, 0, 1000)).toBe(962)
    expect(highestGap(pair.tree, pair.space, 38, 0, 81)).toBe(42)
  })

  test('a mapping that takes in the next one, over a gap, leaves no gap there for who searches', () => {
    const pair = new Pair()
    for (let i = 0; i < 100; i++) pair.insert(i * 10, i * 10 + (i === 50 ? 2 : 9))
    expect(pair.tree.height(pair.space)).toBeGreaterThan(1)
    pair.absorb(50)
    pair.tree.check(pair.space)
    expect(highestGap(pair.tree, pair.space, 5, 0, 990)).toBe(NO_GAP)
  })

  test('a node that knew the gaps of others, and becomes a leaf, forgets them', () => {
    const pair = new Pair()
    for (let i = 0; i < 700; i++) pair.insert(i * 10, i * 10 + 5)
    expect(pair.tree.height(pair.space)).toBe(3)
    // Two nodes of leaves become one. The other stays with the space, which has given earlier ones back.
    for (let i = 0; i < 500; i++) {
      pair.remove(0)
      if (i === 345) pair.tree.releaseSpares(pair.space)
    }
    expect(pair.tree.height(pair.space)).toBe(2)
    for (let i = 700; i < 760; i++) {
      pair.insert(i * 10, i * 10 + 5)
      pair.tree.check(pair.space)
    }
  })

  test('two nodes without a gap that become one have the gap between them', () => {
    const pair = new Pair()
    // Three leaves of 23, 23 and 14 entries.
    for (let i = 0; i < 60; i++) pair.insert(i, i + 1)
    for (let i = 0; i < 11; i++) pair.remove(0)
    for (let i = 0; i < 20; i++) {
      pair.remove(12)
      pair.tree.check(pair.space)
    }
  })

  test('what another view found before a snapshot was put back is void, though the tree has as many changes again', () => {
    const pair = new Pair()
    const other = new VmaTree(pair.env.mm.memory, pair.env.mm.slab)
    const before = takeSnapshot(pair.env.mm.memory)
    pair.insert(10, 20)
    pair.insert(30, 40)
    expect(other.find(pair.space, 12 as Vpn)).toBe(pair.model[0]!.ptr)
    restoreSnapshot(pair.env.mm.memory, before)
    pair.model.length = 0
    pair.insert(30, 40)
    pair.insert(10, 20)
    expect(other.find(pair.space, 12 as Vpn)).toBe(pair.model[0]!.ptr)
  })

  test('check finds a broken summary', () => {
    const pair = new Pair()
    for (let i = 0; i < 100; i++) pair.insert(i * 10, i * 10 + 5)
    pair.view(pair.model[50]!.ptr).end = 509 as Vpn
    expect(() => pair.tree.check(pair.space)).toThrow('an entry says the bounds')
  })

  test('inserts need no memory after reserve', () => {
    const pair = new Pair()
    for (let i = 0; i < 300; i++) pair.insert(i * 10, i * 10 + 5)
    const vmas = Array.from({ length: 40 }, () => pair.tree.allocateVma())
    expect(pair.tree.reserve(pair.space, 40)).toBe(true)
    pair.env.faults.failFrom(1)
    vmas.forEach((ptr, i) => {
      const vma = pair.view(ptr)
      vma.start = (1000 + i * 10 + 6) as Vpn
      vma.end = (1000 + i * 10 + 7) as Vpn
      pair.tree.insert(pair.space, ptr)
    })
    expect(pair.tree.check(pair.space).mappings).toBe(340)
    expect(pair.tree.reserve(pair.space, 1000)).toBe(false)
  })
})
