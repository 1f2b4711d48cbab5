import { describe, expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Vpn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import { ObjectKind } from '../space/page-object.js'
import { truncateObject } from '../space/truncate.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { openFile, Program } from './testing.js'
import { copyFromUser, copyToUser } from './user-copy.js'

const { PROT_READ: R, PROT_WRITE: W, PROT_EXEC: X } = mman
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const SHARED = mman.MAP_SHARED | mman.MAP_ANONYMOUS
const PAGE = 4096

/** How often each kind of fault happened since the last call. (Frames are counted where they are allocated.) */
function counting(program: Program) {
  const read = () => Object.values(Counter).map((counter) => counted(program.mm.memory, counter))
  let before = read()
  return (): Partial<Record<keyof typeof Counter, number>> => {
    const now = read()
    const names = Object.keys(Counter) as (keyof typeof Counter)[]
    const changed = names
      .map((name, i) => [name, now[i]! - before[i]!] as const)
      .filter(([name, n]) => n > 0 && !/^(frames|resolved)/.test(name))
    before = now
    return Object.fromEntries(changed)
  }
}

function translate(program: Program, address: number): { pfn: number; flags: number } {
  const mapper = new UserMapper(program.mm, program.space.root)
  expect(mapper.translate((address / PAGE) as Vpn)).toBe(true)
  return { pfn: mapper.lastPfn, flags: mapper.lastFlags }
}

function text(program: Program, address: number, length: number): string {
  const bytes = new Uint8Array(length)
  expect(copyFromUser(program.mm, program.space, address, bytes)).toBe(0)
  return new TextDecoder().decode(bytes)
}

function put(program: Program, address: number, what: string): number {
  return copyToUser(program.mm, program.space, address, new TextEncoder().encode(what))
}

describe('access_error of riscv64', () => {
  const all = [0, R, W, R | W, X, R | X, W | X, R | W | X]
  const allowed = {
    [Access.read]: (prot: number) => (prot & (R | W)) !== 0,
    [Access.write]: (prot: number) => (prot & W) !== 0,
    [Access.execute]: (prot: number) => (prot & X) !== 0,
  }
  test.each([Access.read, Access.write, Access.execute])('access %i against all protections', (access) => {
    const program = Program.boot()
    for (const prot of all) {
      const address = program.mmap(0, PAGE, prot, PRIVATE)
      const expected = allowed[access](prot) ? FaultResult.ok : FaultResult.segvAccErr
      expect(program.touch(address, access)).toBe(expected)
      if (expected !== FaultResult.ok) continue
      const { flags } = translate(program, address)
      expect((flags & EntryFlag.write) !== 0).toBe(access === Access.write)
      expect((flags & EntryFlag.read) !== 0).toBe((prot & (R | W)) !== 0)
      expect((flags & EntryFlag.execute) !== 0).toBe((prot & X) !== 0)
    }
    program.mm.check()
  })
})

test('addresses where nothing is: SEGV_MAPERR', () => {
  const program = Program.boot()
  const address = program.mmap(0, PAGE, R, PRIVATE)
  const end = program.mm.arch.userEnd * PAGE
  for (const wild of [0, address - PAGE, address + PAGE, end - PAGE, end, -PAGE, -(2 ** 38), 2 ** 60]) {
    expect(program.touch(wild, Access.read)).toBe(FaultResult.segvMapErr)
  }
  expect(program.space.counts.minorFaults).toBe(0)
  expect(counted(program.mm.memory, Counter.faultSegv)).toBe(8)
})

test('anonymous memory: zero page, then a frame, then nothing more to do', () => {
  const program = Program.boot()
  const count = counting(program)
  const address = program.mmap(0, 2 * PAGE, R | W, PRIVATE)
  expect(program.touch(address, Access.read)).toBe(FaultResult.ok)
  expect(program.touch(address + PAGE, Access.read)).toBe(FaultResult.ok)
  expect(translate(program, address).pfn).toBe(translate(program, address + PAGE).pfn)
  expect(program.space.counts.rssAnonymous).toBe(0)
  expect(count()).toEqual({ faultZeroPage: 2 })
  expect(program.touch(address, Access.write)).toBe(FaultResult.ok)
  expect(program.space.counts.rssAnonymous).toBe(1)
  expect(count()).toEqual({ faultAnonymous: 1 })
  expect(program.touch(address, Access.write)).toBe(FaultResult.ok)
  expect(program.touch(address, Access.read)).toBe(FaultResult.ok)
  expect(count()).toEqual({ faultSpurious: 2 })
  expect(program.space.counts.minorFaults).toBe(5)
  program.mm.check()
})

test('a recycled frame is zeroed', () => {
  const program = Program.boot()
  const first = program.mmap(0, PAGE, R | W, PRIVATE)
  expect(put(program, first, 'secret')).toBe(0)
  const { pfn } = translate(program, first)
  program.call('munmap', first, PAGE)
  const second = program.mmap(0, PAGE, R | W, PRIVATE)
  expect(program.touch(second, Access.write)).toBe(FaultResult.ok)
  expect(translate(program, second).pfn).toBe(pfn)
  expect(text(program, second, 6)).toBe('\0\0\0\0\0\0')
})

test('copy-on-write: the first writer copies, the last one writes in place', () => {
  const program = Program.boot()
  const address = program.mmap(0, PAGE, R | W, PRIVATE)
  put(program, address, 'parent')
  const child = program.fork()!
  const { pfn, flags } = translate(program, address)
  expect(flags & EntryFlag.write).toBe(0)
  const count = counting(program)
  expect(put(child, address, 'child!')).toBe(0)
  expect(count()).toEqual({ faultCopy: 1 })
  expect(put(program, address, 'mother')).toBe(0)
  expect(count()).toEqual({ faultReuse: 1 })
  expect(translate(program, address).pfn).toBe(pfn)
  expect(text(program, address, 6) + text(child, address, 6)).toBe('motherchild!')
  program.mm.check()
})

test('the zero page survives fork and writing in both', () => {
  const program = Program.boot()
  const address = program.mmap(0, PAGE, R | W, PRIVATE)
  program.touch(address, Access.read)
  const child = program.fork()!
  put(child, address, 'c')
  put(program, address, 'p')
  expect(text(program, address, 1) + text(child, address, 1)).toBe('pc')
  program.mm.check()
})

test('mprotect takes rights at once and gives them back without losing the page', () => {
  const program = Program.boot()
  const address = program.mmap(0, PAGE, R | W, PRIVATE)
  put(program, address, 'kept')
  expect(program.call('mprotect', address, PAGE, 0)).toBe(0)
  expect(program.touch(address, Access.read)).toBe(FaultResult.segvAccErr)
  expect(put(program, address, 'x')).toBeLessThan(0)
  expect(program.call('mprotect', address, PAGE, R | W)).toBe(0)
  expect(program.touch(address, Access.write)).toBe(FaultResult.ok)
  expect(text(program, address, 4)).toBe('kept')
  program.mm.check()
})

describe('objects', () => {
  function withFile(contents: string, size = contents.length) {
    const program = Program.boot()
    const { objects } = program.mm
    const object = objects.create(ObjectKind.tmpfs, size)
    objects.write(object, 0, new TextEncoder().encode(contents))
    program.files.set(3, openFile(object))
    return { program, object, objects }
  }

  test('a private mapping sees the file until it writes, and the file never sees the write', () => {
    const { program, object, objects } = withFile('original')
    const count = counting(program)
    const address = program.mmap(0, PAGE, R | W, mman.MAP_PRIVATE, 3)
    expect(text(program, address, 8)).toBe('original')
    expect(count()).toEqual({ faultFile: 1 })
    objects.write(object, 0, new TextEncoder().encode('O'))
    expect(text(program, address, 8)).toBe('Original')
    put(program, address, 'mine')
    expect(count()).toEqual({ faultCopy: 1 })
    const bytes = new Uint8Array(8)
    objects.read(object, 0, bytes)
    expect(new TextDecoder().decode(bytes)).toBe('Original')
    expect(text(program, address, 8)).toBe('mineinal')
    expect([program.space.counts.rssAnonymous, program.space.counts.rssShared]).toEqual([1, 0])
    program.mm.check()
  })

  test('a shared mapping and write(2) see each other', () => {
    const { program, object, objects } = withFile('12345678')
    const address = program.mmap(0, PAGE, R | W, mman.MAP_SHARED, 3)
    put(program, address, 'ab')
    objects.write(object, 2, new TextEncoder().encode('cd'))
    expect(text(program, address, 8)).toBe('abcd5678')
    expect(program.space.counts.rssShared).toBe(1)
    program.mm.check()
  })

  test('past the last page of the object: SIGBUS; in it, zeroes', () => {
    const { program } = withFile('abc')
    const address = program.mmap(0, 3 * PAGE, R | W, mman.MAP_SHARED, 3)
    const free = program.mm.buddy.freeFrames()
    expect(program.touch(address + PAGE, Access.write)).toBe(FaultResult.bus)
    expect(program.touch(address + 2 * PAGE, Access.write)).toBe(FaultResult.bus)
    expect(free - program.mm.buddy.freeFrames(), 'the table above stays').toBe(1)
    expect(program.touch(address + PAGE, Access.read)).toBe(FaultResult.bus)
    expect(program.touch(address + 2 * PAGE, Access.read)).toBe(FaultResult.bus)
    expect(program.space.counts.rssShared, 'what is there beside it was mapped').toBe(1)
    expect(text(program, address, 5)).toBe('abc\0\0')
    expect(program.touch(2 ** 52, Access.read)).toBe(FaultResult.segvMapErr)
    const far = program.mmap(0, PAGE, R, mman.MAP_SHARED, 3, 2n ** 62n)
    expect(program.touch(far, Access.read)).toBe(FaultResult.bus)
    program.mm.check()
  })

  test('truncation unmaps everywhere, private copies too, and zeroes the cut page', () => {
    const { program, object } = withFile('x'.repeat(3 * PAGE))
    const shared = program.mmap(0, 3 * PAGE, R | W, mman.MAP_SHARED, 3)
    const own = program.mmap(0, 3 * PAGE, R | W, mman.MAP_PRIVATE, 3)
    for (let i = 0; i < 3; i++) put(program, own + i * PAGE, 'own')
    for (let i = 0; i < 3; i++) put(program, shared + i * PAGE, 'shared')
    const child = program.fork()!
    text(child, shared, 3 * PAGE)
    truncateObject(program.mm, object, PAGE + 3)
    for (const each of [program, child]) {
      expect(each.touch(shared + 2 * PAGE, Access.read)).toBe(FaultResult.bus)
      expect(each.touch(own + 2 * PAGE, Access.read)).toBe(FaultResult.bus)
      expect(text(each, shared + PAGE, 6)).toBe('sha\0\0\0')
      expect(text(each, own + PAGE, 6)).toBe('ownxxx')
    }
    program.mm.check()
    truncateObject(program.mm, object, 2 * PAGE)
    expect(text(program, shared + PAGE, 6)).toBe('sha\0\0\0')
    program.mm.check()
  })

  test('a provider is asked once, told of changes, and its refusal is SIGBUS', () => {
    const program = Program.boot()
    const { objects } = program.mm
    const asked: number[] = []
    const written: string[] = []
    objects.providers.set(7, {
      readPage(_id, index, target) {
        asked.push(index)
        if (index === 1) return -5
        target.fill(65 + index)
        return 0
      },
      writePage(_id, index, source) {
        written.push(`${index}:${source.length}:${new TextDecoder().decode(source.subarray(0, 3))}`)
        return 0
      },
    })
    const object = objects.create(ObjectKind.provided, 2 * PAGE + 10, 7)
    program.files.set(3, openFile(object))
    const address = program.mmap(0, 3 * PAGE, R | W, mman.MAP_SHARED, 3)
    const count = counting(program)
    expect(text(program, address, 3)).toBe('AAA')
    expect(count()).toEqual({ faultFile: 1, faultMajor: 1, pagesRead: 1 })
    expect(program.touch(address + PAGE, Access.read)).toBe(FaultResult.bus)
    expect(program.call('msync', address, 3 * PAGE, mman.MS_SYNC)).toBe(0)
    expect(written).toEqual([])
    put(program, address, 'new')
    put(program, address + 2 * PAGE, 'end')
    expect(asked).toEqual([0, 1, 2])
    expect(program.call('msync', address, 3 * PAGE, mman.MS_SYNC)).toBe(0)
    expect(written).toEqual(['0:4096:new', '2:10:end'])
    expect([program.space.counts.rssFile, program.space.counts.majorFaults]).toEqual([2, 2])
    program.mm.check()
  })

  test('MADV_REMOVE makes a hole for everybody', () => {
    const program = Program.boot()
    const address = program.mmap(0, 2 * PAGE, R | W, SHARED)
    put(program, address, 'gone')
    put(program, address + PAGE, 'kept')
    const child = program.fork()!
    expect(text(child, address, 4)).toBe('gone')
    expect(program.call('madvise', address, PAGE, mman.MADV_REMOVE)).toBe(0)
    expect(text(child, address, 4)).toBe('\0\0\0\0')
    expect(text(program, address + PAGE, 4)).toBe('kept')
    program.mm.check()
  })
})

describe('stack growth', () => {
  const GROWS = PRIVATE | mman.MAP_GROWSDOWN
  test('a touch below grows it, the limit and the gap stop it', () => {
    const program = Program.boot(16)
    const top = 0x20_0000_0000
    const stack = program.mmap(top - PAGE, PAGE, R | W, GROWS | mman.MAP_FIXED)
    const count = counting(program)
    expect(program.touch(stack - 100 * PAGE, Access.write)).toBe(FaultResult.ok)
    expect(count()).toMatchObject({ faultStackGrowth: 1, faultAnonymous: 1 })
    expect(program.space.counts.stackPages).toBe(101)
    expect(program.touch(top - 8 * 2 ** 20, Access.write)).toBe(FaultResult.ok)
    expect(program.touch(top - 8 * 2 ** 20 - PAGE, Access.write)).toBe(FaultResult.segvMapErr)
    program.mm.check()
  })

  test('256 pages stay free above another mapping', () => {
    const program = Program.boot()
    const top = 0x20_0000_0000
    program.mmap(top - 1000 * PAGE, PAGE, R, PRIVATE | mman.MAP_FIXED)
    program.mmap(top - PAGE, PAGE, R | W, GROWS | mman.MAP_FIXED)
    expect(program.touch(top - 744 * PAGE, Access.write)).toBe(FaultResult.segvMapErr)
    expect(program.touch(top - 743 * PAGE, Access.write)).toBe(FaultResult.ok)
    program.mm.check()
  })
})

test('populate: private memory is written to, a hole in it is none of its business', () => {
  const program = Program.boot()
  const address = program.mmap(0, 4 * PAGE, R | W, PRIVATE | mman.MAP_POPULATE)
  expect(program.space.counts.rssAnonymous).toBe(4)
  const executable = program.mmap(0, PAGE, X, PRIVATE | mman.MAP_POPULATE)
  expect(translate(program, executable).flags & EntryFlag.execute).not.toBe(0)
  const none = program.mmap(0, PAGE, 0, PRIVATE | mman.MAP_POPULATE)
  expect(program.touch(none, Access.read)).toBe(FaultResult.segvAccErr)
  expect(program.call('madvise', address, PAGE, mman.MADV_POPULATE_WRITE)).toBe(0)
  program.mm.check()
})
