import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import { ObjectKind } from '../space/page-object.js'
import { writeBackObject } from '../space/write-back.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { makeRoom, reclaim } from './reclaim.js'
import { openFile, Program } from './testing.js'

const PAGE = 4096
const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS

/** A file of so many pages under descriptor 3, whose provider keeps what is written: the first byte of each page. */
function withFile(pages: number): { program: Program; object: Ptr; bytes: Uint8Array; reads: () => number } {
  const program = Program.boot()
  const { objects } = program.mm
  const bytes = Uint8Array.from({ length: pages }, (_, index) => index % 251)
  let reads = 0
  objects.providers.set(1, {
    readPage: (_id, index, target) => {
      reads++
      target.fill(0)
      target[0] = bytes[index]!
      return 0
    },
    writePage: (_id, index, source) => {
      bytes[index] = source[0]!
      return 0
    },
  })
  const object = objects.create(ObjectKind.provided, pages * PAGE, 1)
  program.files.set(3, openFile(object))
  return { program, object, bytes, reads: () => reads }
}

function byteAt(program: Program, address: number): number {
  expect(program.touch(address, Access.read)).toBe(FaultResult.ok)
  const mapper = program.mm.userMappers.of(program.space.root)
  return program.mm.memory.u8[mapper.pfn(mapper.leaf((address / PAGE) as never)) * PAGE]!
}

/** Takes every frame; returns how to give them back. */
function exhaust({ mm }: Program): () => void {
  const taken: Pfn[] = []
  for (let pfn = mm.buddy.allocate(0); pfn !== NO_FRAME; pfn = mm.buddy.allocate(0)) taken.push(pfn)
  return () => {
    for (const pfn of taken) mm.buddy.release(pfn)
  }
}

test('a mapped file twice as large as memory is read, written and read again', () => {
  const pages = 4096
  const { program, object, bytes, reads } = withFile(pages)
  const start = program.mmap(0, pages * PAGE, RW, mman.MAP_SHARED, 3)
  for (let i = 0; i < pages; i++) expect(byteAt(program, start + i * PAGE)).toBe(i % 251)
  for (let i = 0; i < pages; i++) {
    expect(program.touch(start + i * PAGE, Access.write)).toBe(FaultResult.ok)
    const mapper = program.mm.userMappers.of(program.space.root)
    program.mm.memory.u8[mapper.pfn(mapper.leaf((start / PAGE + i) as never)) * PAGE] = i % 241
  }
  for (let i = 0; i < pages; i++) expect(byteAt(program, start + i * PAGE)).toBe(i % 241)
  expect(reads()).toBeGreaterThan(2 * pages)
  program.mm.check()
  expect(writeBackObject(program.mm, object)).toBe(0)
  expect(bytes).toEqual(Uint8Array.from({ length: pages }, (_, i) => i % 241))
})

describe('what is not dropped', () => {
  test('locked pages, pages of shared memory, private copies', () => {
    const { program } = withFile(64)
    const { mm } = program
    const locked = program.mmap(0, 8 * PAGE, mman.PROT_READ, mman.MAP_SHARED, 3)
    expect(program.call('mlock', locked, 8 * PAGE)).toBe(0)
    const own = program.mmap(0, 8 * PAGE, RW, mman.MAP_PRIVATE, 3, 16 * PAGE)
    expect(program.touch(own, Access.write)).toBe(FaultResult.ok)
    const shared = program.mmap(0, 8 * PAGE, RW, mman.MAP_SHARED | mman.MAP_ANONYMOUS)
    for (let i = 0; i < 8; i++) program.touch(shared + i * PAGE, Access.write)
    const giveBack = exhaust(program)
    while (reclaim(mm) > 0);
    expect([
      program.space.counts.rssFile,
      program.space.counts.rssAnonymous,
      program.space.counts.rssShared,
    ]).toEqual([8, 1, 8])
    expect(makeRoom(mm, 0)).toBe(false)
    giveBack()
    mm.check()
  })

  test('a page that its provider cannot take', () => {
    const { program, object } = withFile(8)
    const { mm } = program
    mm.objects.providers.set(1, { readPage: () => 0 })
    const start = program.mmap(0, 8 * PAGE, RW, mman.MAP_SHARED, 3)
    program.touch(start, Access.write)
    program.touch(start + PAGE, Access.read)
    const giveBack = exhaust(program)
    while (reclaim(mm) > 0);
    expect(mm.objects.pages(object)).toBe(1)
    expect(program.space.counts.rssFile).toBe(1)
    giveBack()
    mm.check()
  })
})

test('a page that was accessed gets a second chance', () => {
  const { program, object } = withFile(64)
  const { mm } = program
  const start = program.mmap(0, 64 * PAGE, mman.PROT_READ, mman.MAP_SHARED, 3)
  for (let i = 0; i < 64; i++) program.touch(start + i * PAGE, Access.read)
  const giveBack = exhaust(program)
  expect(reclaim(mm)).toBeGreaterThanOrEqual(32)
  expect(mm.objects.pages(object)).toBe(32)
  const kept = [...Array(64).keys()].filter((i) => mm.objects.find(object, i) !== NO_FRAME)
  for (const i of kept.slice(0, 8)) program.touch(start + i * PAGE, Access.read)
  giveBack()
  mm.check()
})

