/**
 * Numbers that must not be mixed up. All of them are ordinary JavaScript numbers at run time; the brand is
 * for the type checker only. `x as Pfn` is how a checked value gets its brand.
 */
declare const brand: unique symbol
type Branded<Name extends string> = number & { readonly [brand]: Name }

/**
 * Number of a 4 KiB frame of the machine's RAM, counted from the start of the buffer: the frame's bytes are at
 * buffer offset `pfn * 4096`. Frame 0 holds the header and is never allocated, so 0 means "no frame".
 * What a page-table entry holds is `pfn + physBasePfn`; only `arch/` and the hart's walker know of that.
 */
export type Pfn = Branded<'Pfn'>

/**
 * Number of a virtual page, signed: `floor(address / 4096)`. The upper (kernel) half is negative. Exact for
 * every address width.
 */
export type Vpn = Branded<'Vpn'>

/** A virtual byte address, signed: the upper half of Sv39, Sv48 and x86-64 is negative. */
export type VirtAddr = Branded<'VirtAddr'>

/** A physical byte address as the hardware sees it (RAM starts at the arch's `physBase`). */
export type PhysAddr = Branded<'PhysAddr'>

/** A kernel pointer: byte offset in the buffer, 0 to 2^32 - 1. 0 means "none". */
export type Ptr = Branded<'Ptr'>

export const PAGE_SHIFT = 12
export const PAGE_SIZE = 4096
export const PAGE_MASK = 4095

export const NO_FRAME = 0 as Pfn
export const NULL = 0 as Ptr

/** Where a frame's bytes are in the buffer. */
export function frameToPtr(pfn: Pfn): Ptr {
  return (pfn * PAGE_SIZE) as Ptr
}

/** The frame that holds a byte of the buffer. */
export function ptrToFrame(ptr: Ptr): Pfn {
  return (ptr >>> PAGE_SHIFT) as Pfn
}

/** The page of a byte address. */
export function pageOf(address: number): Vpn {
  return Math.floor(address / PAGE_SIZE) as Vpn
}

/** Pages that `bytes` need, rounded up. */
export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE)
}

/** The signed number that two 32-bit halves make; exact only while |value| < 2^53. */
export function fromHalves(low: number, high: number): number {
  return (high | 0) * 0x1_0000_0000 + (low >>> 0)
}
