import { describe, expect, test } from 'vitest'
import { InvariantError } from '../base/assert.js'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { BootMemoryMap } from './boot-memory-map.js'
import type { BuddyAllocator } from './buddy-allocator.js'
import { largestOrder, orderFor } from './frame-allocator.js'
import { FrameFlag } from './frame-table.js'
import { attachFrames, bootFrames, fillFrame, frameIs, MIB } from './testing.js'

function allocateAll({ buddy }: ReturnType<typeof bootFrames>): Pfn[] {
  const all: Pfn[] = []
  for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
  return all
}

test('orderFor and largestOrder, against their definitions', () => {
  for (let frames = 1; frames < 3000; frames++) {
    const order = orderFor(frames)
    expect(2 ** order >= frames && (order === 0 || 2 ** (order - 1) < frames)).toBe(true)
  }
  for (let start = 1; start < 70; start++) {
    for (let end = start + 1; end < 140; end++) {
      let order = 0
      while (start % 2 ** (order + 1) === 0 && start + 2 ** (order + 1) <= end) order++
      expect(largestOrder(start, end)).toBe(order)
    }
  }
  expect(largestOrder(2 ** 19, 2 ** 20)).toBe(18)
})

describe.each([{ shared: false }, { shared: true }])('BuddyAllocator, shared: $shared', ({ shared }) => {
  test('gives every frame once, and all merge again when they come back', () => {
    const machine = bootFrames({ shared })
    const { buddy } = machine
    const before = buddy.stats()
    const largest = largestFree(buddy)
    const all = allocateAll(machine)
    expect(all.length).toBe(before.total)
    expect(new Set(all).size).toBe(all.length)
    expect(buddy.freeFrames()).toBe(0)
    buddy.check()
    for (const pfn of all) buddy.free(pfn, 0)
    buddy.check()
    expect(buddy.freeFrames()).toBe(before.free)
    const block = buddy.allocate(largest)
    expect(block).not.toBe(NO_FRAME)
    buddy.free(block, largest)
    expect(buddy.stats()).toEqual(before)
  })

  test('a fresh block has one reference, its order and no other flag', () => {
    const { buddy, frames } = bootFrames({ shared })
    for (const order of [0, 1, 5, 9]) {
      const pfn = buddy.allocate(order)
      expect(pfn % 2 ** order).toBe(0)
      expect([frames.refCount(pfn), frames.flags(pfn)]).toEqual([1, order])
      frames.set(pfn, 1, FrameFlag.table | order, 77, 88)
      buddy.free(pfn, order)
    }
    expect(frames.flags(buddy.allocate(0))).toBe(0)
    expect(frames.flags(buddy.allocateZeroed(0))).toBe(0)
  })

  test('the last release frees, whatever the order', () => {
    const { buddy, frames } = bootFrames({ shared })
    const free = buddy.freeFrames()
    for (const order of [0, 3]) {
      const pfn = buddy.allocate(order)
      buddy.retain(pfn)
      buddy.retain(pfn)
      expect(frames.refCount(pfn)).toBe(3)
      buddy.release(pfn)
      buddy.release(pfn)
      expect(buddy.freeFrames()).toBe(free - 2 ** order)
      buddy.release(pfn)
      expect(buddy.freeFrames()).toBe(free)
    }
    buddy.check()
  })

  test('catches what must not be freed, and stays as it was', () => {
    const { buddy } = bootFrames({ shared })
    const [single, gone, block, twice] = [0, 0, 2, 0].map((order) => buddy.allocate(order)) as [
      Pfn,
      Pfn,
      Pfn,
      Pfn,
    ]
    buddy.free(gone, 0)
    buddy.retain(twice)
    const stats = buddy.stats()
    const wrong: [Pfn, number, string][] = [
      [gone, 0, 'free already'],
      [single, 1, 'another order'],
      [block, 0, 'another order'],
      [block, 3, 'another order'],
      [(block + 1) as Pfn, 0, 'no allocated block'],
      [0 as Pfn, 0, 'reserved'],
      [1 as Pfn, 0, 'reserved'],
      [2048 as Pfn, 0, 'no such frame'],
      [twice, 0, 'other references'],
    ]
    for (const [pfn, order, message] of wrong) {
      expect(() => buddy.free(pfn, order)).toThrow(message)
      expect(() => buddy.free(pfn, order)).toThrow(InvariantError)
    }
    buddy.check()
    expect(buddy.stats()).toEqual(stats)
  })

  test('catches references to what is free or reserved', () => {
    const { buddy } = bootFrames({ shared })
    const gone = buddy.allocate(0)
    buddy.free(gone, 0)
    expect(() => buddy.retain(gone)).toThrow('a free frame is retained')
    expect(() => bootFrames({ shared }).buddy.release(gone)).toThrow('a free frame is released')
    expect(() => buddy.release(1 as Pfn)).toThrow('reserved')
  })

  test('what another space maps too is nobody’s alone, and keeps its other flags', () => {
    const { buddy, frames } = bootFrames({ shared })
    const pfn = buddy.allocate(0)
    for (const kind of [FrameFlag.anonymous, FrameFlag.file]) {
      frames.set(pfn, 1, kind | FrameFlag.exclusive | FrameFlag.dirtyPage, 7, 8)
      expect(buddy.retainUser(pfn)).toBe(kind === FrameFlag.anonymous)
      expect([frames.refCount(pfn), frames.flags(pfn)]).toEqual([2, kind | FrameFlag.dirtyPage])
    }
  })

  test('a block becomes single frames, and a block again when nobody else has one of them', () => {
    const { buddy, frames } = bootFrames({ shared })
    const free = buddy.freeFrames()
    const block = buddy.allocate(3)
    const eight = Array.from({ length: 8 }, (_, i) => (block + i) as Pfn)
    buddy.divide(block, 3, FrameFlag.anonymous, 77, 500)
    expect(eight.map((pfn) => [frames.refCount(pfn), frames.flags(pfn), frames.owner(pfn)])).toEqual(
      eight.map(() => [1, FrameFlag.anonymous, 77]),
    )
    expect(eight.map((pfn) => frames.index(pfn))).toEqual([500, 501, 502, 503, 504, 505, 506, 507])
    buddy.retain(eight[7]!)
    expect(buddy.isRunAlone(block, 3)).toBe(false)
    buddy.releaseRun(block, 3)
    expect(buddy.freeFrames()).toBe(free - 1)
    buddy.release(eight[7]!)
    buddy.check()
    expect(buddy.freeFrames()).toBe(free)
  })

  test.each(['rising', 'falling', 'mixed'])('more than a cache takes come back at once, %s', (order) => {
    const { buddy, frames } = bootFrames({ shared })
    const free = buddy.freeFrames()
    const list = Array.from({ length: 900 }, () => buddy.allocate(0)).sort((a, b) => a - b)
    const kept = list.filter((_, i) => i % 100 === 50)
    for (const pfn of kept) buddy.retain(pfn)
    if (order === 'falling') list.reverse()
    if (order === 'mixed') list.sort((a, b) => (a % 7) - (b % 7) || (a % 2 === 0 ? a - b : b - a))
    buddy.releaseAll(Uint32Array.from(list), list.length)
    buddy.check()
    expect(buddy.freeFrames()).toBe(free - kept.length)
    expect(list.filter((pfn) => frames.refCount(pfn) !== 0)).toEqual(expect.arrayContaining(kept))
    for (const pfn of kept) buddy.release(pfn)
    buddy.check()
    expect(buddy.freeFrames()).toBe(free)
  })

  test('a second view sees the same state, and both go on', () => {
    const machine = bootFrames({ shared })
    const other = attachFrames(machine)
    const pfn = machine.buddy.allocate(3)
    expect(other.buddy.stats()).toEqual(machine.buddy.stats())
    other.buddy.free(pfn, 3)
    expect(() => machine.buddy.free(pfn, 3)).toThrow(InvariantError)
    machine.buddy.check()
    other.buddy.check()
  })
})

