import { describe, expect, test } from 'vitest'
import { NO_FRAME, PAGE_SIZE } from '../base/numbers.js'
import { BootMemoryMap } from './boot-memory-map.js'
import { BumpAllocator } from './bump-allocator.js'
import { FrameFlag } from './frame-table.js'
import { bootFrames } from './testing.js'

describe('BumpAllocator', () => {
  test('gives the lowest frames that fit', () => {
    const bump = new BumpAllocator(new BootMemoryMap(2048).add(2, 3).add(10, 1000))
    expect(bump.allocateBytes(4 * PAGE_SIZE)).toBe(10 * PAGE_SIZE)
    expect(bump.allocateBytes(1)).toBe(2 * PAGE_SIZE)
    expect(bump.allocateBytes(PAGE_SIZE + 1)).toBe(3 * PAGE_SIZE)
    expect(bump.allocateBytes(1)).toBe(14 * PAGE_SIZE)
  })

  test('aligns blocks and still uses what it skipped', () => {
    const bump = new BumpAllocator(BootMemoryMap.wholeRam(2048))
    expect(bump.allocate(4)).toBe(16)
    expect(bump.allocate(0)).toBe(1)
    expect(bump.allocate(3)).toBe(8)
    expect(bump.allocate(11)).toBe(NO_FRAME)
  })

  test('says so when RAM is too small', () => {
    const bump = new BumpAllocator(BootMemoryMap.wholeRam(2048))
    expect(() => bump.allocateBytes(2048 * PAGE_SIZE)).toThrow(/RAM is too small.*8388608.*ENOMEM/)
  })

  test('hands what is left over, and asks the successor from then on', () => {
    const { bump, buddy, frames, memory } = bootFrames()
    const total = buddy.totalFrames()
    const ptr = bump.allocateBytes(5 * PAGE_SIZE)
    expect(buddy.totalFrames()).toBe(total - 5)
    expect(buddy.freeFrames()).toBe(total - 5)
    expect(frames.flags((ptr / PAGE_SIZE) as never)).toBe(FrameFlag.reserved)
    expect(memory.u8.subarray(ptr, ptr + 5 * PAGE_SIZE).every((byte) => byte === 0)).toBe(true)
    buddy.check()
    expect(() => bump.handOver(buddy)).toThrow('once')
  })

  test('never frees', () => {
    expect(() => new BumpAllocator(BootMemoryMap.wholeRam(2048)).free()).toThrow('never freed')
  })
})
