/** sendfile and copy_file_range: from file to file inside the kernel. */
import { EAGAIN, EBADF, EFAULT, EINVAL, EISDIR, EOVERFLOW, EXDEV } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { isSeekable, operationsOf, sizeOf } from '../file-operations.js'
import { Open, TRANSFER_MAX } from '../flags.js'
import type { ChannelOperations } from '../ipc/channel.js'
import { Notice } from '../ipc/inotify.js'
import { isReadable, isWritable, type OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { tellFile } from '../watching.js'
import { FileBytes } from './file-bytes.js'
import { isNonBlocking, sendAll } from './streaming.js'
import { fileArgument, int64, put, setInt64, take, waitFor } from './support.js'
import { finishWrite } from './transfer.js'

const CHUNK = 65536

export function copyingCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(71, 'sendfile', 'ffpu', (c) => sendFile(vfs, c)),
    syscall(285, 'copy_file_range', 'fpfpux', (c) => copyRange(vfs, c)),
  ]
}

/** A position that the caller keeps in its memory, or the file's own. */
export class Position {
  readonly #c: SyscallContext
  readonly #address: number
  readonly #file: OpenFile
  readonly start: number

  private constructor(c: SyscallContext, address: number, file: OpenFile, start: number) {
    this.#c = c
    this.#address = address
    this.#file = file
    this.start = start
  }

  /** -EFAULT. It may be negative. */
  static read(c: SyscallContext, argument: number, file: OpenFile): Position | number {
    if (c.args.isZero(argument)) return new Position(c, 0, file, file.position)
    const address = c.args.address(argument)
    const view = take(c, address, 8)
    if (view === undefined) return -EFAULT
    return new Position(c, address, file, int64(view, 0))
  }

  /** Stores it, moved on. 0 or -EFAULT. */
  advance(bytes: number): number {
    if (this.#address === 0) {
      this.#file.position = this.start + bytes
      return 0
    }
    const view = new DataView(new ArrayBuffer(8))
    setInt64(view, 0, this.start + bytes)
    return put(this.#c, this.#address, new Uint8Array(view.buffer))
  }
}

function sendFile(vfs: Vfs, c: SyscallContext): number {
  if (!c.args.isZero(2) && take(c, c.args.address(2), 8) === undefined) return -EFAULT
  const source = fileArgument(c, 1)
  if (typeof source === 'number') return source
  if (!isReadable(source)) return -EBADF
  const from = Position.read(c, 2, source)
  if (typeof from === 'number') return from
  if (from.start < 0) return -EINVAL
  const target = fileArgument(c, 0)
  if (typeof target === 'number') return target
  if (!isWritable(target)) return -EBADF
  if (source.kind === 'directory' || (target.flags & Open.append) !== 0) return -EINVAL
  if (!isSeekable(vfs, source)) return -EINVAL
  const count = Math.min(c.args.address(3), TRANSFER_MAX)
  const { channel } = operationsOf(target)
  if (channel !== undefined) return sendFileOn(vfs, c, source, from, target, channel, count)
  const done = copy(vfs, source, from.start, target, target.position, count)
  if (done === -EAGAIN) return waitFor(vfs, c, target)
  if (done > 0 && from.advance(done) !== 0) return -EFAULT
  return finishWrite(vfs, c, target, done, target.position)
}

/** To a pipe or a socket: all of it, with waits in between. */
function sendFileOn(
  vfs: Vfs,
  c: SyscallContext,
  source: OpenFile,
  from: Position,
  target: OpenFile,
  channel: ChannelOperations,
  count: number,
): number {
  const bytes = new FileBytes(vfs, source, from.start + c.thread.progress, count - c.thread.progress)
  const options = { isNonBlocking: isNonBlocking(target), isQuiet: channel.isQuiet?.(target) ?? false }
  const done = sendAll(vfs, c, target, bytes, options, (goesOn) =>
    channel.send(vfs, target, bytes, goesOn, c.process),
  )
  return done > 0 && from.advance(done) !== 0 ? -EFAULT : done
}

function copyRange(vfs: Vfs, c: SyscallContext): number {
  const source = fileArgument(c, 0)
  if (typeof source === 'number') return source
  const target = fileArgument(c, 2)
  if (typeof target === 'number') return target
  const from = Position.read(c, 1, source)
  if (typeof from === 'number') return from
  const to = Position.read(c, 3, target)
  if (typeof to === 'number') return to
  const count = Math.min(c.args.address(4), TRANSFER_MAX)
  const error = checkRange(c, source, from.start, target, to.start, count)
  if (error !== 0) return error
  const left = Math.max(0, Math.min(count, sizeOf(vfs, source.dentry.inode) - from.start))
  if (overlap(source, from.start, target, to.start, left)) return -EINVAL
  const done = copy(vfs, source, from.start, target, to.start, left)
  if (done <= 0) return done
  return from.advance(done) === 0 && to.advance(done) === 0 ? done : -EFAULT
}

/** generic_copy_file_checks. */
function checkRange(
  c: SyscallContext,
  source: OpenFile,
  from: number,
  target: OpenFile,
  to: number,
  count: number,
): number {
  if (c.args.int(5) !== 0) return -EINVAL
  if (source.kind === 'directory' || target.kind === 'directory') return -EISDIR
  if (source.kind !== 'pages' || target.kind !== 'pages') return -EINVAL
  if (!isReadable(source) || !isWritable(target) || (target.flags & Open.append) !== 0) return -EBADF
  if (target.dentry.inode.filesystem !== source.dentry.inode.filesystem) return -EXDEV
  if (overflows(from, count) || overflows(to, count)) return -EOVERFLOW
  if (from < 0 || to < 0) return -EINVAL
  return 0
}

/** Within one file the parts must be apart, as far as there is anything to copy. */
function overlap(source: OpenFile, from: number, target: OpenFile, to: number, count: number): boolean {
  return source.dentry.inode === target.dentry.inode && from < to + count && to < from + count
}

/** As the kernel adds: a negative position is a number near 2^64. */
function overflows(position: number, count: number): boolean {
  return position < 0 ? position + count >= 0 && count > 0 : position + count > Number.MAX_SAFE_INTEGER
}

/**
 * Bytes copied, until the source ends or the target takes less; a negative errno for the first piece. A file that is sent to itself may grow on the way, and is read
 * a page at a time, just before that is written: Linux passes the pages themselves on.
 */
function copy(vfs: Vfs, source: OpenFile, from: number, target: OpenFile, to: number, count: number): number {
  const isSame = source.dentry.inode === target.dentry.inode
  const staging = new Uint8Array(Math.min(count, isSame ? PAGE_SIZE : CHUNK))
  let done = 0
  while (done < count) {
    const most = isSame ? PAGE_SIZE - ((from + done) % PAGE_SIZE) : CHUNK
    const part = staging.subarray(0, Math.min(most, count - done))
    const got = operationsOf(source).read(vfs, source, from + done, part)
    const put = got > 0 ? operationsOf(target).write(vfs, target, to + done, part.subarray(0, got)) : got
    if (put < 0) return done > 0 ? done : put
    done += put
    if (got === 0 || put < got) break
  }
  if (done > 0) {
    tellFile(vfs, source, Notice.access)
    tellFile(vfs, target, Notice.modify)
  }
  return done
}
