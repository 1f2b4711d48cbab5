/** Permissions, owners and times of files. */
import { EFAULT, EINVAL, EOPNOTSUPP, EPERM, EROFS } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Capability } from '../capabilities.js'
import { type Credentials, checkAccess, isInGroup, isOwner, May, may } from '../credentials.js'
import type { AttributeChange } from '../filesystem.js'
import { At, Seal, UTIME_NOW, UTIME_OMIT } from '../flags.js'
import { Notice } from '../ipc/inotify.js'
import { type Dentry, type Inode, isDirectory, isSymlink, type Time } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { tellEntry } from '../watching.js'
import { entryArgument, fileArgument, int64, take, userOfCall, walkerOf } from './support.js'

const NO_ID = 0xffff_ffff

export function attributeCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(52, 'fchmod', 'fm', (c) => chmodFile(vfs, c)),
    syscall(53, 'fchmodat', 'Fsm', (c) => chmodAt(vfs, c, 0)),
    syscall(54, 'fchownat', 'Fsddx', (c) => chownAt(vfs, c)),
    syscall(55, 'fchown', 'fdd', (c) => chownFile(vfs, c)),
    syscall(88, 'utimensat', 'Fspx', (c) => setTimes(vfs, c)),
    syscall(166, 'umask', 'm', setUmask),
    syscall(452, 'fchmodat2', 'Fsmx', (c) => chmodAt(vfs, c, c.args.int(3))),
  ]
}

function change(
  vfs: Vfs,
  c: SyscallContext,
  dentry: Dentry | number,
  attributes: AttributeChange,
  may: (who: Credentials, inode: Inode) => number = mayChange,
): number {
  if (typeof dentry === 'number') return dentry
  if (dentry.inode.filesystem.readOnly) return -EROFS
  const refused = may(walkerOf(c).credentials, dentry.inode)
  if (refused !== 0) return refused
  const result = vfs.operations(dentry).setAttributes(dentry, attributes, vfs.now())
  if (result === 0) tellEntry(vfs, dentry, noticeOf(attributes))
  return result
}

/** fsnotify_change: both times are attributes, one of them stands for what sets it. */
function noticeOf({ accessed, modified, ...others }: AttributeChange): number {
  if (Object.keys(others).length > 0 || (accessed && modified)) return Notice.attributes
  if (accessed) return Notice.access
  return modified ? Notice.modify : 0
}

function mayChange(who: Credentials, inode: Inode): number {
  return isOwner(who, inode) ? 0 : -EPERM
}

function entryOf(file: OpenFile | number): Dentry | number {
  return typeof file === 'number' ? file : file.dentry
}

/** Whoever is not in the file's group cannot make it a set-group-id one. */
function changeMode(vfs: Vfs, c: SyscallContext, dentry: Dentry | number, mode: number): number {
  if (typeof dentry === 'number') return dentry
  const { inode } = dentry
  if ((inode.seals & Seal.exec) !== 0 && ((mode ^ inode.mode) & 0o111) !== 0) return -EPERM
  const who = walkerOf(c).credentials
  const keepsGroup = may(who, Capability.keepSetIds) || isInGroup(who, inode.gid)
  return change(vfs, c, dentry, { permissions: mode & (keepsGroup ? 0o7777 : 0o5777) })
}

/** Only CAP_CHOWN gives files away; an owner may choose among the own groups. */
function mayChown(uid: number, gid: number): (who: Credentials, inode: Inode) => number {
  return (who, inode) => {
    if (may(who, Capability.changeOwner)) return 0
    const isOwn = who.user.files === inode.uid
    const keepsUser = uid === NO_ID || (uid === inode.uid && isOwn)
    const keepsGroup = gid === NO_ID || (isOwn && (isInGroup(who, gid) || gid === inode.gid))
    return keepsUser && keepsGroup ? 0 : -EPERM
  }
}

function chmodFile(vfs: Vfs, c: SyscallContext): number {
  return changeMode(vfs, c, entryOf(fileArgument(c, 0)), c.args.int(1))
}

