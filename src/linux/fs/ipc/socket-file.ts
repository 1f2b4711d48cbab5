/** Unix sockets as open files. */
import { ENOTCONN } from '../../../base/errno.js'
import type { Process } from '../../process.js'
import { FileType, Open } from '../flags.js'
import { makeDentry, makeInode } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import type { ByteSource } from './byte-flow.js'
import { channel } from './channel.js'
import { objectOf } from './file-object.js'
import { type Attachments, nothingReceived, receive, sendDatagram, sendStream } from './socket-transfer.js'
import { type Credentials, isConnectionBased, isStream, socketBytes, type UnixSocket } from './unix-socket.js'

const socketOf = (file: OpenFile) => objectOf<UnixSocket>(file)

export const socketFile = channel({
  /** Nothing is asked of the socket when there is no room, unlike by recv(2). */
  receive(vfs, file, sink) {
    if (sink.left === 0) return 0
    const received = nothingReceived()
    const done = receive(vfs.sockets, socketOf(file), sink, { isPeek: false }, received)
    vfs.sockets.dropFiles(received.files)
    return done
  },
  send(vfs, file, source, goesOn, sender) {
    const socket = socketOf(file)
    const credentials = sender === undefined ? socket.credentials : credentialsOf(sender)
    return send(vfs, socket, source, { credentials, isExplicit: false, files: [] }, goesOn)
  },
  isQuiet: (file) => !isStream(socketOf(file)),
  poll: (vfs, file) => vfs.sockets.poll(socketOf(file)),
  events: (file) => socketOf(file).events,
  alsoWaitsFor(_vfs, file) {
    const { peer } = socketOf(file)
    return peer === null || isConnectionBased(peer) ? 0 : peer.events.mask
  },
  bytesReadable: (_vfs, file) => socketBytes(socketOf(file)),
  close: (vfs, file) => vfs.sockets.close(socketOf(file)),
})

/** Sends to the peer. `goesOn`: the rest of a write that had to wait, so that files do not go twice. */
export function send(
  vfs: Vfs,
  socket: UnixSocket,
  source: ByteSource,
  attachments: Attachments,
  goesOn: boolean,
): number {
  const what = goesOn ? { ...attachments, files: [] } : attachments
  if (isStream(socket)) return sendStream(vfs.sockets, socket, source, what)
  if (socket.peer === null) return -ENOTCONN
  return sendDatagram(vfs.sockets, socket, socket.peer, source, what)
}

/** An open file for a socket; `flags`: O_NONBLOCK. */
export function makeSocketFile(vfs: Vfs, socket: UnixSocket, flags: number): OpenFile {
  const { hidden } = vfs.state
  const inode = makeInode(hidden.inode.filesystem, FileType.socket | 0o777, vfs.now())
  const dentry = makeDentry(`socket:[${inode.number}]`, hidden, inode)
  const file = vfs.openFile('socket', dentry, flags | Open.readWrite)
  file.object = socket
  socket.isOpen = true
  return file
}

/** Programs run as root. */
export function credentialsOf(process: Process): Credentials {
  return { pid: process.id, uid: 0, gid: 0 }
}
