/**
 * Directories of the host, mounted. Names are looked up on the host every time, so that what changes there is seen; the
 * nodes only remember identity (for hard links and the page cache). Contents are read a page at a time into page objects,
 * and written through: to the host first, then to the cached pages.
 */
import { EILSEQ, EINVAL, EIO, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM } from '../../base/errno.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import type { FileContents } from './contents.js'
import type { AttributeChange, FilesystemOperations, FilesystemStatistics, Listed } from './filesystem.js'
import { FilesystemMagic, FileType } from './flags.js'
import type { HostDirectory, HostStat } from './host-directory.js'
import { HostFiles } from './host-files.js'
import {
  type Dentry,
  type Filesystem,
  type Inode,
  isDirectory,
  makeDentry,
  makeInode,
  type Time,
} from './nodes.js'
import { fromUnicode, toUnicode } from './text.js'
import { applyAttributes } from './tmpfs.js'

/** What statfs says of any host directory. */
const BLOCKS = 2 ** 24

export class HostFilesystem implements FilesystemOperations {
  readonly #directories: HostDirectory[] = []
  readonly #files: HostFiles
  /** Inodes by mount and host identity. */
  readonly #inodes = new Map<string, Inode>()

  constructor(contents: FileContents) {
    this.#files = new HostFiles(contents)
  }

  /** Registers a directory and returns its provider number, 1 and up. */
  add(directory: HostDirectory): number {
    const provider = this.#directories.push(directory)
    this.#files.provide(provider)
    return provider
  }

  /** The root entry of a mount: -ENOTDIR when the host's is no directory. */
  root(filesystem: Filesystem, now: Time): Dentry | number {
    const stat = this.#directory(filesystem).lstat('')
    if (typeof stat === 'number') return stat
    if ((stat.mode & FileType.mask) !== FileType.directory) return -ENOTDIR
    const root = makeDentry('', null, this.#inode(filesystem, stat, now))
    root.parent = root
    return root
  }

  lookup(directory: Dentry, name: string): Dentry | number {
    const path = pathOf(directory, name)
    const stat = path === undefined ? -ENOENT : this.#of(directory).lstat(path)
    const known = directory.children.get(name)
    if (typeof stat === 'number') {
      if (known !== undefined) this.#lose(known)
      return stat
    }
    const inode = this.#inode(directory.inode.filesystem, stat, stat.changed)
    if (known?.inode === inode) return known
    if (known !== undefined) this.#lose(known)
    const dentry = makeDentry(name, directory, inode)
    directory.children.set(name, dentry)
    return dentry
  }

  list(directory: Dentry): readonly Listed[] | number {
    const path = pathOf(directory)
    const listed = path === undefined ? -ENOENT : this.#of(directory).list(path)
    if (typeof listed === 'number') return listed
    return listed.map(({ name, type }) => {
      const text = fromUnicode(name)
      return { name: text, number: directory.children.get(text)?.inode.number ?? 1, type }
    })
  }

  create(directory: Dentry, name: string, mode: number): Dentry | number {
    const type = mode & FileType.mask
    if (type !== FileType.regular && type !== FileType.directory) return -EPERM
    return this.#make(directory, name, (host, path) =>
      type === FileType.regular
        ? host.createFile(path, mode & 0o7777)
        : host.makeDirectory(path, mode & 0o7777),
    )
  }

  symlink(directory: Dentry, name: string, target: string): Dentry | number {
    const text = toUnicode(target)
    if (text === undefined) return -EILSEQ
    return this.#make(directory, name, (host, path) => host.symlink(path, text))
  }

  link(directory: Dentry, name: string, existing: Dentry): Dentry | number {
    const from = existing.unlinked ? undefined : pathOf(existing)
    if (from === undefined) return -ENOENT
    return this.#make(directory, name, (host, path) => host.link(from, path))
  }

  createUnnamed(): number {
    return -EOPNOTSUPP
  }

  remove(dentry: Dentry): number {
    const path = pathOf(dentry)
    if (path === undefined) return -ENOENT
    const host = this.#of(dentry)
    const result = isDirectory(dentry.inode) ? host.removeDirectory(path) : host.unlink(path)
    if (result === 0) this.#lose(dentry)
    return result
  }

  rename(dentry: Dentry, directory: Dentry, name: string, replaced: Dentry | undefined): number {
    const from = pathOf(dentry)
    const to = pathOf(directory, name)
    if (from === undefined || to === undefined) return -EILSEQ
    const result = this.#of(dentry).rename(from, to)
    if (result < 0) return result
    if (replaced !== undefined) this.#lose(replaced)
    dentry.parent!.children.delete(dentry.name)
    dentry.parent = directory
    dentry.name = name
    directory.children.set(name, dentry)
    return 0
  }

  /** No host call does that. */
  exchange(): number {
    return -EINVAL
  }

  readLink(dentry: Dentry): string | number {
    const path = pathOf(dentry)
    const text = path === undefined ? -ENOENT : this.#of(dentry).readLink(path)
    return typeof text === 'number' ? text : fromUnicode(text)
  }

