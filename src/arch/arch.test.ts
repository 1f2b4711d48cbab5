import { describe, expect, test } from 'vitest'
import { NO_FRAME, NULL, type Pfn, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { archById } from './arch-by-id.js'
import { FakeArch } from './fake-arch.js'
import { ENTRY_FLAGS_ALL, EntryFlag } from './memory-management-arch.js'
import { Riscv64Sv39 } from './riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from './riscv64/sv48-sv57.js'

test('an architecture is found by the id in the header, and no other', () => {
  expect(archById(1)).toBeInstanceOf(Riscv64Sv39)
  expect(archById(2)).toBeInstanceOf(Riscv64Sv48)
  expect(archById(3)).toBeInstanceOf(Riscv64Sv57)
  expect(archById(100)).toBeInstanceOf(FakeArch)
  expect(() => archById(4)).toThrow('no architecture')
})

describe.each([new Riscv64Sv39(), new Riscv64Sv48(), new Riscv64Sv57(), new FakeArch()])(
  'what the mapper relies on: $name',
  (arch) => {
    test(`an entry gives back what was put in (seed ${SEED})`, () => {
      const random = new Random(SEED)
      for (let i = 0; i < 4000; i++) {
        const pfn = random.between(1, 2 ** 20 - 1) as Pfn
        const flags = random.below(ENTRY_FLAGS_ALL + 1)
        const low = arch.leafLow(pfn, flags)
        const high = arch.leafHigh(pfn, flags)
        expect(arch.isPresent(low) && arch.isLeaf(low)).toBe(true)
        expect(arch.tableOf(low, high)).toBe(NO_FRAME)
        expect(arch.pfnOf(low, high)).toBe(pfn)
        const isAccessible = (flags & 7) !== 0
        const read = (flags & EntryFlag.write) !== 0 ? EntryFlag.read : 0
        const lost = isAccessible ? 0 : EntryFlag.global
        expect(arch.flagsOf(low, high) & ~lost).toBe((flags | read) & ~lost)
      }
    })

    test(`the short questions of loops agree with the flags (seed ${SEED})`, () => {
      const random = new Random(SEED)
      for (let i = 0; i < 4000; i++) {
        const pfn = random.between(1, 2 ** 20 - 1) as Pfn
        const low = arch.leafLow(pfn, random.below(ENTRY_FLAGS_ALL + 1))
        const high = arch.leafHigh(pfn, 0)
        const flags = arch.flagsOf(low, high)
        expect(arch.frameOf(low, high)).toBe(pfn)
        expect(arch.isSpecial(low)).toBe((flags & EntryFlag.special) !== 0)
        expect(arch.isWritable(low)).toBe((flags & EntryFlag.write) !== 0)
        const safe = arch.writeProtected(low)
        expect(arch.flagsOf(safe, high)).toBe(flags & ~EntryFlag.write)
        expect([arch.isPresent(safe), arch.frameOf(safe, high)]).toEqual([true, pfn])
      }
    })

    test('a table entry is no leaf, and leads to its table', () => {
      for (const pfn of [1, 2, 0x7ffff, 0x80000, 0xfffff] as Pfn[]) {
        const low = arch.tableLow(pfn)
        expect(arch.isPresent(low)).toBe(true)
        expect(arch.isLeaf(low)).toBe(false)
        expect(arch.tableOf(low, arch.tableHigh(pfn))).toBe(pfn)
      }
    })

    test('zero is an absent entry', () => {
      expect(arch.isPresent(0)).toBe(false)
      expect(arch.isLeaf(0)).toBe(false)
      expect(arch.tableOf(0, 0)).toBe(NO_FRAME)
    })

    test(`leafEntry walks as index and tableOf say (seed ${SEED})`, () => {
      const random = new Random(SEED)
      const u32 = new Uint32Array(8 * 1024)
      for (let i = 0; i < 2000; i++) {
        u32.fill(0)
        const vpn = random.between(arch.kernelStart, arch.userEnd - 1) as Vpn
        const depth = random.between(0, arch.levels - 1)
        for (let step = 0; step < depth; step++) {
          const slot = (step + 1) * 1024 + arch.index(vpn, arch.levels - 1 - step) * 2
          u32[slot] = arch.tableLow((step + 2) as Pfn)
          u32[slot + 1] = arch.tableHigh((step + 2) as Pfn)
        }
        const entry = arch.levels * 4096 + arch.index(vpn, 0) * 8
        expect(arch.leafEntry(u32, 1 as Pfn, vpn)).toBe(depth === arch.levels - 1 ? entry : NULL)
      }
    })

    test('the indices of a page put its address together again', () => {
      for (const vpn of [0, 1, arch.userEnd - 1, arch.kernelStart, -1] as Vpn[]) {
        let again = 0
        for (let level = 0; level < arch.levels; level++) again += arch.index(vpn, level) * arch.span(level)
        const pages = arch.userEnd - arch.kernelStart
        expect(again >= pages / 2 ? again - pages : again).toBe(vpn)
      }
    })

    test('the ranges of the kernel half do not overlap', () => {
      const ranges = Object.values(arch.kernelLayout).sort((a, b) => a.start - b.start)
      expect(ranges[0]!.start).toBeGreaterThanOrEqual(arch.kernelStart)
      ranges.forEach(({ start, pages }, i) => {
        expect(start + pages).toBeLessThanOrEqual(ranges[i + 1]?.start ?? 0)
      })
    })
  },
)