function chmodAt(vfs: Vfs, c: SyscallContext, flags: number): number {
  if ((flags & ~(At.symlinkNoFollow | At.emptyPath)) !== 0) return -EINVAL
  const dentry = entryArgument(vfs, c, 0, flags)
  if (typeof dentry !== 'number' && isSymlink(dentry.inode)) return -EOPNOTSUPP
  return changeMode(vfs, c, dentry, c.args.int(2))
}

/** -1 leaves an id as it is. A program loses its set-id bits even so. */
function changeOwner(vfs: Vfs, c: SyscallContext, dentry: Dentry | number, uid: number, gid: number): number {
  if (typeof dentry === 'number') return dentry
  const ids = { ...(uid !== NO_ID && { uid }), ...(gid !== NO_ID && { gid }) }
  const { mode } = dentry.inode
  const may = mayChown(uid, gid)
  if (isDirectory(dentry.inode) || isSymlink(dentry.inode)) return change(vfs, c, dentry, ids, may)
  const kept = mode & ((mode & 0o010) === 0 ? 0o3777 : 0o1777)
  return change(vfs, c, dentry, kept === (mode & 0o7777) ? ids : { ...ids, permissions: kept }, may)
}

function chownAt(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(4)
  if ((flags & ~(At.symlinkNoFollow | At.emptyPath)) !== 0) return -EINVAL
  return changeOwner(vfs, c, entryArgument(vfs, c, 0, flags), c.args.low(2), c.args.low(3))
}

function chownFile(vfs: Vfs, c: SyscallContext): number {
  return changeOwner(vfs, c, entryOf(fileArgument(c, 0)), c.args.low(1), c.args.low(2))
}

function setTimes(vfs: Vfs, c: SyscallContext): number {
  const times = timesArgument(vfs, c)
  if (typeof times === 'number') return times
  if (times !== undefined && times.accessed === undefined && times.modified === undefined) return 0
  const flags = c.args.int(3)
  if (c.args.isZero(1) && c.args.int(0) !== At.currentDirectory) {
    return flags !== 0 ? -EINVAL : change(vfs, c, entryOf(fileArgument(c, 0)), times, mayTouch(c))
  }
  if ((flags & ~(At.symlinkNoFollow | At.emptyPath)) !== 0) return -EINVAL
  return change(vfs, c, entryArgument(vfs, c, 0, flags), times, mayTouch(c))
}

/** Now may be set by whoever may write; another time by the owner. */
function mayTouch(c: SyscallContext): (who: Credentials, inode: Inode) => number {
  const view = c.args.isZero(2) ? undefined : take(c, c.args.address(2), 32)
  const isNow = !view || [8, 24].every((offset) => int64(view, offset) === UTIME_NOW)
  return (who, inode) => {
    if (isOwner(who, inode)) return 0
    return isNow ? checkAccess(who, inode, May.write) : -EPERM
  }
}

/** The two times of utimensat; both are now when there is no record. */
function timesArgument(vfs: Vfs, c: SyscallContext): AttributeChange | number {
  const now = vfs.now()
  if (c.args.isZero(2)) return { accessed: now, modified: now }
  const view = take(c, c.args.address(2), 32)
  if (view === undefined) return -EFAULT
  const accessed = timeAt(view, 0, now)
  const modified = timeAt(view, 16, now)
  if (accessed === 'bad' || modified === 'bad') return -EINVAL
  return { ...(accessed && { accessed }), ...(modified && { modified }) }
}

function timeAt(view: DataView, offset: number, now: Time): Time | undefined | 'bad' {
  const nanoseconds = int64(view, offset + 8)
  if (nanoseconds === UTIME_OMIT) return undefined
  if (nanoseconds === UTIME_NOW) return now
  if (nanoseconds < 0 || nanoseconds > 999_999_999) return 'bad'
  return { seconds: int64(view, offset), nanoseconds }
}

function setUmask(c: SyscallContext): number {
  const user = userOfCall(c)
  const before = user.umask
  user.umask = c.args.int(0) & 0o777
  return before
}
