import { describe, expect, it } from 'vitest'
import { NULL, type Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmInit } from '../mm.js'
import { SIGINFO_BYTES, SignalQueues, type SignalTarget } from './signal-queue.js'

const SEED = Number(process.env.PAGODA_SEED ?? 3)
const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 3000)
const ALL = 0xffff_ffff

function setUp(faults?: FaultInjector) {
  const mm = mmInit({ bytes: 8 * 2 ** 20, debug: true, ...(faults === undefined ? {} : { faults }) })
  const queues = new SignalQueues(mm.memory, mm.slab)
  const cache = mm.slab.createCache('test', 64)
  const set = cache.allocateZeroed()
  const target: SignalTarget = { ptr: set, queue: NULL }
  return { mm, queues, target, set: set as Ptr }
}

function info(signal: number, value: number): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_BYTES)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, signal, true)
  view.setInt32(24, value, true)
  return bytes
}

const payloadOf = (bytes: Uint8Array) => new DataView(bytes.buffer).getInt32(24, true)

describe('pending signals', () => {
  it(`agree with a list for each signal (seed ${SEED})`, () => {
    const random = new Random(SEED)
    const { mm, queues, target, set } = setUp()
    const model = new Map<number, number[]>()
    const taken = new Uint8Array(SIGINFO_BYTES)
    for (let step = 0; step < STEPS; step++) {
      const signal = random.pick([1, 10, 11, 15, 31, 32, 33, 63, 64])
      if (random.chance(0.5)) {
        queues.add(target, set, signal, info(signal, step), Number.POSITIVE_INFINITY)
        const list = model.get(signal) ?? []
        if (list.length === 0 || signal >= 32) model.set(signal, [...list, step])
      } else if (random.chance(0.9)) {
        const first = queues.first(set, ALL, ALL)
        const order = [11, 31, ...[...model.keys()].sort((a, b) => a - b)]
        expect(first, `seed ${SEED} step ${step}`).toBe(order.find((s) => model.get(s)?.length) ?? 0)
        if (first === 0) continue
        queues.take(target, set, first, taken)
        expect(payloadOf(taken), `seed ${SEED} step ${step}`).toBe(model.get(first)!.shift())
      } else {
        queues.drop(target, set, signal)
        model.delete(signal)
      }
    }
    queues.clear(target, set)
    expect(queues.first(set, ALL, ALL)).toBe(0)
    expect(mm.slab.stats().find(({ name }) => name === 'signal')!.objects).toBe(0)
  })

  it('stay pending, with less to tell, when there is no memory for a record', () => {
    const faults = new FaultInjector()
    const { queues, target, set } = setUp(faults)
    const taken = new Uint8Array(SIGINFO_BYTES)
    faults.failFrom(1)
    queues.add(target, set, 40, info(40, 5), Number.POSITIVE_INFINITY)
    expect(queues.first(set, ALL, ALL)).toBe(40)
    queues.take(target, set, 40, taken)
    expect([...new Int32Array(taken.buffer)]).toEqual([40, ...new Array(31).fill(0)])
    expect(queues.first(set, ALL, ALL)).toBe(0)
  })
})
