/**
 * The header in frame 0: what a thread reads first when it attaches.
 *
 *     0      u32  magic "PAGO"
 *     4      u32  magic "DA\0\0"
 *     8      u32  version of the layout
 *     12     u32  frames of RAM
 *     16     u32  1 once mmInit is through
 *     20     u32  architecture id (ArchId)
 *     24     u32  seed
 *     64     32 × { u32 ptr, u32 bytes }   region directory
 *     512    64 × i32                      locks (LockWord)
 *     1024   128 × f64                     event counters (counters.ts)
 *     2048   512 × u32                     small state words of the layers (Word)
 */
import { assert } from '../base/assert.js'
import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { Memory } from './memory.js'

const MAGIC_LOW = 0x4f474150
const MAGIC_HIGH = 0x00004144
export const LAYOUT_VERSION = 2

const DIRECTORY = 64
const LOCKS = 512
export const COUNTERS = 1024
export const COUNTERS_BYTES = 1024
const WORDS = 2048

/** Tables made at boot. A region never moves and is never freed. */
export const Region = {
  frameTable: 0,
  zones: 1,
  slabCaches: 2,
  harts: 3,
  tlbs: 4,
  scratch: 5,
  frameCaches: 6,
  magazines: 7,
  mailboxes: 8,
  /** Two bytes a frame: the stamp of frames whose contents were translated (frame/frame-table.ts). */
  codeStamps: 9,
  /** Where translated code begins, for each hart (hart/translator/entry-table.ts). */
  codeEntries: 10,
  /** Results of loops over page-table entries, and frames that wait for a flush (paging/entry-loops.ts). */
  entryLoops: 11,
  /** Which lock each hart holds together with others (state/shared-holds.ts). */
  sharedHolds: 12,
  /** Event counters of each hart (state/counters.ts). */
  counters: 13,
  /** What says of each hart's TLB which part of it is looked at (paging/tlb-layout.ts). */
  tlbHeaders: 14,
} as const
export type Region = (typeof Region)[keyof typeof Region]
const REGIONS_MAX = 32
/** From one hart's table in Region.codeEntries to the next hart's: the same in all machines, as a snapshot may be put back into any. */
export const CODE_ENTRIES_STRIDE = (256 + 32 + 32) * 1024 + 64
/** An entry of Region.codeStamps: a u16. */
export const CODE_STAMP_BYTES = 2

/** Lock words that stand in the header; others stand in the records that they guard. */
export const LockWord = {
  frames: 0,
  slab: 1,
  kernelTables: 2,
  spaces: 3,
  objects: 4,
  threads: 5,
  userfaults: 6,
  hugeZero: 7,
  khugepaged: 8,
} as const
export type LockWord = (typeof LockWord)[keyof typeof LockWord]

