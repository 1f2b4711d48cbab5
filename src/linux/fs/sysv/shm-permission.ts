/** Who may do what with a segment: ipcperms and ipcctl_obtain_check of ipc/util.c. */
import { Capability } from '../capabilities.js'
import { type Credentials, may } from '../credentials.js'
import type { ShmSegment } from './shm-segment.js'

/** Whether somebody has the rights asked for: bits as in a mode, of any class. */
export function isAllowed(who: Credentials, segment: ShmSegment, wanted: number): boolean {
  const asked = ((wanted >> 6) | (wanted >> 3) | wanted) & 7
  return (asked & ~grantedTo(who, segment)) === 0 || may(who, Capability.ownIpc)
}

function grantedTo(who: Credentials, segment: ShmSegment): number {
  if (isOwner(who, segment)) return segment.mode >> 6
  const isMember = hasGroup(who, segment.creatorGid) || hasGroup(who, segment.gid)
  return isMember ? segment.mode >> 3 : segment.mode
}

function hasGroup({ group, groups }: Credentials, id: number): boolean {
  return group.files === id || groups.includes(id)
}

/** Its owner or who made it. */
export function isOwner({ user }: Credentials, { uid, creatorUid }: ShmSegment): boolean {
  return user.effective === uid || user.effective === creatorUid
}

/** Whether somebody may change or remove it. */
export function mayChange(who: Credentials, segment: ShmSegment): boolean {
  return isOwner(who, segment) || may(who, Capability.administrate)
}
