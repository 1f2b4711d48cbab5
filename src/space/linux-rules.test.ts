/** Single rules of Linux 6.12 on riscv64; the numbers of the placement tests were seen on the real kernel. */
import { beforeEach, describe, expect, test } from 'vitest'
import { EAGAIN, EEXIST, EFAULT, EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import { PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import { Access } from '../fault/access.js'
import { handleFault } from '../fault/handle-fault.js'
import type { MemoryManager } from '../mm.js'
import { AddressSpace } from './address-space.js'
import { expandStack } from './expand-stack.js'
import { lockRange } from './lock-range.js'
import { type MapRequest, mapRegion } from './map-region.js'
import { mapsText } from './maps.js'
import { ObjectKind } from './page-object.js'
import { mapBaseFor } from './placement.js'
import { protectRange } from './protect-range.js'
import { remapRange } from './remap-range.js'
import { residency } from './residency.js'
import { setBrk } from './set-brk.js'
import {
  anonymous,
  bootMachine,
  inUse,
  layout,
  locked,
  pokePage,
  shared,
  type TestMachine,
} from './testing.js'
import { mapCountMax } from './tunables.js'
import { unmapRange } from './unmap-range.js'
import {
  VM_DONTEXPAND,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAY_ACCESS,
  VM_NORESERVE,
  VM_READ,
  VM_WRITE,
} from './vm-flags.js'
import { Special } from './vma.js'

const RW = VM_READ | VM_WRITE
const MIB = 256
const GIB = 1024 * MIB

let machine: TestMachine
let mm: MemoryManager
let space: AddressSpace

beforeEach(() => {
  machine = bootMachine()
  mm = machine.mm
  space = new AddressSpace(mm.memory, mm.spaces.create())
})

function map(request: MapRequest): number {
  const result = locked(mm, space, () => mapRegion(mm, space, request))
  mm.spaces.check()
  return result
}

/** mmap(0, pages): the page that the kernel chooses. */
function place(pages: number, prot: number, more = 0): number {
  const request = anonymous(0, pages, prot, false)
  return map({ ...request, flags: request.flags | more })
}

function run(operation: () => number): number {
  const result = locked(mm, space, operation)
  mm.spaces.check()
  return result
}

function protect(start: number, end: number, prot: number): number {
  return run(() => protectRange(mm, space, start as Vpn, end as Vpn, prot))
}

function remap(start: number, oldPages: number, newPages: number, target = 0, mayMove = true): number {
  const fixed = target > 0
  const rest = { keepOld: false, target: target as Vpn, start: start as Vpn }
  return run(() => remapRange(mm, space, { oldPages, newPages, mayMove, fixed, ...rest }))
}

function touch(vpn: number): void {
  expect(pokePage(mm, space, vpn as Vpn, 1)).toBe(0)
}

describe('placement', () => {
  test('is top-down, and multiples of 2 MiB are aligned when they are anonymous', () => {
    space.mapBase = 0x3f818fb as Vpn
    expect(place(1, VM_READ)).toBe(0x3f818fa)
    expect(place(2 * MIB, RW)).toBe(0x3f81600)
    expect(place(4 * MIB + 1, VM_READ | VM_EXEC)).toBe(0x3f811ff)
    const object = mm.objects.create(ObjectKind.anonymousShared, 2 * MIB * PAGE_SIZE)
    const request = { ...shared(0, 2 * MIB, RW, object), fixed: false }
    expect(map(request)).toBe(0x3f80fff)
    expect(place(1, VM_READ)).toBe(0x3f818f9)
    expect(place(2 * MIB, RW)).toBe(0x3f80c00)
    expect(place(4 * MIB + 1, VM_READ | VM_EXEC)).toBe(0x3f807ff)
    expect(map(request)).toBe(0x3f805ff)
    expect(place(2, RW, VM_GROWSDOWN)).toBe(0x3f818f7)
    expect(place(2, RW)).toBe(0x3f80ffd)
  })

  test('takes a wish that is free, not one too low, and keeps the guard gap free', () => {
    expect(map(anonymous(0x1000000, 1, RW, false))).toBe(0x1000000)
    expect(map(anonymous(0x1000000, 1, RW, false))).toBe(space.mapBase - 1)
    expect(map(anonymous(1, 1, RW, false))).toBe(8)
    expect(map({ ...anonymous(5000, 4, RW), flags: VM_MAY_ACCESS | RW | VM_GROWSDOWN })).toBe(5000)
    expect(map(anonymous(4744, 1, VM_READ, false))).not.toBe(4744)
    expect(map(anonymous(4743, 1, VM_READ, false))).toBe(4743)
  })

  test('a fixed place is taken as it is, even page 0, but not beyond the end', () => {
    expect(map(anonymous(0, 2, RW))).toBe(0)
    expect(map(anonymous(mm.arch.userEnd - 1, 1, RW))).toBe(mm.arch.userEnd - 1)
    expect(map(anonymous(mm.arch.userEnd - 1, 2, RW))).toBe(-ENOMEM)
    expect(map({ ...anonymous(0, 1, RW), noReplace: true })).toBe(-EEXIST)
    expect(map({ ...anonymous(2, 1, RW), noReplace: true })).toBe(2)
  })

  test('goes upwards when everything below the base is full', () => {
    const third = Math.ceil((mm.arch.userEnd * 2) / 3)
    expect(map(anonymous(8, space.mapBase - 8, 0))).toBe(8)
    expect(place(3, VM_READ)).toBe(space.mapBase)
    expect(run(() => unmapRange(mm, space, third as Vpn, (third + 3) as Vpn))).toBe(0)
    expect(place(3, VM_READ)).toBe(third)
    expect(place(mm.arch.userEnd, 0)).toBe(-ENOMEM)
  })

  test('the base leaves room for the stack', () => {
    const end = mm.arch.userEnd
    expect(mapBaseFor(end, 8 * 2 ** 20)).toBe(end - 128 * MIB)
    expect(mapBaseFor(end, 2 ** 30)).toBe(end - 1024 * MIB - 256)
    expect(mapBaseFor(end, 250 * 2 ** 30)).toBe(0xaa_aaab)
    expect(mapBaseFor(end, 8 * 2 ** 20, 5, 0x3ffff)).toBe(end - 0x3ffff - 8 * MIB - 256 - 5)
  })
})

describe('reservations', () => {
  test.each([
    ['PROT_NONE', 0, 0],
    ['NORESERVE', RW, VM_NORESERVE],
  ])('64 GiB %s cost a few kilobytes', (_name, prot, more) => {
    mm.slab.shrink()
    const before = mm.buddy.freeFrames()
    expect(place(64 * GIB, prot, more)).toBeGreaterThan(0)
    expect(before - mm.buddy.freeFrames()).toBeLessThanOrEqual(3)
    expect(space.counts.totalPages).toBe(64 * GIB)
  })

  test('what could never fit in memory is refused, unless told not to reserve', () => {
    expect(place(64 * GIB, RW)).toBe(-ENOMEM)
    const start = place(64 * GIB, 0)
    expect(protect(start, start + 64 * GIB, RW)).toBe(-ENOMEM)
    expect(protect(start, start + 100, RW)).toBe(0)
  })
})

describe('merging', () => {
  test('joins what is alike, on both sides', () => {
    map(anonymous(100, 2, RW))
    map(anonymous(104, 2, RW))
    map(anonymous(102, 2, RW))
    expect(layout(mm, space)).toEqual(['100-106:rw-p'])
    protect(102, 104, VM_READ)
    expect(layout(mm, space)).toEqual(['100-102:rw-p', '102-104:r--p', '104-106:rw-p'])
    protect(102, 104, RW)
    expect(layout(mm, space)).toEqual(['100-106:rw-p'])
  })

  test('memory with pages joins new memory when that is new, not by mprotect (6.12)', () => {
    map(anonymous(100, 2, RW))
    touch(100)
    map(anonymous(102, 2, RW))
    expect(layout(mm, space)).toEqual(['100-104:rw-p'])
    map(anonymous(200, 2, RW))
    map(anonymous(202, 2, VM_READ))
    touch(200)
    protect(200, 202, VM_READ)
    expect(layout(mm, space)).toEqual(['100-104:rw-p', '200-202:r--p', '202-204:r--p'])
  })

  test('two families never join, neighbours share one from the start', () => {
    map(anonymous(100, 2, RW))
    map(anonymous(104, 2, RW))
    touch(100)
    touch(104)
    map(anonymous(102, 2, RW))
    expect(layout(mm, space)).toEqual(['100-104:rw-p', '104-106:rw-p'])
    map(anonymous(200, 2, RW))
    map(anonymous(202, 2, RW | VM_EXEC))
    touch(200)
    touch(202)
    protect(202, 204, RW)
    expect(layout(mm, space).slice(2)).toEqual(['200-204:rw-p'])
  })

  test('moved memory keeps its offset once it has pages', () => {
    map(anonymous(100, 4, RW))
    expect(remap(102, 2, 2, 200)).toBe(200)
    map(anonymous(202, 2, RW))
    expect(layout(mm, space)).toEqual(['100-102:rw-p', '200-204:rw-p'])
    touch(100)
    expect(remap(101, 1, 1, 300)).toBe(300)
    map(anonymous(301, 2, RW))
    expect(layout(mm, space)).toEqual(['100-101:rw-p', '200-204:rw-p', '300-301:rw-p', '301-303:rw-p'])
  })

  test('objects join where the offsets go on, in one open file', () => {
    const object = mm.objects.create(ObjectKind.tmpfs, 100 * PAGE_SIZE)
    map(shared(100, 2, VM_READ, object, 5))
    map(shared(102, 2, VM_READ, object, 7))
    map(shared(104, 2, VM_READ, object, 7))
    map({ ...shared(106, 2, VM_READ, object, 9), file: 3 })
    expect(layout(mm, space)).toEqual(['100-104:r--s:1+5', '104-106:r--s:1+7', '106-108:r--s:1+9'])
    run(() => unmapRange(mm, space, 101 as Vpn, 102 as Vpn))
    expect(layout(mm, space)[1]).toBe('102-104:r--s:1+7')
    expect(mm.objects.references(object)).toBe(5)
  })

  test('an untouched mapping that is moved next to itself is cut right', () => {
    map(anonymous(100, 10, RW))
    expect(remap(106, 4, 6, 110)).toBe(110)
    expect(layout(mm, space)).toEqual(['100-106:rw-p', '110-116:rw-p'])
    expect(remap(100, 3, 3, 97)).toBe(97)
    expect(layout(mm, space)).toEqual(['97-100:rw-p', '103-106:rw-p', '110-116:rw-p'])
  })
})

describe('mremap', () => {
  test('old size 0 makes a second view of shared memory, and is refused for private', () => {
    const object = mm.objects.create(ObjectKind.anonymousShared, 4 * PAGE_SIZE)
    map(shared(100, 4, RW, object))
    const start = remap(101, 0, 2)
    expect(layout(mm, space)).toEqual(['100-104:rw-s:1+0', `${start}-${start + 2}:rw-s:1+1`])
    map(anonymous(200, 4, RW))
    expect(remap(200, 0, 2)).toBe(-EINVAL)
  })

  test('says what Linux says when it cannot', () => {
    map(anonymous(100, 4, RW))
    map(anonymous(105, 1, VM_READ))
    expect(remap(99, 1, 2)).toBe(-EFAULT)
    expect(remap(100, 5, 6)).toBe(-EFAULT)
    expect(remap(100, 4, 7, 0, false)).toBe(-ENOMEM)
    expect(remap(100, 4, 5, 0, false)).toBe(100)
    expect(remap(100, 4, 4, 102)).toBe(-EINVAL)
    map({ ...anonymous(200, 2, RW), flags: VM_MAY_ACCESS | RW | VM_DONTEXPAND })
    expect(remap(200, 2, 3)).toBe(-EFAULT)
    space.limitLocked = 0
    map(anonymous(300, 2, VM_READ))
    space.limitLocked = 2 * PAGE_SIZE
    expect(run(() => lockRange(mm, space, 300 as Vpn, 302 as Vpn, VM_LOCKED))).toBe(0)
    expect(remap(300, 2, 3)).toBe(-EAGAIN)
    expect(space.counts.lockedPages).toBe(2)
  })
})

describe('stack', () => {
  const STACK = VM_MAY_ACCESS | RW | VM_GROWSDOWN
  const grow = (to: number) => run(() => expandStack(mm, space, mm.vmas.find(space, 5000 as Vpn), to as Vpn))

  beforeEach(() => {
    map({ ...anonymous(5000, 4, RW), flags: STACK })
  })

  test('grows by a fault, down to its limit', () => {
    space.limitStack = 100 * PAGE_SIZE
    expect(handleFault(mm, space, 4904 as Vpn, Access.write)).toBe(0)
    expect(layout(mm, space)).toEqual(['4904-5004:rw-p'])
    expect(space.counts.stackPages).toBe(100)
    expect(grow(4903)).toBe(-ENOMEM)
  })

  test('keeps 256 pages from what can be accessed, none from what cannot', () => {
    map(anonymous(4500, 10, VM_READ))
    expect(grow(4510 + 255)).toBe(-ENOMEM)
    expect(grow(4510 + 256)).toBe(0)
    protect(4500, 4510, 0)
    expect(grow(4510)).toBe(0)
  })

  test('only stacks grow, and not into the lowest pages', () => {
    map(anonymous(6000, 1, RW))
    expect(run(() => expandStack(mm, space, mm.vmas.find(space, 6000 as Vpn), 5999 as Vpn))).toBe(-EFAULT)
    expect(grow(7)).toBe(-EPERM)
  })

  test('mprotect with PROT_GROWSDOWN starts where the stack does', () => {
    const change = (vpn: number) => run(() => protectRange(mm, space, vpn as Vpn, (vpn + 1) as Vpn, 1, true))
    expect(change(5002)).toBe(0)
    expect(layout(mm, space)).toEqual(['5000-5003:r--p', '5003-5004:rw-p'])
    map(anonymous(6000, 1, RW))
    expect(change(6000)).toBe(-EINVAL)
  })
})

describe('limits', () => {
  test('RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK', () => {
    space.limitAddressSpace = 10 * PAGE_SIZE
    expect(map(anonymous(100, 11, VM_READ))).toBe(-ENOMEM)
    expect(map(anonymous(100, 10, VM_READ))).toBe(100)
    expect(map(anonymous(105, 5, VM_READ))).toBe(105)
    space.limitAddressSpace = 20 * PAGE_SIZE
    space.limitData = 3 * PAGE_SIZE
    expect(protect(100, 104, RW)).toBe(-ENOMEM)
    expect(protect(100, 103, RW)).toBe(0)
    space.limitLocked = PAGE_SIZE
    const wish = anonymous(100, 2, VM_READ)
    expect(map({ ...wish, flags: wish.flags | VM_LOCKED })).toBe(-EAGAIN)
  })

  test('65,530 mappings, and one that mmap still gives, as Linux does', () => {
    const big = bootMachine(64)
    const other = new AddressSpace(big.mm.memory, big.mm.spaces.create())
    const call = (operation: () => number) => locked(big.mm, other, operation)
    for (let i = 0; i <= mapCountMax(big.mm); i++) {
      expect(call(() => mapRegion(big.mm, other, anonymous(100 + i * 4, 3, VM_READ)))).toBe(100 + i * 4)
    }
    expect(other.vmaCount).toBe(mapCountMax(big.mm) + 1)
    expect(call(() => mapRegion(big.mm, other, anonymous(10, 1, VM_READ)))).toBe(-ENOMEM)
    expect(call(() => unmapRange(big.mm, other, 101 as Vpn, 102 as Vpn))).toBe(-ENOMEM)
    expect(call(() => protectRange(big.mm, other, 101 as Vpn, 102 as Vpn, 0))).toBe(-ENOMEM)
    expect(call(() => unmapRange(big.mm, other, 101 as Vpn, 103 as Vpn))).toBe(0)
    big.mm.vmas.check(other)
    big.mm.spaces.release(other.ptr)
    expect(inUse(big)).toMatch(/vma 0, vma_node 0, space 0/)
  })
})

describe('brk', () => {
  const HEAP = 1000 * PAGE_SIZE
  const brk = (address: number) => run(() => setBrk(mm, space, address))

  beforeEach(() => {
    space.parts.brkStart = HEAP + 100
    space.parts.brk = HEAP + 100
  })

  test('moves in bytes, maps in pages', () => {
    expect(brk(0)).toBe(HEAP + 100)
    expect(brk(HEAP + 5000)).toBe(HEAP + 5000)
    expect(layout(mm, space)).toEqual(['1001-1002:rw-p'])
    expect(brk(HEAP + 5001)).toBe(HEAP + 5001)
    expect(brk(HEAP + 100)).toBe(HEAP + 100)
    expect(layout(mm, space)).toEqual([])
  })

  test('keeps a page free above, and a guard gap below a stack', () => {
    map(anonymous(1010, 1, RW))
    expect(brk(1009 * PAGE_SIZE)).toBe(1009 * PAGE_SIZE)
    expect(brk(1009 * PAGE_SIZE + 1)).toBe(1009 * PAGE_SIZE)
    map({ ...anonymous(1300, 1, RW), flags: VM_MAY_ACCESS | RW | VM_GROWSDOWN })
    run(() => unmapRange(mm, space, 1010 as Vpn, 1011 as Vpn))
    expect(brk(1044 * PAGE_SIZE)).toBe(1009 * PAGE_SIZE)
    expect(brk(1043 * PAGE_SIZE)).toBe(1043 * PAGE_SIZE)
  })
})

test('mincore reports mapping by mapping, and cached pages of objects', () => {
  const object = mm.objects.create(ObjectKind.tmpfs, 4 * PAGE_SIZE)
  mm.objects.write(object, 2 * PAGE_SIZE, new Uint8Array([1]))
  map(anonymous(100, 3, RW))
  map(shared(103, 4, VM_READ, object))
  touch(101)
  const target = new Uint8Array(10).fill(9)
  const always = () => true
  expect(run(() => residency(mm, space, 100 as Vpn, target, always))).toBe(3)
  expect(run(() => residency(mm, space, 103 as Vpn, target.subarray(3), always))).toBe(4)
  expect(run(() => residency(mm, space, 107 as Vpn, target, always))).toBe(-ENOMEM)
  expect([...target]).toEqual([0, 1, 0, 0, 0, 1, 0, 9, 9, 9])
  expect(run(() => residency(mm, space, 100 as Vpn, target, () => false))).toBe(3)
  expect(run(() => residency(mm, space, 103 as Vpn, target.subarray(3), () => false))).toBe(4)
  expect([...target]).toEqual([0, 1, 0, 1, 1, 1, 1, 9, 9, 9])
})

test('maps is written as Linux writes it', () => {
  const object: Ptr = mm.objects.create(ObjectKind.tmpfs, 99 * PAGE_SIZE)
  map({ ...shared(0x10, 0x62, VM_READ | VM_EXEC, object, 1), flags: VM_MAY_ACCESS | 5 })
  map(shared(0x3f7fbff, 1, RW, object))
  map(anonymous(0x79, 6, RW))
  map(anonymous(0x3e9b8, 1, RW))
  space.parts.brkStart = 0x3e9b8000
  space.parts.brk = 0x3e9b9000
  const vdso = { flags: VM_MAY_ACCESS | 5 | VM_DONTEXPAND, special: Special.vdso }
  map({ ...anonymous(0x3f818fd, 1, 0), ...vdso })
  map({ ...anonymous(0x3ff4fe7, 0x21, RW), flags: VM_MAY_ACCESS | RW | VM_GROWSDOWN })
  space.parts.stackStart = 0x3ff5007000
  const text = mapsText(mm, space, ({ start }) =>
    start === 0x10
      ? { device: '00:02', inode: 6, path: '/pro\ngram' }
      : { device: '00:01', inode: 4, path: '/dev/zero (deleted)' },
  )
  expect(text.split('\n')).toEqual([
    '00010000-00072000 r-xp 00001000 00:02 6                                  /pro\\012gram',
    '00079000-0007f000 rw-p 00000000 00:00 0 ',
    '3e9b8000-3e9b9000 rw-p 00000000 00:00 0                                  [heap]',
    '3f7fbff000-3f7fc00000 rw-s 00000000 00:01 4                              /dev/zero (deleted)',
    '3f818fd000-3f818fe000 r-xp 00000000 00:00 0                              [vdso]',
    '3ff4fe7000-3ff5008000 rw-p 00000000 00:00 0                              [stack]',
    '',
  ])
})
