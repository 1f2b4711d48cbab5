/** What the handlers have in common: arguments that are files or paths, and the program's memory. */
import { EAGAIN, EBADF, EFAULT, ENAMETOOLONG, ENOENT } from '../../../base/errno.js'
import { PAGE_MASK, PAGE_SIZE } from '../../../base/numbers.js'
import { copyFromUser, copyFromUserPartial, copyToUser, isUserRange } from '../../../fault/user-copy.js'
import type { Process } from '../../process.js'
import type { SyscallContext } from '../../syscall-context.js'
import { WaitKind } from '../../wait.js'
import { operationsOf } from '../file-operations.js'
import { type FileUser, userOf } from '../file-user.js'
import { At, Open, PATH_MAX } from '../flags.js'
import type { Dentry } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import { byteString } from '../text.js'
import type { Vfs } from '../vfs.js'
import type { Place, Walker } from '../walk.js'

/** RLIMIT_NOFILE. */
const LIMIT_FILES = 7

export function userOfCall(c: SyscallContext): FileUser {
  return userOf(c.process)
}

export function walkerOf(c: SyscallContext): Walker {
  return userOfCall(c).walker(c.process.id)
}

/** The open file of argument `i`; -EBADF, also for one that was opened with O_PATH. */
export function fileArgument(c: SyscallContext, i: number): OpenFile | number {
  const file = userOfCall(c).files.get(c.args.int(i))
  return file === undefined || file.kind === 'path' ? -EBADF : file
}

/** As fileArgument, O_PATH allowed. */
export function anyFileArgument(c: SyscallContext, i: number): OpenFile | number {
  return userOfCall(c).files.get(c.args.int(i)) ?? -EBADF
}

/** Gives an open file the lowest free number: that, or -EMFILE (then it is closed again). */
export function installFile(c: SyscallContext, file: OpenFile, closeOnExec: boolean): number {
  return installFor(c.process, file, closeOnExec)
}

/** The number that the next file gets, or -EMFILE. */
export function freeNumber(process: Process): number {
  return userOf(process).files.lowestFree(0, process.softLimit(LIMIT_FILES))
}

/** The same for any process. */
export function installFor(process: Process, file: OpenFile, closeOnExec: boolean): number {
  const user = userOf(process)
  const fd = freeNumber(process)
  if (fd >= 0) return user.files.install(fd, file, closeOnExec)
  file.references++
  user.drop(file)
  return fd
}

export function lowestFree(c: SyscallContext, lowest: number): number {
  return userOfCall(c).files.lowestFree(lowest, c.process.softLimit(LIMIT_FILES))
}

export function fileLimit(c: SyscallContext): number {
  return c.process.softLimit(LIMIT_FILES)
}

/** A path or name in the program's memory, as a byte string: -EFAULT, -ENAMETOOLONG. */
export function stringArgument(c: SyscallContext, i: number, bytesMax = PATH_MAX): string | number {
  const address = c.args.address(i)
  let text = ''
  while (text.length < bytesMax) {
    const at = address + text.length
    const inPage = PAGE_SIZE - (at & PAGE_MASK)
    const part = new Uint8Array(Math.min(inPage, bytesMax - text.length))
    const got = copyFromUserPartial(c.mm, c.space, at, part)
    if (got === 0) return -EFAULT
    const end = part.subarray(0, got).indexOf(0)
    text += byteString(part.subarray(0, end < 0 ? got : end))
    if (end >= 0) return text
  }
  return -ENAMETOOLONG
}

/** A path: -ENOENT when it is empty. */
export function pathArgument(c: SyscallContext, i: number): string | number {
  const path = stringArgument(c, i)
  return path === '' ? -ENOENT : path
}

/** Where a relative path begins: the `dirfd` of argument `i`. -EBADF. */
export function startArgument(c: SyscallContext, i: number, path: string): Dentry | number {
  const fd = c.args.int(i)
  if (path.startsWith('/') || fd === At.currentDirectory) return userOfCall(c).cwd
  const file = anyFileArgument(c, i)
  return typeof file === 'number' ? file : file.dentry
}

/**
 * The entry that `dirfd` (argument `i`) and the path after it name. `flags`: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH (then an empty
 * path is the file of `dirfd` itself). `credentials`: who looks, if not the process as it is.
 */
export function entryArgument(
  vfs: Vfs,
  c: SyscallContext,
  i: number,
  flags = 0,
  credentials = userOfCall(c).credentials,
): Dentry | number {
  const empty = (flags & At.emptyPath) !== 0
  const path = empty ? stringArgument(c, i + 1) : pathArgument(c, i + 1)
  if (typeof path === 'number') return path
  const start = startArgument(c, i, path)
  if (typeof start === 'number' || path === '') return start
  const walker = { ...walkerOf(c), credentials }
  return vfs.walk.resolve(walker, start, path, (flags & At.symlinkNoFollow) === 0)
}

/** The place that `dirfd` (argument `i`) and the path after it name. */
export function placeArgument(vfs: Vfs, c: SyscallContext, i: number): Place | number {
  const path = pathArgument(c, i + 1)
  if (typeof path === 'number') return path
  const start = startArgument(c, i, path)
  return typeof start === 'number' ? start : vfs.walk.place(walkerOf(c), start, path)
}

/** Copies a record to the program: 0 or -EFAULT. */
export function put(c: SyscallContext, address: number, bytes: Uint8Array): number {
  return copyToUser(c.mm, c.space, address, bytes)
}

/** Copies a record from the program; `undefined` is -EFAULT. */
export function take(c: SyscallContext, address: number, length: number): DataView | undefined {
  const bytes = new Uint8Array(length)
  return copyFromUser(c.mm, c.space, address, bytes) === 0 ? new DataView(bytes.buffer) : undefined
}

/** access_ok() of a buffer of the program. */
export function isBuffer(c: SyscallContext, address: number, length: number): boolean {
  return isUserRange(c.mm, address, length)
}

/** A signed 64-bit number in a record, exact to 2^53. */
export function int64(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true)
}

/** 2^63 stands for 2^63 - 1, which a number rounds to it. */
export function setInt64(view: DataView, offset: number, value: number): void {
  if (value >= 2 ** 63) {
    view.setBigInt64(offset, 2n ** 63n - 1n, true)
    return
  }
  view.setUint32(offset, (value % 0x1_0000_0000) >>> 0, true)
  view.setInt32(offset + 4, Math.floor(value / 0x1_0000_0000), true)
}

/** An unsigned 64-bit number in a record; rounded above 2^53. */
export function uint64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true)
}

/** A file answered -EAGAIN: waits for it, unless it is open with O_NONBLOCK. */
export function waitFor(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  if ((file.flags & Open.nonBlock) !== 0) return -EAGAIN
  return c.thread.park(WaitKind.file, operationsOf(file).waitsFor(vfs, file))
}
