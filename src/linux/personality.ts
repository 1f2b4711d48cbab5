/** personality(2): the execution domain in the lowest byte, and flags. */
export const Personality = {
  /** uname(2) tells of a Linux 2.6. */
  uname26: 0x002_0000,
  addrNoRandomize: 0x004_0000,
  /** exec maps page 0. */
  mmapPageZero: 0x010_0000,
  /** Mappings from low addresses upwards. */
  addrCompatLayout: 0x020_0000,
  /** What can be read can be executed. */
  readImpliesExec: 0x040_0000,
  /** select(2), pselect(2) and ppoll(2) do not write back how much time is left. */
  stickyTimeouts: 0x400_0000,
} as const

const DOMAIN = 0xff
/** The only domain that exec keeps (SET_PERSONALITY of riscv). */
export const PER_LINUX32 = 8

/** The personality of a program that one of this personality becomes by exec. */
export function personalityAfterExec(personality: number): number {
  return (personality & DOMAIN) === PER_LINUX32 ? personality : (personality & ~DOMAIN) >>> 0
}

export function domainOf(personality: number): number {
  return personality & DOMAIN
}
