/** Resource limits (getrlimit(2)): what a program starts with on a Debian riscv64 machine, and what the memory manager is told. */
import { type AddressSpace, CALLER_FLAGS, SpaceFlag } from '../space/address-space.js'
import { Capability } from './fs/capabilities.js'
import { may } from './fs/credentials.js'
import { userOf } from './fs/file-user.js'
import { Personality } from './personality.js'
import { Process } from './process.js'

export const Limit = {
  cpu: 0,
  fileSize: 1,
  data: 2,
  stack: 3,
  core: 4,
  residentSet: 5,
  processes: 6,
  files: 7,
  lockedMemory: 8,
  addressSpace: 9,
  locks: 10,
  pendingSignals: 11,
  messageQueue: 12,
  nice: 13,
  realtimePriority: 14,
  realtimeTime: 15,
} as const

const MEBIBYTE = 2 ** 20
const NONE = Number.POSITIVE_INFINITY
/** What a process takes of a machine when all of its memory were kernel stacks, divided by eight (fork_init). */
const BYTES_PER_PROCESS = 8 * 16384

/** Gives a new process the limits of the first one of a machine with that much RAM. */
export function setDefaultLimits(process: Process, ramBytes: number): void {
  for (let resource = 0; resource < Process.limitCount; resource++) process.setLimit(resource, NONE, NONE)
  const processes = Math.floor(ramBytes / BYTES_PER_PROCESS / 2)
  process.setLimit(Limit.stack, 8 * MEBIBYTE, NONE)
  process.setLimit(Limit.core, 0, NONE)
  process.setLimit(Limit.processes, processes, processes)
  process.setLimit(Limit.files, 1024, 4096)
  process.setLimit(Limit.lockedMemory, 8 * MEBIBYTE, 8 * MEBIBYTE)
  process.setLimit(Limit.pendingSignals, processes, processes)
  process.setLimit(Limit.messageQueue, 819_200, 819_200)
  process.setLimit(Limit.nice, 0, 0)
  process.setLimit(Limit.realtimePriority, 0, 0)
}

/** Tells the memory manager a process's limits and rights, as far as they are about memory. */
export function applyLimits(
  process: Process,
  space: AddressSpace,
  personality = process.personality,
  credentials = userOf(process).credentials,
): void {
  const data = process.softLimit(Limit.data)
  space.limitAddressSpace = process.softLimit(Limit.addressSpace)
  space.limitData = data === 0 ? process.hardLimit(Limit.data) : data
  space.limitHeap = data
  space.limitStack = process.softLimit(Limit.stack)
  space.limitLocked = may(credentials, Capability.lockMemory) ? NONE : process.softLimit(Limit.lockedMemory)
  let flags = space.flags & ~CALLER_FLAGS
  if (may(credentials, Capability.rawAccess)) flags |= SpaceFlag.rawAccess
  if (may(credentials, Capability.administrate)) flags |= SpaceFlag.administrator
  if ((personality & Personality.readImpliesExec) !== 0) flags |= SpaceFlag.readImpliesExec
  space.flags = flags
}
