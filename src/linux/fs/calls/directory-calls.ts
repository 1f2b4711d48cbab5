/** Names and directories: mkdirat, unlinkat, renameat2, linkat, symlinkat, mknodat, getdents64, getcwd, chdir. */
import { EFAULT, EINVAL, ENOENT, ENOTDIR, EPERM, ERANGE } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Capability } from '../capabilities.js'
import { checkAccess, May, may } from '../credentials.js'
import type { FileUser } from '../file-user.js'
import type { Listed } from '../filesystem.js'
import { At, FileType, PATH_MAX, Rename } from '../flags.js'
import { Notice } from '../ipc/inotify.js'
import { make, makeLink, makeSymlink, removeDirectory, removeFile, rename } from '../names.js'
import { type Dentry, isDirectory, parentOf, pathFrom } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import { direntBytes, encodeDirent } from '../stat.js'
import { bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import { tellFile } from '../watching.js'
import {
  entryArgument,
  fileArgument,
  pathArgument,
  placeArgument,
  put,
  userOfCall,
  walkerOf,
} from './support.js'

export function directoryCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(17, 'getcwd', 'pu', (c) => getCwd(vfs, c)),
    syscall(33, 'mknodat', 'Fsmu', (c) => makeNode(vfs, c)),
    syscall(34, 'mkdirat', 'Fsm', (c) => makeDirectory(vfs, c)),
    syscall(35, 'unlinkat', 'Fsx', (c) => unlink(vfs, c)),
    syscall(36, 'symlinkat', 'sFs', (c) => symlink(vfs, c)),
    syscall(37, 'linkat', 'FsFsx', (c) => link(vfs, c)),
    syscall(49, 'chdir', 's', (c) => changeDirectory(vfs, c)),
    syscall(50, 'fchdir', 'f', changeDirectoryTo),
    syscall(51, 'chroot', 's', (c) => changeRoot(vfs, c)),
    syscall(61, 'getdents64', 'fpu', (c) => list(vfs, c)),
    syscall(276, 'renameat2', 'FsFsx', (c) => renameAt(vfs, c)),
  ]
}

function makeDirectory(vfs: Vfs, c: SyscallContext): number {
  const place = placeArgument(vfs, c, 0)
  if (typeof place === 'number') return place
  const mode = c.args.int(2) & 0o1777 & ~userOfCall(c).umask
  return make(vfs, walkerOf(c), place, FileType.directory | mode, 0)
}

/** Regular files and character devices; -EPERM for directories, as Linux. */
function makeNode(vfs: Vfs, c: SyscallContext): number {
  const mode = c.args.int(2)
  const type = (mode & FileType.mask) === 0 ? FileType.regular : mode & FileType.mask
  if (type === FileType.directory) return -EPERM
  if (type === FileType.symlink) return -EINVAL
  const place = placeArgument(vfs, c, 0)
  if (typeof place === 'number') return place
  const permissions = mode & 0o7777 & ~userOfCall(c).umask
  const rdev = type === FileType.regular ? 0 : c.args.low(3)
  return make(vfs, walkerOf(c), place, type | permissions, rdev)
}

function unlink(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(2)
  if ((flags & ~At.removeDirectory) !== 0) return -EINVAL
  const place = placeArgument(vfs, c, 0)
  if (typeof place === 'number') return place
  const remove = flags === 0 ? removeFile : removeDirectory
  return remove(vfs, walkerOf(c), place)
}

function symlink(vfs: Vfs, c: SyscallContext): number {
  const target = pathArgument(c, 0)
  if (typeof target === 'number') return target
  const place = placeArgument(vfs, c, 1)
  return typeof place === 'number' ? place : makeSymlink(vfs, walkerOf(c), place, target)
}

function link(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(4)
  if ((flags & ~(At.symlinkFollow | At.emptyPath)) !== 0) return -EINVAL
  const follow = (flags & At.symlinkFollow) !== 0
  const existing = entryArgument(vfs, c, 0, (flags & At.emptyPath) | (follow ? 0 : At.symlinkNoFollow))
  if (typeof existing === 'number') return existing
  const place = placeArgument(vfs, c, 2)
  return typeof place === 'number' ? place : makeLink(vfs, walkerOf(c), existing, place)
}

