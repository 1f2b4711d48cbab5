/**
 * Event counters of the machine, in the header. They only grow; a reader subtracts. On several harts they
 * are approximate (a lost increment is no error), everything that must be exact is counted elsewhere.
 */
import { COUNTERS } from './layout.js'
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
  /** Small pages were made one huge one, by MADV_COLLAPSE. */
  hugeCollapse: 25,
  /** Frames given out by the allocator. */
  framesAllocated: 40,
  /** Pages of files read from their provider, and written to it. */
  pagesRead: 41,
  pagesWritten: 42,
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

export function count(memory: Memory, counter: Counter, times = 1): void {
  memory.f64[(COUNTERS >>> 3) + counter]! += times
}

export function counted(memory: Memory, counter: Counter): number {
  return memory.f64[(COUNTERS >>> 3) + counter]!
}
