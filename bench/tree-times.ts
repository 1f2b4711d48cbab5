/** What a look-up and a gap search cost in a space of 100 mappings and in one of 65,530, the most that Linux allows. */
import { NULL, type Vpn } from '../src/base/numbers.js'
import { Random } from '../src/base/random.js'
import { mmInit } from '../src/mm.js'
import { AddressSpace } from '../src/space/address-space.js'
import { insertVma } from '../src/space/extent.js'
import { VM_MAY_ACCESS } from '../src/space/vm-flags.js'
import { Vma } from '../src/space/vma.js'
import { highestGap } from '../src/space/vma-gaps.js'

export interface TreeTimes {
  readonly mappings: number
  /** Nanoseconds: a random one of 4,096 addresses (with many mappings: cache misses), of 64 addresses. */
  readonly lookup: number
  readonly lookupNear: number
  /** A gap that one place only has; the highest small gap below a random address. */
  readonly gap: number
  readonly gapBelow: number
}

/** Short enough that some runs are not interrupted, on a busy machine too. */
const ROUNDS = 4096
const REPEATS = 500
const SPACING = 4

/** Minimum of several runs, in nanoseconds each. */
function time(run: (i: number) => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const start = performance.now()
    for (let i = 0; i < ROUNDS; i++) run(i)
    best = Math.min(best, performance.now() - start)
  }
  return (best * 1e6) / ROUNDS
}

/** Times in one fresh space. */
export function timeTree(mappings: number): TreeTimes {
  const mm = mmInit({ bytes: 64 * 2 ** 20 })
  const space = new AddressSpace(mm.memory, mm.spaces.create())
  const vma = new Vma(mm.memory)
  for (let i = 0; i < mappings; i++) {
    mm.vmas.reserve(space, 1)
    const start = (1000 + i * SPACING) as Vpn
    const end = (start + (i === mappings >> 1 ? 1 : 2)) as Vpn
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
    insertVma(mm, space, vma.at(mm.vmas.allocateVma()), { start, end, ...rest })
  }
  const top = 1000 + mappings * SPACING
  const random = new Random(1)
  const pages = Float64Array.from({ length: 4096 }, () => 1000 + random.below(mappings * SPACING))
  let sum = 0
  const lookup = time((i) => {
    sum += mm.vmas.find(space, pages[i & 4095]! as Vpn)
  })
  const lookupNear = time((i) => {
    sum += mm.vmas.find(space, pages[i & 63]! as Vpn)
  })
  const gap = time(() => {
    sum += highestGap(mm.vmas, space, 3, 1000, top - SPACING)
  })
  const gapBelow = time((i) => {
    sum += highestGap(mm.vmas, space, 2, 1000, pages[i & 4095]!)
  })
  if (sum === 0) throw new Error('unreachable: keeps the loops from being removed')
  return { mappings, lookup, lookupNear, gap, gapBelow }
}
