import type { Pfn, Ptr, Vpn } from '../base/numbers.js'

/**
 * What a leaf entry says, in words that every architecture has. The hardware's bits are made from these by
 * `leafLow` and `leafHigh`.
 */
export const EntryFlag = {
  read: 1,
  /** Implies read on architectures that have no write-only pages (all of them). */
  write: 2,
  execute: 4,
  /** User mode may use it. */
  user: 8,
  /** In every address space: the kernel's. */
  global: 16,
  /** Set by the hardware's walker on the first access, and on the first store. */
  accessed: 32,
  dirty: 64,
  /** Software's: the frame is not reference counted by this entry (zero page, vdso, a device). */
  special: 128,
} as const
export const ENTRY_FLAGS_ALL = 255

/** What loops over many entries that map RAM need to know, as masks of the low word. */
export interface EntryFormat {
  /** Any of these bits: there is something. */
  readonly present: number
  /** One bit: it may be written to. */
  readonly writable: number
  readonly special: number
  readonly accessed: number
  /** The frame is (low >>> frameShift) - firstFrame. */
  readonly frameShift: number
  readonly firstFrame: number
}

/** Adjacent virtual pages: `start` to `start + pages - 1`. */
export interface PageRange {
  readonly start: Vpn
  readonly pages: number
}

/** Where things stand in the kernel's half of every address space. */
export interface KernelLayout {
  /** All of RAM, one after another: frame `pfn` at page `start + pfn`. */
  readonly linearMap: PageRange
  readonly vmalloc: PageRange
  /** Windows on devices (ioremap). */
  readonly mmio: PageRange
  /** Code of kernel modules: within 2 GiB of the kernel's. */
  readonly modules: PageRange
  /** Pages whose address is fixed at build time. */
  readonly fixmap: PageRange
  readonly pciIo: PageRange
}

/**
 * The page-table format of one architecture, as pure functions on entries. An entry is two u32 words, because
 * 64-bit integers cost a BigInt; **the low word publishes**: a writer stores high, then low, and an entry whose
 * low word is 0 is absent, so that a concurrent walker sees every entry as single.
 *
 * A frame number is a `Pfn` (counted from the start of the buffer); the format adds `physBasePfn`. A device's
 * page has the `Pfn` its physical page number gives, which may be negative.
 */
export interface MemoryManagementArch {
  /** 1 riscv64-sv39, 2 -sv48, 3 -sv57, 100 the fake one; stands in the buffer's header. */
  readonly id: number
  readonly name: string
  /** Depth of the tables: level 0 holds 4 KiB leaves, level `levels - 1` is the root. */
  readonly levels: number
  /** log2 of the entries of one table. */
  readonly indexBits: number
  /** First page that is not the user's. */
  readonly userEnd: Vpn
  /** First page of the kernel's half, which reaches up to page -1. */
  readonly kernelStart: Vpn
  /** Physical page number of frame 0. */
  readonly physBasePfn: number
  readonly kernelLayout: KernelLayout
  /** Where the functions below come down to masks. */
  readonly entryFormat?: EntryFormat
  /** The bits of a leaf's low word that say EntryFlag.accessed. */
  readonly accessedMask: number

  /** Which entry of a table at `level` is on the way to `vpn`. */
  index(vpn: Vpn, level: number): number
  /** Pages that an entry at `level` covers. */
  span(level: number): number
  /** The first page that the entry at `level` on the way to `vpn` covers. */
  spanStart(vpn: number, level: number): Vpn
  /**
   * The level-0 entry of a page below `root`, or NULL: a walk by `index` and `tableOf`, written out because the page-fault
   * path stands on it (5 ns, the general loop takes 12).
   */
  leafEntry(u32: Uint32Array, root: Pfn, vpn: Vpn): Ptr
  /** A leaf that gives `flags` (EntryFlag) on `pfn`. With no access at all it is present for software only. */
  leafLow(pfn: Pfn, flags: number): number
  leafHigh(pfn: Pfn, flags: number): number
  /** An entry that points to the next table. */
  tableLow(pfn: Pfn): number
  tableHigh(pfn: Pfn): number
  /** Whether there is something: a table, a leaf, or a leaf that gives no access (PROT_NONE). */
  isPresent(low: number): boolean
  isLeaf(low: number): boolean
  /** The table that an entry above level 0 points to; NO_FRAME when the entry is absent or a leaf. */
  tableOf(low: number, high: number): Pfn
  pfnOf(low: number, high: number): Pfn
  /** The same of an entry that maps RAM, in whole-number arithmetic: four times faster in a loop over many entries. */
  frameOf(low: number, high: number): Pfn
  /** The EntryFlags of a present leaf. */
  flagsOf(low: number, high: number): number
  /** Whether a present leaf may be written to; it has the flag `special`; its low word without the right to write. */
  isWritable(low: number): boolean
  isSpecial(low: number): boolean
  writeProtected(low: number): number
  /** Whether the two halves make an address that the hardware can translate at all. */
  isCanonical(low: number, high: number): boolean
}