describe('frames known to be zero', () => {
  test('an untouched frame is not written', () => {
    const { buddy, memory, filled } = bootFrames()
    const probe = buddy.allocate(4)
    buddy.free(probe, 4)
    filled.length = 0
    // Behind the allocator's back: a frame that it believes to be zero keeps these bytes, so it was not written.
    for (let pfn = 100 as Pfn; pfn < 2048; pfn++) fillFrame(memory, pfn, 0xdeadbeef)
    const pfn = buddy.allocateZeroed(9)
    expect(pfn).toBeGreaterThan(100)
    for (let i = 0; i < 512; i++) expect(frameIs(memory, (pfn + i) as Pfn, 0xdeadbeef)).toBe(true)
    expect(filled).toEqual([])
  })

  test('a recycled frame is zeroed', () => {
    const { buddy, memory, filled } = bootFrames()
    const pfn = buddy.allocateZeroed(0)
    expect(filled).toEqual([])
    fillFrame(memory, pfn, 0xdeadbeef)
    buddy.free(pfn, 0)
    expect(buddy.allocateZeroed(0)).toBe(pfn)
    expect(frameIs(memory, pfn, 0)).toBe(true)
    expect(filled).toEqual([pfn])
  })

  test.each([{ shared: false }, { shared: true }])(
    'one that is said to be zero is not written again, shared: $shared',
    ({ shared }) => {
      const { buddy, filled } = bootFrames({ shared })
      const pfn = buddy.allocateZeroed(0)
      buddy.freeZeroed(pfn)
      expect(buddy.allocateZeroed(0)).toBe(pfn)
      expect(filled).toEqual([])
      buddy.free(pfn, 0)
      expect(buddy.allocateZeroed(0)).toBe(pfn)
      expect(filled).toEqual([pfn])
    },
  )

  test('debug builds find out when that was not true', () => {
    const { buddy, memory } = bootFrames({ debug: true })
    const pfn = buddy.allocateZeroed(0)
    fillFrame(memory, pfn, 1)
    buddy.freeZeroed(pfn)
    expect(() => buddy.allocate(0)).toThrow(InvariantError)
  })

  test('of a block that merged, only the used frames are zeroed', () => {
    const { buddy, memory, filled } = bootFrames()
    const pfn = buddy.allocate(0)
    fillFrame(memory, pfn, 1)
    buddy.free(pfn, 0)
    const largest = largestFree(buddy)
    const blocks: Pfn[] = []
    for (let order = largest; order >= 0; order--) {
      for (let it = buddy.allocateZeroed(order); it !== NO_FRAME; it = buddy.allocateZeroed(order)) {
        for (let i = 0; i < 2 ** order; i++) expect(frameIs(memory, (it + i) as Pfn, 0)).toBe(true)
        blocks.push(it)
      }
    }
    expect(buddy.freeFrames()).toBe(0)
    expect(filled).toEqual([pfn])
  })
})

