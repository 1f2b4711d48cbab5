/**
 * Numbers that root may change while the machine runs (/proc/sys), 64 bits each, in the header: a signed one is kept as
 * two's complement. What a setting means, and what may be written to it, stands in linux/fs/proc/sysctl.ts.
 */
import { PAGE_MASK, PAGE_SHIFT, PAGE_SIZE } from '../base/numbers.js'
import { Word, wordIndex } from './layout.js'
import type { Memory } from './memory.js'

/** By slot. Who honours a setting reads it here. */
export const Setting = {
  /** vm.overcommit_memory: 0 guess, 1 always, 2 never. */
  overcommitMemory: 0,
  /** Per cent of RAM that may be promised in mode 2. */
  overcommitRatio: 1,
  /** The same in KiB; 0 = the ratio counts. */
  overcommitKbytes: 2,
  /** What mode 2 keeps back from one process, and from all that are not root's, in KiB. */
  userReserveKbytes: 3,
  adminReserveKbytes: 4,
  /** Mappings that one address space may have. */
  maxMapCount: 5,
  /** Lowest byte address that a process without CAP_SYS_RAWIO may map. */
  mmapMinAddr: 6,
  /** kernel.randomize_va_space: 0 nothing, 1 mappings and stack, 2 the heap too. */
  randomizeVaSpace: 7,
  /** Bits of a page number that the place of mappings is moved by. */
  mmapRandomBits: 8,
  /** Everybody has the legacy layout: mappings from low addresses upwards. */
  legacyLayout: 9,
  swappiness: 10,
  vfsCachePressure: 11,
  dirtyRatio: 12,
  dirtyBackgroundRatio: 13,
  pageCluster: 14,
  oomKillAllocatingTask: 15,
  panicOnOom: 16,
  /** fs.mqueue: message queues that there may be, messages in one and bytes in each message, and of a queue that asks for nothing. */
  mqueueQueuesMax: 17,
  mqueueMessagesMax: 18,
  mqueueBytesMax: 19,
  mqueueMessagesDefault: 20,
  mqueueBytesDefault: 21,
  /** fs.inotify: instances and watches of one user, and events that wait in an instance. */
  inotifyInstancesMax: 22,
  inotifyWatchesMax: 23,
  inotifyEventsMax: 24,
  /** vm.memfd_noexec: 0 memfds are executable unless they say so, 1 the other way round, 2 none is. */
  memfdNoexec: 40,
  /** kernel.shmmax in bytes, shmall in pages, shmmni segments. */
  shmMax: 41,
  shmAll: 42,
  shmMni: 43,
  /** kernel.shm_rmid_forced: segments that nobody has attached go, even if nobody has removed them. */
  shmRemovalForced: 44,
  /** vm.unprivileged_userfaultfd: everybody may have faults of the kernel handed over, too. */
  unprivilegedUserfault: 45,
  /** vm.min_free_kbytes, of which each zone's min watermark is its part; vm.watermark_scale_factor, of 10,000. */
  minimumFreeKbytes: 46,
  watermarkScale: 47,
} as const
export type Setting = (typeof Setting)[keyof typeof Setting]
export const SETTINGS_MAX = 48

/** What Debian's riscv64 kernel starts with. Those that depend on the size of RAM are set at boot. */
const DEFAULTS: Readonly<Partial<Record<Setting, number>>> = {
  [Setting.overcommitRatio]: 50,
  [Setting.maxMapCount]: 65530,
  [Setting.mmapMinAddr]: 4096,
  [Setting.randomizeVaSpace]: 2,
  [Setting.mmapRandomBits]: 18,
  [Setting.swappiness]: 60,
  [Setting.vfsCachePressure]: 100,
  [Setting.dirtyRatio]: 20,
  [Setting.dirtyBackgroundRatio]: 10,
  [Setting.pageCluster]: 3,
  [Setting.mqueueQueuesMax]: 256,
  [Setting.mqueueMessagesMax]: 10,
  [Setting.mqueueBytesMax]: 8192,
  [Setting.mqueueMessagesDefault]: 10,
  [Setting.mqueueBytesDefault]: 8192,
  [Setting.inotifyInstancesMax]: 128,
  [Setting.inotifyEventsMax]: 16384,
  [Setting.shmMni]: 4096,
  [Setting.watermarkScale]: 10,
}

