/** The file system in RAM: names are the nodes themselves, contents are page objects of the buffer. */
import { ENOENT, ENOMEM, ENOSPC, ENOTEMPTY } from '../../base/errno.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import type { FileContents } from './contents.js'
import type { AttributeChange, FilesystemOperations, FilesystemStatistics, Listed } from './filesystem.js'
import { FilesystemMagic, FileType, Seal } from './flags.js'
import {
  type Dentry,
  type Filesystem,
  type Inode,
  isDirectory,
  makeDentry,
  makeInode,
  type Time,
  typeOf,
} from './nodes.js'
import { attach, detach, move, swap, touchDirectory } from './tree.js'

/** What tmpfs charges a directory for an entry (BOGO_DIRENT_SIZE). */
const ENTRY_BYTES = 20
const EMPTY_BYTES = 2 * ENTRY_BYTES

/** st_size of a directory. */
export function directoryBytes(entries: number): number {
  return EMPTY_BYTES + entries * ENTRY_BYTES
}

export class Tmpfs implements FilesystemOperations {
  protected readonly contents: FileContents

  constructor(contents: FileContents) {
    this.contents = contents
  }

  /** How many names a directory has. */
  protected entries(directory: Dentry): number {
    return directory.children.size
  }

  lookup(directory: Dentry, name: string): Dentry | number {
    return directory.children.get(name) ?? -ENOENT
  }

  list(directory: Dentry): readonly Listed[] {
    return [...directory.children.values()].sort((a, b) => b.order - a.order).map(listed)
  }

  create(directory: Dentry, name: string, mode: number, rdev: number, now: Time): Dentry | number {
    const inode = this.#inode(directory.inode.filesystem, mode, now)
    if (typeof inode === 'number') return inode
    inode.rdev = rdev
    if (isDirectory(inode)) inode.size = EMPTY_BYTES
    return this.#hang(directory, name, inode, now)
  }

  symlink(directory: Dentry, name: string, target: string, now: Time): Dentry {
    const inode = makeInode(directory.inode.filesystem, FileType.symlink | 0o777, now)
    inode.target = target
    inode.size = target.length
    return this.#hang(directory, name, inode, now)
  }

  link(directory: Dentry, name: string, { inode }: Dentry, now: Time): Dentry {
    inode.links++
    inode.changed = now
    return this.#hang(directory, name, inode, now)
  }

  createUnnamed(directory: Dentry, mode: number, now: Time): Dentry | number {
    const inode = this.#inode(directory.inode.filesystem, mode, now)
    if (typeof inode === 'number') return inode
    inode.links = 0
    const dentry = makeDentry(`#${inode.number}`, directory, inode)
    dentry.unlinked = true
    return dentry
  }

  remove(dentry: Dentry, now: Time): number {
    if (isDirectory(dentry.inode) && this.entries(dentry) > 0) return -ENOTEMPTY
    this.#drop(dentry, now)
    return 0
  }

  rename(dentry: Dentry, directory: Dentry, name: string, replaced: Dentry | undefined, now: Time): number {
    if (replaced !== undefined) {
      if (isDirectory(replaced.inode) && this.entries(replaced) > 0) return -ENOTEMPTY
      this.#drop(replaced, now)
    }
    const from = dentry.parent!
    move(dentry, directory, name, replaced?.order)
    this.#resized(from, now)
    this.#resized(directory, now)
    dentry.inode.changed = now
    return 0
  }

  exchange(one: Dentry, other: Dentry, now: Time): number {
    swap(one, other)
    for (const dentry of [one, other]) {
      dentry.inode.changed = now
      touchDirectory(dentry.parent!.inode, now)
    }
    return 0
  }

  readLink(dentry: Dentry): string {
    return dentry.inode.target
  }

  linkText(dentry: Dentry): string {
    return dentry.inode.target
  }

  refresh({ inode }: Dentry): number {
    if (inode.pages !== NULL) inode.size = this.contents.size(inode.pages)
    return 0
  }

  setAttributes(dentry: Dentry, change: AttributeChange, now: Time): number {
    applyAttributes(dentry.inode, change, now)
    return 0
  }

  pages(dentry: Dentry, _writable: boolean): Ptr | number {
    return dentry.inode.pages
  }

  resize(dentry: Dentry, bytes: number): number {
    return this.contents.resize(dentry.inode.pages, bytes)
  }

  /** -ENOSPC when the machine has no frame left, as a full tmpfs says. */
  write(inode: Inode, offset: number, source: Uint8Array): number {
    const written = this.contents.write(inode.pages, offset, source)
    return written === -ENOMEM ? -ENOSPC : written
  }

  sync(): number {
    return 0
  }

  forget(inode: Inode): void {
    if (inode.pages !== NULL) this.contents.release(inode.pages)
    inode.pages = NULL
  }

  /** fallocate. */
  allocate(inode: Inode, offset: number, length: number): number {
    return this.contents.allocate(inode.pages, offset, length)
  }

  statistics(filesystem: Filesystem): FilesystemStatistics {
    const { total, free } = this.contents.frames()
    const half = Math.floor(total / 2)
    const { most, used } =
      filesystem.quota === NULL ? { most: half, used: 0 } : this.contents.quota(filesystem.quota)
    return {
      magic: FilesystemMagic.tmpfs,
      blocks: most,
      blocksFree: filesystem.quota === NULL ? Math.min(free, half) : most - used,
      files: half,
      filesFree: half - (filesystem.nextInode - 1),
    }
  }

  /** The object of a regular file; NULL without memory. */
  protected createPages({ quota }: Filesystem): Ptr {
    return this.contents.create(quota)
  }

  /** A new inode; a regular file has its page object from the start. */
  #inode(filesystem: Filesystem, mode: number, now: Time): Inode | number {
    const inode = makeInode(filesystem, mode, now)
    if (typeOf(inode) !== FileType.regular) return inode
    const pages = this.createPages(filesystem)
    if (pages === NULL) return -ENOSPC
    inode.pages = pages
    inode.seals = Seal.seal
    return inode
  }

  #hang(directory: Dentry, name: string, inode: Inode, now: Time): Dentry {
    const dentry = attach(directory, name, inode)
    this.#resized(directory, now)
    return dentry
  }

  #drop(dentry: Dentry, now: Time): void {
    const directory = dentry.parent!
    detach(dentry)
    this.#resized(directory, now)
    dentry.inode.changed = now
    if (dentry.inode.links === 0 && dentry.inode.opens === 0) this.forget(dentry.inode)
  }

  #resized(directory: Dentry, now: Time): void {
    directory.inode.size = directoryBytes(this.entries(directory))
    touchDirectory(directory.inode, now)
  }
}

function listed({ name, inode }: Dentry): Listed {
  return { name, number: inode.number, type: typeOf(inode) }
}

/** chmod, chown and utimensat on the node itself. */
export function applyAttributes(inode: Inode, change: AttributeChange, now: Time): void {
  if (change.permissions !== undefined) inode.mode = typeOf(inode) | (change.permissions & 0o7777)
  if (change.uid !== undefined) inode.uid = change.uid
  if (change.gid !== undefined) inode.gid = change.gid
  if (change.accessed !== undefined) inode.accessed = change.accessed
  if (change.modified !== undefined) inode.modified = change.modified
  inode.changed = now
}
