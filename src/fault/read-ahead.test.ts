/** Pages of a provider's file are read with others: by read(2), by faults, and not where the provider, memory or the program says otherwise. */
import { beforeEach, describe, expect, test } from 'vitest'
import { ENOMEM } from '../base/errno.js'
import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { ObjectKind } from '../space/page-object.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { openFile, Program } from './testing.js'
import { copyFromUser } from './user-copy.js'

const PAGE = 4096
const PAGES = 400
const PROVIDER = 1

let program: Program
let object: Ptr
/** What the provider was asked for: the first page, and how many. */
let asked: [first: number, pages: number][]
/** The host's file is shorter than the object says: it has this many pages. */
let pagesOnHost: number

beforeEach(() => boot(8))

function boot(mebibytes: number): void {
  program = Program.boot(mebibytes)
  asked = []
  pagesOnHost = PAGES
  const read = (_id: number, index: number, target: Uint8Array) => {
    const pages = target.length / PAGE
    asked.push([index, pages])
    if (index + pages > pagesOnHost) return -5
    for (let i = 0; i < pages; i++) target.fill(contentOf(index + i), i * PAGE, (i + 1) * PAGE)
    return 0
  }
  program.mm.objects.providers.set(PROVIDER, { readPage: read, readPages: read })
  object = program.mm.objects.create(ObjectKind.provided, PAGES * PAGE - 10, PROVIDER)
  program.files.set(3, openFile(object))
}

const contentOf = (index: number) => (index * 7 + 1) & 0xff
const map = () => program.mmap(0, PAGES * PAGE, mman.PROT_READ, mman.MAP_PRIVATE, 3)
const counts = (counter: Counter) => counted(program.mm.memory, counter)

function read(index: number): number {
  const bytes = new Uint8Array(1)
  const result = program.mm.objects.read(object, index * PAGE, bytes)
  if (result === 1) expect(bytes[0]).toBe(contentOf(index))
  return result
}

describe('reading', () => {
  test('in order brings more and more, each page once', () => {
    for (let index = 0; index < PAGES; index++) expect(read(index)).toBe(1)
    expect(asked.slice(0, 5)).toEqual([
      [0, 4],
      [4, 8],
      [12, 16],
      [28, 32],
      [60, 32],
    ])
    expect(asked.reduce((sum, [, pages]) => sum + pages, 0)).toBe(PAGES)
    expect(counts(Counter.pagesRead)).toBe(PAGES)
    program.mm.check()
  })

  test('out of order brings what is asked for', () => {
    for (const index of [300, 7, 90]) read(index)
    expect(asked).toEqual([
      [300, 1],
      [7, 1],
      [90, 1],
    ])
  })

  test('what the provider cannot read ahead it is asked for alone', () => {
    pagesOnHost = 2
    expect([0, 1, 2].map(read)).toEqual([1, 1, -5])
    expect(program.mm.objects.pages(object)).toBe(2)
    program.mm.check()
  })
})

