/** Changed pages of a file and its provider: what is written when, what a failing provider leaves, and that no store is missed. */
import { describe, expect, test } from 'vitest'
import { EIO, ENOMEM, ENOSPC } from '../base/errno.js'
import { Random } from '../base/random.js'
import { checkErrors, noteError, sampleErrors } from '../space/error-sequence.js'
import { ObjectKind } from '../space/page-object.js'
import { truncateObject } from '../space/truncate.js'
import { writeBackObject } from '../space/write-back.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { openFile, Program } from './testing.js'
import { copyToUser } from './user-copy.js'

const PAGE = 4096
const RW = mman.PROT_READ | mman.PROT_WRITE

/** A file of some pages, whose disk is an array of bytes that can refuse. */
function boot(pages: number, last = PAGE) {
  const program = Program.boot()
  const { mm } = program
  const disk = new Uint8Array(pages * PAGE)
  const written: number[] = []
  const trouble = { errno: 0 }
  mm.objects.providers.set(1, {
    readPage(_id, index, target) {
      target.set(disk.subarray(index * PAGE, (index + 1) * PAGE))
      return 0
    },
    writePage(_id, index, source) {
      if (trouble.errno !== 0) return trouble.errno
      written.push(index)
      disk.set(source, index * PAGE)
      return 0
    },
  })
  const object = mm.objects.create(ObjectKind.provided, (pages - 1) * PAGE + last, 1)
  program.files.set(3, openFile(object))
  const address = program.mmap(0, pages * PAGE, RW, mman.MAP_SHARED, 3)
  const store = (page: number, byte: number, offset = 0) =>
    copyToUser(mm, program.space, address + page * PAGE + offset, Uint8Array.of(byte))
  return { program, mm, disk, written, trouble, object, address, store }
}

describe('write-back', () => {
  test('a page is written once for each time that it was changed', () => {
    const { mm, written, object, store, disk } = boot(4)
    store(1, 7)
    store(3, 8)
    mm.check()
    expect(mm.objects.dirtyPages(object)).toBe(2)
    expect(writeBackObject(mm, object)).toBe(0)
    expect(written).toEqual([1, 3])
    expect([disk[PAGE], disk[3 * PAGE]]).toEqual([7, 8])
    mm.check()
    expect(writeBackObject(mm, object)).toBe(0)
    expect(written).toEqual([1, 3])
    store(1, 9)
    expect(mm.objects.dirtyPages(object)).toBe(1)
    writeBackObject(mm, object)
    expect(written).toEqual([1, 3, 1])
    expect(disk[PAGE]).toBe(9)
    mm.check()
  })

  test('of a range, only its pages', () => {
    const { mm, written, object, store } = boot(6)
    for (let page = 0; page < 6; page++) store(page, page)
    writeBackObject(mm, object, 2, 4)
    expect(written).toEqual([2, 3])
    expect(mm.objects.dirtyPages(object)).toBe(4)
    mm.check()
  })

  test('a store of another space, of a child, and after mprotect is seen', () => {
    const { program, mm, object, store, address, disk } = boot(2)
    const other = program.spawn()
    const there = other.mmap(0, 2 * PAGE, RW, mman.MAP_SHARED, 3)
    store(0, 1)
    const child = program.fork()!
    copyToUser(mm, other.space, there, Uint8Array.of(2))
    writeBackObject(mm, object)
    expect(disk[0]).toBe(2)
    copyToUser(mm, child.space, address, Uint8Array.of(3))
    writeBackObject(mm, object)
    expect(disk[0]).toBe(3)
    program.call('mprotect', address, 2 * PAGE, mman.PROT_READ)
    program.call('mprotect', address, 2 * PAGE, RW)
    mm.check()
    store(0, 4)
    expect(mm.objects.dirtyPages(object)).toBe(1)
    mm.check()
    child.exit()
    other.exit()
    program.exit()
    writeBackObject(mm, object)
    expect(disk[0]).toBe(4)
    mm.check()
  })

  test('a private copy is nobody else’s business', () => {
    const { program, mm, object, disk } = boot(1)
    const own = program.mmap(0, PAGE, RW, mman.MAP_PRIVATE, 3)
    copyToUser(mm, program.space, own, Uint8Array.of(5))
    expect(mm.objects.dirtyPages(object)).toBe(0)
    writeBackObject(mm, object)
    expect(disk[0]).toBe(0)
  })

  test('stores beyond the end are neither written nor seen when the file grows', () => {
    const { mm, object, store, disk } = boot(1, 100)
    disk.fill(0xee)
    store(0, 1, 99)
    store(0, 2, 100)
    writeBackObject(mm, object)
    expect([disk[99], disk[100]]).toEqual([1, 0xee])
    truncateObject(mm, object, 200)
    const seen = new Uint8Array(200)
    mm.objects.read(object, 0, seen)
    expect([seen[99], seen[100]]).toEqual([1, 0])
    store(0, 3, 200)
    mm.objects.write(object, 300, Uint8Array.of(4))
    const all = new Uint8Array(301)
    mm.objects.read(object, 0, all)
    expect([all[200], all[299], all[300]]).toEqual([0, 0, 4])
    mm.check()
  })

  test('a provider that fails: the page stays changed, the error is noted, and the next try writes it', () => {
    const { mm, object, store, disk, trouble } = boot(3)
    store(0, 1)
    store(2, 3)
    const opened = sampleErrors(mm.objects.errors(object))
    trouble.errno = -ENOSPC
    expect(writeBackObject(mm, object)).toBe(-ENOSPC)
    expect(mm.objects.dirtyPages(object)).toBe(2)
    expect(checkErrors(mm.objects.errors(object), opened).errno).toBe(-ENOSPC)
    mm.check()
    store(0, 5)
    trouble.errno = 0
    expect(writeBackObject(mm, object)).toBe(0)
    expect([disk[0], disk[2 * PAGE]]).toEqual([5, 3])
    expect(mm.objects.dirtyPages(object)).toBe(0)
    mm.check()
  })

  test('msync writes the pages of its range, as each mapping shows them', () => {
    const { program, address, store, written } = boot(6)
    for (let page = 0; page < 6; page++) store(page, page)
    program.call('munmap', address + 2 * PAGE, PAGE)
    expect(program.call('msync', address + PAGE, 3 * PAGE, mman.MS_SYNC)).toBe(-ENOMEM)
    expect(written).toEqual([1, 3])
    expect(program.call('msync', address + 4 * PAGE, 2 * PAGE, mman.MS_ASYNC)).toBe(0)
    expect(written).toEqual([1, 3])
  })

  test('msync reports it, and needs no memory at all', () => {
    const { program, mm, store, address, trouble, disk } = boot(2)
    store(1, 1)
    trouble.errno = -EIO
    expect(program.call('msync', address, 2 * PAGE, mman.MS_SYNC)).toBe(-EIO)
    trouble.errno = 0
    program.faults.failFrom(1)
    expect(program.call('msync', address, 2 * PAGE, mman.MS_SYNC)).toBe(0)
    program.faults.reset()
    expect(disk[PAGE]).toBe(1)
    mm.check()
  })
})

