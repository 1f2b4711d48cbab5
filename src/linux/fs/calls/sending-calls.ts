/** sendto, sendmsg and sendmmsg. */
import { EAGAIN, EFAULT, EISCONN, EMSGSIZE, ENOBUFS, ENOTCONN, EOPNOTSUPP } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { IOV_MAX } from '../flags.js'
import { credentialsOf, send } from '../ipc/socket-file.js'
import { type Attachments, sendDatagram, sendStream } from '../ipc/socket-transfer.js'
import { isStream, SocketType, type UnixSocket } from '../ipc/unix-socket.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { attachmentsAt, CONTROL_MAX } from './control-messages.js'
import { HEADER_BYTES, HEADER_STEP, headerAt, MessageFlag } from './message-header.js'
import { addressAt, type SocketAddress } from './socket-address.js'
import { socketArgument, socketOf, targetOf } from './socket-calls.js'
import { isNonBlocking, parkFor, sendAll } from './streaming.js'
import { put } from './support.js'
import { singleRange, type UserRange } from './transfer.js'
import { UserBytes } from './user-bytes.js'
import { deadlineAfter } from './waiting.js'

export function sendingCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(206, 'sendto', 'fbuxpu', (c) => sendTo(vfs, c)),
    syscall(211, 'sendmsg', 'fpx', (c) => sendMessage(vfs, c)),
    syscall(269, 'sendmmsg', 'fpux', (c) => sendMessages(vfs, c)),
  ]
}

interface Outgoing {
  readonly ranges: readonly UserRange[]
  readonly flags: number
  readonly address: SocketAddress | undefined
  readonly attachments: Attachments
}

function sendTo(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const ranges = singleRange(c, c.args.address(1), c.args.address(2))
  if (typeof ranges === 'number') return ranges
  const address = c.args.isZero(4) ? undefined : addressAt(c, c.args.address(4), c.args.int(5))
  if (typeof address === 'number') return address
  const attachments = { credentials: credentialsOf(c.process), isExplicit: false, files: [] }
  return sendOn(vfs, c, file, { ranges, flags: c.args.int(3), address, attachments })
}

function sendMessage(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const message = outgoingAt(c, c.args.address(1), c.args.int(2))
  return typeof message === 'number' ? message : sendOn(vfs, c, file, message)
}

function outgoingAt(c: SyscallContext, at: number, flags: number): Outgoing | number {
  const header = headerAt(c, at)
  if (typeof header === 'number') return header
  const { name, nameLength, ranges, control, controlLength } = header
  const hasName = name !== 0 && nameLength !== 0
  const address = hasName ? addressAt(c, name, nameLength) : undefined
  if (typeof address === 'number') return address
  if (controlLength > CONTROL_MAX) return -ENOBUFS
  const attachments = attachmentsAt(c, control, controlLength)
  return typeof attachments === 'number' ? attachments : { ranges, flags, address, attachments }
}

/** Several messages; one that cannot go at once waits, those before it stay sent (`thread.progress` counts them). */
function sendMessages(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const count = Math.min(c.args.low(2), IOV_MAX)
  for (let i = c.thread.progress; i < count; i++) {
    const at = c.args.address(1) + i * HEADER_STEP
    const message = outgoingAt(c, at, c.args.int(3))
    const result = typeof message === 'number' ? message : sendOnce(vfs, c, file, message)
    if (result === -EAGAIN && !mayNotWait(file, c.args.int(3))) return parkFor(vfs, c, file, i)
    if (result < 0) return i > 0 ? i : result
    const moved = new Uint8Array(Int32Array.of(result).buffer)
    if (put(c, at + HEADER_BYTES, moved) !== 0) return i > 0 ? i : -EFAULT
  }
  return count
}

function mayNotWait(file: OpenFile, flags: number): boolean {
  return isNonBlocking(file) || (flags & MessageFlag.dontWait) !== 0
}

/** What of it goes without waiting. */
function sendOnce(vfs: Vfs, c: SyscallContext, file: OpenFile, message: Outgoing): number {
  const source = new UserBytes(c, message.ranges)
  const socket = socketOf(file)
  if (isStream(socket)) return sendStream(vfs.sockets, socket, source, message.attachments)
  const target = datagramTarget(vfs, c, socket, message.address)
  if (typeof target === 'number') return target
  return sendDatagram(vfs.sockets, socket, target, source, message.attachments)
}

function sendOn(vfs: Vfs, c: SyscallContext, file: OpenFile, message: Outgoing): number {
  if ((message.flags & MessageFlag.outOfBand) !== 0) return -EOPNOTSUPP
  const socket = socketOf(file)
  if (!isStream(socket)) return sendDatagramOn(vfs, c, file, socket, message)
  if (message.address !== undefined) return socket.state === 'connected' ? -EISCONN : -EOPNOTSUPP
  const source = new UserBytes(c, message.ranges).skip(c.thread.progress)
  const options = {
    isNonBlocking: mayNotWait(file, message.flags),
    isQuiet: (message.flags & MessageFlag.noSignal) !== 0,
    timeout: socket.sendTimeout,
  }
  return sendAll(vfs, c, file, source, options, (goesOn) =>
    send(vfs, socket, source, message.attachments, goesOn),
  )
}

function sendDatagramOn(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  socket: UnixSocket,
  { ranges, flags, address, attachments }: Outgoing,
): number {
  const target = datagramTarget(vfs, c, socket, address)
  if (typeof target === 'number') return target
  const source = new UserBytes(c, ranges)
  if (source.left > socket.sendBuffer) return -EMSGSIZE
  const result = sendDatagram(vfs.sockets, socket, target, source, attachments)
  if (result !== -EAGAIN || mayNotWait(file, flags)) return result
  const deadline = deadlineAfter(c, socket.sendTimeout)
  return parkFor(vfs, c, file, 0, { deadline, alsoFor: target.events.mask })
}

/** Whom a datagram goes to: the address's, or the peer; sequenced packets go to the peer only. */
function datagramTarget(
  vfs: Vfs,
  c: SyscallContext,
  socket: UnixSocket,
  address: SocketAddress | undefined,
): UnixSocket | number {
  if (socket.type === SocketType.sequenced && socket.state !== 'connected') return -ENOTCONN
  if (address === undefined || socket.type === SocketType.sequenced) return socket.peer ?? -ENOTCONN
  return targetOf(vfs, c, socket, address)
}