describe('large and odd machines', () => {
  test('blocks of the largest order merge and never beyond it', () => {
    const { buddy } = bootFrames({ bytes: 4096 * MIB })
    const stats = buddy.stats()
    expect(stats.perOrder[18]).toBe(3)
    const block = buddy.allocate(18)
    expect(block % 2 ** 18).toBe(0)
    expect(buddy.allocate(18)).not.toBe(NO_FRAME)
    expect(() => buddy.allocate(19)).toThrow('no block has this order')
    const small = buddy.allocate(0)
    buddy.free(small, 0)
    expect(buddy.freeFrames()).toBe(stats.free - 2 ** 19)
  })

  test('holes and reserved frames are never given out', () => {
    const map = BootMemoryMap.wholeRam(2048).reserve(512, 100).noMap(700, 3).remove(1024, 1)
    const machine = bootFrames({ map })
    const forbidden = new Set([700, 701, 702, 1024, ...Array.from({ length: 100 }, (_, i) => 512 + i)])
    expect(allocateAll(machine).filter((pfn) => forbidden.has(pfn))).toEqual([])
    machine.buddy.check()
    expect(() => machine.buddy.free(700 as Pfn, 0)).toThrow('reserved')
    expect(() => machine.buddy.free(1024 as Pfn, 0)).toThrow('no allocated block')
  })

  test('a block at the end of RAM has no buddy beyond it', () => {
    const { buddy, frames } = bootFrames({ bytes: 8 * MIB + 65536 })
    const beyond = 2064 as Pfn
    expect(frames.frameCount).toBe(beyond)
    frames.setFlags(beyond, FrameFlag.free | 4)
    const blocks: Pfn[] = []
    for (let pfn = buddy.allocate(4); pfn !== NO_FRAME; pfn = buddy.allocate(4)) blocks.push(pfn)
    expect(blocks).toContain(2048)
    for (const pfn of blocks) buddy.free(pfn, 4)
    expect(buddy.freeFrames()).toBe(buddy.totalFrames())
    expect(frames.flags(beyond)).toBe(FrameFlag.free | 4)
    buddy.check()
  })

  test('dump is a line of /proc/buddyinfo', () => {
    const { buddy } = bootFrames()
    const line = /^Node 0, zone {3}Normal((?: +\d+){19}) \n$/.exec(buddy.dump())
    expect(line?.[1]?.trim().split(/ +/).map(Number)).toEqual(buddy.stats().perOrder)
  })
})

