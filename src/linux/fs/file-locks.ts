/** The locks on files: flock(2)'s on whole files, which belong to open files, and those of fcntl(2) on ranges. */
import { EAGAIN, EINVAL } from '../../base/errno.js'
import type { EventSource, Events } from './ipc/event-source.js'
import type { Inode } from './nodes.js'
import type { FileTable, OpenFile } from './open-file.js'
import { RecordLocks } from './record-locks.js'

export const Flock = { shared: 1, exclusive: 2, nonBlock: 4, unlock: 8 } as const

export class FileLocks {
  readonly records: RecordLocks
  readonly #events: Events
  /** Something was given back: threads that wait for any lock look again. */
  readonly #released: EventSource
  readonly #holders = new Map<Inode, OpenFile[]>()

  constructor(events: Events) {
    this.#events = events
    this.#released = events.makeSource()
    this.records = new RecordLocks(() => this.#wake())
  }

  /** What a thread waits for that cannot have a lock. */
  get waitMask(): number {
    return this.#released.mask
  }

  /** Takes, changes or gives back a lock: 0, -EINVAL, or -EAGAIN when another open file is in the way (the old one is lost then). */
  apply(file: OpenFile, operation: number): number {
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
    const blocked = holders.some(({ lock }) => kind === Flock.exclusive || lock === Flock.exclusive)
    if (blocked) return -EAGAIN
    file.lock = kind
    this.#holders.set(inode, [...holders, file])
    return 0
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
    const others = this.#holders.get(inode)?.filter((holder) => holder !== file) ?? []
    if (others.length > 0) this.#holders.set(inode, others)
    else this.#holders.delete(inode)
    file.lock = 0
    this.#wake()
  }

  #wake(): void {
    this.#events.notify(this.#released, 0)
  }
}
