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

/** The execution domain. exec puts PER_LINUX, 0, there. */
const PER_MASK = 0xff
const PER_LINUX32 = 8

/** What makes it easier to lead a program astray: not for one that may more than who starts it (PER_CLEAR_ON_SETID). */
const UNSAFE =
  Personality.readImpliesExec |
  Personality.addrNoRandomize |
  Personality.addrCompatLayout |
  Personality.mmapPageZero

/** What exec leaves of it (SET_PERSONALITY). `gains`: capabilities. */
export function personalityAfterExec(personality: number, gains: boolean): number {
  return (personality & ~(gains ? PER_MASK | UNSAFE : PER_MASK)) >>> 0
}

/** Whether uname(2) says that the machine is one of 32 bits. */
export function isLinux32(personality: number): boolean {
  return (personality & PER_MASK) === PER_LINUX32
}
