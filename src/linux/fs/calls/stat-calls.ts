/** What a file is: fstat, newfstatat, statx, statfs, access and readlink. */
import { EFAULT, EINVAL, ENOENT, EROFS } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { ofRealUser } from '../capabilities.js'
import { type Credentials, checkAccess, May } from '../credentials.js'
import { At, FileType } from '../flags.js'
import { type Dentry, isDirectory, isSymlink, typeOf } from '../nodes.js'
import { encodeStat, encodeStatfs, encodeStatx } from '../stat.js'
import { bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import { anyFileArgument, entryArgument, pathArgument, put, stringArgument, userOfCall } from './support.js'

const STATX_RESERVED = 0x8000_0000

export function statCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(43, 'statfs', 'sp', (c) => statPathFs(vfs, c)),
    syscall(44, 'fstatfs', 'fp', (c) => statFileFs(vfs, c)),
    syscall(48, 'faccessat', 'Fsm', (c) => access(vfs, c, 0)),
    syscall(78, 'readlinkat', 'FsBu', (c) => readLink(vfs, c)),
    syscall(79, 'newfstatat', 'Fspx', (c) => statAt(vfs, c)),
    syscall(80, 'fstat', 'fp', (c) => statFile(vfs, c)),
    syscall(291, 'statx', 'Fsxxp', (c) => statExtended(vfs, c)),
    syscall(439, 'faccessat2', 'Fsmx', (c) => access(vfs, c, c.args.int(3))),
  ]
}

/** The entry of a stat call: with AT_EMPTY_PATH the path may be NULL, too. */
function statEntry(vfs: Vfs, c: SyscallContext, flags: number): Dentry | number {
  if ((flags & At.emptyPath) !== 0 && c.args.isZero(1)) {
    if (c.args.int(0) === At.currentDirectory) return userOfCall(c).cwd
    const file = anyFileArgument(c, 0)
    return typeof file === 'number' ? file : file.dentry
  }
  return entryArgument(vfs, c, 0, flags)
}

function putStat(vfs: Vfs, c: SyscallContext, dentry: Dentry, address: number): number {
  const error = vfs.operations(dentry).refresh(dentry)
  return error < 0 ? error : put(c, address, encodeStat(vfs, dentry.inode))
}

function statFile(vfs: Vfs, c: SyscallContext): number {
  const file = anyFileArgument(c, 0)
  return typeof file === 'number' ? file : putStat(vfs, c, file.dentry, c.args.address(1))
}

function statAt(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(3)
  if ((flags & ~(At.symlinkNoFollow | At.noAutomount | At.emptyPath | At.statxSync)) !== 0) return -EINVAL
  const dentry = statEntry(vfs, c, flags)
  return typeof dentry === 'number' ? dentry : putStat(vfs, c, dentry, c.args.address(2))
}

function statExtended(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(2)
  if ((c.args.low(3) & STATX_RESERVED) !== 0) return -EINVAL
  if ((flags & At.statxSync) === At.statxSync) return -EINVAL
  if ((flags & ~(At.symlinkNoFollow | At.noAutomount | At.emptyPath | At.statxSync)) !== 0) return -EINVAL
  const dentry = statEntry(vfs, c, flags)
  if (typeof dentry === 'number') return dentry
  const error = vfs.operations(dentry).refresh(dentry)
  return error < 0 ? error : put(c, c.args.address(4), encodeStatx(vfs, dentry))
}

function statPathFs(vfs: Vfs, c: SyscallContext): number {
  const path = pathArgument(c, 0)
  if (typeof path === 'number') return path
  const user = userOfCall(c)
  const dentry = vfs.walk.resolve(user.walker(c.process.id), user.cwd, path, true)
  return typeof dentry === 'number' ? dentry : putStatfs(vfs, c, dentry)
}

function statFileFs(vfs: Vfs, c: SyscallContext): number {
  const file = anyFileArgument(c, 0)
  return typeof file === 'number' ? file : putStatfs(vfs, c, file.dentry)
}

function putStatfs(vfs: Vfs, c: SyscallContext, dentry: Dentry): number {
  return put(c, c.args.address(1), encodeStatfs(vfs.operations(dentry).statistics(dentry.inode.filesystem)))
}

/** access(2) asks for the real user, unless told otherwise. */
function accessor(c: SyscallContext, flags: number): Credentials {
  const { credentials } = userOfCall(c)
  if ((flags & At.effectiveAccess) !== 0) return credentials
  const { user, group } = credentials
  return {
    ...credentials,
    user: { ...user, files: user.real },
    group: { ...group, files: group.real },
    capabilities: ofRealUser(credentials.capabilities, user),
  }
}

function access(vfs: Vfs, c: SyscallContext, flags: number): number {
  const mode = c.args.int(2)
  if ((mode & ~(May.read | May.write | May.execute)) !== 0) return -EINVAL
  if ((flags & ~(At.effectiveAccess | At.symlinkNoFollow | At.emptyPath)) !== 0) return -EINVAL
  const who = accessor(c, flags)
  const dentry = entryArgument(vfs, c, 0, flags, who)
  if (typeof dentry === 'number') return dentry
  const { inode } = dentry
  const isFile = isDirectory(inode) || isSymlink(inode) || typeOf(inode) === FileType.regular
  if ((mode & May.write) !== 0 && isFile && inode.filesystem.readOnly) return -EROFS
  return checkAccess(who, inode, mode)
}

/** -EINVAL for what is no link; an empty path reads the link that `dirfd` was opened on (O_PATH). */
function readLink(vfs: Vfs, c: SyscallContext): number {
  const size = c.args.int(3)
  if (size <= 0) return -EINVAL
  const dentry = entryArgument(vfs, c, 0, At.symlinkNoFollow | At.emptyPath)
  if (typeof dentry === 'number') return dentry
  if (!isSymlink(dentry.inode)) return stringArgument(c, 1) === '' ? -ENOENT : -EINVAL
  const text = vfs.operations(dentry).linkText(dentry, c.process.id)
  if (typeof text === 'number') return text
  const bytes = bytesOf(text).subarray(0, size)
  return put(c, c.args.address(2), bytes) === 0 ? bytes.length : -EFAULT
}
