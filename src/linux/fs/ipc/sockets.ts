/** The life of unix sockets: made, bound, connected, shut down, closed (net/unix/af_unix.c). */
import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  EOPNOTSUPP,
  EPERM,
} from '../../../base/errno.js'
import type { MemoryManager } from '../../../mm.js'
import { Poll } from '../flags.js'
import type { Inode } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import type { Events } from './event-source.js'
import { MessageStore } from './message-store.js'
import { collectGarbage, type FilesInFlight, isAdrift, land } from './socket-garbage.js'
import {
  type Credentials,
  isConnectionBased,
  isStream,
  isWritableSocket,
  type Message,
  makeUnixSocket,
  Shutdown,
  type UnixSocket,
} from './unix-socket.js'

const READABLE = Poll.in | Poll.readNormal
const WRITABLE = Poll.out | Poll.writeNormal | Poll.writeBand
const ALL = READABLE | WRITABLE | Poll.hangUp | Poll.readHangUp | Poll.error
/** Abstract names that autobind gives: five hexadecimal digits. */
const AUTOBIND_MAX = 2 ** 20

/** What sockets know of each other: part of the file system's state. */
export interface SocketState {
  readonly abstract: Map<string, UnixSocket>
  nextAutomatic: number
  readonly inFlight: FilesInFlight
}

export class Sockets {
  readonly store: MessageStore
  readonly events: Events
  readonly #state: SocketState
  readonly #dropFile: (file: OpenFile) => void

  constructor(mm: MemoryManager, events: Events, state: SocketState, dropFile: (file: OpenFile) => void) {
    this.store = new MessageStore(mm)
    this.events = events
    this.#state = state
    this.#dropFile = dropFile
  }

  create(type: number, credentials: Credentials): UnixSocket {
    return makeUnixSocket(this.events.makeSource(), type, credentials)
  }

  /** socketpair(2). */
  join(one: UnixSocket, other: UnixSocket): void {
    this.#connect(one, other)
    this.#connect(other, one)
  }

