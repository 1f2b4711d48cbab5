/** ioctl(2): close-on-exec and blocking for every file, and what a terminal answers. */
import { EFAULT, EINVAL, ENOTTY } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { operationsOf, sizeOf } from '../file-operations.js'
import { deviceNumber, Ioctl, Open } from '../flags.js'
import type { FileKind, OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { namespaceIoctl, pidFileIoctl } from './namespace-requests.js'
import { fileArgument, put, take, userOfCall } from './support.js'
import { terminalIoctl } from './terminal-calls.js'
import { isUserfault, userfaultIoctl } from './userfault-calls.js'

export function ioctlCalls(vfs: Vfs): Syscall[] {
  return [syscall(29, 'ioctl', 'fxx', (c) => ioctl(vfs, c))]
}

function ioctl(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const request = c.args.low(1)
  switch (request) {
    case Ioctl.closeOnExec:
    case Ioctl.noCloseOnExec:
      userOfCall(c).files.descriptor(c.args.int(0))!.closeOnExec = request === Ioctl.closeOnExec
      return 0
    case Ioctl.nonBlocking:
      return setNonBlocking(c, file)
    case Ioctl.async:
      return setAsync(c, file)
    case Ioctl.bytesReadable:
      return file.kind === 'userfaultfd' ? -EINVAL : bytesReadable(vfs, c, file)
    default:
      if (file.kind === 'text' || file.kind === 'raw') return vfs.madeUp(file.dentry).control(c, file)
      if (file.kind === 'namespace') return namespaceIoctl(vfs, c, file, request)
      if (file.kind === 'pidfd') return pidFileIoctl(vfs, c, file, request)
      return isUserfault(file) ? userfaultIoctl(vfs, c, file, request) : terminalIoctl(vfs, c, file, request)
  }
}

function setNonBlocking(c: SyscallContext, file: OpenFile): number {
  const view = take(c, c.args.address(2), 4)
  if (view === undefined) return -EFAULT
  file.flags = view.getInt32(0, true) === 0 ? file.flags & ~Open.nonBlock : file.flags | Open.nonBlock
  return 0
}

const TELLING: ReadonlySet<FileKind> = new Set(['pipe', 'socket', 'inotify'])
/** /dev/null, zero and full. */
const SILENT_DEVICES: readonly number[] = [3, 5, 7].map((minor) => deviceNumber(1, minor))

/** Whether a file can send SIGIO (it has fasync). */
export function maySignal({ kind, dentry }: OpenFile): boolean {
  return TELLING.has(kind) || (kind === 'device' && !SILENT_DEVICES.includes(dentry.inode.rdev))
}

function setAsync(c: SyscallContext, file: OpenFile): number {
  const view = take(c, c.args.address(2), 4)
  if (view === undefined) return -EFAULT
  const flags = view.getInt32(0, true) === 0 ? file.flags & ~Open.async : file.flags | Open.async
  if (flags === file.flags) return 0
  if (!maySignal(file)) return -ENOTTY
  file.flags = flags
  return 0
}

function bytesReadable(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  const { channel } = operationsOf(file)
  if (file.kind !== 'pages' && channel?.bytesReadable === undefined) return -ENOTTY
  const left = channel?.bytesReadable?.(vfs, file) ?? sizeOf(vfs, file.dentry.inode) - file.position
  return put(c, c.args.address(2), new Uint8Array(Int32Array.of(left).buffer))
}
