/** Moving bytes between an open file and the program's memory: the engine below read(2), write(2) and their kin. */
import { EAGAIN, EFAULT, EFBIG, EINVAL, EISDIR, EPIPE } from '../../../base/errno.js'
import { copyFromUserPartial, copyToUserPartial } from '../../../fault/user-copy.js'
import { Signal } from '../../signal-numbers.js'
import type { SyscallContext } from '../../syscall-context.js'
import { operationsOf, sizeOf } from '../file-operations.js'
import { IOV_MAX, Open, TRANSFER_MAX } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import { STAGING_MAX } from '../staging.js'
import type { Vfs } from '../vfs.js'
import { pieceOf } from './own-memory.js'
import { isMissing, receiveRanges, sendRanges } from './streaming.js'
import { isBuffer, take, uint64, waitFor } from './support.js'
import { checkTerminalRead } from './terminal-calls.js'

/** RLIMIT_FSIZE. */
const LIMIT_FILE_SIZE = 1

/** A piece of the program's memory. */
export interface UserRange {
  readonly address: number
  readonly length: number
}

/** The one buffer of read and write: -EFAULT when it is not in the user's half. */
export function singleRange(c: SyscallContext, address: number, length: number): UserRange[] | number {
  if (!isBuffer(c, address, length)) return -EFAULT
  return [{ address, length: Math.min(length, TRANSFER_MAX) }]
}

/** An iovec: -EINVAL for too many or a negative length, -EFAULT. Together at most TRANSFER_MAX; one alone is cut to it first. */
export function vectorRanges(c: SyscallContext, address: number, count: number): UserRange[] | number {
  if (count < 0 || count > IOV_MAX) return -EINVAL
  const view = take(c, address, count * 16)
  if (view === undefined) return -EFAULT
  // Before any of the addresses is looked at (copy_iovec_from_user).
  for (let i = 0; i < count; i++) if (view.getInt32(i * 16 + 12, true) < 0) return -EINVAL
  const ranges: UserRange[] = []
  let room = TRANSFER_MAX
  for (let i = 0; i < count; i++) {
    const asked = uint64(view, i * 16 + 8)
    const length = count === 1 ? Math.min(asked, TRANSFER_MAX) : asked
    const base = uint64(view, i * 16)
    if (!isBuffer(c, base, length)) return -EFAULT
    ranges.push({ address: base, length: Math.min(length, room) })
    room -= Math.min(length, room)
  }
  return ranges
}

/** One piece: bytes moved, fewer than asked when `ended`, or a negative errno. */
interface Piece {
  count: number
  ended: boolean
}

/** Reads into the program from `position` on, or from the file's own position, which then moves on. */
export function readRanges(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  ranges: readonly UserRange[],
  position?: number,
): number {
  if (file.kind === 'directory') return -EISDIR
  const { channel } = operationsOf(file)
  if (channel !== undefined) return receiveRanges(vfs, c, file, channel, ranges)
  const refused = checkTerminalRead(vfs, c, file)
  if (refused !== 0) return refused
  const start = position ?? file.position
  const done = moveAll(ranges, (address, length, moved) => {
    const most = pieceOf(vfs, c, file, start + moved, address, length)
    const part = vfs.staging.take(most)
    const got = operationsOf(file).read(vfs, file, start + moved, part)
    if (got <= 0) return { count: got, ended: true }
    const copied = copyToUserPartial(c.mm, c.space, address, got === most ? part : part.subarray(0, got))
    return { count: copied === 0 ? -EFAULT : copied, ended: copied < most }
  })
  if (done === -EAGAIN) return waitFor(vfs, c, file)
  if (done > 0 && position === undefined) file.position = start + done
  return done
}

