import { describe, expect, it } from 'vitest'
import { NULL } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmInit } from '../mm.js'
import { TimerQueue } from './timer-queue.js'
import type { Timer } from './timer-record.js'

const SEED = Number(process.env.PAGODA_SEED ?? 5)
const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 4000)

function setUp(faults?: FaultInjector) {
  const mm = mmInit({ bytes: 8 * 2 ** 20, debug: true, ...(faults === undefined ? {} : { faults }) })
  return { mm, queue: new TimerQueue(mm) }
}

/** What a timer should be: when it was armed decides among those of one moment. */
interface Model {
  readonly timer: Timer
  armed: number | undefined
}

describe('timers that are set', () => {
  it(`expire in the order of a sorted list (seed ${SEED})`, () => {
    const random = new Random(SEED)
    const { queue } = setUp()
    let models: Model[] = []
    let now = 0
    for (let step = 0; step < STEPS; step++) {
      const where = `seed ${SEED} step ${step}`
      const model = models.length > 0 ? random.pick(models) : undefined
      if (model === undefined || (models.length < 40 && random.chance(0.1))) {
        models.push({ timer: queue.create(NULL)!, armed: undefined })
      } else if (random.chance(0.5)) {
        model.timer.moment = now + random.below(20)
        model.armed = step
        queue.arm(model.timer)
      } else if (random.chance(0.2)) {
        model.armed = undefined
        queue.disarm(model.timer)
      } else if (random.chance(0.25)) {
        queue.free(model.timer)
        models = models.filter((other) => other !== model)
      } else {
        now += random.below(8)
        const due = models
          .filter(({ timer, armed }) => armed !== undefined && timer.moment <= now)
          .sort((a, b) => a.timer.moment - b.timer.moment || a.armed! - b.armed!)
        for (const expected of due) {
          expect(queue.takeDue(now)?.ptr, where).toBe(expected.timer.ptr)
          expected.armed = undefined
        }
        expect(queue.takeDue(now), where).toBeUndefined()
      }
      queue.check([NULL])
    }
  })

  it('are moved on by whole intervals, as often as the time has passed', () => {
    const { queue } = setUp()
    const timer = queue.create(NULL)!
    timer.interval = 10
    timer.moment = 100
    expect([timer.forward(99), timer.moment]).toEqual([0, 100])
    expect([timer.forward(100), timer.moment]).toEqual([1, 110])
    expect([timer.forward(139), timer.moment]).toEqual([3, 140])
  })

  it('are refused without memory, and nothing is left', () => {
    const faults = new FaultInjector()
    const { mm, queue } = setUp(faults)
    faults.failAt(1)
    expect(queue.create(NULL)).toBeUndefined()
    faults.reset()
    queue.check([NULL])
    mm.check()
  })
})