describe('error sequence', () => {
  test('everybody hears of an error once, whoever opens later only of one that nobody saw', () => {
    let word = 0
    const first = sampleErrors(word)
    word = noteError(word, -EIO)
    const late = sampleErrors(word)
    const heard = checkErrors(word, first)
    expect(heard.errno).toBe(-EIO)
    word = heard.word
    expect(checkErrors(word, heard.word).errno).toBe(0)
    expect(checkErrors(word, late).errno).toBe(-EIO)
    expect(checkErrors(word, sampleErrors(word)).errno).toBe(0)
    word = noteError(word, -EIO)
    expect(checkErrors(word, heard.word).errno).toBe(-EIO)
    word = noteError(word, -ENOSPC)
    expect(checkErrors(word, heard.word).errno).toBe(-ENOSPC)
  })
})

/** Random stores, loads, write-backs, failures, truncations and forks: the disk ends as the model. */
test('random changes reach the disk', () => {
  const seed = Number(process.env.PAGODA_SEED ?? 12)
  const steps = Number(process.env.PAGODA_FUZZ_STEPS ?? 600)
  const random = new Random(seed)
  const pages = 8
  const { program, mm, object, address, disk, trouble } = boot(pages)
  const model = new Uint8Array(pages * PAGE)
  const children: Program[] = []
  for (let step = 0; step < steps; step++) {
    const who = random.pick([program, ...children])
    const at = random.below(pages * PAGE)
    const size = mm.objects.size(object)
    const what = random.below(12)
    if (what < 6) {
      const isThere = at < Math.ceil(size / PAGE) * PAGE
      const done = copyToUser(mm, who.space, address + at, Uint8Array.of(step))
      expect(done === 0, `seed ${seed} step ${step}`).toBe(isThere)
      if (at < size) model[at] = step
    } else if (what < 8) {
      trouble.errno = random.chance(0.3) ? -EIO : 0
      writeBackObject(mm, object, random.below(4), 4 + random.below(5))
    } else if (what === 8) {
      const bytes = random.below(pages * PAGE + 1)
      truncateObject(mm, object, bytes)
      if (bytes < size) model.fill(0, bytes)
      if (bytes < size) disk.fill(0, bytes)
    } else if (what === 9 && children.length < 3) children.push(who.fork()!)
    else if (what === 10 && children.length > 0) children.shift()!.exit()
    else {
      const byte = new Uint8Array(1)
      const count = mm.objects.read(object, at, byte)
      if (count === 1) expect(byte[0], `seed ${seed} step ${step}`).toBe(model[at])
    }
    if (step % 10 === 0) mm.check()
  }
  trouble.errno = 0
  expect(writeBackObject(mm, object)).toBe(0)
  const size = mm.objects.size(object)
  expect(Buffer.compare(disk.subarray(0, size), model.subarray(0, size)), `seed ${seed}`).toBe(0)
  expect(mm.objects.dirtyPages(object)).toBe(0)
  expect(program.touch(address, Access.read)).toBe(size > 0 ? FaultResult.ok : FaultResult.bus)
  mm.check()
})
