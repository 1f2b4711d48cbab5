/** Why a hart left `run`. pc stands at the instruction, none of whose effects happened. */
export const Exit = {
  /** The budget is used up; pc is at the next instruction. */
  budget: 0,
  ecall: 1,
  breakpoint: 2,
  /** tval holds the instruction's bits. */
  illegal: 3,
  /** Page faults: tval holds the address (of the part that faults, when an access crosses pages). */
  fetchFault: 4,
  loadFault: 5,
  storeFault: 6,
  /** The page table names a frame outside RAM; `cause` says for which kind of access. */
  accessFault: 7,
  /** A misaligned atomic access; `cause` says which. tval holds the address. */
  misaligned: 8,
  /** Between the hart and its translator: pc is worth translating, or its code is not valid. Never seen outside. */
  hot: 9,
  /** Between the hart and who answers page faults: an entry maps another frame, and what was made of the old is to be forgotten. Never seen outside. */
  replaced: 10,
} as const
export type Exit = (typeof Exit)[keyof typeof Exit]

/** Exception codes of scause (privileged manual, table of mcause values). */
export const Cause = {
  fetchAccess: 1,
  illegal: 2,
  breakpoint: 3,
  loadMisaligned: 4,
  loadAccess: 5,
  storeMisaligned: 6,
  storeAccess: 7,
  ecallUser: 8,
  fetchPage: 12,
  loadPage: 13,
  storePage: 15,
} as const
export type Cause = (typeof Cause)[keyof typeof Cause]

const CAUSE_OF_EXIT: readonly number[] = [0, Cause.ecallUser, Cause.breakpoint, Cause.illegal]

/** The cause of an exit that has only one. */
export function causeOf(exit: Exit): number {
  return CAUSE_OF_EXIT[exit] ?? 0
}
