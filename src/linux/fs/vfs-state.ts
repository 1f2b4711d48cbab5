import type { Ptr } from '../../base/numbers.js'
import { FileType } from './flags.js'
import type { InotifyState } from './ipc/inotify.js'
import type { Pid } from './ipc/pid-file.js'
import type { SignalFile } from './ipc/signal-file.js'
import type { SocketState } from './ipc/sockets.js'
import type { TimerFile } from './ipc/timer-file.js'
import type { UserfaultFile } from './ipc/userfault-file.js'
import {
  type Dentry,
  type Filesystem,
  type FilesystemKind,
  makeFilesystem,
  makeRoot,
  type Time,
} from './nodes.js'
import type { OpenFile } from './open-file.js'
import type { OverlayFilesystem } from './overlay/overlay-filesystem.js'
import { makeTerminal, type TerminalState } from './terminal.js'

/** All that a snapshot of the files must keep besides the buffer. */
export interface VfsState {
  readonly root: Dentry
  readonly filesystems: Filesystem[]
  /** Memfds, O_TMPFILE and the streams live in a file system that is mounted nowhere. */
  readonly hidden: Dentry
  /** Roots of the others that are mounted nowhere, as they were needed. */
  readonly internal: Map<FilesystemKind, Dentry>
  /** Message queues at which threads wait, by their records (mqueue/queue-waiters.ts): each counts as a file number. */
  readonly queueWaits: Map<Ptr, OpenFile>
  /** By user: what the pages of memfd_secret are charged to. */
  readonly secretQuotas: Map<number, Ptr>
  /** Identity of the next open file. */
  nextOpenFile: number
  /** How many event sources there have been. */
  nextEventSource: number
  /** Abstract names of unix sockets, and what they have in flight. */
  readonly sockets: SocketState
  readonly terminal: TerminalState
  /** By record of their timers. */
  readonly timerFiles: Map<Ptr, TimerFile>
  readonly signalFiles: Set<SignalFile>
  /** By context. */
  readonly userfaultFiles: Map<Ptr, UserfaultFile>
  /** Those that files stand for and that somebody has, by number. */
  readonly pids: Map<number, Pid>
  readonly inotify: InotifyState
}

/** A root without entries, and the place for files without names, whose pages only the machine limits. */
export function emptyState(now: Time, overlay: OverlayFilesystem | undefined, quota: Ptr): VfsState {
  const kind = overlay === undefined ? 'tmpfs' : 'overlay'
  const visible = makeFilesystem(kind, kind, '/', 0, { quota })
  const nameless = makeFilesystem('tmpfs', 'none', '', 1)
  return {
    root: overlay?.root(visible) ?? makeRoot(visible, FileType.directory | 0o755, now),
    filesystems: [visible, nameless],
    hidden: makeRoot(nameless, FileType.directory | 0o700, now),
    internal: new Map(),
    queueWaits: new Map(),
    secretQuotas: new Map(),
    nextOpenFile: 1,
    nextEventSource: 0,
    sockets: { abstract: new Map(), nextAutomatic: 0, inFlight: new Map() },
    terminal: makeTerminal(),
    timerFiles: new Map(),
    signalFiles: new Set(),
    userfaultFiles: new Map(),
    pids: new Map(),
    inotify: { usage: new Map(), watches: 0, nextCookie: 0 },
  }
}
