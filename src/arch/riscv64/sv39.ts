/**
 * Sv39: three levels of 512 entries, 39-bit addresses, of which bit 38 is repeated up to bit 63.
 * (RISC-V privileged manual, "Sv39: Page-Based 39-bit Virtual-Memory System".)
 *
 *     address    63          39 38       30 29       21 20       12 11          0
 *                | all bit 38 |  VPN[2]   |  VPN[1]   |  VPN[0]   |  in the page |
 *                               1 GiB       2 MiB       4 KiB
 *
 *     entry      63  62 61 60    54 53                10 9   8   7   6   5   4   3   2   1   0
 *                | N | PBMT | 0    | page number, 44 bits | RSW  | D | A | G | U | X | W | R | V |
 *                 `- 0, no Svnapot, no Svpbmt             `- bit 8: special
 *
 * V=1 and R=W=X=0 points to a table. W=1 with R=0 is reserved, so a writable page is readable. A leaf without any
 * access (PROT_NONE) has V=0 and G=1, as Linux writes it: absent for the hardware, present for the kernel.
 */
import { NO_FRAME, NULL, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { EntryFlag, type KernelLayout, type MemoryManagementArch } from '../memory-management-arch.js'

const V = 1
const W = 1 << 2
const G = 1 << 5
const SPECIAL = 1 << 8
const ACCESS = 0b1110
const PAGE_NUMBER_SHIFT = 10
/** Page-number bits that stand in the low word. */
const PAGE_NUMBERS_LOW = 2 ** (32 - PAGE_NUMBER_SHIFT)
/** Bits 53..32: the upper 22 bits of the page number. */
const PAGE_NUMBER_HIGH_MASK = 2 ** 22 - 1

/** EntryFlags are Sv39's bits 1 to 8 shifted down by one. */
const FLAG_SHIFT = 1
const FLAGS = 0xff
const FLAGS_WITHOUT_ACCESS = EntryFlag.user | EntryFlag.accessed | EntryFlag.dirty | EntryFlag.special

const RAM_PAGE_NUMBER = 0x80000
const GIB = 2 ** 18

/** Documentation/arch/riscv/vm-layout.rst, Sv39; the last GiB of "vmalloc/ioremap" is kept for ioremap. */
const LAYOUT: KernelLayout = Object.freeze({
  fixmap: Object.freeze({ start: -0x3b01600 as Vpn, pages: 1536 }),
  pciIo: Object.freeze({ start: -0x3b01000 as Vpn, pages: 4096 }),
  vmalloc: Object.freeze({ start: (-232 * GIB) as Vpn, pages: 63 * GIB }),
  mmio: Object.freeze({ start: (-169 * GIB) as Vpn, pages: GIB }),
  linearMap: Object.freeze({ start: (-168 * GIB) as Vpn, pages: 128 * GIB }),
  modules: Object.freeze({ start: (-4 * GIB) as Vpn, pages: 2 * GIB }),
})

export class Riscv64Sv39 implements MemoryManagementArch {
  readonly id = 1
  readonly name = 'riscv64-sv39'
  readonly levels = 3
  readonly indexBits = 9
  /** TASK_SIZE 0x40_0000_0000. */
  readonly userEnd = (256 * GIB) as Vpn
  readonly kernelStart = (-256 * GIB) as Vpn
  /** RAM starts at 2 GiB, as on QEMU's virt board. */
  readonly physBasePfn = RAM_PAGE_NUMBER
  readonly kernelLayout = LAYOUT
  readonly accessedMask = EntryFlag.accessed << FLAG_SHIFT

  index(vpn: Vpn, level: number): number {
    return (vpn >> (9 * level)) & 511
  }

  span(level: number): number {
    return 1 << (9 * level)
  }

  leafEntry(u32: Uint32Array, root: Pfn, vpn: Vpn): Ptr {
    const top = u32[(root << 10) | (((vpn >> 18) & 511) << 1)]!
    if ((top & (ACCESS | V)) !== V) return NULL
    const table = (top >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER
    const middle = u32[(table << 10) | (((vpn >> 9) & 511) << 1)]!
    if ((middle & (ACCESS | V)) !== V) return NULL
    return (((((middle >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER) << 12) | ((vpn & 511) << 3)) >>> 0) as Ptr
  }

  leafLow(pfn: Pfn, flags: number): number {
    const pageNumber = (pfn + RAM_PAGE_NUMBER) << PAGE_NUMBER_SHIFT
    if ((flags & 7) === 0) return (pageNumber | ((flags & FLAGS_WITHOUT_ACCESS) << FLAG_SHIFT) | G) >>> 0
    // The flag `write` has the value of the bit R: a writable page is readable.
    return (pageNumber | ((flags & FLAGS) << FLAG_SHIFT) | (flags & EntryFlag.write) | V) >>> 0
  }

  leafHigh(pfn: Pfn, _flags: number): number {
    return Math.floor((pfn + RAM_PAGE_NUMBER) / PAGE_NUMBERS_LOW)
  }

  tableLow(pfn: Pfn): number {
    return (((pfn + RAM_PAGE_NUMBER) << PAGE_NUMBER_SHIFT) | V) >>> 0
  }

  tableHigh(pfn: Pfn): number {
    return this.leafHigh(pfn, 0)
  }

  isPresent(low: number): boolean {
    return (low & (V | G)) !== 0
  }

  isLeaf(low: number): boolean {
    return (low & ACCESS) !== 0 || (low & (V | G)) === G
  }

  /** Tables stand in RAM, whose page numbers fit in the low word. */
  tableOf(low: number, _high: number): Pfn {
    return ((low & (ACCESS | V)) === V ? (low >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER : NO_FRAME) as Pfn
  }

  pfnOf(low: number, high: number): Pfn {
    const upper = (high & PAGE_NUMBER_HIGH_MASK) * PAGE_NUMBERS_LOW
    return (upper + (low >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER) as Pfn
  }

  /** The page numbers of RAM fit in the low word. */
  frameOf(low: number, _high: number): Pfn {
    return ((low >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER) as Pfn
  }

  flagsOf(low: number, _high: number): number {
    return (low >>> FLAG_SHIFT) & ((low & V) !== 0 ? FLAGS : FLAGS_WITHOUT_ACCESS)
  }

  isWritable(low: number): boolean {
    return (low & W) !== 0
  }

  isSpecial(low: number): boolean {
    return (low & SPECIAL) !== 0
  }

  writeProtected(low: number): number {
    return (low & ~W) >>> 0
  }

  isCanonical(_low: number, high: number): boolean {
    const repeated = (high | 0) >> 6
    return repeated === 0 || repeated === -1
  }
}
