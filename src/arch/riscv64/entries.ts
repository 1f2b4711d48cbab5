/**
 * Page-table entries of riscv64: those of Sv39, Sv48 and Sv57 are the same. (RISC-V privileged manual, "Sv39: Page-Based 39-bit
 * Virtual-Memory System" and the two sections after it.)
 *
 *     63  62 61 60    54 53                10 9   8   7   6   5   4   3   2   1   0
 *    | N | PBMT | 0    | page number, 44 bits | RSW  | D | A | G | U | X | W | R | V |
 *     `- 0, no Svnapot, no Svpbmt             `- bit 8: special
 *
 * V=1 and R=W=X=0 points to a table. W=1 with R=0 is reserved, so a writable page is readable. A leaf without any
 * access (PROT_NONE) has V=0 and G=1, as Linux writes it: absent for the hardware, present for the kernel.
 */
import { NO_FRAME, type Pfn } from '../../base/numbers.js'
import { EntryFlag, type EntryFormat } from '../memory-management-arch.js'

export const V = 1
const W = 1 << 2
const G = 1 << 5
const SPECIAL = 1 << 8
export const ACCESS = 0b1110
export const PAGE_NUMBER_SHIFT = 10
/** Page-number bits that stand in the low word. */
const PAGE_NUMBERS_LOW = 2 ** (32 - PAGE_NUMBER_SHIFT)
/** Bits 53..32: the upper 22 bits of the page number. */
const PAGE_NUMBER_HIGH_MASK = 2 ** 22 - 1

/** EntryFlags are bits 1 to 8 shifted down by one. */
const FLAG_SHIFT = 1
const FLAGS = 0xff
const FLAGS_WITHOUT_ACCESS = EntryFlag.user | EntryFlag.accessed | EntryFlag.dirty | EntryFlag.special

export const RAM_PAGE_NUMBER = 0x80000

/** What the three modes have in common. */
export abstract class Riscv64Entries {
  readonly indexBits = 9
  /** RAM starts at 2 GiB, as on QEMU's virt board. */
  readonly physBasePfn = RAM_PAGE_NUMBER
  readonly accessedMask = EntryFlag.accessed << FLAG_SHIFT
  readonly entryFormat: EntryFormat = {
    present: V | G,
    writable: W,
    special: SPECIAL,
    accessed: EntryFlag.accessed << FLAG_SHIFT,
    frameShift: PAGE_NUMBER_SHIFT,
    firstFrame: RAM_PAGE_NUMBER,
  }

  leafLow(pfn: Pfn, flags: number): number {
    const pageNumber = (pfn + RAM_PAGE_NUMBER) << PAGE_NUMBER_SHIFT
    if ((flags & 7) === 0) return (pageNumber | ((flags & FLAGS_WITHOUT_ACCESS) << FLAG_SHIFT) | G) >>> 0
    // The flag `write` has the value of the bit R: a writable page is readable.
    return (pageNumber | ((flags & FLAGS) << FLAG_SHIFT) | (flags & EntryFlag.write) | V) >>> 0
  }

  leafHigh(pfn: Pfn, _flags: number): number {
    const page = pfn + RAM_PAGE_NUMBER
    return page < PAGE_NUMBERS_LOW ? 0 : Math.floor(page / PAGE_NUMBERS_LOW)
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
}
