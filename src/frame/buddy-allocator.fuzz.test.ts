import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { attachFrames, bootFrames, type FrameMachineOptions, fillFrame, frameIs } from './testing.js'

const GARBAGE = 0xa5a5a5a5

/** Frames as a list: what a frame's state is, and whether it was ever used. Finding a block is a search. */
class NaiveModel {
  readonly state: string[]
  readonly used: boolean[]
  readonly #lowFrames: number
  readonly #protection: number

  constructor(frameCount: number, lowFrames: number, isFree: (pfn: number) => boolean) {
    this.state = Array.from({ length: frameCount }, (_, pfn) => (isFree(pfn) ? 'free' : 'reserved'))
    this.used = new Array(frameCount).fill(false)
    this.#lowFrames = lowFrames
    this.#protection = Math.floor(Math.max(0, frameCount - lowFrames) / 256)
  }

  isFree(pfn: number, frames: number): boolean {
    return this.state.slice(pfn, pfn + frames).every((state) => state === 'free')
  }

  /** A block in the upper zone, or in the lower one when that keeps its protection. */
  canAllocate(order: number): boolean {
    const frames = 2 ** order
    if (this.#find(frames, frames, this.#lowFrames, this.state.length) !== undefined) return true
    return (
      this.freeFrames(this.#lowFrames) - frames >= this.#protection &&
      this.findRun(frames, frames, this.#lowFrames) !== undefined
    )
  }

  /** The lowest frames side by side in one zone, below a limit. */
  findRun(frames: number, align: number, limit: number): number | undefined {
    const low = Math.min(limit, this.#lowFrames)
    return this.#find(frames, align, 0, low) ?? this.#find(frames, align, this.#lowFrames, limit)
  }

  #find(frames: number, align: number, start: number, end: number): number | undefined {
    for (let pfn = Math.ceil(start / align) * align; pfn + frames <= end; pfn += align) {
      if (this.state[pfn] === 'free' && this.isFree(pfn, frames)) return pfn
    }
    return undefined
  }

  freeFrames(end = this.state.length): number {
    let free = 0
    for (let pfn = 0; pfn < end; pfn++) if (this.state[pfn] === 'free') free++
    return free
  }

  fill(pfn: number, frames: number, state: 'free' | 'allocated'): void {
    this.state.fill(state, pfn, pfn + frames)
    this.used.fill(true, pfn, pfn + frames)
  }
}

interface Block {
  readonly pfn: Pfn
  readonly frames: number
  /** Undefined: single frames side by side. */
  readonly order: number | undefined
  references: number
}

class Fuzzer {
  readonly random = new Random(SEED)
  readonly machine
  readonly model: NaiveModel
  readonly views
  readonly blocks: Block[] = []
  readonly #twoZones: boolean

  constructor(options: FrameMachineOptions) {
    this.machine = bootFrames(options)
    const { frames, buddy } = this.machine
    const isUsable = (pfn: number) => frames.refCount(pfn as Pfn) === 0
    const low = Math.min(options.lowFrames ?? frames.frameCount, frames.frameCount)
    this.model = new NaiveModel(frames.frameCount, low, isUsable)
    this.views = [buddy, attachFrames(this.machine, { debug: options.debug }).buddy]
    this.#twoZones = low < frames.frameCount
  }

  #anyOrder(): number {
    const { random } = this
    return random.chance(0.6) ? 0 : random.below(random.chance(0.1) ? 12 : 7)
  }

  allocate(where: string, order = this.#anyOrder()): void {
    const { random, machine, model } = this
    const zeroed = random.chance(0.5)
    const injected = random.chance(0.02)
    const buddy = injected ? machine.buddy : random.pick(this.views)
    if (injected) machine.faults.failAt(1)
    machine.filled.length = 0
    const can = !injected && model.canAllocate(order)
    const pfn = zeroed ? buddy.allocateZeroed(order) : buddy.allocate(order)
    // A frame of the lower zone that was freed into a cache goes to whoever comes next, whatever that zone keeps.
    const cached = this.#twoZones && order === 0 && !can && pfn !== NO_FRAME
    if (!cached) expect(pfn !== NO_FRAME, where).toBe(can)
    if (pfn === NO_FRAME) return
    expect(pfn % 2 ** order, where).toBe(0)
    if (zeroed) this.#expectZeroed(pfn, order, buddy === machine.buddy, where)
    this.#take({ pfn, frames: 2 ** order, order, references: 1 }, where)
  }

  /** Frames side by side, or a block below a limit. */
  allocateSpecial(where: string): void {
    const { random, machine, model } = this
    const { frameCount } = machine.frames
    const order = random.chance(0.5) ? undefined : random.below(6)
    const frames = order === undefined ? random.between(1, 100) : 2 ** order
    const align = order === undefined ? 2 ** random.below(7) : frames
    // Just behind the lowest frames that there are, or one short of that.
    const tight = (model.findRun(frames, align, frameCount) ?? 0) + frames - random.below(2)
    const limit = random.pick([frameCount, random.below(frameCount), tight])
    const can = model.findRun(frames, align, limit) !== undefined
    const buddy = random.pick(this.views)
    const pfn =
      order === undefined ? buddy.allocateRun(frames, align, limit) : buddy.allocateBelow(limit, order)
    expect(pfn !== NO_FRAME, where).toBe(can)
    if (pfn === NO_FRAME) return
    expect(pfn % align, where).toBe(0)
    expect(pfn + frames, where).toBeLessThanOrEqual(limit)
    this.#take({ pfn, frames, order, references: 1 }, where)
  }

  /** A certain block, which no cache may have a part of. */
  allocateAt(where: string): void {
    const { random, machine, model, views } = this
    const order = random.chance(0.6) ? 0 : random.below(7)
    const frames = 2 ** order
    const target = (random.below(machine.frames.frameCount / frames) * frames) as Pfn
    const isDrained = random.chance(0.5)
    if (isDrained) random.pick(views).drainCaches()
    const zone = machine.buddy.zones.of(target)
    const can = model.isFree(target, frames) && target + frames <= zone.end && zone.missingToHigh < 0
    machine.filled.length = 0
    const buddy = random.pick(views)
    const pfn = buddy.allocateZeroedAt(target, order)
    if (isDrained) expect(pfn, where).toBe(can ? target : NO_FRAME)
    if (pfn === NO_FRAME) return
    expect(pfn, where).toBe(target)
    this.#expectZeroed(pfn, order, buddy === machine.buddy, where)
    this.#take({ pfn, frames, order, references: 1 }, where)
  }

  #take(block: Block, where: string): void {
    const { machine, model } = this
    expect(model.isFree(block.pfn, block.frames), where).toBe(true)
    for (let i = 0; i < block.frames; i++) fillFrame(machine.memory, (block.pfn + i) as Pfn, GARBAGE)
    model.fill(block.pfn, block.frames, 'allocated')
    this.blocks.push(block)
  }

  /** All zero, and just the frames that had been used before were written. */
  #expectZeroed(pfn: Pfn, order: number, spied: boolean, where: string): void {
    const { machine, model } = this
    const all = Array.from({ length: 2 ** order }, (_, i) => (pfn + i) as Pfn)
    if (spied) expect(machine.filled, where).toEqual(all.filter((it) => model.used[it]))
    expect(
      all.every((it) => frameIs(machine.memory, it, 0)),
      where,
    ).toBe(true)
  }

