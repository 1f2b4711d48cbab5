/** Names of flags, for --trace. */
export type FlagTable = readonly (readonly [bits: number, name: string, mask?: number])[]

export const PROT_NAMES: FlagTable = [
  [0, 'PROT_NONE'],
  [1, 'PROT_READ'],
  [2, 'PROT_WRITE'],
  [4, 'PROT_EXEC'],
]

export const MAP_NAMES: FlagTable = [
  [1, 'MAP_SHARED', 0xf],
  [2, 'MAP_PRIVATE', 0xf],
  [3, 'MAP_SHARED_VALIDATE', 0xf],
  [0x10, 'MAP_FIXED'],
  [0x20, 'MAP_ANONYMOUS'],
  [0x100, 'MAP_GROWSDOWN'],
  [0x800, 'MAP_DENYWRITE'],
  [0x2000, 'MAP_LOCKED'],
  [0x4000, 'MAP_NORESERVE'],
  [0x8000, 'MAP_POPULATE'],
  [0x1_0000, 'MAP_NONBLOCK'],
  [0x2_0000, 'MAP_STACK'],
  [0x4_0000, 'MAP_HUGETLB'],
  [0x10_0000, 'MAP_FIXED_NOREPLACE'],
]

export const REMAP_NAMES: FlagTable = [
  [0, '0'],
  [1, 'MREMAP_MAYMOVE'],
  [2, 'MREMAP_FIXED'],
  [4, 'MREMAP_DONTUNMAP'],
]

export const OPEN_NAMES: FlagTable = [
  [0, 'O_RDONLY', 3],
  [1, 'O_WRONLY', 3],
  [2, 'O_RDWR', 3],
  [0o100, 'O_CREAT'],
  [0o200, 'O_EXCL'],
  [0o400, 'O_NOCTTY'],
  [0o1000, 'O_TRUNC'],
  [0o2000, 'O_APPEND'],
  [0o4000, 'O_NONBLOCK'],
  [0o20200000, 'O_TMPFILE', 0o20200000],
  [0o100000, 'O_LARGEFILE'],
  [0o200000, 'O_DIRECTORY'],
  [0o400000, 'O_NOFOLLOW'],
  [0o2000000, 'O_CLOEXEC'],
  [0o10000000, 'O_PATH'],
]

export const ADVICE_NAMES: Readonly<Record<number, string>> = {
  0: 'MADV_NORMAL',
  1: 'MADV_RANDOM',
  2: 'MADV_SEQUENTIAL',
  3: 'MADV_WILLNEED',
  4: 'MADV_DONTNEED',
  8: 'MADV_FREE',
  9: 'MADV_REMOVE',
  10: 'MADV_DONTFORK',
  11: 'MADV_DOFORK',
  12: 'MADV_MERGEABLE',
  13: 'MADV_UNMERGEABLE',
  14: 'MADV_HUGEPAGE',
  15: 'MADV_NOHUGEPAGE',
  16: 'MADV_DONTDUMP',
  17: 'MADV_DODUMP',
  18: 'MADV_WIPEONFORK',
  19: 'MADV_KEEPONFORK',
  20: 'MADV_COLD',
  21: 'MADV_PAGEOUT',
  22: 'MADV_POPULATE_READ',
  23: 'MADV_POPULATE_WRITE',
}

/** `PROT_READ|PROT_WRITE`; bits without a name follow in hexadecimal. */
export function flagNames(table: FlagTable, value: number): string {
  const names: string[] = []
  let rest = value
  for (const [bits, name, mask] of table) {
    const isField = mask !== undefined && (value & mask) === bits
    const isBit = mask === undefined && (bits === 0 ? value === 0 : (rest & bits) === bits)
    if (!isField && !isBit) continue
    names.push(name)
    rest &= ~(mask ?? bits)
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`)
  return names.length === 0 ? '0' : names.join('|')
}
