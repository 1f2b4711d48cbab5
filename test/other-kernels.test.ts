/**
 * Memory defects that other kernels have or had, each as a test of ours: what the defect was, and that it is not here. (More about
 * each stands in the tests of the part that it belongs to.)
 */
import { describe, expect, test } from 'vitest'
import { EntryFlag } from '../src/arch/memory-management-arch.js'
import { EINVAL, ENOEXEC, ENOMEM } from '../src/base/errno.js'
import { PAGE_SIZE as PAGE, pageOf, type Vpn } from '../src/base/numbers.js'
import { Access, FaultResult } from '../src/fault/access.js'
import { openFile, Program } from '../src/fault/testing.js'
import { copyFromUser, copyToUser, loadUser32, storeUser32 } from '../src/fault/user-copy.js'
import { FaultInjector } from '../src/frame/fault-injector.js'
import { isProblem, readElf } from '../src/linux/elf.js'
import { elfImage, TEXT } from '../src/linux/testing/elf-image.js'
import { mmInit } from '../src/mm.js'
import { FakeHart } from '../src/paging/testing/fake-hart.js'
import { AddressSpace } from '../src/space/address-space.js'
import { mapsText } from '../src/space/maps.js'
import { ObjectKind } from '../src/space/page-object.js'
import * as mman from '../src/syscall/mman.js'

const { PROT_NONE, PROT_READ, MAP_FIXED, MAP_ANONYMOUS } = mman
const RW = PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | MAP_ANONYMOUS
const SHARED = mman.MAP_SHARED | MAP_ANONYMOUS
const BASE = 0x10_0000_0000

/** First and last page (from BASE) and access of every mapping. */
function mappings({ mm, space }: Program): string[] {
  const lines = mapsText(mm, space, () => ({ device: '', inode: 0, path: '' }))
    .trimEnd()
    .split('\n')
  return lines.filter(Boolean).map((line) => {
    const [start, end, access] = line.split(/[- ]/)
    const page = (address: string) => (Number.parseInt(address, 16) - BASE) / PAGE
    return `${page(start!)}-${page(end!)} ${line.split(' ')[1] ?? access}`
  })
}

const store = ({ mm, space }: Program, address: number, value: number) =>
  storeUser32(mm, space, address, value)
const load = ({ mm, space }: Program, address: number) => loadUser32(mm, space, address)

describe('MAP_FIXED over several mappings took away only the first', () => {
  test('everything in the range is replaced, and what reaches in at the ends is cut', () => {
    const program = Program.boot()
    for (const [page, prot] of [
      [0, RW],
      [3, PROT_READ],
      [6, PROT_NONE],
      [9, RW],
    ] as const) {
      program.mmap(BASE + page * PAGE, 3 * PAGE, prot, PRIVATE | MAP_FIXED)
    }
    store(program, BASE, 1)
    store(program, BASE + 2 * PAGE, 2)
    store(program, BASE + 9 * PAGE, 3)
    expect(program.mmap(BASE + 2 * PAGE, 8 * PAGE, PROT_READ, PRIVATE | MAP_FIXED)).toBe(BASE + 2 * PAGE)
    expect(mappings(program)).toEqual(['0-2 rw-p', '2-10 r--p', '10-12 rw-p'])
    expect([0, 2, 9].map((page) => load(program, BASE + page * PAGE))).toEqual([1, 0, 0])
    program.mm.check()
  })
})

describe('the size of a segment in memory overflowed when its address was added', () => {
  test.each([2 ** 64 - 4096, 2 ** 63, 2 ** 48, 0x40_0000_0000 - TEXT + 1])('p_memsz %d', (memoryBytes) => {
    const bytes = elfImage({ segments: [{ address: TEXT, bytes: new Uint8Array(64), memoryBytes }] })
    const read = (at: number, target: Uint8Array) => {
      target.set(bytes.subarray(at, at + target.length))
      return Math.min(target.length, bytes.length - at)
    }
    const program = readElf({ size: bytes.length, read })
    expect(isProblem(program)).toBe(true)
    expect((program as { errno?: number }).errno ?? -ENOEXEC).toBeLessThan(0)
  })
})