describe('a fault', () => {
  test('brings what is around it, and maps of that what Linux does', () => {
    const address = map()
    expect(program.touch(address + 100 * PAGE, Access.read)).toBe(FaultResult.ok)
    expect(asked).toEqual([[84, 32]])
    expect(counts(Counter.faultMajor)).toBe(1)
    const mapped = counts(Counter.faultAround) + counts(Counter.faultFile)
    expect(mapped).toBe(16)
    expect(program.space.counts.rssPages).toBe(16)
    program.mm.check()
  })

  test('that finds what another has brought is a minor one', () => {
    const address = map()
    for (const page of [100, 85, 115]) program.touch(address + page * PAGE, Access.read)
    expect(asked).toEqual([[84, 32]])
    expect(counts(Counter.faultMajor)).toBe(1)
  })

  test('to write privately copies the page alone', () => {
    const address = program.mmap(0, PAGES * PAGE, 3, mman.MAP_PRIVATE, 3)
    expect(program.touch(address + 100 * PAGE, Access.write)).toBe(FaultResult.ok)
    expect(asked).toEqual([[84, 32]])
    expect(program.space.counts.rssPages).toBe(1)
    program.mm.check()
  })

  test('MADV_RANDOM and MADV_SEQUENTIAL are heeded', () => {
    const address = map()
    program.call('madvise', address, PAGES * PAGE, mman.MADV_RANDOM)
    program.touch(address + 100 * PAGE, Access.read)
    program.call('madvise', address, PAGES * PAGE, mman.MADV_SEQUENTIAL)
    program.touch(address, Access.read)
    expect(asked).toEqual([
      [100, 1],
      [0, 4],
    ])
  })

  test('MADV_WILLNEED brings what it says and no more, in large pieces', () => {
    const address = map()
    read(50)
    program.call('madvise', address + 20 * PAGE, 60 * PAGE, mman.MADV_WILLNEED)
    expect(asked).toEqual([
      [50, 1],
      [20, 16],
      [36, 8],
      [44, 4],
      [48, 2],
      [51, 16],
      [67, 8],
      [75, 4],
      [79, 1],
    ])
    expect(program.mm.objects.pages(object)).toBe(60)
    program.mm.check()
  })

  test('who writes in order does not fault in vain', () => {
    boot(32)
    pagesOnHost = 3000
    const long = program.mm.objects.create(ObjectKind.provided, pagesOnHost * PAGE, PROVIDER)
    program.files.set(4, openFile(long))
    const address = program.mmap(0, pagesOnHost * PAGE, 3, mman.MAP_SHARED, 4)
    for (let i = 0; i < pagesOnHost; i++) program.touch(address + i * PAGE, Access.write)
    expect(asked.filter(([, pages]) => pages < 16).length).toBeLessThan(3)
    program.mm.check()
  })

  test('after many in vain, only the page', () => {
    boot(64)
    const random = new Random(SEED)
    const far = program.mm.objects.create(ObjectKind.provided, 2 ** 20 * PAGE, PROVIDER)
    program.files.set(4, openFile(far))
    pagesOnHost = 2 ** 20
    const address = program.mmap(0, 2 ** 20 * PAGE, mman.PROT_READ, mman.MAP_SHARED, 4)
    for (let i = 0; i < 300; i++) {
      program.touch(address + random.below(2 ** 20) * PAGE, Access.read)
      program.call('madvise', address, 2 ** 20 * PAGE, mman.MADV_DONTNEED)
      program.mm.objects.dropUnmapped(far, 0, 2 ** 20)
    }
    expect(asked.slice(0, 100).every(([, pages]) => pages === 32)).toBe(true)
    expect(asked.slice(102).every(([, pages]) => pages === 1)).toBe(true)
  })
})

test('pages that no cache can hold are left out', () => {
  pagesOnHost = 2 ** 31
  const huge = program.mm.objects.create(ObjectKind.provided, 5 * 2 ** 40, PROVIDER)
  program.mm.objects.readAhead(huge, 2 ** 30, 2 ** 30 + 16, () => true)
  program.mm.objects.readAhead(huge, 2 ** 30 - 5, 2 ** 30 + 16, () => true)
  expect(program.mm.objects.pages(huge)).toBe(5)
  program.mm.check()
})

test('where no frames are free side by side it is read ahead as well', () => {
  const { buddy } = program.mm
  const taken: Pfn[] = []
  for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) taken.push(pfn)
  taken
    .sort((a, b) => a - b)
    .filter((_, i) => i % 2 === 0)
    .map((pfn) => buddy.free(pfn, 0))
  buddy.drainCaches()
  expect(buddy.hasBlock(1)).toBe(false)
  for (let index = 0; index < 200; index++) expect(read(index)).toBe(1)
  expect(asked.map(([, pages]) => pages)).toEqual([4, 8, 16, 32, 32, 32, 32, 32, 32])
  program.mm.check()
})

test('each allocation may fail: then less is read, or nothing, and nothing is lost', () => {
  const address = map()
  for (let n = 1; ; n++) {
    program.call('madvise', address, PAGES * PAGE, mman.MADV_DONTNEED)
    program.mm.objects.dropRange(object, 0, PAGES)
    program.faults.reset()
    program.faults.failAt(n)
    const fault = program.touch(address + 200 * PAGE, Access.read)
    const done = read(0)
    const failed = program.faults.count >= n
    program.faults.reset()
    expect([FaultResult.ok, FaultResult.outOfMemory]).toContain(fault)
    expect([1, -ENOMEM]).toContain(done)
    program.mm.check()
    if (!failed) break
    expect(n).toBeLessThan(50)
  }
})

test('reads, faults and pages that go, at random', () => {
  const random = new Random(SEED)
  const address = map()
  const objects = program.mm.objects
  for (let step = 0; step < fuzzSteps(600); step++) {
    const index = random.below(PAGES)
    const told = `seed ${SEED}, step ${step}`
    const what = random.below(5)
    if (what === 0) expect(read(index), told).toBe(1)
    else if (what === 1)
      for (let i = index; i < Math.min(PAGES, index + 20); i++) expect(read(i), told).toBe(1)
    else if (what === 2) {
      const byte = new Uint8Array(1)
      expect(copyFromUser(program.mm, program.space, address + index * PAGE, byte), told).toBe(0)
      expect(byte[0], told).toBe(contentOf(index))
    } else if (what === 3) objects.dropUnmapped(object, index, index + random.below(60))
    else
      program.call(
        'madvise',
        address + index * PAGE,
        PAGE * (1 + random.below(PAGES - index)),
        mman.MADV_DONTNEED,
      )
    program.mm.check()
  }
})
