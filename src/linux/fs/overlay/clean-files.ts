/** Files whose pages the host has as well and that nobody has open: their pages stay for the next reader, within limits. */
import type { FileContents } from '../contents.js'
import type { Inode } from '../nodes.js'

/** Their pages take at most this part of RAM. */
const SHARE = 8
const FILES_MAX = 512

export class CleanFiles {
  readonly #contents: FileContents
  readonly #drop: (inode: Inode) => void
  /** How many pages each had when it was closed; the one closed last at the end. */
  readonly #files = new Map<Inode, number>()
  #pages = 0

  constructor(contents: FileContents, drop: (inode: Inode) => void) {
    this.#contents = contents
    this.#drop = drop
  }

  /** Somebody opens it: it stays. */
  use(inode: Inode): void {
    this.#pages -= this.#files.get(inode) ?? 0
    this.#files.delete(inode)
  }

  add(inode: Inode): void {
    const pages = this.#contents.pages(inode.pages)
    this.use(inode)
    this.#files.set(inode, pages)
    this.#pages += pages
    const most = this.#contents.frames().total / SHARE
    for (const oldest of this.#files.keys()) {
      if (this.#pages <= most && this.#files.size <= FILES_MAX) return
      this.#evict(oldest)
    }
  }

  /** One that is mapped stays, and is looked at again later. */
  #evict(inode: Inode): void {
    if (this.#contents.isMapped(inode.pages)) return
    this.use(inode)
    this.#drop(inode)
  }
}
