import { expect, test } from 'vitest'
import type { Pfn, Vpn } from '../../base/numbers.js'
import { EntryFlag } from '../memory-management-arch.js'
import { Riscv64Sv39 } from './sv39.js'

const arch = new Riscv64Sv39()
const { read, write, execute, user, global, accessed, dirty, special } = EntryFlag

/** [frame, flags, the 64-bit entry as the manual's figure gives it]. RAM starts at page number 0x80000. */
const LEAVES: [pfn: number, flags: number, entry: bigint][] = [
  // V R                                0x80001 << 10 | 0b0000_0011
  [1, read, 0x2000_0403n],
  // V R X U A                          0b0101_1011
  [1, read | execute | user | accessed, 0x2000_045bn],
  // V R W U A D                        0b1101_0111
  [0x123, read | write | user | accessed | dirty, 0x2004_8cd7n],
  // V R W G A D, the kernel's          0b1110_0111
  [0xfffff, read | write | global | accessed | dirty, 0x5fff_fce7n],
  // execute only: V X U                0b0001_1001
  [2, execute | user, 0x2000_0819n],
  // W=1 R=0 is reserved, so R comes with W
  [2, write | user, 0x2000_0817n],
  // bit 8, the first of RSW
  [2, read | user | special, 0x2000_0913n],
  // no access: V=0, G=1, the frame stays
  [2, user, 0x2000_0830n],
  // a device at 0x10000000, below RAM
  [0x10000 - 0x80000, read | write | special, 0x0400_0107n],
  // a device far above RAM: the page number reaches into the high word
  [2 ** 40 - 0x80000, read | special, (1n << 50n) | 0x103n],
  [2 ** 44 - 1 - 0x80000, read | special, 0x003f_ffff_ffff_fd03n],
]

test.each(LEAVES)('leaf of frame %d with flags %d', (pfn, flags, entry) => {
  const low = arch.leafLow(pfn as Pfn, flags)
  const high = arch.leafHigh(pfn as Pfn, flags)
  expect(((BigInt(high) << 32n) | BigInt(low)).toString(16)).toBe(entry.toString(16))
  expect(arch.pfnOf(low, high)).toBe(pfn)
})

test('a pointer to a table has V and nothing else', () => {
  expect(arch.tableLow(1 as Pfn)).toBe(0x2000_0401)
  expect(arch.tableHigh(1 as Pfn)).toBe(0)
})

test('a page number is cut into nine-bit indices', () => {
  const vpn = 0x3f_ffbf_f123 as Vpn
  const page = Math.floor(vpn / 4096) as Vpn
  expect([2, 1, 0].map((level) => arch.index(page, level))).toEqual([255, 509, 511])
  expect([2, 1, 0].map((level) => arch.index(-1 as Vpn, level))).toEqual([511, 511, 511])
  expect([2, 1, 0].map((level) => arch.index(arch.kernelStart, level))).toEqual([256, 0, 0])
})

test.each([
  [0x0000_0000, 0x0000_0000, true],
  [0xffff_ffff, 0x0000_003f, true],
  [0x0000_0000, 0x0000_0040, false],
  [0xffff_ffff, 0xffff_ffbf, false],
  [0x0000_0000, 0xffff_ffc0, true],
  [0xffff_ffff, 0xffff_ffff, true],
  [0x0000_0000, 0x8000_0000, false],
])('bits 63 to 38 of an address are equal: low %i high %i is %s', (low, high, canonical) => {
  expect(arch.isCanonical(low, high)).toBe(canonical)
})

test('the kernel half is laid out as Linux documents it', () => {
  const hex = (vpn: number) => BigInt.asUintN(64, BigInt(vpn) * 4096n).toString(16)
  const { linearMap, vmalloc, mmio, modules, fixmap, pciIo } = arch.kernelLayout
  expect(hex(fixmap.start)).toBe('ffffffc4fea00000')
  expect(hex(fixmap.start + fixmap.pages)).toBe('ffffffc4ff000000')
  expect(hex(pciIo.start)).toBe('ffffffc4ff000000')
  expect(hex(pciIo.start + pciIo.pages)).toBe('ffffffc500000000')
  expect(hex(vmalloc.start)).toBe('ffffffc600000000')
  expect(hex(mmio.start)).toBe(hex(vmalloc.start + vmalloc.pages))
  expect(hex(mmio.start + mmio.pages)).toBe('ffffffd600000000')
  expect(hex(linearMap.start)).toBe('ffffffd600000000')
  expect(hex(linearMap.start + linearMap.pages)).toBe('fffffff600000000')
  expect(hex(modules.start)).toBe('ffffffff00000000')
  expect(hex(modules.start + modules.pages)).toBe('ffffffff80000000')
  expect(hex(arch.userEnd)).toBe('4000000000')
  expect(hex(arch.kernelStart)).toBe('ffffffc000000000')
})