describe('check finds', () => {
  test.each<[string, (machine: ReturnType<typeof bootFrames>) => void]>([
    ['a reference to a free block', ({ frames, buddy }) => frames.setRefCount(freeBlock(buddy), 1)],
    ['a reference to a spare', ({ frames, buddy }) => frames.setRefCount(spareOf(buddy, 4), 1)],
    ['a spare on a list too', ({ buddy }) => buddy.zones.all[0]!.lists.push(spareOf(buddy, 4), 4)],
    ['a broken link', ({ frames, buddy }) => frames.setOwner(listed(buddy), 5)],
    [
      'a use of a free block',
      ({ frames, buddy }) => frames.setFlags(freeBlock(buddy), FrameFlag.free | FrameFlag.table),
    ],
    [
      'a use of a frame inside a block',
      ({ frames, buddy }) => frames.setFlags((buddy.allocate(2) + 1) as Pfn, FrameFlag.slab),
    ],
    ['a lost frame', ({ frames, buddy }) => frames.set(buddy.allocate(0), 0, 0, 0, 0)],
    ['a frame from nowhere', ({ frames, buddy }) => frames.set((buddy.allocate(1) + 1) as Pfn, 1, 0, 0, 0)],
    [
      'a reserved frame too many',
      ({ frames, buddy }) => frames.set(buddy.allocate(0), 1, FrameFlag.reserved, 0, 0),
    ],
    ['an order changed', ({ frames, buddy }) => frames.setFlags(buddy.allocate(0), 3)],
  ])('%s', (_, corrupt) => {
    const machine = bootFrames()
    machine.buddy.check()
    corrupt(machine)
    expect(() => machine.buddy.check()).toThrow(InvariantError)
  })
})

/** The first frame of a free block. */
function freeBlock(buddy: BuddyAllocator, order = 0): Pfn {
  const [pfn, other] = [buddy.allocate(order), buddy.allocate(order)]
  buddy.free(pfn, order)
  expect(other).not.toBe(NO_FRAME)
  return pfn
}

function spareOf(buddy: BuddyAllocator, order: number): Pfn {
  const pfn = buddy.zones.all[0]!.spare(order)
  expect(pfn).not.toBe(NO_FRAME)
  return pfn
}

/** A free block that is on a list, not the spare of its order. */
function listed(buddy: BuddyAllocator): Pfn {
  const blocks = [3, 3, 3, 3].map(() => buddy.allocate(3))
  for (const pfn of blocks.filter((_, i) => i % 2 === 0)) buddy.free(pfn, 3)
  const pfn = buddy.zones.all[0]!.lists.head(3)
  expect(pfn).not.toBe(NO_FRAME)
  return pfn
}

/** The order of the largest free block. */
function largestFree(buddy: BuddyAllocator): number {
  return (
    31 -
    Math.clz32(buddy.stats().perOrder.reduce((mask, count, order) => mask | (Number(count > 0) << order), 0))
  )
}