function renameAt(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(4)
  if ((flags & ~(Rename.noReplace | Rename.exchange | Rename.whiteout)) !== 0) return -EINVAL
  const withoutTarget = (flags & (Rename.noReplace | Rename.whiteout)) !== 0
  if (withoutTarget && (flags & Rename.exchange) !== 0) return -EINVAL
  if ((flags & Rename.whiteout) !== 0) return -EINVAL
  const from = placeArgument(vfs, c, 0)
  if (typeof from === 'number') return from
  const to = placeArgument(vfs, c, 2)
  return typeof to === 'number' ? to : rename(vfs, walkerOf(c), from, to, flags)
}

function getCwd(vfs: Vfs, c: SyscallContext): number {
  const { cwd, root } = userOfCall(c)
  if (cwd.unlinked) return -ENOENT
  const path = pathFrom(cwd, root) ?? `(unreachable)${pathFrom(cwd, vfs.root) ?? '/'}`
  const bytes = bytesOf(`${path}\0`)
  if (bytes.length > PATH_MAX || bytes.length > c.args.address(1)) return -ERANGE
  return put(c, c.args.address(0), bytes) === 0 ? bytes.length : -EFAULT
}

/** The directory that argument 0 names. */
function directoryArgument(vfs: Vfs, c: SyscallContext): Dentry | number {
  const path = pathArgument(c, 0)
  if (typeof path === 'number') return path
  const { cwd } = userOfCall(c)
  const dentry = vfs.walk.resolve(walkerOf(c), cwd, path, true)
  if (typeof dentry === 'number') return dentry
  return isDirectory(dentry.inode) ? dentry : -ENOTDIR
}

function changeDirectory(vfs: Vfs, c: SyscallContext): number {
  const dentry = directoryArgument(vfs, c)
  if (typeof dentry === 'number') return dentry
  return enter(userOfCall(c), dentry)
}

function enter(user: FileUser, directory: Dentry): number {
  const refused = checkAccess(user.credentials, directory.inode, May.execute)
  if (refused === 0) user.cwd = directory
  return refused
}

function changeRoot(vfs: Vfs, c: SyscallContext): number {
  const dentry = directoryArgument(vfs, c)
  if (typeof dentry === 'number') return dentry
  if (!may(userOfCall(c).credentials, Capability.changeRoot)) return -EPERM
  userOfCall(c).root = dentry
  return 0
}

function changeDirectoryTo(c: SyscallContext): number {
  const user = userOfCall(c)
  const file = user.files.get(c.args.int(0))
  if (file === undefined) return fileArgument(c, 0) as number
  if (!isDirectory(file.dentry.inode)) return -ENOTDIR
  return enter(user, file.dentry)
}

/** The directory as it was when it was last read from the start; its position counts entries. */
function list(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  if (file.kind !== 'directory') return -ENOTDIR
  if (file.dentry.unlinked) return -ENOENT
  const listing = listingOf(vfs, c, file)
  if (typeof listing === 'number') return listing
  tellFile(vfs, file, Notice.access)
  const room = c.args.low(2)
  let done = 0
  for (; file.position < listing.length; file.position++) {
    const entry = listing[file.position]!
    if (done + direntBytes(entry.name) > room) return done > 0 ? done : -EINVAL
    const record = encodeDirent(entry, file.position + 1)
    if (put(c, c.args.address(1) + done, record) !== 0) return done > 0 ? done : -EFAULT
    done += record.length
  }
  return done
}

function listingOf(vfs: Vfs, c: SyscallContext, file: OpenFile): readonly Listed[] | number {
  if (file.position > 0 && file.listing !== null) return file.listing
  const { dentry } = file
  const listed = vfs.operations(dentry).list(dentry, c.process.id)
  if (typeof listed === 'number') return listed
  const parent = dentry === userOfCall(c).root ? dentry : parentOf(dentry)
  const type = FileType.directory
  const self = { name: '.', number: dentry.inode.number, type }
  const up = { name: '..', number: parent.inode.number, type }
  file.listing = [self, up, ...listed]
  return file.listing
}
