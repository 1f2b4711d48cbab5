/** truncate, ftruncate and fallocate. */
import {
  EBADF,
  EFBIG,
  EINVAL,
  EISDIR,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  ESPIPE,
} from '../../../base/errno.js'
import { Signal } from '../../signal-numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { operationsOf, sizeOf } from '../file-operations.js'
import { Fallocate, FileType, Open, Seal } from '../flags.js'
import { Notice } from '../ipc/inotify.js'
import { isDirectory, isRegular, typeOf } from '../nodes.js'
import { type FileKind, isWritable, type OpenFile } from '../open-file.js'
import { openDentry } from '../opening.js'
import type { Vfs } from '../vfs.js'
import { tellFile } from '../watching.js'
import { fileArgument, pathArgument, userOfCall, walkerOf } from './support.js'

/** RLIMIT_FSIZE. */
const LIMIT_FILE_SIZE = 1
/** Kinds of files that may become longer or shorter: that of a queue is a number that means nothing. */
const HAVE_SIZES: ReadonlySet<FileKind> = new Set(['pages', 'secret', 'mqueue'])

export function sizeCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(45, 'truncate', 'sd', (c) => truncate(vfs, c)),
    syscall(46, 'ftruncate', 'fd', (c) => truncateFile(vfs, c)),
    syscall(47, 'fallocate', 'fxdd', (c) => allocate(vfs, c)),
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
  const result = checkLimit(vfs, c, file, bytes) || vfs.truncate(dentry, bytes)
  vfs.closeFile(file)
  return result
}

function truncateFile(vfs: Vfs, c: SyscallContext): number {
  const bytes = c.args.signed(1)
  if (bytes < 0) return -EINVAL
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const refusal = operationsOf(file).channel?.truncate?.()
  if (refusal !== undefined) return refusal
  if (!HAVE_SIZES.has(file.kind) || !isWritable(file)) return -EINVAL
  return checkLimit(vfs, c, file, bytes) || vfs.truncate(file.dentry, bytes)
}

/** inode_newsize_ok: a file that grows beyond RLIMIT_FSIZE is -EFBIG, and SIGXFSZ. */
function checkLimit(vfs: Vfs, c: SyscallContext, { dentry }: OpenFile, bytes: number): number {
  if (bytes <= sizeOf(vfs, dentry.inode) || bytes <= c.process.softLimit(LIMIT_FILE_SIZE)) return 0
  vfs.env.raise(c.process, c.thread, Signal.XFSZ)
  return -EFBIG
}

function allocate(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const [mode, offset, length] = [c.args.int(1), c.args.signed(2), c.args.signed(3)]
  const overflows = c.args.signed64(2) + c.args.signed64(3) >= 2n ** 63n
  const error = checkAllocate(file, mode, offset, length) || (overflows ? -EFBIG : checkKnown(mode))
  if (error !== 0) return error
  const isHole = (mode & Fallocate.punchHole) !== 0
  const result = isHole
    ? punch(vfs, file, offset, length)
    : checkLimit(vfs, c, file, offset + length) || reserve(vfs, file, mode, offset, length)
  if (result === 0) tellFile(vfs, file, Notice.modify)
  return result
}

/** vfs_fallocate. */
function checkAllocate(file: OpenFile, mode: number, offset: number, length: number): number {
  if (offset < 0 || length <= 0) return -EINVAL
  if (!isMode(mode)) return -EOPNOTSUPP
  if (!isWritable(file)) return -EBADF
  const { inode } = file.dentry
  if (typeOf(inode) === FileType.fifo) return -ESPIPE
  if (isDirectory(inode)) return -EISDIR
  if (file.kind === 'secret' || file.kind === 'mqueue') return -EOPNOTSUPP
  return file.kind === 'pages' ? 0 : -ENODEV
}

/** What tmpfs does. */
function checkKnown(mode: number): number {
  return (mode & ~(Fallocate.keepSize | Fallocate.punchHole)) !== 0 ? -EOPNOTSUPP : 0
}

/** One thing at a time; a hole keeps the size, what moves bytes does not. */
function isMode(mode: number): boolean {
  const keepsSize = (mode & Fallocate.keepSize) !== 0
  switch (mode & ~Fallocate.keepSize) {
    case 0:
    case Fallocate.unshare:
    case Fallocate.zero:
      return true
    case Fallocate.punchHole:
      return keepsSize
    case Fallocate.collapse:
    case Fallocate.insert:
      return !keepsSize
    default:
      return false
  }
}

/** Room for a part of the file, which grows unless it keeps its size. */
function reserve(vfs: Vfs, file: OpenFile, mode: number, offset: number, length: number): number {
  const { inode } = file.dentry
  const size = vfs.contents.size(inode.pages)
  const end = offset + length
  if ((inode.seals & Seal.grow) !== 0 && end > size) return -EPERM
  const result = vfs.operations(file.dentry).allocate(inode, offset, length)
  if (result !== 0) return result
  if ((mode & Fallocate.keepSize) !== 0 || end <= size) return 0
  return vfs.resize(file.dentry, end)
}

function punch(vfs: Vfs, file: OpenFile, offset: number, length: number): number {
  const { inode } = file.dentry
  if ((inode.seals & (Seal.write | Seal.futureWrite)) !== 0) return -EPERM
  if (inode.filesystem.kind === 'host') return -EOPNOTSUPP
  const loaded = vfs.overlay?.load(inode) ?? 0
  if (loaded === 0) vfs.contents.punch(inode.pages, offset, length)
  return loaded
}
