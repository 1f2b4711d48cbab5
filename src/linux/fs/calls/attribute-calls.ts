/** Size, permissions, owners, times and durability of files. */
import {
  EBADF,
  EFAULT,
  EFBIG,
  EINVAL,
  EISDIR,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  ESPIPE,
} from '../../../base/errno.js'
import type { Syscall, SyscallContext } from '../../syscall-context.js'
import { Capability } from '../capabilities.js'
import { type Credentials, checkAccess, isInGroup, isOwner, May, may } from '../credentials.js'
import { operationsOf } from '../file-operations.js'
import type { AttributeChange } from '../filesystem.js'
import { At, Fallocate, FILE_BYTES_MAX, Open, Seal, UTIME_NOW, UTIME_OMIT } from '../flags.js'
import { type Dentry, type Inode, isDirectory, isRegular, isSymlink, type Time } from '../nodes.js'
import { isWritable, type OpenFile } from '../open-file.js'
import { openDentry } from '../opening.js'
import type { Vfs } from '../vfs.js'
import {
  anyFileArgument,
  entryArgument,
  fileArgument,
  int64,
  pathArgument,
  take,
  userOfCall,
  walkerOf,
} from './support.js'

const ADVICE_MAX = 5
const NO_ID = 0xffff_ffff

export function attributeCalls(vfs: Vfs): Syscall[] {
  const sync = (c: SyscallContext) => syncFile(vfs, c)
  return [
    { number: 45, name: 'truncate', handler: (c) => truncate(vfs, c), trace: 'sd' },
    { number: 46, name: 'ftruncate', handler: (c) => truncateFile(vfs, c), trace: 'fd' },
    { number: 47, name: 'fallocate', handler: (c) => allocate(vfs, c), trace: 'fxdd' },
    { number: 52, name: 'fchmod', handler: (c) => chmodFile(vfs, c), trace: 'fm' },
    { number: 53, name: 'fchmodat', handler: (c) => chmodAt(vfs, c, 0), trace: 'Fsm' },
    { number: 54, name: 'fchownat', handler: (c) => chownAt(vfs, c), trace: 'Fsddx' },
    { number: 55, name: 'fchown', handler: (c) => chownFile(vfs, c), trace: 'fdd' },
    { number: 81, name: 'sync', handler: () => syncAll(vfs), trace: '' },
    { number: 82, name: 'fsync', handler: sync, trace: 'f' },
    { number: 83, name: 'fdatasync', handler: sync, trace: 'f' },
    { number: 84, name: 'sync_file_range', handler: sync, trace: 'fddx' },
    { number: 88, name: 'utimensat', handler: (c) => setTimes(vfs, c), trace: 'Fspx' },
    { number: 166, name: 'umask', handler: setUmask, trace: 'm' },
    { number: 223, name: 'fadvise64', handler: (c) => advise(vfs, c), trace: 'fddd' },
    { number: 267, name: 'syncfs', handler: (c) => syncFilesystem(vfs, c), trace: 'f' },
    { number: 452, name: 'fchmodat2', handler: (c) => chmodAt(vfs, c, c.args.int(3)), trace: 'Fsmx' },
  ]
}

function truncate(vfs: Vfs, c: SyscallContext): number {
  const bytes = c.args.signed(1)
  if (bytes < 0) return -EINVAL
  const path = pathArgument(c, 0)
  if (typeof path === 'number') return path
  const dentry = vfs.walk.resolve(walkerOf(c), userOfCall(c).cwd, path, true)
  if (typeof dentry === 'number') return dentry
  if (isDirectory(dentry.inode)) return -EISDIR
  if (!isRegular(dentry.inode)) return -EINVAL
  if (dentry.inode.filesystem.readOnly) return -EROFS
  const file = openDentry(vfs, dentry, Open.writeOnly, walkerOf(c).credentials)
  if (typeof file === 'number') return file
  const result = vfs.truncate(dentry, bytes)
  vfs.closeFile(file)
  return result
}

function truncateFile(vfs: Vfs, c: SyscallContext): number {
  const bytes = c.args.signed(1)
  if (bytes < 0) return -EINVAL
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  return file.kind === 'pages' && isWritable(file) ? vfs.truncate(file.dentry, bytes) : -EINVAL
}

function allocate(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const [mode, offset, length] = [c.args.int(1), c.args.signed(2), c.args.signed(3)]
  const error = checkAllocate(file, mode, offset, length)
  if (error !== 0) return error
  const { pages } = file.dentry.inode
  if ((mode & Fallocate.punchHole) !== 0) return punch(vfs, file, offset, length)
  const size = vfs.contents.size(pages)
  const grows = (mode & Fallocate.keepSize) === 0 && offset + length > size
  if (grows) {
    const result = vfs.truncate(file.dentry, offset + length)
    if (result !== 0) return result
  }
  if (file.dentry.inode.filesystem.kind === 'host') return 0
  const until = Math.min(offset + length, vfs.contents.size(pages))
  const result = until > offset ? vfs.contents.allocate(pages, offset, until - offset) : 0
  if (result !== 0 && grows) vfs.truncate(file.dentry, size)
  return result
}

/** vfs_fallocate, then what tmpfs understands of the modes. */
function checkAllocate(file: OpenFile, mode: number, offset: number, length: number): number {
  const known = Fallocate.keepSize | Fallocate.punchHole
  if (offset < 0 || length <= 0) return -EINVAL
  if ((mode & ~known) !== 0) return -EOPNOTSUPP
  if (mode === Fallocate.punchHole) return -EOPNOTSUPP
  if (!isWritable(file)) return -EBADF
  if (file.kind === 'device') return (file.dentry.inode.mode & 0o170000) === 0o010000 ? -ESPIPE : -ENODEV
  if (file.kind !== 'pages') return file.kind === 'directory' ? -EISDIR : -ENODEV
  return offset + length > FILE_BYTES_MAX ? -EFBIG : 0
}

function punch(vfs: Vfs, file: OpenFile, offset: number, length: number): number {
  const { inode } = file.dentry
  if ((inode.seals & (Seal.write | Seal.futureWrite)) !== 0) return -EPERM
  if (inode.filesystem.kind === 'host') return -EOPNOTSUPP
  return vfs.overlay?.load(inode) || vfs.contents.punch(inode.pages, offset, length)
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
  return vfs.operations(dentry).setAttributes(dentry, attributes, vfs.now())
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
  const who = walkerOf(c).credentials
  const keepsGroup = may(who, Capability.keepSetIds) || isInGroup(who, dentry.inode.gid)
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

function syncFile(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  if (file.kind === 'device' || file.kind === 'text' || file.kind === 'raw') return -EINVAL
  if (operationsOf(file).channel !== undefined) return -EINVAL
  return file.kind === 'pages' ? vfs.operations(file.dentry).sync(file.dentry.inode) : 0
}

function syncAll(vfs: Vfs): number {
  vfs.hosts.syncAll()
  return 0
}

function syncFilesystem(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  return typeof file === 'number' ? file : vfs.hosts.syncAll()
}

function advise(vfs: Vfs, c: SyscallContext): number {
  const file = anyFileArgument(c, 0)
  if (typeof file === 'number' || file.kind === 'path') return -EBADF
  if (file.kind === 'device' && vfs.devices.of(file.dentry.inode)?.seek === 'stream') return -ESPIPE
  const advice = c.args.int(3)
  return c.args.signed(2) < 0 || advice < 0 || advice > ADVICE_MAX ? -EINVAL : 0
}