  linkText(dentry: Dentry): string | number {
    return this.readLink(dentry)
  }

  refresh(dentry: Dentry): number {
    const path = pathOf(dentry)
    const stat = dentry.unlinked || path === undefined ? undefined : this.#of(dentry).lstat(path)
    if (typeof stat === 'object') takeOver(dentry.inode, stat)
    this.#files.takeSize(dentry.inode)
    return typeof stat === 'number' ? stat : 0
  }

  setAttributes(dentry: Dentry, change: AttributeChange, now: Time): number {
    const path = pathOf(dentry)
    const { permissions, accessed, modified } = change
    const host = this.#of(dentry)
    let result = 0
    if (!dentry.unlinked && path !== undefined) {
      if (permissions !== undefined) result = host.setPermissions(path, permissions)
      const times = accessed !== undefined || modified !== undefined
      const { inode } = dentry
      if (times) result ||= host.setTimes(path, accessed ?? inode.accessed, modified ?? inode.modified)
    }
    if (result === 0) applyAttributes(dentry.inode, change, now)
    return result
  }

  pages(dentry: Dentry, writable: boolean): Ptr | number {
    const path = pathOf(dentry)
    if (path === undefined) return -ENOENT
    return this.#files.open(dentry, this.#of(dentry), path, writable)
  }

  resize(dentry: Dentry, bytes: number): number {
    return this.#files.resize(dentry.inode, bytes)
  }

  /** The host makes room as it likes. */
  allocate(): number {
    return 0
  }

  write(inode: Inode, offset: number, source: Uint8Array): number {
    return this.#files.write(inode, offset, source)
  }

  sync(inode: Inode): number {
    return this.#files.sync(inode)
  }

  /** The last open file on it is closed: its pages stay for the next reader, within limits. */
  closed(inode: Inode): void {
    if (inode.filesystem.kind === 'host') this.#files.idle(inode)
  }

  forget(inode: Inode): void {
    this.#files.drop(inode)
    for (const [key, known] of this.#inodes) if (known === inode) this.#inodes.delete(key)
  }

  /** Writes back what mappings have changed, of every file (of one mount). 0 or the first negative errno. */
  syncAll(filesystem?: Filesystem): number {
    return this.#files.syncAll(filesystem)
  }

  statistics(): FilesystemStatistics {
    return {
      magic: FilesystemMagic.host,
      blocks: BLOCKS,
      blocksFree: BLOCKS / 2,
      files: BLOCKS,
      filesFree: BLOCKS / 2,
    }
  }

  #directory(filesystem: Filesystem): HostDirectory {
    return this.#directories[filesystem.provider - 1]!
  }

  #of(dentry: Dentry): HostDirectory {
    return this.#directory(dentry.inode.filesystem)
  }

  #make(
    directory: Dentry,
    name: string,
    make: (host: HostDirectory, path: string) => number,
  ): Dentry | number {
    const path = pathOf(directory, name)
    if (path === undefined) return -EILSEQ
    const result = make(this.#of(directory), path)
    if (result < 0) return result
    const made = this.lookup(directory, name)
    return made === -ENOENT ? -EIO : made
  }

  /** The inode of a host file: the same for all its names. */
  #inode(filesystem: Filesystem, stat: HostStat, now: Time): Inode {
    const key = `${filesystem.provider}:${stat.identity}`
    let inode = this.#inodes.get(key)
    if (inode === undefined || ((inode.mode ^ stat.mode) & FileType.mask) !== 0) {
      inode = makeInode(filesystem, stat.mode, now)
      this.#inodes.set(key, inode)
    }
    takeOver(inode, stat)
    this.#files.takeSize(inode)
    return inode
  }

  /** The name is gone on the host. An identity may be used again there, so the inode is forgotten with its last name. */
  #lose(dentry: Dentry): void {
    dentry.parent?.children.delete(dentry.name)
    dentry.unlinked = true
    const { inode } = dentry
    inode.links = isDirectory(inode) ? 0 : Math.max(0, inode.links - 1)
    if (inode.links > 0) return
    for (const [key, known] of this.#inodes) if (known === inode) this.#inodes.delete(key)
    if (inode.opens === 0 && inode.pages !== NULL) this.#files.drop(inode)
  }
}

function takeOver(inode: Inode, stat: HostStat): void {
  inode.mode = stat.mode
  inode.links = stat.links
  inode.size = stat.size
  inode.accessed = stat.accessed
  inode.modified = stat.modified
  inode.changed = stat.changed
}

/** The host's path of an entry, or of a name in it; `undefined` when a part is not UTF-8. */
function pathOf(dentry: Dentry, name?: string): string | undefined {
  const names = name === undefined ? [] : [name]
  for (let at = dentry; at.parent !== null && at.parent !== at; at = at.parent) names.push(at.name)
  return toUnicode(names.reverse().join('/'))
}
