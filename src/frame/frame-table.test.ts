import { describe, expect, test } from 'vitest'
import type { Pfn } from '../base/numbers.js'
import { Region, regionBytes, regionPtr } from '../state/layout.js'
import { BootMemoryMap } from './boot-memory-map.js'
import { FrameFlag, FrameTable } from './frame-table.js'
import { bootFrames, MIB } from './testing.js'

describe('FrameTable', () => {
  test('keeps the fields of neighbours apart', () => {
    const { frames } = bootFrames()
    const [a, b] = [1000 as Pfn, 1001 as Pfn]
    frames.set(a, 1, FrameFlag.file, 0xfffff000, 0xffffffff)
    frames.set(b, 0, 0, 0, 0)
    frames.setRefCount(b, 7)
    frames.setFlags(b, FrameFlag.table | 3)
    frames.setOwner(b, 0x80000000)
    frames.setIndex(b, 9)
    expect([frames.refCount(a), frames.flags(a), frames.owner(a), frames.index(a)]).toEqual([
      1,
      FrameFlag.file,
      0xfffff000,
      0xffffffff,
    ])
    expect([frames.refCount(b), frames.flags(b), frames.owner(b), frames.index(b)]).toEqual([
      7,
      FrameFlag.table | 3,
      0x80000000,
      9,
    ])
    expect(frames.order(b)).toBe(3)
  })

  test('writes the same entry for many frames at once, and for no other', () => {
    const { memory, frames } = bootFrames()
    const start = regionPtr(memory, Region.frameTable) / 4
    for (const count of [0, 1, 2, 3, 7, 8, 9, 100]) {
      const before = memory.u32.slice(start, start + frames.frameCount * 4)
      frames.setRun(1000 as Pfn, (1000 + count) as Pfn, FrameFlag.reserved)
      for (let i = 0; i < count; i++) before.set([1, FrameFlag.reserved, 0, 0], (1000 + i) * 4)
      expect(memory.u32.subarray(start, start + frames.frameCount * 4)).toEqual(before)
      for (let i = 0; i < count; i++) frames.set((1000 + i) as Pfn, 7, FrameFlag.file, 8, 9)
    }
  })

  test('takes 16 bytes a frame, and another view sees the same', () => {
    const { memory, frames } = bootFrames()
    expect(regionBytes(memory, Region.frameTable)).toBe(frames.frameCount * 16)
    frames.setOwner(2000 as Pfn, 42)
    expect(FrameTable.attach(memory).owner(2000 as Pfn)).toBe(42)
    expect(memory.u32[frames.refCountPtr(2000 as Pfn) / 4 + 2]).toBe(42)
  })

  test('a boot writes the entries of reserved frames and of blocks on a list only', () => {
    const { memory, buddy } = bootFrames({ bytes: 256 * MIB })
    const start = regionPtr(memory, Region.frameTable) / 4
    let written = 0
    for (let pfn = 0; pfn < 65536; pfn++) {
      if (memory.u32.subarray(start + pfn * 4, start + pfn * 4 + 4).some((word) => word !== 0)) written++
    }
    const zone = buddy.zones.all[0]!
    const listed = buddy.stats().perOrder.reduce((sum, _, order) => sum + zone.lists.count(order), 0)
    expect(written).toBe(buddy.stats().reserved + listed)
    expect(written).toBeLessThan(300)
  })

  test('says what reserved frames and holes are', () => {
    const map = BootMemoryMap.wholeRam(2048).reserve(100, 2).noMap(200, 1).remove(300, 1)
    const { frames, buddy } = bootFrames({ map })
    expect([99, 100, 101, 200, 300].map((pfn) => frames.flags(pfn as Pfn))).toEqual([
      0,
      FrameFlag.reserved,
      FrameFlag.reserved,
      FrameFlag.reserved | FrameFlag.noMap,
      0,
    ])
    buddy.check()
  })
})
