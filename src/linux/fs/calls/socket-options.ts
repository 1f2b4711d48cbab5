/** getsockopt and setsockopt. */

import { EDOM, EFAULT, EINVAL, ENOPROTOOPT, EOPNOTSUPP } from '../../../base/errno.js'
import { numberOf } from '../../calls/numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { AF_UNIX, SOCKET_BUFFER_BYTES, takeError, type UnixSocket } from '../ipc/unix-socket.js'
import { socketArgument, socketOf } from './socket-calls.js'
import { int64, put, setInt64, take } from './support.js'

const SOL_SOCKET = 1
const Option = {
  debug: 1,
  reuseAddress: 2,
  type: 3,
  error: 4,
  doNotRoute: 5,
  broadcast: 6,
  sendBuffer: 7,
  receiveBuffer: 8,
  keepAlive: 9,
  outOfBandInline: 10,
  priority: 12,
  linger: 13,
  reusePort: 15,
  passCredentials: 16,
  peerCredentials: 17,
  receiveLowWater: 18,
  sendLowWater: 19,
  receiveTimeout: 20,
  sendTimeout: 21,
  acceptsConnections: 30,
  sendBufferForce: 32,
  receiveBufferForce: 33,
  protocol: 38,
  domain: 39,
} as const

/** Options that are taken and change nothing that a unix socket does. */
const IGNORED: ReadonlySet<number> = new Set([
  Option.debug,
  Option.reuseAddress,
  Option.doNotRoute,
  Option.broadcast,
  Option.keepAlive,
  Option.outOfBandInline,
  Option.priority,
  Option.linger,
  Option.reusePort,
  Option.receiveLowWater,
])
/** SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF. */
const SEND_BUFFER_MIN = 4608
const RECEIVE_BUFFER_MIN = 2304
const NOBODY = { pid: 0, uid: -1, gid: -1 }
const MICROSECONDS = 1_000_000
const NANOSECONDS = 1_000_000_000

export const socketOptionCalls: readonly Syscall[] = [
  syscall(208, 'setsockopt', 'fddpu', setOption),
  syscall(209, 'getsockopt', 'fddpp', getOption),
]

function getOption(c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  if (c.args.int(1) !== SOL_SOCKET) return -EOPNOTSUPP
  const room = take(c, c.args.address(4), 4)?.getInt32(0, true)
  if (room === undefined) return -EFAULT
  if (room < 0) return -EINVAL
  const value = optionValue(c, socketOf(file), c.args.int(2))
  if (typeof value === 'number') return value
  const part = value.subarray(0, room)
  if (put(c, c.args.address(3), part) !== 0) return -EFAULT
  return put(c, c.args.address(4), new Uint8Array(Int32Array.of(part.length).buffer))
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer)
}

/** The option's bytes, or -ENOPROTOOPT. */
function optionValue(c: SyscallContext, socket: UnixSocket, option: number): Uint8Array | number {
  switch (option) {
    case Option.type:
      return words(socket.type)
    case Option.error:
      return words(-takeError(socket))
    case Option.sendBuffer:
      return words(socket.sendBuffer)
    case Option.receiveBuffer:
      return words(socket.receiveBuffer)
    case Option.linger:
      return words(0, 0)
    case Option.passCredentials:
      return words(Number(socket.passesCredentials))
    case Option.peerCredentials: {
      const { pid, uid, gid } = socket.peerCredentials ?? NOBODY
      return words(numberOf(c, pid), uid, gid)
    }
    case Option.receiveLowWater:
    case Option.sendLowWater:
      return words(1)
    case Option.receiveTimeout:
      return timeval(socket.receiveTimeout)
    case Option.sendTimeout:
      return timeval(socket.sendTimeout)
    case Option.acceptsConnections:
      return words(Number(socket.state === 'listening'))
    case Option.domain:
      return words(AF_UNIX)
    case Option.protocol:
      return words(0)
    default:
      return IGNORED.has(option) ? words(0) : -ENOPROTOOPT
  }
}

function timeval(nanoseconds: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  if (nanoseconds !== Number.POSITIVE_INFINITY) {
    setInt64(view, 0, Math.floor(nanoseconds / NANOSECONDS))
    setInt64(view, 8, (nanoseconds % NANOSECONDS) / 1000)
  }
  return new Uint8Array(view.buffer)
}

function setOption(c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  if (c.args.int(1) !== SOL_SOCKET) return -EOPNOTSUPP
  const length = c.args.int(4)
  if (length < 4) return -EINVAL
  const value = take(c, c.args.address(3), 4)?.getInt32(0, true)
  if (value === undefined) return -EFAULT
  const socket = socketOf(file)
  const option = c.args.int(2)
  if (option === Option.receiveTimeout || option === Option.sendTimeout) return setTimeout(c, socket, option)
  return setNumber(socket, option, value)
}

function setNumber(socket: UnixSocket, option: number, value: number): number {
  switch (option) {
    case Option.sendBuffer:
    case Option.sendBufferForce:
      socket.sendBuffer = Math.max(bufferBytes(value, option === Option.sendBufferForce), SEND_BUFFER_MIN)
      return 0
    case Option.receiveBuffer:
    case Option.receiveBufferForce:
      socket.receiveBuffer = Math.max(
        bufferBytes(value, option === Option.receiveBufferForce),
        RECEIVE_BUFFER_MIN,
      )
      return 0
    case Option.passCredentials:
      socket.passesCredentials = value !== 0
      return 0
    default:
      return IGNORED.has(option) ? 0 : -ENOPROTOOPT
  }
}

/** Twice what was asked for, because overhead counts; at most net.core.wmem_max unless forced. A negative number is much. */
function bufferBytes(value: number, isForced: boolean): number {
  const most = isForced ? 2 ** 30 - 1 : SOCKET_BUFFER_BYTES
  const asked = isForced ? Math.max(0, value) : value >>> 0
  return Math.min(asked, most) * 2
}

/** A struct timeval; zero is for ever. */
function setTimeout(c: SyscallContext, socket: UnixSocket, option: number): number {
  if (c.args.int(4) < 16) return -EINVAL
  const view = take(c, c.args.address(3), 16)
  if (view === undefined) return -EFAULT
  const [seconds, microseconds] = [int64(view, 0), int64(view, 8)]
  if (microseconds < 0 || microseconds >= MICROSECONDS) return -EDOM
  const nanoseconds = Math.max(0, seconds) * NANOSECONDS + microseconds * 1000
  const isForEver = seconds === 0 && microseconds === 0
  const timeout = isForEver ? Number.POSITIVE_INFINITY : seconds < 0 ? 0 : nanoseconds
  if (option === Option.receiveTimeout) socket.receiveTimeout = timeout
  else socket.sendTimeout = timeout
  return 0
}