/** ULONG_MAX - 2^24: as good as none, and sums do not overflow. */
const SHM_LIMIT = 2n ** 64n - 1n - 2n ** 24n
const KIB = 1024
const RESERVE_USER_MAX = 128 * KIB
const RESERVE_ADMIN_MAX = 8 * KIB
/** A watch counts with two inodes; all of one user may take a hundredth of RAM. */
const WATCH_BYTES = 1328
const WATCHES_MIN = 8192
const WATCHES_MAX = 1_048_576

function wordOf(setting: Setting): number {
  return wordIndex(Word.settings) + setting * 2
}

/** The value as a signed number; exact within ±2^53. */
export function readSetting({ u32, i32 }: Memory, setting: Setting): number {
  const word = wordOf(setting)
  return i32[word + 1]! * 0x1_0000_0000 + u32[word]!
}

/** One that is an `int`: what may be written to it fits into 32 bits. */
export function readIntSetting({ i32 }: Memory, setting: Setting): number {
  return i32[wordOf(setting)]!
}

/** The value as an unsigned number; rounded from 2^53 on. */
export function readUnsignedSetting({ u32 }: Memory, setting: Setting): number {
  const word = wordOf(setting)
  return u32[word + 1]! * 0x1_0000_0000 + u32[word]!
}

/** `readUnsignedSetting` of one in bytes, in whole pages and rounded up. Each mmap asks: a small number stays one of 32 bits. */
export function readPagesSetting(memory: Memory, setting: Setting): number {
  const { u32 } = memory
  const word = wordOf(setting)
  if (u32[word + 1]! !== 0) return Math.ceil(readUnsignedSetting(memory, setting) / PAGE_SIZE)
  const low = u32[word]!
  return (low >>> PAGE_SHIFT) + ((low & PAGE_MASK) !== 0 ? 1 : 0)
}

/** All 64 bits. */
export function settingBits({ u32 }: Memory, setting: Setting): bigint {
  const word = wordOf(setting)
  return (BigInt(u32[word + 1]!) << 32n) | BigInt(u32[word]!)
}

export function setSettingBits({ u32 }: Memory, setting: Setting, value: bigint): void {
  const bits = BigInt.asUintN(64, value)
  u32[wordOf(setting)] = Number(bits & 0xffff_ffffn)
  u32[wordOf(setting) + 1] = Number(bits >> 32n)
}

export function writeSetting(memory: Memory, setting: Setting, value: number): void {
  setSettingBits(memory, setting, BigInt(value))
}

/** At boot, when it is known how much RAM is free (init_user_reserve, init_admin_reserve). */
export function bootSettings(memory: Memory, freeKbytes: number, minimumFreeKbytes: number): void {
  for (const [setting, value] of Object.entries(DEFAULTS)) {
    writeSetting(memory, Number(setting) as Setting, value!)
  }
  setSettingBits(memory, Setting.shmMax, SHM_LIMIT)
  setSettingBits(memory, Setting.shmAll, SHM_LIMIT)
  writeSetting(memory, Setting.minimumFreeKbytes, minimumFreeKbytes)
  const watches = Math.floor((freeKbytes * KIB) / 100 / WATCH_BYTES)
  writeSetting(memory, Setting.inotifyWatchesMax, Math.min(Math.max(watches, WATCHES_MIN), WATCHES_MAX))
  const share = Math.floor(freeKbytes / 32)
  writeSetting(memory, Setting.userReserveKbytes, Math.min(share, RESERVE_USER_MAX))
  writeSetting(memory, Setting.adminReserveKbytes, Math.min(share, RESERVE_ADMIN_MAX))
}
