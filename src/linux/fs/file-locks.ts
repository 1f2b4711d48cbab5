/** flock(2): locks on whole files that belong to open files, not to processes. */
import { EAGAIN, EINVAL } from '../../base/errno.js'
import type { Inode } from './nodes.js'
import type { OpenFile } from './open-file.js'

export const Flock = { shared: 1, exclusive: 2, nonBlock: 4, unlock: 8 } as const

export class FileLocks {
  readonly #holders = new Map<Inode, OpenFile[]>()

  /** Takes, changes or gives back a lock: 0, -EINVAL, or -EAGAIN when another open file is in the way. */
  apply(file: OpenFile, operation: number): number {
    const kind = operation & ~Flock.nonBlock
    if (kind === Flock.unlock) {
      this.release(file)
      return 0
    }
    if (kind !== Flock.shared && kind !== Flock.exclusive) return -EINVAL
    this.release(file)
    const { inode } = file.dentry
    const holders = this.#holders.get(inode) ?? []
    const blocked = holders.some(({ lock }) => kind === Flock.exclusive || lock === Flock.exclusive)
    if (blocked) return -EAGAIN
    file.lock = kind
    this.#holders.set(inode, [...holders, file])
    return 0
  }

  release(file: OpenFile): void {
    const { inode } = file.dentry
    const others = this.#holders.get(inode)?.filter((holder) => holder !== file) ?? []
    if (others.length > 0) this.#holders.set(inode, others)
    else this.#holders.delete(inode)
    file.lock = 0
  }
}