/** Writes from the program at `position`, or at the file's own position, which then moves on; O_APPEND goes to the end. */
export function writeRanges(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  ranges: readonly UserRange[],
  position?: number,
): number {
  const { channel } = operationsOf(file)
  if (channel !== undefined) return sendRanges(vfs, c, file, channel, ranges)
  const append = (file.flags & Open.append) !== 0 && file.kind === 'pages'
  if (vfs.discards(file)) return ranges.reduce((sum, { length }) => sum + length, 0)
  if (isEmptyText(file, ranges)) return operationsOf(file).write(vfs, file, file.position, new Uint8Array(0))
  const before = c.thread.progress
  const start = append ? sizeOf(vfs, file.dentry.inode) : (position ?? file.position) + before
  const done = moveAll(withoutFirst(ranges, before), (address, length, moved) => {
    const most = pieceOf(vfs, c, file, start + moved, address, length)
    const room = roomBelowLimit(vfs, c, file, start + moved, most)
    if (room < 0) return { count: room, ended: true }
    const part = vfs.staging.take(room)
    const copied = copyFromUserPartial(c.mm, c.space, address, part)
    if (copied === 0 && room > 0) return { count: -EFAULT, ended: true }
    const source = copied === room ? part : part.subarray(0, copied)
    const written = operationsOf(file).write(vfs, file, start + moved, source)
    return { count: written, ended: written < most }
  })
  if (isMissing(c)) {
    c.thread.progress = before + Math.max(done, 0)
    return -EFAULT
  }
  const result = finishWrite(vfs, c, file, done, position === undefined ? start : undefined)
  return before === 0 ? result : before + Math.max(result, 0)
}

/** What is left of the ranges when the first bytes are through. */
function withoutFirst(ranges: readonly UserRange[], bytes: number): readonly UserRange[] {
  let skipped = bytes
  return ranges.map(({ address, length }) => {
    const gone = Math.min(skipped, length)
    skipped -= gone
    return { address: address + gone, length: length - gone }
  })
}

/** Files of /proc look even at what has no length: most of them want a number. */
function isEmptyText({ kind }: OpenFile, ranges: readonly UserRange[]): boolean {
  return kind === 'text' && ranges.every(({ length }) => length === 0)
}

/** Files of which writes have no position to be told. */
export function hasNoWritePosition(vfs: Vfs, file: OpenFile): boolean {
  return file.kind === 'text' && vfs.madeUp(file.dentry).hasNoWritePosition(file)
}

function movesWhenWritten(vfs: Vfs, { kind, dentry }: OpenFile): boolean {
  return kind !== 'text' || vfs.madeUp(dentry).movesWhenWritten(dentry.inode)
}

/** What a write's result means besides: waiting, SIGPIPE, the file's position (from `start`, if it is to move). */
export function finishWrite(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  done: number,
  start: number | undefined,
): number {
  if (done === -EAGAIN) return waitFor(vfs, c, file)
  if (done === -EPIPE) vfs.env.raise(c.process, c.thread, Signal.PIPE)
  if (done > 0 && start !== undefined && movesWhenWritten(vfs, file)) file.position = start + done
  return done
}

/** RLIMIT_FSIZE for regular files: how much may be written there; SIGXFSZ and -EFBIG for nothing. */
function roomBelowLimit(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  position: number,
  length: number,
): number {
  const limit = c.process.softLimit(LIMIT_FILE_SIZE)
  if (file.kind !== 'pages' || position + length <= limit || length === 0) return length
  if (position < limit) return limit - position
  vfs.env.raise(c.process, c.thread, Signal.XFSZ)
  return -EFBIG
}

/** Range by range and piece by piece until one falls short. What was moved, or the errno of the first piece. */
function moveAll(
  ranges: readonly UserRange[],
  move: (address: number, length: number, moved: number) => Piece,
): number {
  let done = 0
  for (const { address, length } of ranges) {
    for (let at = 0; at < length; ) {
      const { count, ended } = move(address + at, Math.min(STAGING_MAX, length - at), done)
      if (count < 0) return done > 0 ? done : count
      done += count
      at += count
      if (ended) return done
    }
  }
  return done
}
