/**
 * Event counters of the machine. They only grow; a reader subtracts. Each hart has counters of its own in Region.counters, because harts
 * that count in the same cache line wait for each other; what is counted is the sum. Threads that run no hart count in the header: there a
 * lost increment is no error, everything that must be exact is counted elsewhere.
 */
import type { Ptr } from '../base/numbers.js'
import { COUNTERS, COUNTERS_BYTES, Region, regionBytes, regionPtr, setRegion } from './layout.js'
import type { Memory } from './memory.js'

/** Counter ids. Faults are counted by what resolved them. */
export const Counter = {
  /** A read of untouched anonymous memory: the shared zero page was mapped. */
  faultZeroPage: 0,
  /** A write to untouched anonymous memory: a zeroed frame was mapped. */
  faultAnonymous: 1,
  /** A write to a shared frame: copied. */
  faultCopy: 2,
  /** A write to a frame whose last owner writes: made writable in place. */
  faultReuse: 3,
  /** A page of a file or shared object was mapped from the page cache. */
  faultFile: 4,
  /** Of those, how many had to be read from their provider first (major faults). */
  faultMajor: 5,
  /** The stack grew. */
  faultStackGrowth: 6,
  /** The entry already allowed the access. */
  faultSpurious: 7,
  /** Ended in SIGSEGV or SIGBUS. */
  faultSegv: 8,
  faultBus: 9,
  /** Ended for want of a frame. */
  faultOutOfMemory: 10,
  /** Faults that were resolved, as getrusage(2) tells them apart: a provider had to be asked for a major one. */
  resolvedMinor: 18,
  resolvedMajor: 19,
  flushPages: 11,
  flushFull: 12,
  /** Pages of files and shared objects that a fault mapped beside its own. */
  faultAround: 13,
  /** Huge pages by a write fault; huge pages that there was no block for; huge leaves that were split (thp_* of vmstat). */
  hugeFault: 20,
  hugeFallback: 21,
  hugeSplit: 22,
  /** The huge zero page was made; or not, for want of a block. */
  hugeZeroAlloc: 23,
  hugeZeroFailed: 24,
  /** Blocks that were taken for small pages to become a huge one, by khugepaged and MADV_COLLAPSE. */
  hugeCollapse: 25,
  /** Huge pages of objects that became mapped by a huge leaf. */
  hugeObjectMapped: 26,
  /** Huge pages of shared memory that a first touch made; and those that there was no block for. */
  hugeObjectAlloc: 27,
  hugeObjectFallback: 28,
  /** No block for small pages to become a huge one. */
  hugeCollapseFailed: 29,
  /** Ranges that stayed small because too many of their pages are missing, or are shared. */
  scanExceedNone: 30,
  scanExceedShared: 31,
  /** khugepaged: rounds through all spaces, and huge pages. */
  fullScans: 32,
  pagesCollapsed: 33,
  /** Frames given out by the allocator. */
  framesAllocated: 40,
  /** Pages of files read from their provider, and written to it. */
  pagesRead: 41,
  pagesWritten: 42,
  /** Frames that reclaim looked at for somebody who waits, and in the background; and those that it freed. */
  scannedDirectly: 50,
  scannedInBackground: 51,
  stolenDirectly: 52,
  stolenInBackground: 53,
  /** Of both, those of anonymous memory. */
  scannedAnonymous: 54,
  stolenAnonymous: 55,
  /** Faults that waited for reclaim, and calls; passes in the background. */
  faultStalled: 56,
  callStalled: 57,
  backgroundReclaim: 58,
  /** Pages that MADV_FREE gave up, and that MADV_COLD made old; caches that root has emptied by drop_caches, of pages and of slabs. */
  givenUp: 59,
  deactivated: 60,
  cachesDropped: 61,
  slabsDropped: 62,
  /** No free block was large enough. */
  allocationFailed: 14,
  /** Programs that were ended for their memory. */
  outOfMemoryKill: 15,
} as const
export type Counter = (typeof Counter)[keyof typeof Counter]

/** Counters of which there is one for each order of a block, 2 to 8. */
export const OrderCounter = {
  /** Faults that were answered with so many pages; and those that found no block of the size. */
  folioFault: 100,
  folioFallback: 110,
} as const
export type OrderCounter = (typeof OrderCounter)[keyof typeof OrderCounter]

export function orderCounter(counter: OrderCounter, order: number): Counter {
  return (counter + order) as Counter
}

/** Makes the harts' own counters. */
export function bootCounters(memory: Memory, allocateBytes: (bytes: number) => Ptr, harts: number): void {
  const bytes = harts * COUNTERS_BYTES
  setRegion(memory, Region.counters, allocateBytes(bytes), bytes)
}

/** This view counts for a hart from now on. */
export function countFor(memory: Memory, hart: number): void {
  if (hart * COUNTERS_BYTES >= regionBytes(memory, Region.counters)) return
  memory.counters = (regionPtr(memory, Region.counters) + hart * COUNTERS_BYTES) >>> 3
}

export function count(memory: Memory, counter: Counter, times = 1): void {
  memory.f64[memory.counters + counter]! += times
}

/** What this view has counted itself: asked twice, it says what has happened here meanwhile. */
export function countedHere(memory: Memory, counter: Counter): number {
  return memory.f64[memory.counters + counter]!
}

export function counted(memory: Memory, counter: Counter): number {
  const { f64 } = memory
  let times = f64[(COUNTERS >>> 3) + counter]!
  const harts = regionBytes(memory, Region.counters) / COUNTERS_BYTES
  const own = harts === 0 ? 0 : regionPtr(memory, Region.counters) >>> 3
  for (let hart = 0; hart < harts; hart++) times += f64[own + (hart * COUNTERS_BYTES) / 8 + counter]!
  return times
}