/** Single words of state that belong to no record. */
export const Word = {
  /** Root frame of the kernel's page table. */
  kernelRoot: 0,
  /** The frame of zeroes that read faults of anonymous memory map. */
  zeroFrame: 1,
  /** Head of the list of all address spaces, and their number. */
  spaceList: 2,
  spaceCount: 3,
  /** How often a snapshot was put back into this memory: what a thread remembers from before is void. No part of the state. */
  restores: 4,
  /** Next identity for a space, for a page object, for a thread. */
  nextSpaceId: 5,
  nextObjectId: 6,
  nextThreadId: 7,
  objectList: 8,
  /** The highest hart number that a thread has taken: who attaches without one takes the next. */
  lastHart: 9,
  /** The frame that reclaim looks at next. */
  reclaimHand: 10,
  /** Not 0: some allocation has left less than the low watermarks, and nobody has reclaimed in the background since. */
  reclaimRequest: 11,
  /** Passes in the background that freed nothing, since reclaim last freed something (kswapd_failures). */
  reclaimFailures: 15,
  randomState: 12,
  hartCount: 13,
  currentThread: 14,
  /** Heads of lists of threads, first and last: all, those that can run, those that wait until a moment (the first to wake first). */
  threads: 16,
  runQueue: 18,
  sleepers: 20,
  /** Threads that wait for a lock with priority inheritance. */
  lockWaiters: 22,
  /** Timers of the monotonic clock that are set, the first to expire first. */
  armedTimers: 24,
  /** Timers of files. */
  fileTimers: 26,
  /** Contexts of userfaultfd (space/userfaults.ts). */
  userfaults: 28,
  /** Threads in the middle of a call that waits for the reader of one (linux/userfault-waits.ts). */
  userfaultCalls: 29,
  /** How many namespaces have been made (linux/namespaces.ts). */
  namespaces: 30,
  /** Not 0: some object's provider has not heard that a mapping went (space/page-object.ts hearClosed). */
  closedUnheard: 31,
  /**
   * Numbers of the machine's time, f64: ticks besides those of instructions (linux/clock.ts), those of the kernel's own work and the frames
   * that were counted for it (linux/kernel-time.ts).
   */
  clockTicks: 32,
  kernelTicks: 34,
  kernelFrames: 36,
  /** Settings of transparent huge pages (space/huge-policy.ts), and the block of zeroes that read faults map, 0 for none. */
  hugePolicy: 40,
  hugeZeroFrame: 41,
  /** 7 numbers of khugepaged (space/huge-policy.ts). */
  khugepaged: 42,
  /** The spaces that it looks through, the first and the last; where it is: the space, and the page, f64 (space/scanned-spaces.ts). */
  scannedFirst: 49,
  scannedLast: 50,
  scanSpace: 51,
  scanPage: 52,
  /**
   * Not 0: it is to run at once. When it runs next, f64, in nanoseconds, 0 = when it is woken. Pages that its scan had behind it when it found no
   * block for a huge page, 0 = none; scans that have changed nothing since a thread ran, and what the hart had executed then, f64 (linux/khugepaged-timer.ts).
   */
  khugepagedWake: 54,
  khugepagedRound: 55,
  khugepagedDue: 56,
  khugepagedIdle: 58,
  /** Not 0: nothing may be huge, and it does not run. */
  khugepagedStopped: 59,
  khugepagedSeen: 60,
  /** Pages promised to mappings (space/overcommit.ts); wraps around. */
  committedPages: 62,
  /** 48 settings of two words each (settings.ts). */
  settings: 64,
  /** SysV shared memory: the list of segments, how many, the index after the last one that was given, 1 + the highest so far in this turn, the turn. */
  shmSegments: 200,
  shmCount: 201,
  shmNextIndex: 202,
  shmLastIndex: 203,
  shmSequence: 204,
  /** The areas of the kernel's vmalloc window, the lowest first (paging/kernel-areas.ts). */
  kernelAreas: 205,
  /** Head of the list of POSIX message queues. */
  messageQueues: 206,
  /** 32 lists of process numbers in nested namespaces (linux/pid-homes.ts). */
  pidHomes: 208,
  /** Minor and major faults that were given to threads, f64 (linux/fault-counts.ts). */
  chargedFaults: 240,
  /** 128 lists of threads that wait for futexes, two words each. */
  futexBuckets: 256,
} as const
export type Word = (typeof Word)[keyof typeof Word]

/** Writes a fresh header on a zeroed buffer. */
export function writeHeader(memory: Memory, archId: number, seed: number): void {
  const { u32 } = memory
  u32[0] = MAGIC_LOW
  u32[1] = MAGIC_HIGH
  u32[2] = LAYOUT_VERSION
  u32[3] = memory.bytes / PAGE_SIZE
  u32[5] = archId
  u32[6] = seed
}

/** Says why a buffer cannot be attached to, or nothing when it can. */
export function headerProblem(memory: Memory): string | undefined {
  const { u32 } = memory
  if (u32[0] !== MAGIC_LOW || u32[1] !== MAGIC_HIGH) return 'not a Pagoda machine (bad magic)'
  if (u32[2] !== LAYOUT_VERSION) return `layout version ${u32[2]}, this Pagoda knows ${LAYOUT_VERSION}`
  if (u32[3]! * PAGE_SIZE !== memory.bytes) return 'the buffer is shorter or longer than its header says'
  if (u32[4] !== 1) return 'the machine has not finished booting'
  return undefined
}

export function markBooted(memory: Memory): void {
  memory.u32[4] = 1
}

export function headerArchId(memory: Memory): number {
  return memory.u32[5]!
}

export function setRegion(memory: Memory, region: Region, ptr: Ptr, bytes: number): void {
  assert(region < REGIONS_MAX && memory.u32[(DIRECTORY >>> 2) + region * 2] === 0, 'a region is set once')
  memory.u32[(DIRECTORY >>> 2) + region * 2] = ptr
  memory.u32[(DIRECTORY >>> 2) + region * 2 + 1] = bytes
}

/** Where a region is; asserts that it exists. */
export function regionPtr(memory: Memory, region: Region): Ptr {
  const ptr = memory.u32[(DIRECTORY >>> 2) + region * 2]!
  assert(ptr !== 0, 'the region was not made at boot')
  return ptr as Ptr
}

export function regionBytes(memory: Memory, region: Region): number {
  return memory.u32[(DIRECTORY >>> 2) + region * 2 + 1]!
}

export function lockPtr(word: LockWord): Ptr {
  return (LOCKS + word * 4) as Ptr
}

/** Where the directory says where a region is. */
export function directoryPtr(region: Region): Ptr {
  return (DIRECTORY + region * 8) as Ptr
}

/** Index of a state word in `memory.u32`. */
export function wordIndex(word: Word): number {
  return (WORDS >>> 2) + word
}
