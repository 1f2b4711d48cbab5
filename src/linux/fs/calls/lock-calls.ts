/** flock, and the commands of fcntl that lock ranges: F_GETLK, F_SETLK, F_SETLKW and their OFD forms. */
import { EAGAIN, EBADF, EFAULT, EINVAL, EOVERFLOW } from '../../../base/errno.js'
import { numberOf } from '../../calls/numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { PARKED, WaitKind } from '../../wait.js'
import { Flock } from '../file-locks.js'
import { sizeOf } from '../file-operations.js'
import { Fcntl, Seek } from '../flags.js'
import { isReadable, isWritable, type OpenFile } from '../open-file.js'
import { LOCK_END, LockType, type RecordLock } from '../record-locks.js'
import type { Vfs } from '../vfs.js'
import { fileArgument, int64, put, setInt64, take, userOfCall } from './support.js'

/** struct flock: type, whence, start, length, process. */
const FLOCK_BYTES = 32
const OFFSET_MAX = 2 ** 63

/** What an argument of fcntl asks for; of type `unlock`, too. */
type Request = RecordLock

export function lockCalls(vfs: Vfs): Syscall[] {
  return [syscall(32, 'flock', 'fx', (c) => lockFile(vfs, c))]
}

/** -EAGAIN is EWOULDBLOCK: with LOCK_NB it is the answer, without the thread waits for the holder. */
function lockFile(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const { locks } = vfs
  const operation = c.args.int(1)
  locks.endWait(c.thread.id)
  const result = locks.apply(file, operation, c.process.id)
  if (result !== -EAGAIN || (operation & Flock.nonBlock) !== 0) return result
  const parked = c.thread.park(WaitKind.file, locks.waitMask)
  if (parked === PARKED) locks.wait(c.thread.id, file, operation, c.process.id)
  return parked
}

export function isLockCommand(command: number): boolean {
  return (
    (command >= Fcntl.getLock && command <= Fcntl.setLockWait) ||
    (command >= Fcntl.getOpenLock && command <= Fcntl.setOpenLockWait)
  )
}

/** A lock command of fcntl(2) on an open file. */
export function lockRange(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  const command = c.args.int(1)
  const isOpen = command >= Fcntl.getOpenLock
  vfs.locks.endWait(c.thread.id)
  const view = take(c, c.args.address(2), FLOCK_BYTES)
  if (view === undefined) return -EFAULT
  if (command === Fcntl.getLock || command === Fcntl.getOpenLock) return getLock(vfs, c, file, view, isOpen)
  const request = requestIn(vfs, c, file, view, isOpen)
  if (typeof request === 'number') return request
  if (request.type === LockType.read && !isReadable(file)) return -EBADF
  if (request.type === LockType.write && !isWritable(file)) return -EBADF
  if (isOpen && view.getInt32(24, true) !== 0) return -EINVAL
  const mayWait = command === Fcntl.setLockWait || command === Fcntl.setOpenLockWait
  return setLock(vfs, c, file, request, mayWait)
}

function setLock(vfs: Vfs, c: SyscallContext, file: OpenFile, request: Request, mayWait: boolean): number {
  const { records, waitMask } = vfs.locks
  const { inode } = file.dentry
  if (request.type === LockType.unlock) {
    records.release(inode, request)
    return 0
  }
  const result = records.take(inode, request)
  if (result !== -EAGAIN || !mayWait) return result
  const deadlock = records.wait(c.thread.id, inode, request)
  if (deadlock !== 0) return deadlock
  const parked = c.thread.park(WaitKind.file, waitMask)
  if (parked !== PARKED) records.endWait(c.thread.id)
  return parked
}

function getLock(vfs: Vfs, c: SyscallContext, file: OpenFile, view: DataView, isOpen: boolean): number {
  const type = view.getInt16(0, true)
  if (!isOpen && type !== LockType.read && type !== LockType.write) return -EINVAL
  const request = requestIn(vfs, c, file, view, isOpen)
  if (typeof request === 'number') return request
  if (isOpen && view.getInt32(24, true) !== 0) return -EINVAL
  const found = vfs.locks.records.conflict(file.dentry.inode, request)
  if (found === undefined) view.setInt16(0, LockType.unlock, true)
  else describe(c, view, found)
  return put(c, c.args.address(2), new Uint8Array(view.buffer))
}

function describe(c: SyscallContext, view: DataView, { type, start, end, pid }: RecordLock): void {
  view.setInt16(0, type, true)
  view.setInt16(2, Seek.set, true)
  setInt64(view, 8, start)
  setInt64(view, 16, end === LOCK_END ? 0 : end - start + 1)
  view.setInt32(24, pid < 0 ? pid : numberOf(c, pid), true)
}

/** flock_to_posix_lock: -EINVAL, -EOVERFLOW. */
function requestIn(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  view: DataView,
  isOpen: boolean,
): Request | number {
  const base = baseOf(vfs, file, view.getInt16(2, true))
  const range = base < 0 ? base : rangeIn(base + int64(view, 8), int64(view, 16))
  if (typeof range === 'number') return range
  const type = view.getInt16(0, true)
  if (type < LockType.read || type > LockType.unlock) return -EINVAL
  const owner = isOpen ? file : userOfCall(c).files
  return { ...range, type, owner, file, pid: isOpen ? -1 : c.process.id, order: 0 }
}

function baseOf(vfs: Vfs, file: OpenFile, whence: number): number {
  if (whence === Seek.set) return 0
  if (whence === Seek.current) return file.position
  return whence === Seek.end ? sizeOf(vfs, file.dentry.inode) : -EINVAL
}

/** First and last byte; a negative length stands for what lies before `start`. */
function rangeIn(start: number, length: number): { start: number; end: number } | number {
  if (start >= OFFSET_MAX) return -EOVERFLOW
  if (start < 0) return -EINVAL
  if (length === 0) return { start, end: LOCK_END }
  if (length > 0) return start + length > OFFSET_MAX ? -EOVERFLOW : { start, end: start + length - 1 }
  return start + length < 0 ? -EINVAL : { start: start + length, end: start - 1 }
}
