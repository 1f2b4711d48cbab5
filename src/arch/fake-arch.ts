/**
 * An architecture that no one built, to test that the mapper depends on no detail of Sv39: two levels of 128
 * entries (32 MiB for the user, at most 16 MiB of RAM), the frame number in the *high* word, and a leaf without access
 * that the format itself can say.
 *
 *     low    31 present | 30 points to a table | 7..0 EntryFlags
 *     high   frame number + 16
 */
import { frameToPtr, NO_FRAME, NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { ENTRY_FLAGS_ALL, EntryFlag, type MemoryManagementArch } from './memory-management-arch.js'

const PRESENT = 0x8000_0000
const TABLE = 0x4000_0000
const RAM_PAGE_NUMBER = 16

export class FakeArch implements MemoryManagementArch {
  readonly id = 100
  readonly name = 'fake'
  readonly levels = 2
  readonly indexBits = 7
  readonly userEnd = 8192 as Vpn
  readonly kernelStart = -8192 as Vpn
  readonly physBasePfn = RAM_PAGE_NUMBER
  readonly accessedMask = EntryFlag.accessed
  readonly kernelLayout = {
    linearMap: { start: -8192 as Vpn, pages: 4096 },
    vmalloc: { start: -4096 as Vpn, pages: 2048 },
    mmio: { start: -2048 as Vpn, pages: 512 },
    modules: { start: -1536 as Vpn, pages: 512 },
    fixmap: { start: -1024 as Vpn, pages: 128 },
    pciIo: { start: -896 as Vpn, pages: 128 },
  }

  index(vpn: Vpn, level: number): number {
    return (vpn >> (7 * level)) & 127
  }

  span(level: number): number {
    return 1 << (7 * level)
  }

  spanStart(vpn: number, level: number): Vpn {
    return ((vpn >> (7 * level)) << (7 * level)) as Vpn
  }

  leafEntry(u32: Uint32Array, root: Pfn, vpn: Vpn): Ptr {
    const word = (frameToPtr(root) >>> 2) + this.index(vpn, 1) * 2
    const table = this.tableOf(u32[word]!, u32[word + 1]!)
    return table === NO_FRAME ? NULL : ((frameToPtr(table) + this.index(vpn, 0) * 8) as Ptr)
  }

  leafLow(_pfn: Pfn, flags: number): number {
    const implied = (flags & EntryFlag.write) !== 0 ? EntryFlag.read : 0
    return (PRESENT | (flags & ENTRY_FLAGS_ALL) | implied) >>> 0
  }

  leafHigh(pfn: Pfn, _flags: number): number {
    return (pfn + RAM_PAGE_NUMBER) >>> 0
  }

  tableLow(_pfn: Pfn): number {
    return (PRESENT | TABLE) >>> 0
  }

  tableHigh(pfn: Pfn): number {
    return this.leafHigh(pfn, 0)
  }

  isPresent(low: number): boolean {
    return (low & PRESENT) !== 0
  }

  isLeaf(low: number): boolean {
    return (low & (PRESENT | TABLE)) >>> 0 === PRESENT
  }

  tableOf(low: number, high: number): Pfn {
    return ((low & TABLE) !== 0 ? high - RAM_PAGE_NUMBER : NO_FRAME) as Pfn
  }

  pfnOf(_low: number, high: number): Pfn {
    return ((high | 0) - RAM_PAGE_NUMBER) as Pfn
  }

  frameOf(low: number, high: number): Pfn {
    return this.pfnOf(low, high)
  }

  flagsOf(low: number, _high: number): number {
    return low & ENTRY_FLAGS_ALL
  }

  /** 26-bit addresses: bit 25 is repeated up to bit 63. */
  isWritable(low: number): boolean {
    return (low & EntryFlag.write) !== 0
  }

  isSpecial(low: number): boolean {
    return (low & EntryFlag.special) !== 0
  }

  writeProtected(low: number): number {
    return (low & ~EntryFlag.write) >>> 0
  }

  isCanonical(low: number, high: number): boolean {
    const repeated = (low | 0) >> 25
    return (repeated === 0 || repeated === -1) && (high | 0) === repeated
  }
}
