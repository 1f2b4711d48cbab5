/** Making, binding, connecting and ending sockets. Only unix sockets are there: a machine has no network. */
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  EEXIST,
  EINVAL,
  ENOTCONN,
  ENOTSOCK,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
} from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { FileType, Open } from '../flags.js'
import { objectOf } from '../ipc/file-object.js'
import { credentialsOf, makeSocketFile } from '../ipc/socket-file.js'
import { AF_UNIX, isConnectionBased, SocketType, type UnixSocket } from '../ipc/unix-socket.js'
import { make } from '../names.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { installPair } from './pipe-calls.js'
import {
  addressAt,
  checkAddress,
  encodeAddress,
  findSocket,
  putAddress,
  type SocketAddress,
} from './socket-address.js'
import { isNonBlocking, parkFor } from './streaming.js'
import { fileArgument, installFile, lowestFree, userOfCall, walkerOf } from './support.js'
import { deadlineAfter } from './waiting.js'

const TYPE_MASK = 0xf
const TYPE_MAX = 10
const TYPE_FLAGS = Open.closeOnExec | Open.nonBlock
const AF_UNSPEC = 0
/** net.core.somaxconn. */
const BACKLOG_MAX = 4096

export function socketCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(198, 'socket', 'dxd', (c) => create(vfs, c)),
    syscall(199, 'socketpair', 'dxdp', (c) => createPair(vfs, c)),
    syscall(200, 'bind', 'fpu', (c) => bind(vfs, c)),
    syscall(201, 'listen', 'fd', (c) => listen(vfs, c)),
    syscall(202, 'accept', 'fpp', (c) => accept(vfs, c, 0)),
    syscall(203, 'connect', 'fpu', (c) => connect(vfs, c)),
    syscall(204, 'getsockname', 'fpp', ownName),
    syscall(205, 'getpeername', 'fpp', peerName),
    syscall(210, 'shutdown', 'fd', (c) => shutdown(vfs, c)),
    syscall(242, 'accept4', 'fppx', (c) => accept(vfs, c, c.args.int(3))),
  ]
}

/** The open socket of argument 0: -EBADF, -ENOTSOCK. */
export function socketArgument(c: SyscallContext): OpenFile | number {
  const file = fileArgument(c, 0)
  return typeof file === 'number' || file.kind === 'socket' ? file : -ENOTSOCK
}

export function socketOf(file: OpenFile): UnixSocket {
  return objectOf<UnixSocket>(file)
}

/** The type that arguments 0 to 2 (family, type with flags, protocol) ask for, or what is wrong with them. */
function typeArgument(c: SyscallContext): number {
  const [family, type, protocol] = [c.args.int(0), c.args.int(1) & TYPE_MASK, c.args.int(2)]
  if ((c.args.int(1) & ~(TYPE_MASK | TYPE_FLAGS)) !== 0) return -EINVAL
  if (family < 0 || type > TYPE_MAX) return family < 0 ? -EAFNOSUPPORT : -EINVAL
  if (family !== AF_UNIX) return -EAFNOSUPPORT
  if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT
  if (type === SocketType.raw) return SocketType.datagram
  return type === SocketType.stream || type === SocketType.datagram || type === SocketType.sequenced
    ? type
    : -ESOCKTNOSUPPORT
}

function create(vfs: Vfs, c: SyscallContext): number {
  const type = typeArgument(c)
  if (type < 0) return type
  const flags = c.args.int(1)
  const socket = vfs.sockets.create(type, credentialsOf(c.process))
  const file = makeSocketFile(vfs, socket, flags & Open.nonBlock)
  return installFile(c, file, (flags & Open.closeOnExec) !== 0)
}

function createPair(vfs: Vfs, c: SyscallContext): number {
  const type = typeArgument(c)
  if (type < 0) return type
  const flags = c.args.int(1)
  const [one, other] = [0, 1].map(() => vfs.sockets.create(type, credentialsOf(c.process))) as [
    UnixSocket,
    UnixSocket,
  ]
  vfs.sockets.join(one, other)
  const files = [one, other].map((socket) => makeSocketFile(vfs, socket, flags & Open.nonBlock))
  const closeOnExec = (flags & Open.closeOnExec) !== 0
  return installPair(c, files as [OpenFile, OpenFile], c.args.address(3), closeOnExec)
}

