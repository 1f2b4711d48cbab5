/** Open file descriptions and the table of file numbers, as plain data. */
import { EBADF, EMFILE } from '../../base/errno.js'
import type { Credentials } from './credentials.js'
import type { Listed } from './filesystem.js'
import { Open } from './flags.js'
import type { Watcher } from './ipc/epoll.js'
import type { FileObject } from './ipc/file-object.js'
import type { Dentry } from './nodes.js'
import type { RecordReading } from './proc/record-text.js'

/** What reads and writes it (file-operations.ts). */
export type FileKind =
  | 'pages'
  | 'secret'
  | 'directory'
  | 'device'
  | 'text'
  | 'raw'
  | 'path'
  | 'pipe'
  | 'socket'
  | 'epoll'
  | 'eventfd'
  | 'timerfd'
  | 'signalfd'
  | 'pidfd'
  | 'userfaultfd'
  | 'inotify'
  | 'mqueue'
  | 'namespace'

/** What open(2) makes and dup(2) and fork(2) share. */
export interface OpenFile {
  /** Never the same for two: mappings of two opens are not merged. */
  readonly identity: number
  readonly kind: FileKind
  readonly dentry: Dentry
  /** Access mode and status flags: F_GETFL. */
  flags: number
  position: number
  /** File numbers that stand for it, in all tables, and processes that run it. */
  references: number
  /** A directory as it was when it was last read from the start. */
  listing: readonly Listed[] | null
  /** /proc: the text as it was at the opening, where that counts. */
  kept: string | null
  /** /proc: where its reader is. */
  reading: RecordReading | null
  /** /proc: the address space that it is about, if it shows memory; that of a program that is gone shows nothing. 0 = none. */
  space: number
  /** Who opened it, where that counts later (pagemap shows frame numbers to few); else null. */
  opener: Credentials | null
  /** flock(2): LOCK_SH 1, LOCK_EX 2, none 0. */
  lock: number
  /** Errors of write-back that were there, or that it has heard of (space/error-sequence.ts). */
  errors: number
  /** What a file of the kernel's own is (fs/ipc/): a pipe, a socket, …; `kind` says which. */
  object: FileObject | null
  /** The epolls that watch it. */
  watchers: Watcher[]
}

export interface Descriptor {
  readonly file: OpenFile
  closeOnExec: boolean
}

export function makeOpenFile(identity: number, kind: FileKind, dentry: Dentry, flags: number): OpenFile {
  const nothing = { listing: null, kept: null, reading: null, opener: null, object: null, watchers: [] }
  const none = { ...nothing, space: 0, lock: 0, errors: 0 }
  return { identity, kind, dentry, flags, position: 0, references: 0, ...none }
}

export function isReadable(file: OpenFile): boolean {
  const mode = file.flags & Open.accessMode
  return file.kind !== 'path' && (mode === Open.readOnly || mode === Open.readWrite)
}

export function isWritable(file: OpenFile): boolean {
  const mode = file.flags & Open.accessMode
  return file.kind !== 'path' && (mode === Open.writeOnly || mode === Open.readWrite)
}

/** File number → open file; threads share one, fork copies it. `limit` is RLIMIT_NOFILE when it matters. */
export class FileTable {
  readonly #slots: (Descriptor | undefined)[]
  /** Processes that use it: more than one after CLONE_FILES. */
  users = 0
  /** Highest number that was ever in use. */
  #highest = 0

  constructor(slots: (Descriptor | undefined)[] = []) {
    this.#slots = slots
    this.#highest = slots.length
  }

  /** The open file, or `undefined` (-EBADF). */
  get(fd: number): OpenFile | undefined {
    return this.#slots[fd]?.file
  }

  descriptor(fd: number): Descriptor | undefined {
    return this.#slots[fd]
  }

  /** The lowest free number from `lowest` on, -EMFILE when that is not below the limit. */
  lowestFree(lowest: number, limit: number): number {
    let fd = lowest
    while (this.#slots[fd] !== undefined) fd++
    return fd < limit ? fd : -EMFILE
  }

  /** Puts a file at a free number. */
  install(fd: number, file: OpenFile, closeOnExec: boolean): number {
    file.references++
    this.#highest = Math.max(this.#highest, fd)
    this.#slots[fd] = { file, closeOnExec }
    return fd
  }

  /** Takes a number out and returns what it stood for; the caller drops the reference. -EBADF. */
  remove(fd: number): OpenFile | number {
    const file = this.get(fd)
    if (file === undefined) return -EBADF
    this.#slots[fd] = undefined
    while (this.#slots.length > 0 && this.#slots[this.#slots.length - 1] === undefined) this.#slots.pop()
    return file
  }

  /** Numbers that the kernel's own table would have room for: select looks at no others. */
  get capacity(): number {
    return this.#highest < 64 ? 64 : 128 * 2 ** Math.ceil(Math.log2(Math.floor(this.#highest / 128) + 1))
  }

  /** The numbers in use, rising. */
  numbers(): number[] {
    const used: number[] = []
    this.#slots.forEach((slot, fd) => {
      if (slot !== undefined) used.push(fd)
    })
    return used
  }

  /** For fork: the same open files under the same numbers. */
  copy(): FileTable {
    const slots = this.#slots.map((slot) => (slot === undefined ? undefined : { ...slot }))
    for (const slot of slots) if (slot !== undefined) slot.file.references++
    return new FileTable(slots)
  }
}
