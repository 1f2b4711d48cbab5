import { expect, test } from 'vitest'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { attachFrames, bootFrames, fillFrame, frameIs, fuzzSteps, SEED } from './testing.js'

const GARBAGE = 0xa5a5a5a5

/** Frames as a list: what a frame's state is, and whether it was ever used. Finding a block is a search. */
class NaiveModel {
  readonly state: string[]
  readonly used: boolean[]

  constructor(frameCount: number, isFree: (pfn: number) => boolean) {
    this.state = Array.from({ length: frameCount }, (_, pfn) => (isFree(pfn) ? 'free' : 'reserved'))
    this.used = new Array(frameCount).fill(false)
  }

  isFree(pfn: number, order: number): boolean {
    return this.state.slice(pfn, pfn + 2 ** order).every((state) => state === 'free')
  }

  canAllocate(order: number): boolean {
    for (let pfn = 0; pfn + 2 ** order <= this.state.length; pfn += 2 ** order) {
      if (this.state[pfn] === 'free' && this.isFree(pfn, order)) return true
    }
    return false
  }

  freeFrames(): number {
    return this.state.filter((state) => state === 'free').length
  }

  fill(pfn: number, order: number, state: 'free' | 'allocated'): void {
    this.state.fill(state, pfn, pfn + 2 ** order)
    this.used.fill(true, pfn, pfn + 2 ** order)
  }
}

function bootWithModel() {
  const machine = bootFrames()
  const { frames, buddy } = machine
  const first = frames.frameCount - buddy.totalFrames()
  return { machine, model: new NaiveModel(frames.frameCount, (pfn) => pfn >= first) }
}

test('frames and blocks, against a naive model, from two views, with failures', () => {
  const random = new Random(SEED)
  const { machine, model } = bootWithModel()
  const views = [machine.buddy, attachFrames(machine).buddy]
  const blocks: { pfn: Pfn; order: number; references: number }[] = []
  let crowd = 40

  function allocate(where: string): void {
    const order = random.chance(0.6) ? 0 : random.below(random.chance(0.1) ? 12 : 7)
    const zeroed = random.chance(0.5)
    const injected = random.chance(0.02)
    const buddy = injected ? machine.buddy : random.pick(views)
    if (injected) machine.faults.failAt(1)
    machine.filled.length = 0
    const pfn = zeroed ? buddy.allocateZeroed(order) : buddy.allocate(order)
    expect(pfn !== NO_FRAME, where).toBe(!injected && model.canAllocate(order))
    if (pfn === NO_FRAME) return
    expect(pfn % 2 ** order, where).toBe(0)
    expect(model.isFree(pfn, order), where).toBe(true)
    if (zeroed) expectZeroed(pfn, order, buddy === machine.buddy, where)
    for (let i = 0; i < 2 ** order; i++) fillFrame(machine.memory, (pfn + i) as Pfn, GARBAGE)
    model.fill(pfn, order, 'allocated')
    blocks.push({ pfn, order, references: 1 })
  }

  /** All zero, and just the frames that had been used before were written. */
  function expectZeroed(pfn: Pfn, order: number, spied: boolean, where: string): void {
    const all = Array.from({ length: 2 ** order }, (_, i) => (pfn + i) as Pfn)
    if (spied) expect(machine.filled, where).toEqual(all.filter((it) => model.used[it]))
    expect(
      all.every((it) => frameIs(machine.memory, it, 0)),
      where,
    ).toBe(true)
  }

  function giveUp(): void {
    const at = random.below(blocks.length)
    const block = blocks[at]!
    if (random.chance(0.2)) {
      random.pick(views).retain(block.pfn)
      block.references++
      return
    }
    if (block.references === 1 && random.chance(0.5)) random.pick(views).free(block.pfn, block.order)
    else random.pick(views).release(block.pfn)
    if (--block.references > 0) return
    model.fill(block.pfn, block.order, 'free')
    blocks.splice(at, 1)
  }

  for (let step = 0; step < fuzzSteps(4000); step++) {
    const where = `PAGODA_SEED=${SEED}, step ${step}`
    if (step % 500 === 0) crowd = random.pick([5, 40, 300, 2000])
    if (blocks.length === 0 || (blocks.length < crowd ? random.chance(0.6) : random.chance(0.3)))
      allocate(where)
    else giveUp()
    random.pick(views).check()
    expect(machine.buddy.freeFrames(), where).toBe(model.freeFrames())
  }
  for (const { pfn, references } of blocks) for (let i = 0; i < references; i++) machine.buddy.release(pfn)
  machine.buddy.check()
  expect(machine.buddy.freeFrames(), `PAGODA_SEED=${SEED}`).toBe(machine.buddy.totalFrames())
})
