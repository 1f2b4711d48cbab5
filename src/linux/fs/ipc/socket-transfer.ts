/** Sending and receiving on unix sockets. Nothing here waits: -EAGAIN says that the caller may. */
import {
  EAGAIN,
  ECONNREFUSED,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOTCONN,
  EPERM,
  EPIPE,
} from '../../../base/errno.js'
import { Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import type { ByteSink, ByteSource } from './byte-flow.js'
import { datagramCharge, streamCharge, streamPacketBytes } from './message-store.js'
import { land, takeOff } from './socket-garbage.js'
import { isQueueFull, mayReach, type Sockets } from './sockets.js'
import {
  type Credentials,
  isConnectionBased,
  isStream,
  type Message,
  Shutdown,
  SocketType,
  takeError,
  UNKNOWN,
  type UnixSocket,
} from './unix-socket.js'

const READABLE = Poll.in | Poll.readNormal
/** What a datagram leaves free in the send buffer. */
const DATAGRAM_RESERVE = 32

/** What goes with the bytes. */
export interface Attachments {
  readonly credentials: Credentials
  /** The sender gave them; otherwise they go only to who asked for them. */
  readonly isExplicit: boolean
  readonly files: readonly OpenFile[]
}

/** What came with the bytes. */
export interface Received {
  /** Of the first message read; absent when none was. */
  credentials: Credentials | undefined
  files: readonly OpenFile[]
  /** `sun_path` of the sender. */
  senderName: string
  /** Bytes of a datagram that there was no room for. */
  truncated: number
}

export interface ReceiveOptions {
  /** MSG_PEEK: everything stays. */
  readonly isPeek: boolean
}

export function nothingReceived(): Received {
  return { credentials: undefined, files: [], senderName: '', truncated: 0 }
}

/** Sends bytes of a stream: as many as there is room for. `attachments.files` go with the first of them. */
export function sendStream(
  sockets: Sockets,
  socket: UnixSocket,
  source: ByteSource,
  attachments: Attachments,
): number {
  const { peer } = socket
  if (socket.state !== 'connected' || peer === null) return -ENOTCONN
  if ((socket.shutdown & Shutdown.send) !== 0) return -EPIPE
  let done = 0
  let { files } = attachments
  while (source.left > 0) {
    const error = maySend(socket, peer)
    if (error !== 0) return done > 0 ? done : error
    const length = streamPacketBytes(source.left, socket.sendBuffer)
    const what = { ...attachments, files }
    const message = takeMessage(sockets, [socket, peer], source, length, streamCharge(length), what)
    if (typeof message === 'number') return done > 0 ? done : message
    deliver(sockets, peer, message)
    files = []
    done += length
  }
  return done
}

function maySend(socket: UnixSocket, peer: UnixSocket): number {
  const error = takeError(socket)
  if (error !== 0) return error
  if ((socket.shutdown & Shutdown.send) !== 0) return -EPIPE
  if (socket.sent >= socket.sendBuffer) return -EAGAIN
  return peer.isClosed || (peer.shutdown & Shutdown.receive) !== 0 ? -EPIPE : 0
}

/** Sends one datagram or packet to `other`, whole or not at all. */
export function sendDatagram(
  sockets: Sockets,
  socket: UnixSocket,
  other: UnixSocket,
  source: ByteSource,
  attachments: Attachments,
): number {
  const length = source.left
  if (length > socket.sendBuffer - DATAGRAM_RESERVE) return -EMSGSIZE
  const error = takeError(socket) || mayReachDatagram(socket, other)
  if (error !== 0) return error
  const message = takeMessage(sockets, [socket, other], source, length, datagramCharge(length), attachments)
  if (typeof message === 'number') return message
  deliver(sockets, other, message)
  return length
}

function mayReachDatagram(socket: UnixSocket, other: UnixSocket): number {
  if ((socket.shutdown & Shutdown.send) !== 0) return -EPIPE
  if (socket.sent >= socket.sendBuffer) return -EAGAIN
  if (other.isClosed) return isConnectionBased(socket) ? -EPIPE : lostPeer(socket, other)
  if (!mayReach(socket, other)) return -EPERM
  if ((other.shutdown & Shutdown.receive) !== 0) return -EPIPE
  return isQueueFull(socket, other) ? -EAGAIN : 0
}

/** The peer of a datagram socket is gone, and is its peer no more. */
function lostPeer(socket: UnixSocket, other: UnixSocket): number {
  if (socket.peer === other) {
    socket.peer = null
    socket.state = 'unconnected'
  }
  return -ECONNREFUSED
}

function takeMessage(
  sockets: Sockets,
  [sender, receiver]: readonly [UnixSocket, UnixSocket],
  source: ByteSource,
  length: number,
  charge: number,
  { credentials, isExplicit, files }: Attachments,
): Message | number {
  const chunks = sockets.store.take(source, length)
  if (typeof chunks === 'number') return chunks
  sender.sent += charge
  takeOff(sockets.inFlight, files)
  const isTold = isExplicit || sender.passesCredentials || receiver.passesCredentials || !receiver.isOpen
  const who = isTold ? credentials : UNKNOWN
  return { sender, length, offset: 0, chunks, charge, credentials: who, files }
}

function deliver(sockets: Sockets, to: UnixSocket, message: Message): void {
  to.queue.push(message)
  sockets.events.notify(to.events, READABLE)
}

/** Receives bytes, 0 at the end of a stream; what came with them goes into `received`. */
export function receive(
  sockets: Sockets,
  socket: UnixSocket,
  sink: ByteSink,
  options: ReceiveOptions,
  received: Received,
): number {
  if (isStream(socket)) return receiveStream(sockets, socket, sink, options, received)
  return receiveDatagram(sockets, socket, sink, options, received)
}

function receiveStream(
  sockets: Sockets,
  socket: UnixSocket,
  sink: ByteSink,
  options: ReceiveOptions,
  received: Received,
): number {
  if (socket.state !== 'connected') return -EINVAL
  let done = 0
  let isSeen = false
  for (const message of [...socket.queue]) {
    if (!belongs(socket, message, received)) break
    const length = Math.min(message.length, sink.left)
    const moved = sockets.store.give(message.chunks, message.offset, length, sink)
    if (moved < length) return done > 0 ? done : -EFAULT
    done += moved
    isSeen = true
    takeAttachments(sockets, message, options, received)
    if (!options.isPeek) consume(sockets, socket, message, moved)
    if (sink.left === 0 || received.files.length > 0) break
  }
  return isSeen ? done : nothingThere(socket)
}

/** With SO_PASSCRED, what different processes wrote is not read as one. */
function belongs({ passesCredentials }: UnixSocket, { credentials }: Message, received: Received): boolean {
  const first = received.credentials
  if (!passesCredentials || first === undefined) return true
  return first.pid === credentials.pid && first.uid === credentials.uid && first.gid === credentials.gid
}

function takeAttachments(
  sockets: Sockets,
  message: Message,
  { isPeek }: ReceiveOptions,
  received: Received,
): void {
  received.credentials ??= message.credentials
  received.senderName = message.sender.name
  if (message.files.length === 0) return
  received.files = message.files
  if (isPeek) {
    for (const file of message.files) file.references++
    return
  }
  land(sockets.inFlight, message.files)
  message.files = []
}

function consume(sockets: Sockets, socket: UnixSocket, message: Message, bytes: number): void {
  message.offset += bytes
  message.length -= bytes
  if (message.length > 0) return
  socket.queue.shift()
  sockets.release(message)
}

/** An error that came, the end, or nothing yet. */
function nothingThere(socket: UnixSocket): number {
  const error = takeError(socket)
  if (error !== 0) return error
  return (socket.shutdown & Shutdown.receive) !== 0 ? 0 : -EAGAIN
}

function receiveDatagram(
  sockets: Sockets,
  socket: UnixSocket,
  sink: ByteSink,
  options: ReceiveOptions,
  received: Received,
): number {
  if (socket.type === SocketType.sequenced && socket.state !== 'connected') return -ENOTCONN
  const message = socket.queue[0]
  if (message === undefined) return nothingThere(socket)
  const length = Math.min(message.length, sink.left)
  const moved = sockets.store.give(message.chunks, message.offset, length, sink)
  received.truncated = message.length - length
  takeAttachments(sockets, message, options, received)
  if (!options.isPeek) {
    socket.queue.shift()
    sockets.release(message)
    sockets.events.notify(socket.events, 0)
  }
  return moved < length ? -EFAULT : length
}
