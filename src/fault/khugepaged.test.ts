/** khugepaged: failing allocations in a scan, spaces that come and go, limits; random use beside it against a model of pages. */
import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { UserMapper } from '../paging/user-mapper.js'
import {
  HugeMode,
  HugeSetting,
  KhugepagedSetting,
  setHugeSetting,
  setKhugepagedSetting,
} from '../space/huge-policy.js'
import { ObjectKind } from '../space/object-records.js'
import { ShmemMode, setShmemMode } from '../space/shmem-policy.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { scanForHugePages } from './khugepaged.js'
import { openFile, Program } from './testing.js'
import { copyFromUser, copyToUser } from './user-copy.js'

const PAGE = 4096
const UNIT = 512
const HUGE = UNIT * PAGE
const BASE = 0x10_0000_0000
const FILE = 3
const RW = mman.PROT_READ | mman.PROT_WRITE
const FIXED = mman.MAP_FIXED | mman.MAP_ANONYMOUS

function store(program: Program, address: number, value: number): boolean {
  return copyToUser(program.mm, program.space, address, Uint8Array.of(value)) === 0
}

function load(program: Program, address: number): number {
  const byte = new Uint8Array(1)
  return copyFromUser(program.mm, program.space, address, byte) === 0 ? byte[0]! : -1
}

const isHuge = ({ mm, space }: Program, address = BASE) =>
  new UserMapper(mm, space.root).hugeLeaf((address / PAGE) as Vpn) !== 0

/** Private memory with some small pages, which is advised then. */
function small(program: Program, address: number, units: number, pages: number): void {
  const bytes = units * HUGE
  expect(program.mmap(address, bytes, RW, mman.MAP_PRIVATE | FIXED, -1, 0)).toBe(address)
  expect(program.call('madvise', address, bytes, mman.MADV_NOHUGEPAGE)).toBe(0)
  for (let i = 0; i < units; i++)
    for (let k = 0; k < pages; k++) expect(store(program, address + i * HUGE + k * PAGE, 1 + k)).toBe(true)
  expect(program.call('madvise', address, bytes, mman.MADV_HUGEPAGE)).toBe(0)
}

/** The same of a file, every page of which is there. */
function smallFile(program: Program, address: number): Ptr {
  const { mm } = program
  const object = mm.objects.create(ObjectKind.tmpfs, HUGE)
  mm.objects.setInternal(object)
  program.files.set(FILE, openFile(object))
  const flags = mman.MAP_SHARED | mman.MAP_FIXED
  expect(program.mmap(address, HUGE, RW, flags, FILE, 0)).toBe(address)
  for (let k = 0; k < 3; k++) expect(store(program, address + k * PAGE, 1 + k)).toBe(true)
  setShmemMode(mm.memory, ShmemMode.advise)
  expect(program.call('madvise', address, HUGE, mman.MADV_HUGEPAGE)).toBe(0)
  return object
}

const made = ({ mm }: Program) => counted(mm.memory, Counter.pagesCollapsed)
const rounds = ({ mm }: Program) => counted(mm.memory, Counter.fullScans)

function finish(program: Program, ...objects: Ptr[]): void {
  const { mm } = program
  mm.check()
  for (const { ptr } of mm.allSpaces()) mm.spaces.release(ptr)
  for (const object of objects) mm.objects.release(object)
  mm.check()
  expect(mm.stats().spaces).toBe(0)
}

