/** Frames that WebAssembly frees leave the same words behind as those that the allocator frees itself. */
import { expect, test } from 'vitest'
import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { type InitOptions, type MemoryManager, mmInit } from '../mm.js'
import { Region, regionBytes, regionPtr } from '../state/layout.js'

const FRAMES = 2048

/** A machine, and the single frames that are allocated in it. */
class Frames {
  readonly mm: MemoryManager
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
