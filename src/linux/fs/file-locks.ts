/** The locks on files: flock(2)'s on whole files, which belong to open files, and those of fcntl(2) on ranges. */
import { EAGAIN, EINVAL } from '../../base/errno.js'
import type { EventSource, Events } from './ipc/event-source.js'
import type { Inode } from './nodes.js'
import type { FileTable, OpenFile } from './open-file.js'
import { RecordLocks } from './record-locks.js'

export const Flock = { shared: 1, exclusive: 2, nonBlock: 4, unlock: 8 } as const

/** A lock on a whole file, or the wish for one. */
export interface WholeLock {
  readonly file: OpenFile
  /** Flock.shared or .exclusive. */
  readonly kind: number
  /** The process that has locked it; the lock may have gone on to others. */
  readonly pid: number
  /** Rises from lock to lock, of both kinds. */
  readonly order: number
}

export class FileLocks {
  readonly records: RecordLocks
  readonly #events: Events
  /** Something was given back: threads that wait for any lock look again. */
  readonly #released: EventSource
  readonly #holders = new Map<Inode, WholeLock[]>()
  /** What threads wait for, by their number. */
  readonly #waiters = new Map<number, WholeLock>()
  #order = 0

  constructor(events: Events) {
    this.#events = events
    this.#released = events.makeSource()
    this.records = new RecordLocks(
      () => this.#wake(),
      () => this.#order++,
    )
  }

  /** What a thread waits for that cannot have a lock. */
  get waitMask(): number {
    return this.#released.mask
  }

  /** Takes, changes or gives back a lock: 0, -EINVAL, or -EAGAIN when another open file is in the way (the old one is lost then). */
  apply(file: OpenFile, operation: number, pid: number): number {
    const kind = operation & ~Flock.nonBlock
    if (kind === Flock.unlock) {
      this.#release(file)
      return 0
    }
    if (kind !== Flock.shared && kind !== Flock.exclusive) return -EINVAL
    if (file.lock === kind) return 0
    this.#release(file)
    const { inode } = file.dentry
    const holders = this.#holders.get(inode) ?? []
    const lock = { file, kind, pid, order: this.#order++ }
    if (holders.some((holder) => excludesWhole(holder, lock))) return -EAGAIN
    file.lock = kind
    this.#holders.set(inode, [...holders, lock])
    return 0
  }

  /** A thread is about to wait for a lock. */
  wait(threadId: number, file: OpenFile, operation: number, pid: number): void {
    this.#waiters.set(threadId, { file, kind: operation & ~Flock.nonBlock, pid, order: this.#order++ })
  }

  /** The thread runs again, or is gone. */
  endWait(threadId: number): void {
    this.#waiters.delete(threadId)
    this.records.endWait(threadId)
  }

  /** The locks on whole files, those of one file in the order in which they were taken. */
  whole(): Iterable<[Inode, readonly WholeLock[]]> {
    return this.#holders
  }

  /** What is waited for of a file, in the order in which it was asked for. */
  waitersFor(inode: Inode): WholeLock[] {
    return [...this.#waiters.values()].filter(({ file }) => file.dentry.inode === inode)
  }

  /** The last number of an open file is gone. */
  closed(file: OpenFile): void {
    if (file.lock !== 0) this.#release(file)
    this.records.releaseAll(file.dentry.inode, file)
  }

  /** A process closes a number: all that it has locked of that file by F_SETLK is free, whichever number it used. */
  numberClosed(table: FileTable, file: OpenFile): void {
    this.records.releaseAll(file.dentry.inode, table)
  }

  #release(file: OpenFile): void {
    if (file.lock === 0) return
    const { inode } = file.dentry
    const others = this.#holders.get(inode)?.filter((holder) => holder.file !== file) ?? []
    if (others.length > 0) this.#holders.set(inode, others)
    else this.#holders.delete(inode)
    file.lock = 0
    this.#wake()
  }

  #wake(): void {
    this.#events.notify(this.#released, 0)
  }
}

export function excludesWhole(one: WholeLock, other: WholeLock): boolean {
  return one.file !== other.file && (one.kind === Flock.exclusive || other.kind === Flock.exclusive)
}