test('a fault without memory asks for some, and gives up when there is none', () => {
  const program = Program.boot()
  const { mm } = program
  const start = program.mmap(0, 4 * PAGE, RW, PRIVATE)
  expect(program.touch(start, Access.write)).toBe(FaultResult.ok)
  const giveBack = exhaust(program)
  expect(program.touch(start + PAGE, Access.write)).toBe(FaultResult.outOfMemory)
  let asked = 0
  mm.outOfMemory = (user) => {
    expect(user).toBe(program.space.ptr)
    asked++
    if (asked === 2) giveBack()
    return asked <= 2
  }
  expect(program.touch(start + PAGE, Access.write)).toBe(FaultResult.ok)
  expect(asked).toBe(2)
  mm.check()
})

describe('memory that was given up', () => {
  const written = (program: Program, flags: number) => {
    const start = program.mmap(0, 8 * PAGE, RW, flags)
    for (let i = 0; i < 8; i++) expect(program.touch(start + i * PAGE, Access.write)).toBe(FaultResult.ok)
    return start
  }

  test('MADV_FREE: dropped when memory runs out, but what was written to since is wanted again', () => {
    const program = Program.boot()
    const start = written(program, PRIVATE)
    expect(program.call('madvise', start, 6 * PAGE, mman.MADV_FREE)).toBe(0)
    expect(program.space.counts.rssAnonymous).toBe(8)
    expect(program.touch(start + PAGE, Access.write)).toBe(FaultResult.ok)
    const child = program.fork()!
    const giveBack = exhaust(program)
    while (reclaim(program.mm) > 0);
    expect([program.space.counts.rssAnonymous, child.space.counts.rssAnonymous]).toEqual([3, 3])
    giveBack()
    expect(byteAt(program, start)).toBe(0)
    program.mm.check()
    child.exit()
    program.exit()
    program.mm.check()
  })

  test('one process that wrote keeps the page for all', () => {
    const program = Program.boot()
    const start = written(program, PRIVATE)
    const child = program.fork()!
    expect(program.call('madvise', start, 8 * PAGE, mman.MADV_FREE)).toBe(0)
    const giveBack = exhaust(program)
    while (reclaim(program.mm) > 0);
    expect([program.space.counts.rssAnonymous, child.space.counts.rssAnonymous]).toEqual([8, 8])
    giveBack()
    program.mm.check()
  })

  test('MAP_DROPPABLE: dropped though it was written, and a child has none of it', () => {
    const program = Program.boot()
    const start = written(program, mman.MAP_DROPPABLE | mman.MAP_ANONYMOUS)
    const child = program.fork()!
    expect(child.space.counts.rssAnonymous).toBe(0)
    const giveBack = exhaust(program)
    while (reclaim(program.mm) > 0);
    expect(program.space.counts.rssAnonymous).toBe(0)
    giveBack()
    expect(byteAt(program, start)).toBe(0)
    program.mm.check()
  })

  test("MADV_PAGEOUT drops a huge page of MAP_DROPPABLE at once (mm/droppable of the kernel's self-tests)", () => {
    const program = Program.boot()
    const start = program.mmap(0, 512 * PAGE, RW, mman.MAP_DROPPABLE | mman.MAP_ANONYMOUS)
    program.touch(start, Access.write)
    expect(program.space.counts.rssAnonymous).toBe(512)
    expect(program.call('madvise', start, 512 * PAGE, mman.MADV_PAGEOUT)).toBe(0)
    expect(program.space.counts.rssAnonymous).toBe(0)
    program.mm.check()
  })

  test('MADV_PAGEOUT drops clean pages of a file at once; MADV_WILLNEED brings them back', () => {
    const { program, object } = withFile(64)
    const { mm } = program
    const start = program.mmap(0, 8 * PAGE, RW, mman.MAP_SHARED, 3)
    for (let i = 0; i < 8; i++) program.touch(start + i * PAGE, Access.read)
    expect(program.call('madvise', start, 4 * PAGE, mman.MADV_PAGEOUT)).toBe(0)
    expect([mm.objects.pages(object), program.space.counts.rssFile]).toEqual([4, 4])
    expect(program.call('madvise', start, 8 * PAGE, mman.MADV_WILLNEED)).toBe(0)
    expect([mm.objects.pages(object), program.space.counts.rssFile]).toEqual([8, 4])
    mm.check()
  })
})

test.each([1, 2, 3, 4])(
  'a fault that needs more than the %i frames left gives up, though it can give back what it took',
  (left) => {
    const program = Program.boot(8)
    const { mm } = program
    const start = program.mmap(0x10_0000_0000, 512 * PAGE, RW, mman.MAP_PRIVATE | mman.MAP_ANONYMOUS)
    const all: Pfn[] = []
    for (let pfn = mm.buddy.allocate(0); pfn !== NO_FRAME; pfn = mm.buddy.allocate(0)) all.push(pfn)
    for (const pfn of all.splice(0, left)) mm.buddy.free(pfn, 0)
    let asked = 0
    mm.outOfMemory = () => {
      asked++
      return false
    }
    const result = program.touch(start, Access.write)
    expect([result === FaultResult.ok, asked]).toEqual(result === FaultResult.ok ? [true, 0] : [false, 1])
    if (left === 1) expect(result).toBe(FaultResult.outOfMemory)
    for (const pfn of all) mm.buddy.free(pfn, 0)
    mm.check()
  },
)
