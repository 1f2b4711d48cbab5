/** recvfrom, recvmsg and recvmmsg. */
import { EAGAIN, EFAULT, EOPNOTSUPP } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { PARKED } from '../../wait.js'
import { IOV_MAX } from '../flags.js'
import { nothingReceived, type Received, receive } from '../ipc/socket-transfer.js'
import { isStream } from '../ipc/unix-socket.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { ControlWriter, writeReceived } from './control-messages.js'
import {
  HEADER_BYTES,
  HEADER_CONTROL_LENGTH,
  HEADER_FLAGS,
  HEADER_NAME_LENGTH,
  HEADER_STEP,
  headerAt,
  MessageFlag,
  type MessageHeader,
} from './message-header.js'
import { encodeAddress, putAddress } from './socket-address.js'
import { socketArgument, socketOf } from './socket-calls.js'
import { isNonBlocking, parkFor } from './streaming.js'
import { put } from './support.js'
import { singleRange, type UserRange } from './transfer.js'
import { UserBytes } from './user-bytes.js'
import { deadlineAfter, deadlineArgument } from './waiting.js'

export function receivingCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(207, 'recvfrom', 'fBuxpp', (c) => receiveFrom(vfs, c)),
    syscall(212, 'recvmsg', 'fpx', (c) => receiveMessage(vfs, c)),
    syscall(243, 'recvmmsg', 'fpuxp', (c) => receiveMessages(vfs, c)),
  ]
}

function receiveFrom(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const ranges = singleRange(c, c.args.address(1), c.args.address(2))
  if (typeof ranges === 'number') return ranges
  const received = nothingReceived()
  const result = receiveOn(vfs, c, file, ranges, c.args.int(3), received)
  if (result < 0) return result
  vfs.sockets.dropFiles(received.files)
  if (c.args.isZero(4)) return result
  const stored = putAddress(c, senderAddress(received), c.args.address(4), c.args.address(5))
  return stored === 0 ? result : stored
}

/** Nothing for a sender that has no name. */
function senderAddress({ senderName }: Received): Uint8Array {
  return senderName === '' ? new Uint8Array(0) : encodeAddress(senderName)
}

/** Bytes received (of a datagram with MSG_TRUNC: all there were), PARKED, or a negative errno. */
function receiveOn(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  ranges: readonly UserRange[],
  flags: number,
  received: Received,
): number {
  if ((flags & MessageFlag.outOfBand) !== 0) return -EOPNOTSUPP
  const socket = socketOf(file)
  const isPeek = (flags & MessageFlag.peek) !== 0
  const waitsForAll = isStream(socket) && !isPeek && (flags & MessageFlag.waitAll) !== 0
  let done = waitsForAll ? c.thread.progress : 0
  const sink = new UserBytes(c, ranges).skip(done)
  for (;;) {
    const result = receive(vfs.sockets, socket, sink, { isPeek }, received)
    if (result === -EAGAIN && !isNonBlocking(file) && (flags & MessageFlag.dontWait) === 0) {
      const deadline = deadlineAfter(c, socket.receiveTimeout)
      return parkFor(vfs, c, file, done, { deadline })
    }
    if (result < 0) return done > 0 ? done : result
    done += result
    const isAll = !waitsForAll || sink.left === 0 || result === 0 || received.files.length > 0
    if (isAll) return (flags & MessageFlag.truncated) !== 0 ? done + received.truncated : done
  }
}

function receiveMessage(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  return receiveAt(vfs, c, file, c.args.address(1), c.args.int(2))
}

function receiveAt(vfs: Vfs, c: SyscallContext, file: OpenFile, at: number, flags: number): number {
  const header = headerAt(c, at)
  if (typeof header === 'number') return header
  const received = nothingReceived()
  const result = receiveOn(vfs, c, file, header.ranges, flags, received)
  if (result < 0) return result
  return finish(c, file, header, flags, received) ? result : -EFAULT
}

/** Stores the sender's address, the control messages, and their lengths and flags in the header. */
function finish(
  c: SyscallContext,
  file: OpenFile,
  header: MessageHeader,
  flags: number,
  received: Received,
): boolean {
  const writer = new ControlWriter(c, header.control, header.controlLength)
  const closeOnExec = (flags & MessageFlag.closeOnExec) !== 0
  writeReceived(writer, received, socketOf(file).passesCredentials, closeOnExec)
  let told = flags & MessageFlag.closeOnExec
  if (received.truncated > 0) told |= MessageFlag.truncated
  if (writer.isTruncated) told |= MessageFlag.controlTruncated
  return putSender(c, header, received) && putResult(c, header, told, writer.length)
}

function putSender(
  c: SyscallContext,
  { address, name, nameLength }: MessageHeader,
  received: Received,
): boolean {
  if (name === 0) return true
  const bytes = senderAddress(received)
  if (put(c, name, bytes.subarray(0, Math.max(0, nameLength))) !== 0) return false
  return put(c, address + HEADER_NAME_LENGTH, words(bytes.length)) === 0
}

function putResult(c: SyscallContext, { address }: MessageHeader, flags: number, length: number): boolean {
  if (put(c, address + HEADER_FLAGS, words(flags)) !== 0) return false
  return put(c, address + HEADER_CONTROL_LENGTH, words(length, 0)) === 0
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer)
}

/** Several messages; `thread.progress` counts those that came before the thread had to wait. */
function receiveMessages(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const deadline = deadlineArgument(c, 4)
  if (deadline < 0) return deadline
  const count = Math.min(c.args.low(2), IOV_MAX)
  let flags = c.args.int(3)
  for (let i = c.thread.progress; i < count; i++) {
    const at = c.args.address(1) + i * HEADER_STEP
    const waits = !isNonBlocking(file) && (flags & MessageFlag.dontWait) === 0
    const result = receiveAt(vfs, c, file, at, flags | MessageFlag.dontWait)
    if (result === -EAGAIN && waits) return parkFor(vfs, c, file, i, { deadline })
    if (result < 0 || result === PARKED) return i > 0 ? i : result
    if (put(c, at + HEADER_BYTES, words(result)) !== 0) return i > 0 ? i : -EFAULT
    if ((flags & MessageFlag.waitForOne) !== 0) flags |= MessageFlag.dontWait
  }
  return count
}