function bind(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const address = addressAt(c, c.args.address(1), c.args.int(2))
  if (typeof address === 'number') return address
  const socket = socketOf(file)
  if (address.length === 2 && address.family === AF_UNIX) return vfs.sockets.bindAutomatically(socket)
  const error = checkAddress(address)
  if (error !== 0) return error
  if (address.name.startsWith('\0')) return vfs.sockets.bindAbstract(socket, address.name)
  return bindPath(vfs, c, socket, address)
}

/** Makes the node that the address names; one that is bound already learns first that the name is taken. */
function bindPath(vfs: Vfs, c: SyscallContext, socket: UnixSocket, { name }: SocketAddress): number {
  const user = userOfCall(c)
  const place = vfs.walk.place(walkerOf(c), user.cwd, name)
  if (typeof place === 'number') return place
  if (socket.name !== '')
    return typeof vfs.walk.entry(walkerOf(c), place) === 'number' ? -EINVAL : -EADDRINUSE
  const made = make(vfs, walkerOf(c), place, FileType.socket | (0o777 & ~user.umask), 0)
  if (made !== 0) return made === -EEXIST ? -EADDRINUSE : made
  const node = vfs.walk.entry(walkerOf(c), place)
  if (typeof node === 'number') return node
  vfs.sockets.bindNode(socket, node.inode, name)
  return 0
}

function listen(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const backlog = Math.min(c.args.low(1), BACKLOG_MAX)
  return vfs.sockets.listen(socketOf(file), backlog, credentialsOf(c.process))
}

function connect(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const address = addressAt(c, c.args.address(1), c.args.int(2))
  if (typeof address === 'number') return address
  const socket = socketOf(file)
  if (!isConnectionBased(socket)) return connectDatagram(vfs, c, socket, address)
  const other = targetOf(vfs, c, socket, address)
  if (typeof other === 'number') return other
  const result = vfs.sockets.connect(socket, other, credentialsOf(c.process))
  if (result !== -EAGAIN || isNonBlocking(file)) return result
  const deadline = deadlineAfter(c, socket.sendTimeout)
  return parkFor(vfs, c, file, 0, { deadline, alsoFor: other.events.mask })
}

/** Whom an address means, for `socket`, which gets a name of its own if its peer is to know who it is. */
export function targetOf(
  vfs: Vfs,
  c: SyscallContext,
  socket: UnixSocket,
  address: SocketAddress,
): UnixSocket | number {
  const error = checkAddress(address)
  if (error !== 0) return error
  if (socket.passesCredentials) vfs.sockets.bindAutomatically(socket)
  return findSocket(vfs, c, address, socket.type)
}

function connectDatagram(vfs: Vfs, c: SyscallContext, socket: UnixSocket, address: SocketAddress): number {
  if (address.length < 2) return -EINVAL
  if (address.family === AF_UNSPEC) return vfs.sockets.connectDatagram(socket, null)
  const other = targetOf(vfs, c, socket, address)
  return typeof other === 'number' ? other : vfs.sockets.connectDatagram(socket, other)
}

function accept(vfs: Vfs, c: SyscallContext, flags: number): number {
  if ((flags & ~TYPE_FLAGS) !== 0) return -EINVAL
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const socket = socketOf(file)
  const free = lowestFree(c, 0)
  if (free < 0) return free
  const accepted = vfs.sockets.accept(socket)
  if (accepted === -EAGAIN && !isNonBlocking(file)) {
    return parkFor(vfs, c, file, 0, { deadline: deadlineAfter(c, socket.receiveTimeout) })
  }
  if (typeof accepted === 'number') return accepted
  const opened = makeSocketFile(vfs, accepted, flags & Open.nonBlock)
  const fd = installFile(c, opened, (flags & Open.closeOnExec) !== 0)
  if (c.args.isZero(1)) return fd
  const stored = putAddress(c, encodeAddress(accepted.peer!.name), c.args.address(1), c.args.address(2))
  if (stored !== 0) userOfCall(c).closeNumber(fd)
  return stored === 0 ? fd : stored
}

function ownName(c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  return putAddress(c, encodeAddress(socketOf(file).name), c.args.address(1), c.args.address(2))
}

function peerName(c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const { peer } = socketOf(file)
  if (peer === null) return -ENOTCONN
  return putAddress(c, encodeAddress(peer.name), c.args.address(1), c.args.address(2))
}

function shutdown(vfs: Vfs, c: SyscallContext): number {
  const file = socketArgument(c)
  if (typeof file === 'number') return file
  const how = c.args.int(1)
  if (how < 0 || how > 2) return -EINVAL
  vfs.sockets.shutdown(socketOf(file), how + 1)
  return 0
}