describe('rounding up the length of munmap overflowed to 0, which was success', () => {
  test.each([2n ** 64n - 1n, 2n ** 64n - 4095n, 2n ** 64n - 4096n, 2n ** 63n])('length %d', (length) => {
    const program = Program.boot()
    program.mmap(BASE, 2 * PAGE, RW, PRIVATE | MAP_FIXED)
    expect(program.call('munmap', BASE, length)).toBe(-EINVAL)
    expect(program.call('munmap', 0, length)).toBe(-EINVAL)
    expect(mappings(program)).toEqual(['0-2 rw-p'])
  })
})

describe('madvise took any number for an advice', () => {
  test('undefined ones are EINVAL, also for no bytes and for a hole', () => {
    const program = Program.boot()
    program.mmap(BASE, PAGE, RW, PRIVATE | MAP_FIXED)
    const undefinedOnes = [-1, 5, 6, 7, 26, 99, 100, 101, 102, 1000, 2 ** 31]
    for (const advice of undefinedOnes) {
      expect(program.call('madvise', BASE, PAGE, advice), `${advice}`).toBe(-EINVAL)
      expect(program.call('madvise', BASE, 0, advice), `${advice}`).toBe(-EINVAL)
      expect(program.call('madvise', BASE + 64 * PAGE, PAGE, advice), `${advice}`).toBe(-EINVAL)
    }
    expect(program.call('madvise', BASE + 64 * PAGE, PAGE, mman.MADV_DONTNEED)).toBe(-ENOMEM)
  })
})

describe('fork copied memory that it was told to wipe', () => {
  test('MADV_WIPEONFORK gives the child zeroes, MADV_KEEPONFORK takes that back', () => {
    const parent = Program.boot()
    parent.mmap(BASE, 3 * PAGE, RW, PRIVATE | MAP_FIXED)
    for (const page of [0, 1, 2]) store(parent, BASE + page * PAGE, 7)
    expect(parent.call('madvise', BASE + PAGE, 2 * PAGE, mman.MADV_WIPEONFORK)).toBe(0)
    expect(parent.call('madvise', BASE + 2 * PAGE, PAGE, mman.MADV_KEEPONFORK)).toBe(0)
    const child = parent.fork()!
    expect([0, 1, 2].map((page) => load(child, BASE + page * PAGE))).toEqual([7, 0, 7])
    expect([0, 1, 2].map((page) => load(parent, BASE + page * PAGE))).toEqual([7, 7, 7])
    // And the child's child too: the advice is inherited.
    store(child, BASE + PAGE, 9)
    expect(load(child.fork()!, BASE + PAGE)).toBe(0)
    parent.mm.check()
  })
})

describe('shared anonymous pages became two after fork', () => {
  test('both sides see every store, to pages from before the fork and after it', () => {
    const parent = Program.boot()
    parent.mmap(BASE, 4 * PAGE, RW, SHARED | MAP_FIXED)
    store(parent, BASE, 1)
    const child = parent.fork()!
    store(child, BASE, 2)
    store(child, BASE + PAGE, 3)
    store(parent, BASE + 2 * PAGE, 4)
    const grandchild = child.fork()!
    store(grandchild, BASE + 3 * PAGE, 5)
    for (const program of [parent, child, grandchild]) {
      expect([0, 1, 2, 3].map((page) => load(program, BASE + page * PAGE))).toEqual([2, 3, 4, 5])
    }
    // Nor does taking write access away and giving it back part them.
    parent.call('mprotect', BASE, 4 * PAGE, PROT_READ)
    parent.call('mprotect', BASE, 4 * PAGE, RW)
    store(parent, BASE, 6)
    expect(load(child, BASE)).toBe(6)
    parent.mm.check()
  })
})

