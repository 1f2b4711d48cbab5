/** sync, fsync and their kin: what mappings have changed goes to the host. */
import { EBADF, EINVAL, ESPIPE } from '../../../base/errno.js'
import { checkErrors } from '../../../space/error-sequence.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { operationsOf } from '../file-operations.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { fileArgument } from './support.js'

const SYNC_FILE_RANGE_WRITE = 2
const SYNC_FILE_RANGE_FLAGS = 7

export function syncCalls(vfs: Vfs): Syscall[] {
  const sync = (c: SyscallContext) => syncFile(vfs, c)
  return [
    syscall(81, 'sync', '', () => syncAll(vfs)),
    syscall(82, 'fsync', 'f', sync),
    syscall(83, 'fdatasync', 'f', sync),
    syscall(84, 'sync_file_range', 'fddx', (c) => syncRange(vfs, c)),
    syscall(267, 'syncfs', 'f', (c) => syncFilesystem(vfs, c)),
  ]
}

/** Every open file hears of an error once: also of one that write-back for somebody else has met. */
function syncFile(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  if (file.kind === 'device' || file.kind === 'text' || file.kind === 'raw') return -EINVAL
  if (operationsOf(file).channel !== undefined) return -EINVAL
  if (file.kind === 'secret' || file.kind === 'mqueue' || file.kind === 'namespace') return -EINVAL
  if (file.kind !== 'pages') return 0
  const result = vfs.operations(file.dentry).sync(file.dentry.inode)
  return hearErrors(vfs, file) || result
}

/** file_check_and_advance_wb_err. */
function hearErrors({ contents }: Vfs, file: OpenFile): number {
  const { pages } = file.dentry.inode
  const { word, errno } = checkErrors(contents.errors(pages), file.errors)
  contents.setErrors(pages, word)
  file.errors = word
  return errno
}

/** Waiting for what is being written is nothing here: it is written at once. */
function syncRange(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const [offset, bytes, flags] = [c.args.signed(1), c.args.signed(2), c.args.low(3)]
  if ((flags & ~SYNC_FILE_RANGE_FLAGS) !== 0) return -EINVAL
  const overflows = c.args.signed64(1) + c.args.signed64(2) >= 2n ** 63n
  if (offset < 0 || bytes < 0 || overflows) return -EINVAL
  if (operationsOf(file).channel !== undefined || file.kind === 'device') return -ESPIPE
  if (file.kind !== 'pages' || (flags & SYNC_FILE_RANGE_WRITE) === 0) return 0
  const length = bytes === 0 ? Number.POSITIVE_INFINITY : bytes
  const result = vfs.contents.writeBack(file.dentry.inode.pages, offset, length)
  return hearErrors(vfs, file) || result
}

function syncAll(vfs: Vfs): number {
  vfs.syncHosts()
  return 0
}

/** -EBADF, or what could not be written. */
function syncFilesystem(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return -EBADF
  return vfs.hosts.syncAll(file.dentry.inode.filesystem)
}
