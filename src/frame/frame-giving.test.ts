/** Frames that WebAssembly frees leave the same words behind as those that the allocator frees itself. */
import { expect, test } from 'vitest'
import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { type InitOptions, type MemoryManager, mmAttach, mmInit } from '../mm.js'
import { Region, regionBytes, regionPtr } from '../state/layout.js'
import { ORDER_MAX } from './frame-allocator.js'
import { FrameFlag } from './frame-table.js'
import { ZONE_BYTES, ZoneWord } from './zone.js'

const FRAMES = 2048
/** So many frames, 2^order, are too many for a cache. */
const REST = 9

/** A machine, and the single frames that are allocated in it. */
class Frames {
  mm: MemoryManager
  readonly used = new Set<Pfn>()

  constructor(options: Partial<InitOptions>) {
    this.mm = mmInit({ bytes: FRAMES * 4096, ...options })
  }

  allocate(count: number): void {
    for (let i = 0; i < count; i++) {
      const pfn = this.mm.buddy.allocate(0)
      if (pfn !== NO_FRAME) this.used.add(pfn)
    }
  }

  /** By a list of its own, or by that of the loops. */
  release(pfns: readonly Pfn[], isCompiled: boolean): void {
    const { buddy, entryLoops } = this.mm
    for (const pfn of pfns) this.used.delete(pfn)
    assert(entryLoops !== undefined, 'this machine has the loops')
    const list = isCompiled ? entryLoops.waiting : new Uint32Array(pfns.length)
    list.set(pfns)
    buddy.releaseAll(list, pfns.length, isCompiled ? entryLoops : undefined)
  }

  /** All of RAM but for the list. */
  bytes(): Uint8Array {
    const { memory } = this.mm
    const start = regionPtr(memory, Region.entryLoops)
    return memory.u8.slice().fill(0, start, start + regionBytes(memory, Region.entryLoops))
  }
}

/** Some of the frames: runs that rise and fall, of a few frames or many, and frames by themselves. */
function chosen(random: Random, used: ReadonlySet<Pfn>): Pfn[] {
  const sorted = [...used].sort((a, b) => a - b)
  const list: Pfn[] = []
  const most = random.pick([10, 100, 900])
  while (list.length < most && sorted.length > 0) {
    const length = random.pick([1, 1, 2, 5, 40, 300])
    const run = sorted.splice(random.below(sorted.length), length)
    list.push(...(random.chance(0.4) ? run.reverse() : run))
  }
  return list.slice(0, most)
}

test.each<[string, Partial<InitOptions>]>([
  ['one zone', {}],
  ['two zones', { lowFrames: 700 }],
])(
  `two machines with %s, one of which frees by WebAssembly, are the same after each step (seed ${SEED})`,
  (_, options) => {
    const random = new Random(SEED)
    const [compiled, plain] = [new Frames(options), new Frames(options)]
    let runs = 0
    for (let i = 0; i < fuzzSteps(300); i++) {
      const count = random.pick([0, 3, 200, 1500])
      for (const machine of [compiled, plain]) machine.allocate(count)
      const pfns = chosen(random, plain.used)
      compiled.release(pfns, true)
      plain.release(pfns, false)
      const name = `PAGODA_SEED=${SEED}, step ${i}: the same RAM`
      expect(Buffer.compare(compiled.bytes(), plain.bytes()), name).toBe(0)
      if (pfns.length > 64) runs++
      if (i % 20 === 0) compiled.mm.buddy.check()
    }
    compiled.mm.buddy.check()
    expect(runs).toBeGreaterThan(50)
  },
)

/** All single frames that there are, in a machine that frees by WebAssembly and in one that does not. */
function exhausted(options: Partial<InitOptions>): readonly [Frames, Frames] {
  const machines = [new Frames(options), new Frames(options)] as const
  for (const machine of machines) {
    machine.allocate(machine.mm.memory.bytes / 4096)
    // The lower zone keeps some.
    expect(machine.mm.buddy.freeFrames()).toBeLessThan(10)
  }
  return machines
}