describe('khugepaged', () => {
  test('every allocation of a scan may fail: nothing is lost, and the next scan succeeds', () => {
    let starved = 0
    for (let n = 1, goesOn = true; goesOn; n++) {
      const program = Program.boot(24)
      small(program, BASE, 2, 3)
      const object = smallFile(program, BASE + 4 * HUGE)
      program.faults.reset()
      program.faults.failAt(n)
      const { isStarved } = scanForHugePages(program.mm, 0)
      goesOn = program.faults.count >= n
      program.faults.reset()
      program.mm.check()
      if (isStarved) starved++
      scanForHugePages(program.mm, 0)
      program.mm.check()
      expect([isHuge(program), isHuge(program, BASE + HUGE)]).toEqual([true, true])
      expect(program.mm.objects.folioOf(object, 0)).not.toBe(NO_FRAME)
      for (const at of [0, HUGE, 4 * HUGE])
        expect([0, 1, 2, 3].map((k) => load(program, BASE + at + k * PAGE))).toEqual([1, 2, 3, 0])
      finish(program, object)
      expect(n).toBeLessThan(30)
    }
    expect(starved).toBeGreaterThanOrEqual(3)
  })

  test('a scan that finds no block waits, and goes on behind that', () => {
    const program = Program.boot(16)
    const { mm } = program
    small(program, BASE, 2, 1)
    const taken: Pfn[] = []
    for (let pfn = mm.buddy.allocate(9); pfn !== NO_FRAME; pfn = mm.buddy.allocate(9)) taken.push(pfn)
    const { progress, isStarved } = scanForHugePages(mm, 0)
    expect([isStarved, made(program), counted(mm.memory, Counter.hugeCollapseFailed)]).toEqual([true, 0, 1])
    for (const pfn of taken) mm.buddy.free(pfn, 9)
    expect(scanForHugePages(mm, progress).isStarved).toBe(false)
    expect([made(program), isHuge(program), isHuge(program, BASE + HUGE)]).toEqual([2, true, true])
    finish(program)
  })

  test('looks at as many pages as it may, space by space; who forks takes the child along, who ends is gone', () => {
    const program = Program.boot(24)
    const { mm } = program
    small(program, BASE, 2, 1)
    setKhugepagedSetting(mm.memory, KhugepagedSetting.pagesToScan, 1)
    scanForHugePages(mm, 0)
    expect([made(program), isHuge(program, BASE + HUGE), rounds(program)]).toEqual([1, false, 0])
    mm.check()
    const child = program.fork()!
    expect([program.space.isScanned, child.space.isScanned, program.space.nextScanned]).toEqual([
      true,
      true,
      child.space.ptr,
    ])
    mm.spaces.release(child.space.ptr)
    mm.check()
    // Since the fork no page may be written at once.
    store(program, BASE + HUGE, 1)
    scanForHugePages(mm, 0)
    expect([made(program), isHuge(program, BASE + HUGE), rounds(program)]).toEqual([2, true, 0])
    scanForHugePages(mm, 0)
    scanForHugePages(mm, 0)
    expect(rounds(program)).toBe(1)
    const other = program.spawn()
    small(other, BASE, 1, 1)
    mm.spaces.release(program.space.ptr)
    mm.check()
    setKhugepagedSetting(mm.memory, KhugepagedSetting.pagesToScan, 4096)
    scanForHugePages(mm, 0)
    expect([made(program), isHuge(other)]).toEqual([3, true])
    finish(program)
  })

  test('who has nothing that may be huge is not looked at', () => {
    const program = Program.boot(16)
    const { mm } = program
    setHugeSetting(mm.memory, HugeSetting.mode, HugeMode.madvise)
    program.mmap(BASE, 2 * HUGE, RW, mman.MAP_PRIVATE | FIXED, -1, 0)
    store(program, BASE, 1)
    expect(program.space.isScanned).toBe(false)
    setHugeSetting(mm.memory, HugeSetting.mode, HugeMode.always)
    store(program, BASE + HUGE, 1)
    expect([program.space.isScanned, isHuge(program), isHuge(program, BASE + HUGE)]).toEqual([
      true,
      false,
      true,
    ])
    scanForHugePages(mm, 0)
    expect([made(program), isHuge(program)]).toEqual([1, true])
    finish(program)
  })

  test('random use beside it agrees with a model of pages', () => {
    const program = Program.boot(32)
    const { mm } = program
    const random = new Random(SEED)
    const model = new Uint8Array(3 * UNIT)
    program.mmap(BASE, 3 * HUGE, RW, mman.MAP_PRIVATE | FIXED, -1, 0)
    let children: Program[] = []
    for (let step = 0; step < fuzzSteps(3000); step++) {
      const page = random.below(3 * UNIT)
      const [at, pages] = [BASE + page * PAGE, Math.min(1 + random.below(40), 3 * UNIT - page)]
      const dice = random.below(20)
      if (dice < 8) {
        if (store(program, at, step & 255)) model[page] = step & 255
      } else if (dice < 11) expect(load(program, at)).toBe(model[page])
      else if (dice < 13) {
        expect(program.call('madvise', at, pages * PAGE, mman.MADV_DONTNEED)).toBe(0)
        model.fill(0, page, page + pages)
      } else if (dice < 15) {
        const advice = [mman.MADV_HUGEPAGE, mman.MADV_NOHUGEPAGE][dice - 13]!
        expect([0, -11, -12]).toContain(program.call('madvise', BASE, 3 * HUGE, advice))
      } else if (dice === 15 && children.length < 2)
        children.push(...[program.fork()].filter((one) => one !== undefined))
      else if (dice === 16) {
        for (const { space } of children) mm.spaces.release(space.ptr)
        children = []
      } else if (dice === 17) {
        setKhugepagedSetting(mm.memory, KhugepagedSetting.maxPtesNone, [511, 100, 0][random.below(3)]!)
        setKhugepagedSetting(mm.memory, KhugepagedSetting.pagesToScan, [4096, 600, 1][random.below(3)]!)
      } else scanForHugePages(mm, 0)
      if (step % 100 === 0) mm.check()
    }
    for (let page = 0; page < 3 * UNIT; page++) expect(load(program, BASE + page * PAGE)).toBe(model[page])
    expect(made(program)).toBeGreaterThan(5)
    finish(program)
  })
})
