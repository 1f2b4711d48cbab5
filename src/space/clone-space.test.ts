import { describe, expect, test } from 'vitest'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { AddressSpace } from './address-space.js'
import { mapRegion } from './map-region.js'
import { ObjectKind } from './page-object.js'
import { anonymous, bootMachine, inUse, layout, locked, peekPage, pokePage, shared } from './testing.js'
import { unmapRange } from './unmap-range.js'
import { VM_DONTCOPY, VM_LOCKED, VM_WIPEONFORK } from './vm-flags.js'

const PAGES = 40

function setUp() {
  const machine = bootMachine()
  const { mm } = machine
  const space = new AddressSpace(mm.memory, mm.spaces.create())
  const map = (request: Parameters<typeof mapRegion>[2]) => {
    expect(locked(mm, space, () => mapRegion(mm, space, request))).toBe(request.start)
  }
  const fork = (parent: AddressSpace = space) => new AddressSpace(mm.memory, mm.spaces.clone(parent.ptr))
  return { machine, mm, space, map, fork }
}

describe('clone', () => {
  test(`families of forks keep their own bytes (seed ${SEED})`, () => {
    const random = new Random(SEED)
    const { machine, mm, space, map, fork } = setUp()
    const object = mm.objects.create(ObjectKind.anonymousShared, PAGES * 4096)
    map(anonymous(100, PAGES, 3))
    map(shared(200, PAGES, 3, object))
    const common = new Array<number>(PAGES).fill(0)
    const family = [{ space, own: new Array<number>(PAGES).fill(0) }]
    for (let i = 0; i < 600; i++) {
      const member = random.pick(family)
      const page = random.below(PAGES)
      const value = random.below(256)
      const kind = random.below(10)
      if (kind < 4) {
        expect(pokePage(mm, member.space, (100 + page) as Vpn, value)).toBe(0)
        member.own[page] = value
      } else if (kind < 6) {
        expect(pokePage(mm, member.space, (200 + page) as Vpn, value)).toBe(0)
        common[page] = value
      } else if (kind < 8) {
        expect(peekPage(mm, member.space, (100 + page) as Vpn)).toBe(member.own[page])
        expect(peekPage(mm, member.space, (200 + page) as Vpn)).toBe(common[page])
      } else if (kind === 8 && family.length < 6) {
        family.push({ space: fork(member.space), own: [...member.own] })
      } else if (family.length > 1) {
        family.splice(family.indexOf(member), 1)
        mm.spaces.release(member.space.ptr)
      }
      if (i % 20 === 0) mm.check()
    }
    for (const { space: last } of family) mm.spaces.release(last.ptr)
    mm.objects.release(object)
    mm.check()
    expect(mm.slab.stats().every(({ objects }) => objects === 0)).toBe(true)
    expect(machine.mm.stats().spaces).toBe(0)
  })

  test('leaves out what DONTCOPY says, empties what WIPEONFORK says, unlocks', () => {
    const { mm, space, map, fork } = setUp()
    const withFlags = (start: number, more: number) => {
      const request = anonymous(start, 2, 3)
      map({ ...request, flags: request.flags | more })
      expect(pokePage(mm, space, start as Vpn, 7)).toBe(0)
    }
    withFlags(100, VM_DONTCOPY)
    withFlags(110, VM_WIPEONFORK)
    withFlags(120, VM_LOCKED)
    const child = fork()
    expect(layout(mm, child)).toEqual(['110-112:rw-p', '120-122:rw-p'])
    expect(peekPage(mm, child, 110 as Vpn)).toBe(0)
    expect(peekPage(mm, child, 120 as Vpn)).toBe(7)
    expect([space.counts.lockedPages, child.counts.lockedPages]).toEqual([2, 0])
    expect([space.counts.totalPages, child.counts.totalPages]).toEqual([6, 4])
    mm.check()
  })

  test('copies no entries where a fault brings the page back', () => {
    const { mm, map, space, fork } = setUp()
    map(anonymous(100, 4, 3))
    expect(peekPage(mm, space, 100 as Vpn)).toBe(0)
    const child = fork()
    expect(child.counts.rssPages).toBe(0)
    expect(pokePage(mm, space, 101 as Vpn, 1)).toBe(0)
    const other = fork()
    expect(other.counts.rssAnonymous).toBe(1)
    mm.check()
  })

  test('mappings of a child merge with no new neighbour, as in Linux', () => {
    const { mm, map, space, fork } = setUp()
    map(anonymous(100, 4, 3))
    expect(pokePage(mm, space, 100 as Vpn, 1)).toBe(0)
    const child = fork()
    map(anonymous(104, 4, 3))
    expect(layout(mm, space)).toEqual(['100-108:rw-p'])
    locked(mm, child, () => mapRegion(mm, child, anonymous(104, 4, 3)))
    expect(layout(mm, child)).toEqual(['100-104:rw-p', '104-108:rw-p'])
  })

  test('every allocation may fail: nothing leaks and the parent goes on', () => {
    const { machine, mm, space, map } = setUp()
    const object = mm.objects.create(ObjectKind.tmpfs, PAGES * 4096)
    for (let i = 0; i < 20; i++) map(i % 3 === 0 ? shared(i * 3000, 2, 3, object) : anonymous(i * 3000, 2, 3))
    for (let i = 0; i < 20; i++) expect(pokePage(mm, space, (i * 3000) as Vpn, i)).toBe(0)
    let failures = 0
    for (let n = 1; ; n++) {
      const before = inUse(machine)
      machine.faults.reset()
      machine.faults.failAt(n)
      const child: Ptr = mm.spaces.clone(space.ptr)
      machine.faults.reset()
      mm.check()
      if (child !== NULL) {
        mm.spaces.release(child)
        break
      }
      expect(inUse(machine)).toBe(before)
      expect(pokePage(mm, space, 3000 as Vpn, n)).toBe(0)
      failures++
    }
    expect(failures).toBeGreaterThan(30)
    for (const i of [2, 4, 5, 19]) expect(peekPage(mm, space, (i * 3000) as Vpn)).toBe(i)
    expect(locked(mm, space, () => unmapRange(mm, space, 0 as Vpn, 60_000 as Vpn))).toBe(0)
    expect(space.vmaCount).toBe(0)
  })
})
