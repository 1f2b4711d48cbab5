/** What an open file of the kernel's own is, besides an open file: plain data. */
import type { OpenFile } from '../open-file.js'
import type { Epoll } from './epoll.js'
import type { EventCounter } from './event-counter.js'
import type { Inotify } from './inotify.js'
import type { Pid } from './pid-file.js'
import type { PipeEnd } from './pipe-file.js'
import type { SignalFile } from './signal-file.js'
import type { TimerFile } from './timer-file.js'
import type { UnixSocket } from './unix-socket.js'
import type { UserfaultFile } from './userfault-file.js'

export type FileObject =
  | PipeEnd
  | UnixSocket
  | Epoll
  | EventCounter
  | TimerFile
  | SignalFile
  | Pid
  | UserfaultFile
  | Inotify

/** The object of a file whose kind says that it is a `T`. */
export function objectOf<T extends FileObject>(file: OpenFile): T {
  return file.object as T
}
