/** shmctl. */

import { EACCES, EFAULT, EINVAL, ENOMEM, EPERM } from '../../../base/errno.js'
import { PAGE_SIZE, pagesFor } from '../../../base/numbers.js'
import { Setting, settingBits } from '../../../state/settings.js'
import { numberOf } from '../../calls/numbers.js'
import type { SyscallContext } from '../../syscall-context.js'
import { put, setInt64, take, userOfCall } from '../calls/support.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import type { Vfs } from '../vfs.js'
import { isAllowed, isOwner, mayChange } from './shm-permission.js'
import { INDEX_BITS, ShmMode, type ShmSegment } from './shm-segment.js'

const Command = {
  remove: 0,
  set: 1,
  stat: 2,
  limits: 3,
  lock: 11,
  unlock: 12,
  statIndex: 13,
  info: 14,
  statAny: 15,
} as const

/** struct shmid64_ds, shminfo64 and shm_info. */
const SEGMENT_INFO_BYTES = 112
const LIMITS_BYTES = 72
const USAGE_BYTES = 48
const SHM_MIN = 1n
const NO_ID = 0xffff_ffff
/** RLIMIT_MEMLOCK. */
const LIMIT_LOCKED = 8

export function controlSegment(vfs: Vfs, c: SyscallContext): number {
  const [id, command] = [c.args.int(0), c.args.int(1)]
  if (command < 0 || id < 0) return -EINVAL
  switch (command) {
    case Command.limits:
      return put(c, c.args.address(2), limits(c)) || vfs.segments.highest
    case Command.info:
      return put(c, c.args.address(2), usage(vfs)) || vfs.segments.highest
    case Command.stat:
    case Command.statIndex:
    case Command.statAny:
      return stat(vfs, c, id, command)
    case Command.set:
      return set(vfs, c, id)
    case Command.remove:
      return remove(vfs, c, id)
    case Command.lock:
    case Command.unlock:
      return lock(vfs, c, id, command === Command.lock)
    default:
      return -EINVAL
  }
}

function limits({ mm }: SyscallContext): Uint8Array {
  const view = new DataView(new ArrayBuffer(LIMITS_BYTES))
  const most = settingBits(mm.memory, Setting.shmMni)
  const numbers = [
    settingBits(mm.memory, Setting.shmMax),
    SHM_MIN,
    most,
    most,
    settingBits(mm.memory, Setting.shmAll),
  ]
  for (const [i, number] of numbers.entries()) view.setBigUint64(i * 8, number, true)
  return new Uint8Array(view.buffer)
}

/** Nothing is ever swapped out. */
function usage({ segments }: Vfs): Uint8Array {
  const view = new DataView(new ArrayBuffer(USAGE_BYTES))
  let resident = 0
  for (const segment of segments) resident += segments.resident(segment)
  view.setInt32(0, segments.count, true)
  setInt64(view, 8, segments.pages)
  setInt64(view, 16, resident)
  return new Uint8Array(view.buffer)
}

/** By id: 0. By index: the id. */
function stat(vfs: Vfs, c: SyscallContext, id: number, command: number): number {
  const byId = command === Command.stat
  const segment = byId ? vfs.segments.byId(id) : vfs.segments.byIndex(id & (2 ** INDEX_BITS - 1))
  if (segment === undefined) return -EINVAL
  if (command !== Command.statAny && !isAllowed(userOfCall(c).credentials, segment, 0o444)) return -EACCES
  const stored = put(c, c.args.address(2), describe(vfs, c, segment))
  return stored < 0 || byId ? stored : segment.id
}

function describe(vfs: Vfs, c: SyscallContext, segment: ShmSegment): Uint8Array {
  const view = new DataView(new ArrayBuffer(SEGMENT_INFO_BYTES))
  const { key, uid, gid, creatorUid, creatorGid, mode, id } = segment
  const words = [key, uid, gid, creatorUid, creatorGid, mode]
  for (const [i, word] of words.entries()) view.setInt32(i * 4, word, true)
  view.setUint16(24, id >>> INDEX_BITS, true)
  setInt64(view, 48, segment.bytes)
  setInt64(view, 56, segment.attached)
  setInt64(view, 64, segment.detached)
  setInt64(view, 72, segment.changed)
  view.setInt32(80, numberOf(c, segment.creator), true)
  view.setInt32(84, numberOf(c, segment.last), true)
  setInt64(view, 88, vfs.segments.attaches(segment))
  return new Uint8Array(view.buffer)
}

/** Owner and permissions; who made it stays. */
function set(vfs: Vfs, c: SyscallContext, id: number): number {
  const wanted = take(c, c.args.address(2), SEGMENT_INFO_BYTES)
  if (wanted === undefined) return -EFAULT
  const segment = vfs.segments.byId(id)
  if (segment === undefined) return -EINVAL
  if (!mayChange(userOfCall(c).credentials, segment)) return -EPERM
  const [uid, gid] = [wanted.getUint32(4, true), wanted.getUint32(8, true)]
  if (uid === NO_ID || gid === NO_ID) return -EINVAL
  segment.uid = uid
  segment.gid = gid
  segment.mode = (segment.mode & ~ShmMode.permissions) | (wanted.getUint32(20, true) & ShmMode.permissions)
  segment.changed = vfs.segments.now()
  return 0
}

function remove(vfs: Vfs, c: SyscallContext, id: number): number {
  const segment = vfs.segments.byId(id)
  if (segment === undefined) return -EINVAL
  if (!mayChange(userOfCall(c).credentials, segment)) return -EPERM
  vfs.segments.remove(segment)
  return 0
}

/** There is no swap: only MADV_PAGEOUT asks. */
function lock(vfs: Vfs, c: SyscallContext, id: number, locks: boolean): number {
  const segment = vfs.segments.byId(id)
  if (segment === undefined) return -EINVAL
  const { credentials } = userOfCall(c)
  const problem = may(credentials, Capability.lockMemory) ? 0 : lockProblem(vfs, c, segment, locks)
  if (problem !== 0) return problem
  if (locks === segment.isLocked) return 0
  if (locks) segment.lockedBy = credentials.user.real
  segment.mode = locks ? segment.mode | ShmMode.locked : segment.mode & ~ShmMode.locked
  c.mm.objects.setUnevictable(segment.object, locks)
  return 0
}

function lockProblem(vfs: Vfs, c: SyscallContext, segment: ShmSegment, locks: boolean): number {
  const { credentials } = userOfCall(c)
  if (!isOwner(credentials, segment)) return -EPERM
  const limit = c.process.softLimit(LIMIT_LOCKED)
  if (locks && limit === 0) return -EPERM
  if (!locks || segment.isLocked) return 0
  const pages = lockedPages(vfs, credentials.user.real) + pagesFor(segment.bytes)
  return pages > Math.floor(limit / PAGE_SIZE) ? -ENOMEM : 0
}

/** Of all segments that a user has locked: a limit is for them together (user_shm_lock). */
function lockedPages({ segments }: Vfs, user: number): number {
  let pages = 0
  for (const segment of segments)
    if (segment.isLocked && segment.lockedBy === user) pages += pagesFor(segment.bytes)
  return pages
}