  giveUp(): void {
    const { random, model, blocks } = this
    const at = random.below(blocks.length)
    const block = blocks[at]!
    const buddy = random.pick(this.views)
    if (block.order === undefined) buddy.freeRun(block.pfn, block.frames)
    else if (random.chance(0.2)) {
      buddy.retain(block.pfn)
      block.references++
      return
    } else if (block.references === 1 && random.chance(0.5)) buddy.free(block.pfn, block.order)
    else buddy.release(block.pfn)
    if (--block.references > 0) return
    model.fill(block.pfn, block.frames, 'free')
    blocks.splice(at, 1)
  }

  /** One reference to many at once, as the end of a mapping does. */
  giveUpMany(): void {
    const { random, model, blocks } = this
    const order = random.pick<(a: Block, b: Block) => number>([
      (a, b) => a.pfn - b.pfn,
      (a, b) => b.pfn - a.pfn,
      () => random.below(3) - 1,
    ])
    const count = random.between(1, random.chance(0.5) ? 30 : 1000)
    const gone = blocks.filter(({ order }) => order !== undefined && random.chance(0.8)).slice(0, count)
    const list = Uint32Array.from(gone.sort(order), ({ pfn }) => pfn)
    random.pick(this.views).releaseAll(list, list.length)
    for (const block of gone) {
      if (--block.references > 0) continue
      model.fill(block.pfn, block.frames, 'free')
      blocks.splice(blocks.indexOf(block), 1)
    }
  }

  releaseAll(): void {
    const { buddy } = this.machine
    for (const { pfn, frames, order, references } of this.blocks) {
      if (order === undefined) buddy.freeRun(pfn, frames)
      else for (let i = 0; i < references; i++) buddy.release(pfn)
    }
  }
}

describe.each<FrameMachineOptions>([
  {},
  { lowFrames: 777 },
  { debug: true, lowFrames: 1024 },
  { shared: true },
])('frames and blocks, against a naive model, from two views, with failures: %o', (options) => {
  test(`seed ${SEED}`, () => {
    const fuzzer = new Fuzzer(options)
    const { random, machine, model, blocks, views } = fuzzer
    let crowd = 40
    for (let step = 0; step < fuzzSteps(1500); step++) {
      const where = `PAGODA_SEED=${SEED}, step ${step}`
      if (step % 300 === 0) crowd = random.pick([5, 40, 300, 2000])
      // So many single frames that a cache does not take them when they come back at once.
      const isFlood = blocks.length < crowd - 500 && random.chance(0.03)
      for (let i = 0; isFlood && i < 600; i++) fuzzer.allocate(where, 0)
      if (blocks.length === 0 || random.chance(blocks.length < crowd ? 0.6 : 0.3)) {
        if (random.chance(0.1)) fuzzer.allocateSpecial(where)
        else if (random.chance(0.2)) fuzzer.allocateAt(where)
        else fuzzer.allocate(where)
      } else if (random.chance(0.02)) fuzzer.giveUpMany()
      else fuzzer.giveUp()
      if (random.chance(0.01)) random.pick(views).drainCaches()
      random.pick(views).check()
      expect(machine.buddy.freeFrames(), where).toBe(model.freeFrames())
    }
    fuzzer.releaseAll()
    machine.buddy.check()
    expect(machine.buddy.freeFrames(), `PAGODA_SEED=${SEED}`).toBe(machine.buddy.totalFrames())
  })
})
