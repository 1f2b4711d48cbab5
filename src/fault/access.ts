/**
 * What a fault asked for and how it ended.
 *
 * Taxonomy of the faults that are resolved (Counter.*): a read of untouched anonymous memory (zero page), a write to
 * it (zeroed frame), a write to a frame that others see (copied) or that nobody else has any more (made writable in
 * place), a page of an object (mapped from its page cache), below the stack (grown), and the spurious one: another
 * hart or an earlier fault has already done it.
 */

/** Kind of access, one bit. */
export const Access = { read: 1, write: 2, execute: 4 } as const
export type Access = (typeof Access)[keyof typeof Access]

export const FaultResult = {
  /** Try the instruction again. */
  ok: 0,
  /** SIGSEGV with SEGV_MAPERR: nothing is mapped there. */
  segvMapErr: 1,
  /** SIGSEGV with SEGV_ACCERR: the mapping does not allow it. */
  segvAccErr: 2,
  /** SIGBUS with BUS_ADRERR: past the end of the object, or its page cannot be read. */
  bus: 3,
  /** No frame left: the OOM killer's business. */
  outOfMemory: 4,
  /** The reader of a file of userfaultfd(2) is to bring the page: `mm.userfaults.missed` says which. Wait, and try again. */
  userfault: 5,
  /** SIGBUS: UFFDIO_POISON has marked the page. */
  poisoned: 6,
} as const
export type FaultResult = (typeof FaultResult)[keyof typeof FaultResult]
