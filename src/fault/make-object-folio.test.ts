/** Huge pages that a first touch of shared memory makes: failing allocations, quotas, and what is not made. */
import { describe, expect, test } from 'vitest'
import { NO_FRAME, NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import { ObjectKind } from '../space/object-records.js'
import { ShmemMode, setShmemMode } from '../space/shmem-policy.js'
import { truncateObject } from '../space/truncate.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { openFile, Program } from './testing.js'
import { copyToUser } from './user-copy.js'

const PAGE = 4096
const UNIT = 512
const BASE = 0x10_0000_0000
const FILE = 3
const RW = mman.PROT_READ | mman.PROT_WRITE

function mapFile(program: Program, mode: number, pages = UNIT): Ptr {
  setShmemMode(program.mm.memory, mode)
  const object = program.mm.objects.create(ObjectKind.tmpfs, pages * PAGE)
  program.mm.objects.setInternal(object)
  program.files.set(FILE, openFile(object))
  const flags = mman.MAP_SHARED | mman.MAP_FIXED
  expect(program.mmap(BASE, pages * PAGE, RW, flags, FILE, 0)).toBe(BASE)
  return object
}

const store = ({ mm, space }: Program, page: number) =>
  copyToUser(mm, space, BASE + page * PAGE, Uint8Array.of(1)) === 0

const isHuge = ({ mm, space }: Program, page = 0) =>
  new UserMapper(mm, space.root).hugeLeaf((BASE / PAGE + page) as Vpn) !== NULL

function finish(program: Program, object: Ptr): void {
  const { mm } = program
  mm.check()
  for (const { ptr } of mm.allSpaces()) mm.spaces.release(ptr)
  mm.objects.release(object)
  mm.check()
  expect(mm.objects.stats()).toEqual({ objects: 0, pages: 0 })
}

test('where a page is in the way of the first huge page, the next ones are made all the same', () => {
  const program = Program.boot(32)
  const { objects, memory } = program.mm
  const object = objects.create(ObjectKind.tmpfs, 0)
  objects.setInternal(object)
  expect(objects.write(object, 0, new Uint8Array(PAGE))).toBe(PAGE)
  setShmemMode(memory, ShmemMode.always)
  const rest = (4 * UNIT - 1) * PAGE
  expect(objects.write(object, PAGE, new Uint8Array(rest))).toBe(rest)
  expect(objects.folios()).toBe(3)
  objects.release(object)
  program.mm.check()
})

describe('a first touch of shared memory', () => {
  test('every allocation may fail: then it is small, or there is no memory; nothing is lost', () => {
    const outcomes = new Set<string>()
    for (let n = 1, goesOn = true; goesOn; n++) {
      const program = Program.boot(16)
      const object = mapFile(program, ShmemMode.always)
      program.faults.reset()
      program.faults.failAt(n)
      const isStored = store(program, 5)
      goesOn = program.faults.count >= n
      program.faults.reset()
      program.mm.check()
      outcomes.add(isStored ? (isHuge(program) ? 'huge' : 'small') : 'refused')
      expect(store(program, 5)).toBe(true)
      expect([1, UNIT]).toContain(program.mm.objects.pages(object))
      finish(program, object)
      expect(n).toBeLessThan(30)
    }
    expect([...outcomes].sort()).toEqual(['huge', 'refused', 'small'])
  })

  test('a quota that is too small for a huge page has room for a small one', () => {
    const program = Program.boot(16)
    const { objects, memory } = program.mm
    const object = mapFile(program, ShmemMode.force)
    const quota = objects.quotas.create(UNIT - 1)
    objects.setQuota(object, quota)
    expect([store(program, 7), isHuge(program), objects.pages(object)]).toEqual([true, false, 1])
    expect([objects.quotas.used(quota), counted(memory, Counter.hugeObjectAlloc)]).toEqual([1, 0])
    finish(program, object)
  })

  test('what is written in one part of 2 MiB, and what is reserved, is huge; a page that is there stays alone', () => {
    const program = Program.boot(16)
    const { objects } = program.mm
    const object = mapFile(program, ShmemMode.always, 3 * UNIT)
    objects.write(object, 5 * PAGE, Uint8Array.of(7))
    expect([objects.pages(object), objects.folioOf(object, 0) !== NO_FRAME]).toEqual([UNIT, true])
    expect([objects.addFolio(object, UNIT, true), objects.isFilled(object, UNIT)]).toEqual([true, false])
    expect([objects.addFolio(object, UNIT + 9), objects.nextData(object, UNIT)]).toEqual([
      false,
      Number.POSITIVE_INFINITY,
    ])
    expect([store(program, UNIT + 3), isHuge(program, UNIT), objects.isFilled(object, UNIT)]).toEqual([
      true,
      true,
      true,
    ])
    truncateObject(program.mm, object, 2 * UNIT * PAGE + PAGE)
    setShmemMode(program.mm.memory, ShmemMode.within_size)
    expect([store(program, 2 * UNIT), isHuge(program, 2 * UNIT)]).toEqual([true, false])
    finish(program, object)
  })
})
