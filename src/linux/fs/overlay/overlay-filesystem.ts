/**
 * The root of a guest that has a root folder on the host: a tmpfs whose directories are filled from the layers below as they are
 * looked at. Once read, a directory has all its names in RAM (entries, and in `below.names` those that nobody has looked at), so
 * nothing need be remembered of what was removed, renamed or hidden, and a directory that the guest makes is empty.
 *
 * An inode is the same before and after its first change. So is the page object of a file: its pages come from the host when they
 * are first touched and stay in RAM once the file was open for writing. The host is never written to, and what changes there
 * while a guest runs may be seen or not.
 */
import { EIO, ENOENT, ENOSPC } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, pagesFor } from '../../../base/numbers.js'
import type { FileContents } from '../contents.js'
import type { FilesystemStatistics, Listed } from '../filesystem.js'
import { FilesystemMagic, FileType } from '../flags.js'
import type { HostStat } from '../host-directory.js'
import {
  type Below,
  type Dentry,
  type Filesystem,
  type Inode,
  isDirectory,
  isRegular,
  isSymlink,
  type LowerName,
  type LowerPlace,
  makeDentry,
  makeInode,
  type Time,
  typeOf,
} from '../nodes.js'
import { fromUnicode } from '../text.js'
import { directoryBytes, Tmpfs } from '../tmpfs.js'
import { CleanFiles } from './clean-files.js'
import type { LowerLayers } from './lower-layers.js'

/** Numbers of mounted host directories count from 1; this is none of them. */
const PROVIDER = 0xffff
const PRUNE_MIN = 256

export class OverlayFilesystem extends Tmpfs {
  readonly #layers: LowerLayers
  /** Files that have pages from below, by the identity of their page object. */
  readonly #files = new Map<number, Inode>()
  /** Files of the host with several names. */
  readonly #shared = new Map<string, Inode>()
  readonly #clean: CleanFiles
  #pruneAt = PRUNE_MIN

  constructor(contents: FileContents, layers: LowerLayers) {
    super(contents)
    this.#layers = layers
    this.#clean = new CleanFiles(contents, (inode) => this.#dropPages(inode))
    const readPage = (id: number, index: number, target: Uint8Array) => this.#readPage(id, index, target)
    contents.provide(PROVIDER, { readPage, readPages: readPage })
  }

  /** The root entry: the merged tops of the layers; undefined when the uppermost is no directory. */
  root(filesystem: Filesystem): Dentry | undefined {
    const places = this.#layers.roots
    const stat = this.#layers.stat(places[0]!)
    if (typeof stat === 'number' || (stat.mode & FileType.mask) !== FileType.directory) return undefined
    const root = makeDentry('', null, this.#makeInode(filesystem, stat, places, filesystem.nextInode++))
    root.parent = root
    return root
  }

  override lookup(directory: Dentry, name: string): Dentry | number {
    const known = directory.children.get(name)
    if (known !== undefined) return known
    const below = this.#names(directory)?.get(name)
    return below === undefined ? -ENOENT : this.#discover(directory, name, below)
  }

  override list(directory: Dentry): readonly Listed[] {
    const entries = [...directory.children.values()].map(({ name, inode, order }) => {
      return { name, number: inode.number, type: typeOf(inode), order }
    })
    const unseen = [...(this.#names(directory) ?? [])].map(([name, found]) => ({ name, ...found }))
    return [...entries, ...unseen].sort((a, b) => b.order - a.order)
  }

  override create(directory: Dentry, name: string, mode: number, rdev: number, now: Time): Dentry | number {
    this.#names(directory)
    return super.create(directory, name, mode, rdev, now)
  }

  override symlink(directory: Dentry, name: string, target: string, now: Time): Dentry {
    this.#names(directory)
    return super.symlink(directory, name, target, now)
  }

  override refresh(dentry: Dentry): number {
    if (isDirectory(dentry.inode)) this.#names(dentry)
    return super.refresh(dentry)
  }

  /** The page object of a file; one of the host's gets it when it is first opened. */
  override pages(dentry: Dentry, writable: boolean): Ptr | number {
    const { inode } = dentry
    const { below } = inode
    if (below === null) return inode.pages
    if (inode.pages === NULL) {
      const error = this.#layers.checkReadable(below.places[0]!) || this.#addPages(inode)
      if (error !== 0) return error
    }
    this.#clean.use(inode)
    if (writable) below.isWritten = true
    return inode.pages
  }

  override resize(dentry: Dentry, bytes: number): number {
    const { below } = dentry.inode
    const result = super.resize(dentry, bytes)
    if (result === 0 && below !== null) below.bytes = Math.min(below.bytes, bytes)
    return result
  }

  /** Brings the whole file into RAM, so that a page that is missing then is a hole: 0, -ENOSPC, -EIO. */
  load({ pages, below }: Inode): number {
    if (below === null) return 0
    const result = this.contents.allocate(pages, 0, Math.min(below.bytes, this.contents.size(pages)))
    if (result === 0) below.bytes = 0
    return result
  }

  /** Nobody has the file open any more: what the host has, too, need not stay. */
  closed(inode: Inode): void {
    if (inode.below !== null && !inode.below.isWritten && inode.pages !== NULL) this.#clean.add(inode)
  }

  override forget(inode: Inode): void {
    this.#clean.use(inode)
    const isNeeded = inode.pages !== NULL && this.contents.isMapped(inode.pages)
    if (inode.pages !== NULL && !isNeeded) this.#files.delete(this.contents.identity(inode.pages))
    super.forget(inode)
  }

  override statistics(filesystem: Filesystem): FilesystemStatistics {
    return { ...super.statistics(filesystem), magic: FilesystemMagic.overlay }
  }

  protected override entries(directory: Dentry): number {
    return (this.#names(directory)?.size ?? 0) + directory.children.size
  }

  /** Names below that are no entries yet; undefined for a directory of the guest's own. */
  #names({ inode }: Dentry): Map<string, LowerName> | undefined {
    const { below } = inode
    if (below === null) return undefined
    below.names ??= this.#read(inode, below)
    return below.names
  }

  #read(directory: Inode, { places }: Below): Map<string, LowerName> {
    const { filesystem } = directory
    const found = this.#layers.names(places)
    const names = new Map<string, LowerName>()
    found.forEach(([name, { type, places: at }], i) => {
      const order = i - found.length
      names.set(name, { type, places: at, number: filesystem.nextInode++, order })
      if (type === FileType.directory) directory.links++
    })
    directory.size = directoryBytes(names.size)
    return names
  }

  /** A name below becomes an entry. */
  #discover(directory: Dentry, name: string, found: LowerName): Dentry | number {
    const { inode } = directory
    inode.below!.names!.delete(name)
    const made = this.#inodeOf(inode.filesystem, found)
    const isNow = typeof made !== 'number' && isDirectory(made)
    inode.links += Number(isNow) - Number(found.type === FileType.directory)
    if (typeof made === 'number') return made
    const dentry = makeDentry(name, directory, made)
    dentry.order = found.order
    directory.children.set(name, dentry)
    return dentry
  }

  #inodeOf(filesystem: Filesystem, { places, number }: LowerName): Inode | number {
    const place = places[0]!
    const stat = this.#layers.stat(place)
    if (typeof stat === 'number') return stat
    if (stat.links < 2 || (stat.mode & FileType.mask) === FileType.directory) {
      return this.#makeInode(filesystem, stat, places, number)
    }
    const key = `${place.layer}:${stat.identity}`
    const inode = this.#shared.get(key) ?? this.#makeInode(filesystem, stat, places, number)
    if (typeof inode !== 'number') this.#shared.set(key, inode)
    return inode
  }

