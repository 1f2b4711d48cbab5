import { expect, test } from 'vitest'
import { EAGAIN, ENOMEM } from '../base/errno.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmInit } from '../mm.js'
import { restoreSnapshot, takeSnapshot } from '../state/snapshot.js'
import { PidAllocator } from './pid-allocator.js'
import type { PidNamespace } from './pid-namespace.js'
import { PidNamespaces } from './pid-namespaces.js'

const STEPS = fuzzSteps(3000)
const NAMESPACES_MAX = 12
const CHECK_EVERY = 10

/** What a namespace should know, in the order in which it came to. */
interface Model {
  readonly namespace: PidNamespace
  readonly numbers: Map<number, number>
}

function setUp() {
  const faults = new FaultInjector()
  const mm = mmInit({ bytes: 8 * 2 ** 20, debug: true, faults })
  const namespaces = new PidNamespaces(mm)
  const living = new Set<number>()
  let last = 1
  const pids = new PidAllocator(mm, namespaces, { takeId: () => ++last, isFree: (id) => !living.has(id) })
  return { faults, mm, namespaces, pids, living }
}

test(`numbers of nested namespaces are those of maps, and their memory is given back (seed ${SEED})`, () => {
  const random = new Random(SEED)
  const { faults, mm, namespaces, pids, living } = setUp()
  const models: Model[] = []
  const homes = new Map<number, Model>()
  const modelOf = (namespace: PidNamespace) => models.find((model) => model.namespace === namespace)!

  const make = () => {
    const within =
      models.length > 0 && random.chance(0.7) ? random.pick(models).namespace : namespaces.outermost
    const made = namespaces.create(within, 77)
    if (made !== undefined) models.push({ namespace: made, numbers: new Map() })
  }
  const born = (home: Model) => {
    const id = pids.take(home.namespace, [], false)
    if (id < 0) {
      expect([-ENOMEM, -EAGAIN]).toContain(id)
      return
    }
    living.add(id)
    homes.set(id, home)
    for (let at = home.namespace; at.parent !== undefined; at = at.parent) {
      modelOf(at).numbers.set(id, at.numberOf(id))
      if (at.initId === 0) at.initId = id
    }
  }
  const end = (id: number) => {
    expect(pids.release(id)).toBeUndefined()
    living.delete(id)
    const home = pids.release(id)!
    expect(home).toBe(homes.get(id)!.namespace)
    for (let at = home; at.parent !== undefined; at = at.parent) modelOf(at).numbers.delete(id)
    homes.delete(id)
    namespaces.release(home)
  }

  const check = (where: string) => {
    for (const { namespace, numbers } of models) {
      const known = [...numbers].map(([id, number]) => [id, number, id])
      const found = [...namespace.ids()].map((id) => {
        const number = namespace.numberOf(id)
        return [id, number, namespace.idOf(number)]
      })
      expect(found, where).toEqual(known)
    }
    const wrong = [...homes].filter(([id, { namespace }]) => pids.homeOf(id) !== namespace)
    expect(wrong, where).toEqual([])
  }

  for (let step = 0; step < STEPS; step++) {
    if (random.chance(0.05)) faults.failAt(random.between(1, 3))
    if (models.length === 0 || (models.length < NAMESPACES_MAX && random.chance(0.1))) make()
    else if (living.size > 0 && random.chance(0.45)) end(random.pick([...living]))
    else born(random.pick(models))
    faults.reset()
    if (step % CHECK_EVERY === 0) check(`seed ${SEED} step ${step}`)
  }

  for (const id of [...living]) end(id)
  for (const { namespace } of models) namespaces.release(namespace)
  expect([namespaces.used, pids.used]).toEqual([0, 0])
  mm.check()
})

test('a snapshot holds who is called what', () => {
  const { mm, namespaces, pids, living } = setUp()
  const namespace = namespaces.create(namespaces.outermost, 77)!
  const [first, second] = [pids.take(namespace, [], false), pids.take(namespace, [], false)]
  for (const id of [first, second]) living.add(id)
  const snapshot = takeSnapshot(mm.memory)
  living.delete(first)
  namespaces.release(pids.release(first)!)
  expect(namespace.idOf(1)).toBe(0)
  restoreSnapshot(mm.memory, snapshot)
  expect([...namespace.ids()]).toEqual([first, second])
  expect([namespace.idOf(1), namespace.numberOf(second), namespace.references]).toEqual([first, 2, 3])
  expect(pids.homeOf(first)).toBe(namespace)
  mm.check()
})