function releaseBoth([compiled, plain]: readonly [Frames, Frames], pfns: readonly Pfn[]): void {
  compiled.release(pfns, true)
  plain.release(pfns, false)
  expect(Buffer.compare(compiled.bytes(), plain.bytes())).toBe(0)
  compiled.mm.buddy.check()
}

const run = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => (first + i) as Pfn)

test('blocks become no larger than there are orders', () => {
  const { mm } = new Frames({ bytes: 2 ** 32 })
  const { buddy, entryLoops } = mm
  const before = buddy.stats().perOrder
  // The upper half of RAM is two blocks of the largest order. Of the first one some frames come back last.
  const blocks = Array.from({ length: ORDER_MAX + 1 }, () => [] as Pfn[])
  for (let i = 0; i < before.at(-1)!; i++) blocks[ORDER_MAX]!.push(buddy.allocate(ORDER_MAX))
  const upper = blocks[ORDER_MAX]!.findIndex((pfn) => pfn >= 2 ** (ORDER_MAX + 1))
  const [first] = blocks[ORDER_MAX]!.splice(upper, 1) as [Pfn]
  buddy.free(first, ORDER_MAX)
  for (let order = ORDER_MAX - 1; order >= REST; order--)
    blocks[order]!.push(buddy.allocateZeroedAt((first + 2 ** order) as Pfn, order))
  const rest = buddy.allocateZeroedAt(first, REST)
  buddy.divide(rest, REST, 0, 0, 0)
  for (const [order, all] of blocks.entries()) for (const pfn of all) buddy.free(pfn, order)
  entryLoops!.waiting.set(run(rest, rest + 2 ** REST))
  buddy.releaseAll(entryLoops!.waiting, 2 ** REST, entryLoops)
  buddy.check()
  expect(buddy.stats().perOrder.at(-1)).toBe(before.at(-1))
  expect(before.at(-1)).toBeGreaterThan(1)
})

const BORDER = 1500
const NEXT_BORDER = 1700

/** Moves the border of two zones that have no free frames: at the start of a zone is what the kernel has for itself. */
function moveBorder(machine: Frames): void {
  const { memory, frames } = machine.mm
  const { i32 } = memory
  const lower = regionPtr(memory, Region.zones) >>> 2
  const upper = lower + ZONE_BYTES / 4
  const moved = run(BORDER, NEXT_BORDER)
  const reserved = moved.filter((pfn) => (frames.flags(pfn) & FrameFlag.reserved) !== 0).length
  i32[lower + ZoneWord.end] = NEXT_BORDER
  i32[upper + ZoneWord.start] = NEXT_BORDER
  for (const [word, count] of [
    [ZoneWord.managed, moved.length - reserved],
    [ZoneWord.reserved, reserved],
  ] as const) {
    i32[lower + word]! += count
    i32[upper + word]! -= count
  }
  machine.mm = mmAttach(memory.raw)
}

test.each([
  // The last four frames of the lower zone and the first four of the upper are buddies.
  ['the upper zone first', [run(1712, 1768), run(1776, 1780), run(1700, 1704), run(1640, 1700)]],
  ['the lower zone first', [run(1600, 1640), run(1648, 1652), run(1696, 1700), run(1700, 1760)]],
  ['a run over the border', [run(1650, 1750)]],
  ['a run over the border that falls', [run(1650, 1750).reverse()]],
])('frames stay in their zone: %s', (_, runs) => {
  const machines = exhausted({ lowFrames: BORDER })
  for (const machine of machines) moveBorder(machine)
  for (const each of runs) {
    // Others too: all together are too many for the cache.
    const others = [...machines[1].used].filter((pfn) => pfn < 1400 && pfn % 2 === 0).slice(0, 280)
    releaseBoth(machines, [...each, ...others])
    for (const { buddy } of machines.map(({ mm }) => mm)) {
      const [, upper] = buddy.zones.all
      expect(upper!.freeFrames).toBe(machines[0].mm.frames.frameCount - NEXT_BORDER - usedAbove(machines[1]))
    }
  }
})

function usedAbove({ used }: Frames): number {
  return [...used].filter((pfn) => pfn >= NEXT_BORDER).length
}
