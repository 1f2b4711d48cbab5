/** Numbers of the file system calls as the generic 64-bit ABI (riscv64) has them: include/uapi/asm-generic. */

/** The type in a mode. */
export const FileType = {
  mask: 0o170000,
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  regular: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const

/** open(2). */
export const Open = {
  accessMode: 3,
  readOnly: 0,
  writeOnly: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  noControllingTerminal: 0o400,
  truncate: 0o1000,
  append: 0o2000,
  nonBlock: 0o4000,
  dataSync: 0o10000,
  async: 0o20000,
  direct: 0o40000,
  largeFile: 0o100000,
  directory: 0o200000,
  noFollow: 0o400000,
  noAccessTime: 0o1000000,
  closeOnExec: 0o2000000,
  sync: 0o4000000,
  path: 0o10000000,
  temporary: 0o20000000,
} as const

/** What F_SETFL may change. */
export const SETTABLE_FLAGS = Open.append | Open.nonBlock | Open.async | Open.direct | Open.noAccessTime

/** The `*at` calls. */
export const At = {
  currentDirectory: -100,
  symlinkNoFollow: 0x100,
  /** unlinkat: rmdir; the same bit is AT_EACCESS of faccessat2. */
  removeDirectory: 0x200,
  effectiveAccess: 0x200,
  symlinkFollow: 0x400,
  noAutomount: 0x800,
  emptyPath: 0x1000,
  statxSync: 0x6000,
} as const

export const Rename = { noReplace: 1, exchange: 2, whiteout: 4 } as const

export const Seek = { set: 0, current: 1, end: 2, data: 3, hole: 4 } as const

export const Fcntl = {
  duplicate: 0,
  getDescriptorFlags: 1,
  setDescriptorFlags: 2,
  getFlags: 3,
  setFlags: 4,
  getLock: 5,
  setLock: 6,
  setLockWait: 7,
  setOwner: 8,
  getOwner: 9,
  getOpenLock: 36,
  setOpenLock: 37,
  setOpenLockWait: 38,
  duplicateCloseOnExec: 1030,
  setPipeSize: 1031,
  getPipeSize: 1032,
  addSeals: 1033,
  getSeals: 1034,
} as const

export const Ioctl = {
  getTerminal: 0x5401,
  setTerminal: 0x5402,
  setTerminalWait: 0x5403,
  setTerminalFlush: 0x5404,
  sendBreak: 0x5409,
  flowControl: 0x540a,
  flushTerminal: 0x540b,
  setControllingTerminal: 0x540e,
  getProcessGroup: 0x540f,
  setProcessGroup: 0x5410,
  outputQueued: 0x5411,
  getWindowSize: 0x5413,
  setWindowSize: 0x5414,
  bytesReadable: 0x541b,
  nonBlocking: 0x5421,
  giveUpTerminal: 0x5422,
  sendBreakLong: 0x5425,
  getSession: 0x5429,
  noCloseOnExec: 0x5450,
  closeOnExec: 0x5451,
  async: 0x5452,
} as const

export const Poll = {
  in: 1,
  priority: 2,
  out: 4,
  error: 8,
  hangUp: 16,
  invalid: 32,
  readNormal: 0x40,
  readBand: 0x80,
  writeNormal: 0x100,
  writeBand: 0x200,
  readHangUp: 0x2000,
} as const

/** What a file that never blocks answers to poll. */
export const POLL_ALWAYS = Poll.in | Poll.out | Poll.readNormal | Poll.writeNormal

/** fallocate(2). */
export const Fallocate = {
  keepSize: 1,
  punchHole: 2,
  collapse: 8,
  zero: 16,
  insert: 32,
  unshare: 64,
} as const

/** memfd_create(2). */
export const Memfd = { closeOnExec: 1, allowSealing: 2, hugePages: 4, noExecSeal: 8, executable: 16 } as const

/** F_ADD_SEALS. Files of tmpfs that are no memfd have `seal` from the start. */
export const Seal = { seal: 1, shrink: 2, grow: 4, write: 8, futureWrite: 16, exec: 32 } as const

/** utimensat(2): in tv_nsec. */
export const UTIME_NOW = 0x3fffffff
export const UTIME_OMIT = 0x3ffffffe

export const NAME_MAX = 255
/** Longest path with its final zero. */
export const PATH_MAX = 4096
/** A path resolution follows at most this many symbolic links. */
export const SYMLINKS_MAX = 40
/** read and write move at most this much in one call. */
export const TRANSFER_MAX = 0x7ffff000
/** Most elements of an iovec. */
export const IOV_MAX = 1024
/** Largest file in bytes: 2^63 - 1, which a number rounds. */
export const FILE_BYTES_MAX = 2 ** 63

/** statfs f_type. */
export const FilesystemMagic = {
  tmpfs: 0x01021994,
  proc: 0x9fa0,
  host: 0x01021997,
  pipe: 0x50495045,
  overlay: 0x794c7630,
  sysfs: 0x62656572,
  hugetlbfs: 0x958458f6,
  secretmem: 0x5345434d,
  mqueue: 0x19800202,
  nsfs: 0x6e736673,
} as const

/** The device number that stat reports, as the kernel encodes it for user space (new_encode_dev). */
export function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)
}
