/**
 * Who a process is, and what it may do with files: fs/namei.c's generic_permission and the rules of setuid(2) and its kin.
 * What root may do beyond that is in its capabilities.
 */
import { EACCES, EPERM } from '../../base/errno.js'
import {
  afterExec,
  type Capabilities,
  Capability,
  gainsByExec,
  hasCapability,
  isSubset,
  ROOT_CAPABILITIES,
} from './capabilities.js'
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
  readonly capabilities: Capabilities
}

/** What is asked of a file: the bits of access(2). */
export const May = { execute: 1, write: 2, read: 4 } as const

const ROOT_IDS: Ids = { real: 0, effective: 0, saved: 0, files: 0 }
export const ROOT: Credentials = {
  user: ROOT_IDS,
  group: ROOT_IDS,
  groups: [],
  capabilities: ROOT_CAPABILITIES,
}

export function may({ capabilities }: Credentials, capability: number): boolean {
  return hasCapability(capabilities, capability)
}

/** Why execve must not give capabilities that a process has not: others share its directories, or it wants none (prctl). */
export interface ExecDoubts {
  readonly isShared: boolean
  readonly noNewPrivileges: boolean
}

/** Who a process is after execve of a file without set-id bits (cap_bprm_creds_from_file of security/commoncap.c). */
export function credentialsAfterExec(who: Credentials, doubts: ExecDoubts): Credentials {
  const isDoubtful = doubts.isShared || doubts.noNewPrivileges
  const isRefused = isDoubtful && (isOfTwoUsers(who) || gainsByExec(who.capabilities, who.user))
  const isDemoted = isRefused && (doubts.noNewPrivileges || !may(who, Capability.setUser))
  const idsOf = (ids: Ids): Ids => {
    const effective = isDemoted ? ids.real : ids.effective
    return { ...ids, effective, saved: effective, files: effective }
  }
  const limits = { isRefused, isOfTwoUsers: isOfTwoUsers(who) }
  const capabilities = afterExec(who.capabilities, who.user, limits)
  return { user: idsOf(who.user), group: idsOf(who.group), groups: who.groups, capabilities }
}

/** Whether it acts as another user or group than it really is. A program that is started so is told (AT_SECURE), whatever it becomes. */
export function isOfTwoUsers({ user, group }: Credentials): boolean {
  return user.effective !== user.real || group.effective !== group.real
}

/** Whether what the memory holds was another's: who it acts as has changed, or it may do more (commit_creds). */
export function isAnother(before: Credentials, now: Credentials): boolean {
  const differ = (one: Ids, other: Ids) => one.effective !== other.effective || one.files !== other.files
  const mayMore = !isSubset(now.capabilities.permitted, before.capabilities.permitted)
  return mayMore || differ(before.user, now.user) || differ(before.group, now.group)
}

export function isInGroup({ group, groups }: Credentials, id: number): boolean {
  return group.files === id || groups.includes(id)
}

/** The file is one's own, or as good as. */
export function isOwner(who: Credentials, inode: Inode): boolean {
  return who.user.files === inode.uid || may(who, Capability.actAsOwner)
}

/** 0, or -EACCES; -EPERM for the file of a namespace, which nobody writes. No capability lets one execute what nobody may. */
export function checkAccess(who: Credentials, inode: Inode, wanted: number): number {
  if (inode.namespace !== null && (wanted & May.write) !== 0) return -EPERM
  if ((grantedTo(who, inode) & wanted) === wanted) return 0
  if (isSetting(inode)) return -EACCES
  const isFolder = isDirectory(inode)
  const isLooking = isFolder ? (wanted & May.write) === 0 : wanted === May.read
  if (isLooking && may(who, Capability.readAndSearch)) return 0
  const isNoProgram = !isFolder && (wanted & May.execute) !== 0 && (inode.mode & 0o111) === 0
  return !isNoProgram && may(who, Capability.overrideAccess) ? 0 : -EACCES
}

/** Folders of /proc that are open to the process that they are about, whatever it has become (proc_fd_permission). */
const OWN_FILES = /(^|\/)(fd|map_files)$/

export function isOwnFiles({ filesystem, key, pid }: Inode, who: number | undefined): boolean {
  return filesystem.kind === 'proc' && pid !== 0 && pid === who && OWN_FILES.test(key)
}

/** A file of /proc/sys: no capability overrides what its bits say (sysctl_perm). */
function isSetting(inode: Inode): boolean {
  return inode.filesystem.kind === 'proc' && inode.key.startsWith('sys/') && !isDirectory(inode)
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
  if ((directory.mode & 0o1000) === 0 || may(who, Capability.actAsOwner)) return false
  return who.user.files !== inode.uid && who.user.files !== directory.uid
}

/** A new file's owner, and the group that a set-group-id directory hands on. */
export function own(who: Credentials, directory: Inode, inode: Inode): void {
  inode.uid = who.user.files
  const inherits = (directory.mode & 0o2000) !== 0
  inode.gid = inherits ? directory.gid : who.group.files
  if (inherits && isDirectory(inode)) inode.mode |= 0o2000
}
