/** A mapping of a provided object that goes on a hart whose thread does not have the provider. */
import { describe, expect, test } from 'vitest'
import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmAttach, mmInit } from '../mm.js'
import { AddressSpace } from '../space/address-space.js'
import { ObjectKind } from '../space/object-records.js'
import * as mman from '../syscall/mman.js'
import { Access } from './access.js'
import { openFile, Program } from './testing.js'

const PROVIDER = 7
const ADDRESS = 0x4000_0000
const PAGES = 4

function boot() {
  const mm = mmInit({ bytes: 8 * 2 ** 20, shared: true, harts: 2 })
  const closed: Ptr[] = []
  const provider = { readPage: () => 0, writePage: () => 0, closed: (object: Ptr) => closed.push(object) }
  mm.objects.providers.set(PROVIDER, provider)
  const object = mm.objects.create(ObjectKind.provided, PAGES * PAGE_SIZE, PROVIDER)
  const space = new AddressSpace(mm.memory, mm.spaces.create())
  const program = new Program(mm, space, new FaultInjector())
  program.files.set(3, openFile(object))
  const rights = mman.PROT_READ | mman.PROT_WRITE
  const mapped = mman.MAP_SHARED | mman.MAP_FIXED
  for (let i = 0; i < 2; i++) {
    program.mmap(ADDRESS + i * PAGES * PAGE_SIZE, PAGES * PAGE_SIZE, rights, mapped, 3)
    program.touch(ADDRESS + i * PAGES * PAGE_SIZE, Access.write)
  }
  const other = mmAttach(mm.memory.raw, { hart: 1 })
  const remote = new Program(other, new AddressSpace(other.memory, space.ptr), new FaultInjector())
  const unmap = (i: number) => remote.call('munmap', ADDRESS + i * PAGES * PAGE_SIZE, PAGES * PAGE_SIZE)
  return { mm, other, object, closed, program, unmap }
}

describe('the provider', () => {
  test('hears of it on its own thread, and the object is there until then', () => {
    const { mm, object, closed, unmap } = boot()
    expect(unmap(0)).toBe(0)
    expect([closed, mm.objects.references(object)]).toEqual([[], 3])
    mm.check()
    mm.objects.hearClosed()
    expect([closed, mm.objects.references(object)]).toEqual([[object], 2])
    mm.objects.hearClosed()
    expect(closed).toEqual([object])
    mm.check()
  })

  test('is not forgotten when a thread that has another one listens first', () => {
    const { mm, other, object, closed, unmap } = boot()
    other.objects.providers.set(PROVIDER + 1, {})
    unmap(0)
    other.objects.hearClosed()
    expect([closed, mm.objects.references(object)]).toEqual([[], 3])
    mm.objects.hearClosed()
    expect([closed, mm.objects.references(object)]).toEqual([[object], 2])
  })
})

test('two mappings that went are heard of once, and with the last reference the object goes', () => {
  const { mm, object, closed, program, unmap } = boot()
  program.files.clear()
  unmap(0)
  unmap(1)
  const { objects } = mm.objects.stats()
  mm.objects.release(object)
  expect(mm.objects.stats().objects).toBe(objects)
  mm.objects.hearClosed()
  expect(closed).toEqual([object])
  expect(mm.objects.stats().objects).toBe(objects - 1)
  mm.check()
})
