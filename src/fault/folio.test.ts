/** Faults that are answered with several pages: where a folio goes, and what is left when there is no block for one. */
import { describe, expect, test } from 'vitest'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import {
  FOLIO_ORDER_MAX,
  FOLIO_ORDER_MIN,
  HugeSetting,
  HugeSizeMode,
  setFolioMode,
  setHugeSetting,
} from '../space/huge-policy.js'
import { counted, OrderCounter, orderCounter } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { Program } from './testing.js'
import { copyToUser } from './user-copy.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const PAGE = 4096
const BASE = 0x10_0000_0000

function allow(program: Program, orders: readonly number[]): void {
  setHugeSetting(program.mm.memory, HugeSetting.sizeMode, HugeSizeMode.never)
  for (const order of orders) setFolioMode(program.mm.memory, order, HugeSizeMode.always)
}

function map(program: Program, pages: number): void {
  expect(program.mmap(BASE, pages * PAGE, RW, PRIVATE | mman.MAP_FIXED)).toBe(BASE)
}

function store(program: Program, page: number): number {
  return copyToUser(program.mm, program.space, BASE + page * PAGE, Uint8Array.of(1))
}

const made = (program: Program, order: number) =>
  counted(program.mm.memory, orderCounter(OrderCounter.folioFault, order))
const missed = (program: Program, order: number) =>
  counted(program.mm.memory, orderCounter(OrderCounter.folioFallback, order))

test('one fault, frames side by side with one reference each, which come back one by one', () => {
  const program = Program.boot(16)
  const { mm, space } = program
  allow(program, [4])
  map(program, 512)
  expect(store(program, 21)).toBe(0)
  expect([space.counts.rssAnonymous, space.counts.minorFaults, made(program, 4)]).toEqual([16, 1, 1])
  const mapper = mm.userMappers.of(space.root)
  const frames = Array.from({ length: 16 }, (_, i) =>
    mapper.pfn(mapper.leaf((BASE / PAGE + 16 + i) as never)),
  )
  expect(frames).toEqual(frames.map((_, i) => frames[0]! + i))
  expect(frames[0]! % 16).toBe(0)
  mm.check()
  expect(program.call('munmap', BASE + 20 * PAGE, 3 * PAGE)).toBe(0)
  expect(space.counts.rssAnonymous).toBe(13)
  mm.check()
  program.exit()
})

test('without a block of the size the next smaller one is tried, and then a page', () => {
  const program = Program.boot(8)
  const { mm } = program
  allow(program, [4, 8])
  map(program, 512)
  expect(store(program, 511)).toBe(0) // the tables are there
  expect(made(program, 8)).toBe(1)
  const kept = mm.buddy.allocate(4)
  for (let order = 10; order >= 4; order--) while (mm.buddy.allocate(order) !== 0) {}
  mm.buddy.free(kept, 4)
  expect(store(program, 0)).toBe(0)
  expect([made(program, 8), missed(program, 8)]).toEqual([1, 1])
  expect([made(program, 4), missed(program, 4)]).toEqual([1, 0])
  expect(store(program, 32)).toBe(0)
  expect([made(program, 4), missed(program, 4)]).toEqual([1, 1])
  mm.check()
})

describe('random sizes, stores, holes and forks', () => {
  test(`nothing is lost (PAGODA_SEED=${SEED})`, () => {
    const random = new Random(SEED)
    const program = Program.boot(32)
    const { mm, space } = program
    map(program, 1024)
    for (let i = 0; i < 300; i++) {
      const order = FOLIO_ORDER_MIN + random.below(FOLIO_ORDER_MAX - FOLIO_ORDER_MIN + 1)
      setFolioMode(mm.memory, order, random.below(2) === 0 ? HugeSizeMode.always : HugeSizeMode.never)
      const page = random.below(1024)
      expect(store(program, page)).toBe(0)
      const pages = 1 + random.below(100)
      const start = random.below(1024 - pages)
      const length = pages * PAGE
      if (random.below(3) === 0) program.call('madvise', BASE + start * PAGE, length, mman.MADV_DONTNEED)
      if (random.below(20) === 0) mm.spaces.release(mm.spaces.clone(space.ptr))
      if (i % 10 === 0) mm.check()
    }
    program.exit()
    mm.check()
  })
})
