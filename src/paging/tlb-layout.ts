/**
 * The emulator's look-up tables: one for each hart, in the buffer, read by the WebAssembly of hart/ on every load,
 * store and fetch. (What a guest is told about TLBs is another thing.)
 *
 *     Region.tlbHeaders   hart 0 | hart 1 | …
 *     Region.tlbs         hart 0: bank 0 | bank 1 | … | hart 1: bank 0 | …
 *     bank                header, entries: what is known of one address space. An address-space identifier (ASID) is a bank's number; each
 *                         hart has its own, as a CPU has PCIDs under Linux for x86. Only those of the active bank are looked at
 *
 *     hart's   +0   u32  activeRoot: root frame of the active bank's space; 0 = none, then every entry of the bank is empty
 *     header   +4   u32  forgottenFrom: pages from this one on, up to forgottenEnd, were forgotten since somebody looked (page-spans.ts)
 *     64 B     +8   u32  full flushes so far     +12  u32  pages flushed so far, but for full flushes
 *              +16  u32  entries: where those of the active bank are in the buffer
 *              +20  u32  asid: the active bank
 *              +24  u32  ticks: activations so far
 *              +28  u32  forgottenEnd; ALL_FORGOTTEN = there may be no end
 *
 *     bank's   +0   u32  root: whose pages are in here; 0 = nobody's
 *     header   +4   i32  seen: generation of the space's tables, and of the kernel's, of which the bank knows (mailboxes.ts)
 *     64 B     +8   i32  seenKernel
 *              +12  u32  state: BankState
 *              +16  u32  ticks of the header when it was last made active
 *              +20  i32  era of those generations
 *
 *     entry    +0   i64  readTag       a tag is the page-aligned virtual address, or -1 (empty);
 *     32 B     +8   i64  writeTag      writeTag stands only when the page-table entry is writable *and* dirty,
 *              +16  i64  executeTag    so that the first store walks and sets D
 *              +24  i32  addend        (low32(address) + addend) >>> 0 is the offset in the buffer
 *              +28       unused
 *
 * The entry of a page is number `vpn & (TLB_ENTRIES - 1)`. 4,096 entries reach 16 MiB, where 1,024 reach 4 MiB, less than
 * many programs touch between two switches. Forgetting all of them costs 1.2 µs instead of 0.3 µs: some dozens of
 * walks, which the larger table saves many times over. Forgetting one page costs 2 ns.
 *
 * A bank is given to another space only when all of it was forgotten. One that is not active and should forget something is given up
 * (on a plain memory), or finds by its generations that it has missed something when it becomes active again.
 *
 * Guarded by: the hart that owns it. Others ask it to forget (shootdown.ts); when harts take turns on one thread, they edit it.
 */
export const TLB_ENTRIES = 4096
export const TLB_ENTRY_BYTES = 32
export const TLB_HEADER_BYTES = 64
export const ENTRIES_BYTES = TLB_ENTRIES * TLB_ENTRY_BYTES
/** From one bank's header to the next one's. */
export const BANK_BYTES = TLB_HEADER_BYTES + ENTRIES_BYTES
/** More save nothing where programs take turns in pairs and in pipelines. */
export const ASIDS_MAX = 8
/** All TLBs together take no more of RAM than one part of so many, where each hart has more than one bank. */
const RAM_SHARE = 64

/** Byte offsets in a hart's header. */
export const TlbHeader = {
  activeRoot: 0,
  forgottenFrom: 4,
  fullFlushes: 8,
  pageFlushes: 12,
  entries: 16,
  asid: 20,
  ticks: 24,
  forgottenEnd: 28,
} as const
/** In `forgottenEnd`: all pages; and in `forgottenFrom`, with 0 as the end: none. */
export const ALL_FORGOTTEN = 0xffff_ffff
/** Byte offsets in a bank's header. */
export const TlbBank = { root: 0, seen: 4, seenKernel: 8, state: 12, lastUse: 16, era: 20 } as const
/** Byte offsets in an entry. */
export const TlbEntry = { readTag: 0, writeTag: 8, executeTag: 16, addend: 24 } as const

export const BankState = {
  /** Every entry is empty. */
  empty: 0,
  used: 1,
  /** What is in it may not be used any more: all is forgotten when it becomes active. */
  spoilt: 2,
} as const

/** A tag, and each half of it, that is no page's. */
export const EMPTY = -1

/** How many address-space identifiers each hart's TLB has. */
export function asidsFor(bytes: number, harts: number): number {
  const affordable = Math.floor(bytes / RAM_SHARE / (harts * ENTRIES_BYTES))
  return Math.max(1, Math.min(ASIDS_MAX, 2 ** Math.floor(Math.log2(Math.max(1, affordable)))))
}
