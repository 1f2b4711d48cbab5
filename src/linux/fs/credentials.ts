/**
 * Who a process is, and what it may do with files: fs/namei.c's generic_permission and the rules of setuid(2) and its kin.
 * Capabilities are those of Linux without any set apart: user 0 has them all, everybody else none.
 */
import { EACCES } from '../../base/errno.js'
import { type Inode, isDirectory } from './nodes.js'

/** Of users, or of groups. */
export interface Ids {
  readonly real: number
  readonly effective: number
  readonly saved: number
  /** What files are opened as. */
  readonly files: number
}

/** Immutable: a process gets others when it changes. */
export interface Credentials {
  readonly user: Ids
  readonly group: Ids
  readonly groups: readonly number[]
}

/** What is asked of a file: the bits of access(2). */
export const May = { execute: 1, write: 2, read: 4 } as const

const ROOT_IDS: Ids = { real: 0, effective: 0, saved: 0, files: 0 }
export const ROOT: Credentials = { user: ROOT_IDS, group: ROOT_IDS, groups: [] }

export function isPrivileged({ user }: Credentials): boolean {
  return user.effective === 0
}

/** Of 41 capabilities, in two words. */
const ALL_CAPABILITIES = [0xffff_ffff, 0x1ff] as const
const NO_CAPABILITIES = [0, 0] as const

/** Permitted as long as one of the users is 0; what is in effect is the effective user's. */
export function capabilitiesOf({ user }: Credentials): {
  effective: readonly number[]
  permitted: readonly number[]
} {
  const isPermitted = user.real === 0 || user.effective === 0 || user.saved === 0
  return {
    effective: user.effective === 0 ? ALL_CAPABILITIES : NO_CAPABILITIES,
    permitted: isPermitted ? ALL_CAPABILITIES : NO_CAPABILITIES,
  }
}

export function isInGroup({ group, groups }: Credentials, id: number): boolean {
  return group.files === id || groups.includes(id)
}

/** CAP_FOWNER, or the file is one's own. */
export function isOwner(who: Credentials, inode: Inode): boolean {
  return who.user.files === 0 || who.user.files === inode.uid
}

/** 0, or -EACCES. Root may do all but execute what nobody may. */
export function checkAccess(who: Credentials, inode: Inode, wanted: number): number {
  const { mode } = inode
  if (who.user.files === 0) {
    const executes = (wanted & May.execute) !== 0 && !isDirectory(inode)
    return executes && (mode & 0o111) === 0 ? -EACCES : 0
  }
  return (grantedTo(who, inode) & wanted) === wanted ? 0 : -EACCES
}

/** The three bits that count for this user: the first class that fits, even if another would give more. */
function grantedTo(who: Credentials, { mode, uid, gid }: Inode): number {
  if (who.user.files === uid) return (mode >> 6) & 7
  return (isInGroup(who, gid) ? mode >> 3 : mode) & 7
}

/** A name may be made in a directory: 0 or -EACCES. */
export function checkChange(who: Credentials, directory: Inode): number {
  return checkAccess(who, directory, May.write | May.execute)
}

/** In a sticky directory only the owner of a file, or of the directory, removes it. */
export function isProtected(who: Credentials, directory: Inode, inode: Inode): boolean {
  if ((directory.mode & 0o1000) === 0 || who.user.files === 0) return false
  return who.user.files !== inode.uid && who.user.files !== directory.uid
}

/** A new file's owner, and the group that a set-group-id directory hands on. */
export function own(who: Credentials, directory: Inode, inode: Inode): void {
  inode.uid = who.user.files
  const inherits = (directory.mode & 0o2000) !== 0
  inode.gid = inherits ? directory.gid : who.group.files
  if (inherits && isDirectory(inode)) inode.mode |= 0o2000
}
