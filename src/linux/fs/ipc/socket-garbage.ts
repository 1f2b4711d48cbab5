/**
 * Open files in messages that nobody has received (SCM_RIGHTS), counted; and the sockets among them that only such
 * messages still hold, in circles: nobody can ever receive those, so they are closed (net/unix/garbage.c).
 */
import type { OpenFile } from '../open-file.js'
import { objectOf } from './file-object.js'
import type { UnixSocket } from './unix-socket.js'

/** References that messages hold. Part of the file system's state. */
export type FilesInFlight = Map<OpenFile, number>

export function takeOff(flight: FilesInFlight, files: readonly OpenFile[]): void {
  for (const file of files) {
    file.references++
    flight.set(file, (flight.get(file) ?? 0) + 1)
  }
}

/** The messages' references become the caller's. */
export function land(flight: FilesInFlight, files: readonly OpenFile[]): void {
  for (const file of files) {
    const left = flight.get(file)! - 1
    if (left === 0) flight.delete(file)
    else flight.set(file, left)
  }
}

/** Whether only messages hold a socket. */
export function isAdrift(flight: FilesInFlight, file: OpenFile): boolean {
  return file.kind === 'socket' && file.references > 0 && flight.get(file) === file.references
}

/** Takes the files out of messages that nobody can receive any more; the caller drops them. */
export function collectGarbage(flight: FilesInFlight): OpenFile[] {
  const dead = unreachable(flight)
  const files: OpenFile[] = []
  for (const socket of dead) {
    for (const message of messagesIn(objectOf<UnixSocket>(socket))) {
      files.push(...message.files)
      message.files = []
    }
  }
  land(flight, files)
  return files
}

/** Sockets adrift, but for those that a socket holds which somebody has open. */
function unreachable(flight: FilesInFlight): Set<OpenFile> {
  const adrift = new Set([...flight.keys()].filter((file) => isAdrift(flight, file)))
  const held = new Map<OpenFile, number>()
  for (const socket of adrift) {
    for (const file of filesIn(socket)) held.set(file, (held.get(file) ?? 0) + 1)
  }
  for (const file of [...adrift]) if (held.get(file) !== flight.get(file)) rescue(adrift, file)
  return adrift
}

function rescue(adrift: Set<OpenFile>, file: OpenFile): void {
  if (!adrift.delete(file)) return
  for (const held of filesIn(file)) rescue(adrift, held)
}

function filesIn(file: OpenFile): OpenFile[] {
  return messagesIn(objectOf<UnixSocket>(file)).flatMap((message) => message.files)
}

/** What waits in a socket, and in connections that it has not accepted. */
function messagesIn({ queue, incoming }: UnixSocket): UnixSocket['queue'] {
  return [...queue, ...incoming.flatMap((socket) => socket.queue)]
}