  #connect(socket: UnixSocket, peer: UnixSocket): void {
    socket.peer = peer
    socket.state = 'connected'
    socket.peerCredentials = peer.credentials
  }

  /** The socket of a type with an abstract name, or -ECONNREFUSED. */
  named(name: string, type: number): UnixSocket | number {
    return this.#state.abstract.get(keyOf(name, type)) ?? -ECONNREFUSED
  }

  /** Binds to an abstract name: 0, -EINVAL for one that is bound, -EADDRINUSE. */
  bindAbstract(socket: UnixSocket, name: string): number {
    if (socket.name !== '') return -EINVAL
    const key = keyOf(name, socket.type)
    if (this.#state.abstract.has(key)) return -EADDRINUSE
    this.#state.abstract.set(key, socket)
    socket.name = name
    return 0
  }

  /** Binds to an abstract name of the kernel's choice. */
  bindAutomatically(socket: UnixSocket): number {
    if (socket.name !== '') return 0
    let name: string
    do {
      this.#state.nextAutomatic = (this.#state.nextAutomatic + 1) % AUTOBIND_MAX
      name = `\0${this.#state.nextAutomatic.toString(16).padStart(5, '0')}`
    } while (this.#state.abstract.has(keyOf(name, socket.type)))
    return this.bindAbstract(socket, name)
  }

  /** Binds to a node of the file system that was made for it. */
  bindNode(socket: UnixSocket, node: Inode, name: string): void {
    node.socket = socket
    socket.node = node
    socket.name = name
  }

  listen(socket: UnixSocket, backlog: number, credentials: Credentials): number {
    if (!isConnectionBased(socket)) return -EOPNOTSUPP
    if (socket.name === '' || socket.state === 'connected') return -EINVAL
    socket.backlog = backlog
    socket.state = 'listening'
    socket.credentials = credentials
    this.events.notify(socket.events, 0)
    return 0
  }

  /** A stream or sequenced socket connects: 0, -EAGAIN while the other's backlog is full, or what is wrong. */
  connect(socket: UnixSocket, other: UnixSocket, credentials: Credentials): number {
    if (other.state !== 'listening' || (other.shutdown & Shutdown.receive) !== 0) return -ECONNREFUSED
    if (other.incoming.length > other.backlog) return -EAGAIN
    if (socket.state !== 'unconnected') return socket.state === 'connected' ? -EISCONN : -EINVAL
    const accepted = this.create(socket.type, other.credentials)
    socket.credentials = credentials
    accepted.name = other.name
    this.join(accepted, socket)
    other.incoming.push(accepted)
    this.events.notify(other.events, READABLE)
    this.events.notify(socket.events, WRITABLE)
    return 0
  }

  /** A datagram socket takes another as its peer, or none. -EPERM when that one has a peer that is somebody else. */
  connectDatagram(socket: UnixSocket, other: UnixSocket | null): number {
    if (other !== null && !mayReach(socket, other)) return -EPERM
    if (socket.peer !== null && socket.peer !== other) this.#dropQueue(socket)
    socket.peer = other
    socket.state = other === null ? 'unconnected' : 'connected'
    return 0
  }

  /** The next connection: -EAGAIN, -EINVAL when it does not listen or was shut down. */
  accept(socket: UnixSocket): UnixSocket | number {
    if (!isConnectionBased(socket)) return -EOPNOTSUPP
    if (socket.state !== 'listening') return -EINVAL
    const next = socket.incoming.shift()
    if (next === undefined) return (socket.shutdown & Shutdown.receive) !== 0 ? -EINVAL : -EAGAIN
    this.events.notify(socket.events, 0)
    return next
  }

  shutdown(socket: UnixSocket, how: number): void {
    socket.shutdown |= how
    const { peer } = socket
    if (peer !== null && isConnectionBased(socket)) {
      if ((how & Shutdown.receive) !== 0) peer.shutdown |= Shutdown.send
      if ((how & Shutdown.send) !== 0) peer.shutdown |= Shutdown.receive
      this.events.notify(peer.events, ALL)
    }
    this.events.notify(socket.events, ALL)
  }

  /** `isEmbryo`: nobody ever accepted it. */
  close(socket: UnixSocket, isEmbryo = false): void {
    socket.isClosed = true
    if (socket.node !== null) socket.node.socket = null
    else this.#unname(socket)
    const { peer } = socket
    if (peer !== null && isConnectionBased(socket)) {
      peer.shutdown = Shutdown.both
      if (socket.queue.length > 0 || isEmbryo) peer.error = ECONNRESET
    }
    for (const incoming of socket.incoming) this.close(incoming, true)
    socket.incoming = []
    this.#dropQueue(socket)
    this.events.notify(socket.events, 0)
    if (peer !== null) this.events.notify(peer.events, ALL)
  }

  /** A socket that was accepted has its listener's name, which stays that one's. */
  #unname(socket: UnixSocket): void {
    const key = keyOf(socket.name, socket.type)
    if (this.#state.abstract.get(key) === socket) this.#state.abstract.delete(key)
  }

  #dropQueue(socket: UnixSocket): void {
    const { queue } = socket
    socket.queue = []
    for (const message of queue) {
      land(this.inFlight, message.files)
      this.dropFiles(message.files)
      this.release(message)
    }
  }

  /** A message was read, or never will be: its memory goes, and its sender has room again. */
  release({ chunks, sender, charge }: Message): void {
    this.store.free(chunks)
    sender.sent -= charge
    if (!sender.isClosed && isWritableSocket(sender)) this.events.notify(sender.events, WRITABLE)
  }

  get inFlight(): FilesInFlight {
    return this.#state.inFlight
  }

  /** A number of a file was dropped: if only messages hold it now, perhaps nobody can receive them. */
  collect(file: OpenFile): void {
    if (isAdrift(this.inFlight, file)) this.dropFiles(collectGarbage(this.inFlight))
  }

  /** Files that came with a message and that nobody wants. */
  dropFiles(files: readonly OpenFile[]): void {
    for (const file of files) this.#dropFile(file)
  }

  poll(socket: UnixSocket): number {
    const { queue, incoming, shutdown, state, error } = socket
    let bits = error === 0 ? 0 : Poll.error
    if (shutdown === Shutdown.both) bits |= Poll.hangUp
    if ((shutdown & Shutdown.receive) !== 0) bits |= Poll.readHangUp | READABLE
    if (queue.length > 0 || incoming.length > 0) bits |= READABLE
    if (isConnectionBased(socket) && state === 'unconnected') bits |= Poll.hangUp
    return canSend(socket) ? bits | WRITABLE : bits
  }
}

/** Sockets of different types may have the same abstract name. */
function keyOf(name: string, type: number): string {
  return `${type}${name}`
}

/** Whether poll says that it can be written: a datagram's peer must have room too, unless it answers to this one. */
function canSend(socket: UnixSocket): boolean {
  if (!isWritableSocket(socket)) return false
  return isConnectionBased(socket) || socket.peer === null || !isQueueFull(socket, socket.peer)
}

/** Whether a datagram finds the other's queue full: two that are each other's peers go by their send buffers alone. */
export function isQueueFull(socket: UnixSocket, other: UnixSocket): boolean {
  return other !== socket && other.peer !== socket && other.queue.length > other.backlog
}

/** A datagram socket with a peer gets nothing from others. */
export function mayReach(socket: UnixSocket, other: UnixSocket): boolean {
  return isStream(other) || other.peer === null || other.peer === socket
}
