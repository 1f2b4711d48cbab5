/** Reading, writing and polling an open file, by its kind. */
import { EBADF, EINVAL, EIO, EISDIR, EPERM } from '../../base/errno.js'
import { noteAccess } from './file-times.js'
import { FILE_BYTES_MAX, POLL_ALWAYS, Seal } from './flags.js'
import type { ChannelOperations } from './ipc/channel.js'
import { epollFile } from './ipc/epoll.js'
import { eventFile } from './ipc/event-counter.js'
import type { EventSource } from './ipc/event-source.js'
import { inotifyFile } from './ipc/inotify-file.js'
import { pidFile } from './ipc/pid-file.js'
import { pipeFile } from './ipc/pipe-file.js'
import { signalFile } from './ipc/signal-file.js'
import { socketFile } from './ipc/socket-file.js'
import { timerFile } from './ipc/timer-file.js'
import { userfaultFile } from './ipc/userfault-file.js'
import { queueFile } from './mqueue/mqueue-file.js'
import { type Inode, isRegular } from './nodes.js'
import type { FileKind, OpenFile } from './open-file.js'
import type { Vfs } from './vfs.js'

/**
 * How one kind of file works. A negative errno is a failure; -EAGAIN: not now, wait for `waitsFor`. Positions are what
 * the caller read from the file or got as an argument; they are not moved here.
 */
export interface FileOperations {
  read(vfs: Vfs, file: OpenFile, position: number, target: Uint8Array): number
  write(vfs: Vfs, file: OpenFile, position: number, source: Uint8Array): number
  /** Poll bits that hold now. */
  poll(vfs: Vfs, file: OpenFile): number
  /** FileWait bits, and those of its event source, for a thread that waits for it. */
  waitsFor(vfs: Vfs, file: OpenFile): number
  /** Of what changes and has a position all the same: who watches it. */
  events?(file: OpenFile): EventSource
  /** Of what has no position: moves bytes straight from and to the program. */
  readonly channel?: ChannelOperations
}

const READY = { poll: () => POLL_ALWAYS, waitsFor: () => 0 }

const pages: FileOperations = {
  ...READY,
  read(vfs, file, position, target) {
    const { inode } = file.dentry
    const count = vfs.contents.read(inode.pages, position, target)
    if (count > 0) noteAccess(vfs, inode)
    return count
  },
  write(vfs, file, position, source) {
    const { inode } = file.dentry
    if (position >= FILE_BYTES_MAX && source.length > 0) return -EINVAL
    const room = sealedRoom(vfs, inode, position, source.length)
    if (room < 0) return room
    const count = vfs
      .operations(file.dentry)
      .write(inode, position, room < source.length ? source.subarray(0, room) : source)
    if (count > 0) {
      inode.modified = vfs.now()
      inode.changed = inode.modified
    }
    return count
  },
}

/** What Linux writes to a tmpfs at once, as a file position is aligned (mapping_max_folio_size): allowed or refused as a whole. */
const FOLIO_BYTES = 2 ** 21

/** How much of a write the seals of a memfd let through. */
function sealedRoom(vfs: Vfs, inode: Inode, position: number, length: number): number {
  if (length === 0) return 0
  if ((inode.seals & (Seal.write | Seal.futureWrite)) !== 0) return -EPERM
  if ((inode.seals & Seal.grow) === 0) return length
  const room = vfs.contents.size(inode.pages) - position
  if (room >= length) return length
  const whole = Math.floor((position + room) / FOLIO_BYTES) * FOLIO_BYTES - position
  return whole > 0 ? whole : -EPERM
}

const device: FileOperations = {
  read: (vfs, file, _position, target) => vfs.devices.of(file.dentry.inode)?.read(target) ?? -EIO,
  write: (vfs, file, _position, source) => vfs.devices.of(file.dentry.inode)?.write(source) ?? -EIO,
  poll: (vfs, file) => vfs.devices.of(file.dentry.inode)?.poll() ?? 0,
  waitsFor: (vfs, file) => vfs.devices.of(file.dentry.inode)?.waitsFor ?? 0,
}

/** What /proc and /sys make up: texts, and files that are read where one likes. */
const text: FileOperations = {
  ...READY,
  read: (vfs, file, position, target) => vfs.madeUp(file.dentry).read(file, position, target),
  write: (vfs, file, position, source) => vfs.madeUp(file.dentry).writeAt(file, position, source),
}

const raw = text

const directory: FileOperations = { ...READY, read: () => -EISDIR, write: () => -EISDIR }

/** memfd_secret: only to be mapped. */
const secret: FileOperations = { ...READY, read: () => -EINVAL, write: () => -EINVAL }

/** Namespaces: without contents. */
const namespace: FileOperations = secret

const path: FileOperations = { ...READY, read: () => -EBADF, write: () => -EBADF }

const BY_KIND: Readonly<Record<FileKind, FileOperations>> = {
  pages,
  secret,
  device,
  text,
  raw,
  directory,
  path,
  pipe: pipeFile,
  socket: socketFile,
  epoll: epollFile,
  eventfd: eventFile,
  timerfd: timerFile,
  signalfd: signalFile,
  pidfd: pidFile,
  userfaultfd: userfaultFile,
  inotify: inotifyFile,
  mqueue: queueFile,
  namespace,
}

export function operationsOf(file: OpenFile): FileOperations {
  return BY_KIND[file.kind]
}

/** What tells of a file's changes; nothing for those that never change. */
export function eventsOf(file: OpenFile): EventSource | undefined {
  const operations = operationsOf(file)
  return (operations.channel ?? operations).events?.(file)
}

/** Whether it has a position: pipes and terminals have none. */
export function isSeekable(vfs: Vfs, file: OpenFile): boolean {
  if (operationsOf(file).channel !== undefined) return false
  if (file.kind === 'secret' || file.kind === 'namespace') return false
  return file.kind !== 'device' || vfs.devices.of(file.dentry.inode)?.seek === 'still'
}

/** Size in bytes for SEEK_END and truncation checks. */
export function sizeOf(vfs: Vfs, inode: Inode): number {
  if (!isRegular(inode) || inode.pages === 0) return inode.size
  return vfs.contents.size(inode.pages)
}