  /** Everything belongs to root. The times are all that of the last change, which copying a folder keeps. */
  #makeInode(filesystem: Filesystem, stat: HostStat, places: readonly LowerPlace[], number: number): Inode {
    const inode = makeInode(filesystem, stat.mode, stat.modified, number)
    if (isSymlink(inode)) return this.#asLink(inode, places[0]!)
    if (isRegular(inode)) inode.size = Math.max(0, stat.size)
    if (isRegular(inode)) inode.links = Math.max(1, stat.links)
    if (isRegular(inode) || isDirectory(inode)) {
      inode.below = { places, names: null, bytes: inode.size, isWritten: false }
    }
    return inode
  }

  #asLink(inode: Inode, place: LowerPlace): Inode {
    const text = this.#layers.readLink(place)
    inode.target = typeof text === 'number' ? '' : fromUnicode(text)
    inode.size = inode.target.length
    inode.mode = FileType.symlink | 0o777
    return inode
  }

  #addPages(inode: Inode): number {
    const pages = this.contents.createProvided(inode.size, PROVIDER)
    if (pages === NULL) return -ENOSPC
    inode.pages = pages
    this.#files.set(this.contents.identity(pages), inode)
    if (this.#files.size > this.#pruneAt) this.#prune()
    return 0
  }

  /** Forgets removed files that were still mapped then, and no longer are. */
  #prune(): void {
    const living = this.contents.living()
    for (const identity of this.#files.keys()) if (!living.has(identity)) this.#files.delete(identity)
    this.#pruneAt = Math.max(PRUNE_MIN, 2 * this.#files.size)
  }

  #dropPages(inode: Inode): void {
    this.#files.delete(this.contents.identity(inode.pages))
    this.contents.release(inode.pages)
    inode.pages = NULL
  }

  #readPage(id: number, index: number, target: Uint8Array): number {
    const below = this.#files.get(id)?.below
    if (!below) return -EIO
    const wanted = Math.max(0, Math.min(target.length, below.bytes - index * PAGE_SIZE))
    const got =
      wanted === 0 ? 0 : this.#layers.read(below.places[0]!, index * PAGE_SIZE, target.subarray(0, wanted))
    if (got < 0) return got
    target.fill(0, got)
    return 0
  }
}

/** Pages that stat shows a file to have: those of the host count as there. */
export function overlayPages({ below, pages }: Inode, contents: FileContents): number {
  const here = pages === NULL ? 0 : contents.pages(pages)
  return below === null ? here : Math.max(here, pagesFor(below.bytes))
}