describe('write-protecting pages for fork was flushed on the local core only', () => {
  test('no hart that runs the parent may store by what it remembers, nor read the old page once it was copied', () => {
    const mm = mmInit({ bytes: 8 * 2 ** 20, harts: 3, debug: true })
    const program = new Program(mm, new AddressSpace(mm.memory, mm.spaces.create()), new FaultInjector())
    const vpn = pageOf(BASE) as Vpn
    program.mmap(BASE, PAGE, RW, PRIVATE | MAP_FIXED)
    store(program, BASE, 1)
    const harts = [0, 1, 2].map((n) => new FakeHart(mm, n))
    for (const n of [0, 1, 2]) mm.tlbs.activate(n, program.space.root)
    for (const hart of harts) expect(hart.access(vpn, EntryFlag.write)).toBe(true)
    const child = program.fork()!
    for (const hart of harts) {
      expect(hart.knows(vpn)).toBe(false)
      expect(hart.access(vpn, EntryFlag.write)).toBe(false)
      expect(hart.access(vpn, EntryFlag.read)).toBe(true)
    }
    expect(program.touch(BASE, Access.write)).toBe(FaultResult.ok)
    for (const hart of harts) expect(hart.knows(vpn)).toBe(false)
    store(program, BASE, 2)
    expect([load(program, BASE), load(child, BASE)]).toEqual([2, 1])
    mm.check()
  })
})

describe('brk answered with the end of the page', () => {
  test('the answer is the byte that was asked for; what cannot be leaves the one before', () => {
    const program = Program.boot()
    program.space.parts.brkStart = BASE
    program.space.parts.brk = BASE
    expect(program.call('brk', 0)).toBe(BASE)
    for (const bytes of [1, 4095, 4096, 4097, 12345, 10]) {
      expect(program.call('brk', BASE + bytes)).toBe(BASE + bytes)
      expect(program.call('brk', 0)).toBe(BASE + bytes)
    }
    expect(mappings(program)).toEqual(['0-1 rw-p'])
    expect(program.call('brk', BASE - 1)).toBe(BASE + 10)
    expect(program.call('brk', 2n ** 64n - 1n)).toBe(BASE + 10)
  })
})

describe('what was mapped around a fault came from the wrong place of the file', () => {
  test.each([
    [0, 0],
    [3, 0],
    [0, 5],
    [7, 9],
  ])('mapped %d pages off a window, at page %d of the file: every page holds its own', (shift, offset) => {
    const program = Program.boot()
    const { mm } = program
    const object = mm.objects.create(ObjectKind.tmpfs, 64 * PAGE)
    for (let page = 0; page < 64; page++) {
      mm.objects.write(object, page * PAGE, new Uint8Array(new Uint32Array([page]).buffer))
    }
    program.files.set(3, openFile(object))
    const at = BASE + shift * PAGE
    program.mmap(at, 40 * PAGE, PROT_READ, mman.MAP_SHARED | MAP_FIXED, 3, offset * PAGE)
    for (const touched of [20, 0, 39]) program.touch(at + touched * PAGE, Access.read)
    expect(program.space.counts.rssPages).toBeGreaterThan(3)
    for (let page = 0; page < 40; page++) expect(load(program, at + page * PAGE)).toBe(offset + page)
    mm.check()
  })
})

describe('writes in bulk went to the page of both after fork', () => {
  test('a system call that writes into memory copies it first, as a store does', () => {
    const parent = Program.boot()
    const { mm } = parent
    parent.mmap(BASE, 4 * PAGE, RW, PRIVATE | MAP_FIXED)
    const bytes = (value: number) => new Uint8Array(3 * PAGE).fill(value)
    const read = ({ space }: Program) => {
      const found = new Uint8Array(3 * PAGE)
      expect(copyFromUser(mm, space, BASE + 100, found)).toBe(0)
      return found
    }
    expect(copyToUser(mm, parent.space, BASE + 100, bytes(1))).toBe(0)
    const child = parent.fork()!
    expect(copyToUser(mm, parent.space, BASE + 100, bytes(2))).toBe(0)
    expect(read(child)).toEqual(bytes(1))
    expect(read(parent)).toEqual(bytes(2))
    expect(copyToUser(mm, child.space, BASE + 100, bytes(3))).toBe(0)
    expect(read(child)).toEqual(bytes(3))
    expect(read(parent)).toEqual(bytes(2))
    child.exit()
    expect(copyToUser(mm, parent.space, BASE + 100, bytes(4))).toBe(0)
    expect(read(parent)).toEqual(bytes(4))
    mm.check()
  })
})
