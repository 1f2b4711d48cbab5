/** Unix sockets (unix(7)) as plain data. What they carry is in the machine's buffer (message-store.ts). */

import type { Inode } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import type { EventSource } from './event-source.js'
import type { Chunk } from './message-store.js'

export const AF_UNIX = 1

export const SocketType = { stream: 1, datagram: 2, raw: 3, sequenced: 5 } as const

/** Bits of `shutdown`. */
export const Shutdown = { receive: 1, send: 2, both: 3 } as const

/** net.core.wmem_default and the largest that SO_SNDBUF takes; a number of bytes as Linux counts them, overhead included. */
export const SOCKET_BUFFER_BYTES = 212_992
/** net.unix.max_dgram_qlen. */
const DATAGRAM_QUEUE_MAX = 10

/** Of a process: SO_PEERCRED and SCM_CREDENTIALS. */
export interface Credentials {
  /** Its `id`. */
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** A piece of a stream as it was written, or a datagram. */
export interface Message {
  readonly sender: UnixSocket
  /** Bytes that are not read yet, and where they start. */
  length: number
  offset: number
  readonly chunks: readonly Chunk[]
  /** What it counts against the sender's buffer until it is read. */
  readonly charge: number
  readonly credentials: Credentials
  /** SCM_RIGHTS on its way: each holds a reference. */
  files: readonly OpenFile[]
}

/** What a receiver learns of a sender that nobody asked to say who it is. */
export const UNKNOWN: Credentials = { pid: 0, uid: 65534, gid: 65534 }

export type SocketState = 'unconnected' | 'listening' | 'connected'

export interface UnixSocket {
  readonly events: EventSource
  readonly type: number
  state: SocketState
  /** `sun_path`: a path without its zero, or a zero byte and an abstract name. Empty: not bound. */
  name: string
  /** What it is bound to in the file system. */
  node: Inode | null
  /** Who gets what is sent; a stream's goes on to refer to it when it is closed. */
  peer: UnixSocket | null
  queue: Message[]
  /** Charges of what was sent and not read yet. */
  sent: number
  sendBuffer: number
  receiveBuffer: number
  shutdown: number
  /** Connections that were made and not accepted yet, and how many there may be (and one more). */
  incoming: UnixSocket[]
  backlog: number
  /** Of who made it, listened or connected. */
  credentials: Credentials
  peerCredentials: Credentials | null
  /** SO_PASSCRED. */
  passesCredentials: boolean
  /** SO_ERROR: a positive number that the next call answers, once. */
  error: number
  /** Nanoseconds that a call waits at most: SO_RCVTIMEO, SO_SNDTIMEO; Infinity = for ever. */
  receiveTimeout: number
  sendTimeout: number
  isClosed: boolean
  /** Not so while it waits to be accepted. */
  isOpen: boolean
}

export function makeUnixSocket(events: EventSource, type: number, credentials: Credentials): UnixSocket {
  return {
    events,
    type,
    state: 'unconnected',
    name: '',
    node: null,
    peer: null,
    queue: [],
    sent: 0,
    sendBuffer: SOCKET_BUFFER_BYTES,
    receiveBuffer: SOCKET_BUFFER_BYTES,
    shutdown: 0,
    incoming: [],
    backlog: DATAGRAM_QUEUE_MAX,
    credentials,
    peerCredentials: null,
    passesCredentials: false,
    error: 0,
    receiveTimeout: Number.POSITIVE_INFINITY,
    sendTimeout: Number.POSITIVE_INFINITY,
    isClosed: false,
    isOpen: false,
  }
}

export function isStream({ type }: UnixSocket): boolean {
  return type === SocketType.stream
}

/** Stream and sequenced packets: they listen, connect and accept. */
export function isConnectionBased({ type }: UnixSocket): boolean {
  return type !== SocketType.datagram
}

/** The pending error, which is then no more: 0 or a negative errno. */
export function takeError(socket: UnixSocket): number {
  const { error } = socket
  socket.error = 0
  return error === 0 ? 0 : -error
}

/** What poll(2) calls writable: at least three quarters of the buffer are free. */
export function isWritableSocket({ sent, sendBuffer, state }: UnixSocket): boolean {
  return state !== 'listening' && sent * 4 <= sendBuffer
}

/** FIONREAD: all of a stream, the first datagram. */
export function socketBytes({ type, queue }: UnixSocket): number {
  if (type === SocketType.datagram) return queue[0]?.length ?? 0
  return queue.reduce((sum, { length }) => sum + length, 0)
}
