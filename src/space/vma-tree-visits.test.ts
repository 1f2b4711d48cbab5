/** What searches among 65,530 mappings, the most that Linux allows, cost beside those among 100: counted, not timed. */
import { expect, test } from 'vitest'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { type MemoryManager, mmInit } from '../mm.js'
import { AddressSpace } from './address-space.js'
import { insertVma } from './extent.js'
import { VM_MAY_ACCESS } from './vm-flags.js'
import { Vma } from './vma.js'
import { highestGap, lowestGap } from './vma-gaps.js'

const FEW = 100
const MANY = 65_530
const SEARCHES = 2000
const SPACING = 4
const LOW = 1000
/** Every way to look into a node. */
const LOOKS = ['count', 'level', 'first', 'last', 'gap', 'child', 'childAbove'] as const

/** Mappings of two pages, gaps of two pages between them; one gap, which stands in a leaf, has three. */
class Crowd {
  readonly mm: MemoryManager = mmInit({ bytes: 64 * 2 ** 20 })
  readonly space = new AddressSpace(this.mm.memory, this.mm.spaces.create())
  readonly end: number
  readonly #visited = new Set<Ptr>()
  #visits = 0

  constructor(mappings: number, order: 'rising' | 'random') {
    this.end = LOW + mappings * SPACING
    const random = new Random(1)
    const places = Array.from({ length: mappings }, (_, place) => ({ place, key: random.uint32() }))
    if (order === 'random') places.sort((a, b) => a.key - b.key)
    for (const { place } of places) this.#insert(place, place === Math.floor(mappings / 3))
    this.#watch()
  }

  #insert(place: number, isShort: boolean): void {
    const { mm, space } = this
    mm.vmas.reserve(space, 1)
    const start = (LOW + place * SPACING) as Vpn
    const end = (start + (isShort ? 1 : 2)) as Vpn
    const rest = {
      pageOffset: start,
      flags: VM_MAY_ACCESS,
      object: NULL,
      file: 0,
      family: NULL,
      name: NULL,
      policy: 0,
      userfault: NULL,
    }
    insertVma(mm, space, new Vma(mm.memory).at(mm.vmas.allocateVma()), { start, end, ...rest })
  }

  #watch(): void {
    const nodes = this.mm.vmas.nodes as unknown as Record<string, (node: Ptr, ...rest: unknown[]) => unknown>
    for (const name of LOOKS) {
      const look = nodes[name]!.bind(nodes)
      nodes[name] = (node, ...rest) => {
        this.#visited.add(node)
        return look(node, ...rest)
      }
    }
  }

  /** Nodes that so many searches look into, each counted once a search. */
  visits(search: (crowd: Crowd, random: Random) => number): number {
    const random = new Random(2)
    this.#visits = 0
    for (let i = 0; i < SEARCHES; i++) {
      this.#visited.clear()
      expect(search(this, random)).toBeGreaterThan(0)
      this.#visits += this.#visited.size
    }
    return this.#visits
  }
}

const inside = ({ end }: Crowd, random: Random) => random.between(LOW + SPACING, end - SPACING) as Vpn

const searches: Record<string, (crowd: Crowd, random: Random) => number> = {
  'a look-up': (crowd, random) => crowd.mm.vmas.find(crowd.space, inside(crowd, random)),
  'the one gap that fits': (crowd) => highestGap(crowd.mm.vmas, crowd.space, 3, LOW, crowd.end - SPACING),
  'the same from below': (crowd) => lowestGap(crowd.mm.vmas, crowd.space, 3, LOW, crowd.end - SPACING),
  'the highest gap below a page': (crowd, random) =>
    highestGap(crowd.mm.vmas, crowd.space, 2, LOW - 2, inside(crowd, random)),
  'the lowest gap above a page': (crowd, random) =>
    lowestGap(crowd.mm.vmas, crowd.space, 2, inside(crowd, random), crowd.end + 2),
}

test.each(['rising', 'random'] as const)('many mappings, made in %s order, cost at most 3 times', (order) => {
  const [few, many] = [new Crowd(FEW, order), new Crowd(MANY, order)]
  for (const [name, search] of Object.entries(searches)) {
    const [cheap, dear] = [few.visits(search), many.visits(search)]
    expect(cheap, name).toBeGreaterThanOrEqual(SEARCHES)
    expect(dear / cheap, `${name}: ${dear} and ${cheap} nodes`).toBeLessThanOrEqual(3)
  }
})
