/** Segments of SysV shared memory: what failing allocations leave, how numbers are given, and random calls against a model. */
import { describe, expect, test } from 'vitest'
import { EINVAL, ENOENT, ENOMEM, ENOSPC } from '../../../base/errno.js'
import { Random } from '../../../base/random.js'
import { Setting, writeSetting } from '../../../state/settings.js'
import { FileMachine, OUT } from '../testing/file-machine.js'

const CREATE = 0o1600
const REMOVE = 0
const STAT = 2

describe('segments', () => {
  test('every allocation of shmget and shmat that fails leaves a sound machine', () => {
    for (const what of ['get', 'attach']) {
      let failures = 0
      for (let nth = 1; ; nth++) {
        const machine = new FileMachine()
        machine.populate()
        const before = what === 'get' ? 0 : machine.call('shmget', 7, 8192, CREATE)
        machine.faults.failAt(nth)
        const result =
          what === 'get' ? machine.call('shmget', 7, 8192, CREATE) : machine.call('shmat', before, 0, 0)
        machine.faults.reset()
        machine.check()
        if (result >= 0) break
        failures++
        expect(result).toBe(-ENOMEM)
        if (what === 'get') expect(machine.call('shmget', 7, 8192, 0)).toBe(-ENOENT)
        else expect(machine.files.vfs.segments.attaches(machine.files.vfs.segments.byId(before)!)).toBe(0)
      }
      expect(failures).toBeGreaterThan(0)
    }
  })

  test('numbers go round: an index is used again after 64, with another id', () => {
    const machine = new FileMachine()
    const ids = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const id = machine.call('shmget', 0, 1, CREATE)
      expect(ids.has(id)).toBe(false)
      ids.add(id)
      expect(id % 32768).toBe(i % 64)
      expect(Math.floor(id / 32768)).toBe(Math.floor(i / 64))
      expect(machine.call('shmctl', id, REMOVE, 0)).toBe(0)
      expect(machine.call('shmctl', id, STAT, OUT)).toBe(-EINVAL)
    }
    machine.check()
  })

  test('shmmni and shmall are kept', () => {
    const machine = new FileMachine()
    writeSetting(machine.mm.memory, Setting.shmMni, 1)
    expect(machine.call('shmget', 0, 1, CREATE)).toBe(0)
    expect(machine.call('shmget', 0, 1, CREATE)).toBe(-ENOSPC)
    writeSetting(machine.mm.memory, Setting.shmMni, 9)
    writeSetting(machine.mm.memory, Setting.shmAll, 2)
    expect(machine.call('shmget', 0, 8192, CREATE)).toBe(-ENOSPC)
    expect(machine.call('shmget', 0, 4096, CREATE)).toBe(1)
  })
})

test('random calls agree with a model', () => {
  const seed = Number(process.env.PAGODA_SEED ?? 31)
  const steps = Number(process.env.PAGODA_FUZZ_STEPS ?? 600)
  const random = new Random(seed)
  const machine = new FileMachine()
  const { segments } = machine.files.vfs
  machine.populate()
  /** By id: the key that finds it, whether it is removed, where it is attached. */
  const model = new Map<number, { key: number; removed: boolean; at: number[] }>()
  const label = (step: number) => `seed ${seed} step ${step}`
  for (let step = 0; step < steps; step++) {
    const id = random.pick([...model.keys(), 12345])
    const known = model.get(id)
    const what = random.below(8)
    if (what < 2) {
      const key = random.below(6)
      const same = [...model].find(([, one]) => key !== 0 && one.key === key)
      const got = machine.call('shmget', key, 4096, CREATE)
      if (same !== undefined) expect(got, label(step)).toBe(same[0])
      else model.set(got, { key, removed: false, at: [] })
    } else if (what < 4) {
      const at = machine.call('shmat', id, 0, 0)
      expect(at > 0, label(step)).toBe(known !== undefined)
      if (known !== undefined) {
        if (known.at.length > 0) expect(machine.peek(at, 1)).toEqual(machine.peek(known.at[0]!, 1))
        machine.poke(at, Uint8Array.of(step))
        known.at.push(at)
      }
    } else if (what < 6 && known !== undefined && known.at.length > 0) {
      const at = known.at.splice(random.below(known.at.length), 1)[0]!
      expect(machine.call('shmdt', at), label(step)).toBe(0)
      expect(machine.call('shmdt', at), label(step)).toBe(-EINVAL)
    } else if (what === 6) {
      expect(machine.call('shmctl', id, REMOVE, 0), label(step)).toBe(known === undefined ? -EINVAL : 0)
      if (known !== undefined) Object.assign(known, { key: 0, removed: true })
    }
    for (const [one, { removed, at }] of model) if (removed && at.length === 0) model.delete(one)
    expect(segments.count, label(step)).toBe(model.size)
    for (const [one, { at }] of model) expect(segments.attaches(segments.byId(one)!)).toBe(at.length)
    if (step % 20 === 0) machine.check()
  }
  machine.check()
})
