/** Frames that WebAssembly takes are those that the allocator would have given, and leave the same words behind. */
import { expect, test } from 'vitest'
import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { WasmModule } from '../base/wasm/module.js'
import { type MemoryManager, mmInit } from '../mm.js'
import { Region, regionPtr } from '../state/layout.js'
import { smallestFree, takeAt } from './chosen-frames.js'
import { FrameCache } from './frame-cache.js'
import { FrameFlag } from './frame-table.js'
import { addFrameTaking } from './frame-taking.js'

type Takes = Record<
  'takeCached' | 'takeAt' | 'takeOut' | 'smallest' | 'zero',
  (...operands: number[]) => number
>

function takesOf({ memory }: MemoryManager): Takes {
  const module = new WasmModule()
  module.importMemory('memory', { shared: memory.inSharedBuffer })
  addFrameTaking(module)
  const compiled = new WebAssembly.Module(module.bytes() as BufferSource)
  return new WebAssembly.Instance(compiled, { env: { memory: memory.raw } }).exports as Takes
}

/** A machine, and what is allocated in it. */
class Frames {
  readonly mm = mmInit({ bytes: 8 * 2 ** 20 })
  readonly takes = takesOf(this.mm)
  readonly blocks: [pfn: Pfn, order: number][] = []
  readonly table = regionPtr(this.mm.memory, Region.frameTable)
  readonly zonePtr = regionPtr(this.mm.memory, Region.zones)
  readonly cachePtr = regionPtr(this.mm.memory, Region.frameCaches)
  readonly cache = new FrameCache(this.mm.memory, this.mm.frames, this.cachePtr as Ptr)

  get zone() {
    return this.mm.buddy.zones.all[0]!
  }

  allocate(order: number): Pfn {
    const pfn = this.mm.buddy.allocate(order)
    if (pfn !== NO_FRAME) this.blocks.push([pfn, order])
    return pfn
  }

  free(which: number): Pfn {
    const [[pfn, order] = []] = this.blocks.splice(which % this.blocks.length, 1)
    if (pfn === undefined) return NO_FRAME
    this.mm.buddy.free(pfn, order!)
    return pfn
  }

  /** A frame that was taken, as its taker leaves it. */
  keep(pfn: Pfn): void {
    const { frames } = this.mm
    frames.set(pfn, 1, 0, 0, 0)
    this.blocks.push([pfn, 0])
  }

  bytes(): Buffer {
    return Buffer.from(this.mm.memory.raw.buffer)
  }
}

type Step = (machine: Frames, isCompiled: boolean) => number

function takeChosen(pfn: Pfn): Step {
  return (m, isCompiled) => {
    const isTaken = isCompiled
      ? m.takes.takeAt(m.table, m.zonePtr, pfn) !== 0
      : m.zone.missingToHigh < 0 && takeAt(m.zone, pfn, 0)
    if (isTaken) m.keep(pfn)
    return isTaken ? 1 : 0
  }
}

function takeOut(pfn: Pfn): Step {
  return (m, isCompiled) => {
    const isCached = (m.mm.frames.flags(pfn) & FrameFlag.cached) !== 0
    const isTaken = isCompiled
      ? isCached && m.takes.takeOut(m.table, m.cachePtr, pfn) !== 0
      : m.cache.takeOut(pfn)
    if (isTaken) m.keep(pfn)
    return isTaken ? 1 : 0
  }
}

const takeCached: Step = (m, isCompiled) => {
  if (m.cache.count === 0) return NO_FRAME
  const pfn = isCompiled
    ? (m.takes.takeCached(m.table, m.cachePtr) as Pfn)
    : m.cache.take(FrameFlag.dirtyMemory)
  if (isCompiled) m.takes.zero(m.table, pfn)
  else if ((m.mm.frames.flags(pfn) & FrameFlag.dirtyMemory) !== 0)
    m.mm.memory.fill((pfn * 4096) as Ptr, 0, 4096)
  m.keep(pfn)
  return pfn
}

const smallest: Step = (m, isCompiled) =>
  isCompiled ? m.takes.smallest(m.table, m.zonePtr) : smallestFree(m.zone, 0)

function randomStep(random: Random): Step {
  const [kind, value] = [random.below(12), random.uint32()]
  const pfn = (value % 2048) as Pfn
  const order = random.pick([0, 0, 0, 0, 1, 2, 3, 5])
  if (kind < 3) return (m) => m.allocate(order)
  if (kind < 6) return (m) => m.free(value)
  if (kind < 9) return takeChosen(pfn)
  if (kind < 10) return takeOut(pfn)
  if (kind < 11) return value % 16 === 0 ? (m) => m.mm.buddy.drainCaches() : takeCached
  return smallest
}

/** So many steps, of which each takes or frees more often than the other, by turns. */
function* phase(random: Random, i: number): Generator<Step> {
  const steps = i % 200 === 0 ? 400 : 1
  for (let left = steps; left > 0; left--) {
    const isTaking = steps > 1 && i % 400 === 0 && random.below(2) === 0
    yield isTaking ? takeChosen((random.uint32() % 2048) as Pfn) : randomStep(random)
  }
}

test('two machines, one of which takes frames by WebAssembly, are the same after each step', () => {
  const random = new Random(SEED)
  const [compiled, plain] = [new Frames(), new Frames()]
  let taken = 0
  for (let i = 0; i < fuzzSteps(1500); i++) {
    for (const step of phase(random, i)) {
      const result = step(plain, false)
      expect(step(compiled, true), `seed ${SEED}, step ${i}`).toBe(result)
      if (result === 1) taken++
    }
    expect(compiled.bytes().equals(plain.bytes()), `seed ${SEED}, step ${i}: the same RAM`).toBe(true)
  }
  compiled.mm.buddy.check()
  expect(taken).toBeGreaterThan(200)
})

test('the smallest free block may be a spare or on a list, and there may be none', () => {
  const m = new Frames()
  const agree = () => expect(smallest(m, true)).toBe(smallest(m, false))
  m.mm.buddy.drainCaches()
  agree()
  m.zone.listSpares()
  agree()
  while (m.mm.buddy.freeFrames() > 0) m.allocate(0)
  agree()
  expect(smallest(m, true)).toBe(NO_FRAME)
})
