/**
 * Path resolution, component by component, as path_resolution(7) has it. Host symbolic links are read as text and
 * resolved here, inside the guest's name space, and `..` stops at the root: nothing leads out of a mount but its own
 * mount point.
 */
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from '../../base/errno.js'
import { type Credentials, checkAccess, isOwnFiles, May } from './credentials.js'
import type { FilesystemOperations } from './filesystem.js'
import { NAME_MAX, PATH_MAX, SYMLINKS_MAX } from './flags.js'
import type { FilesystemKind } from './nodes.js'
import { type Dentry, isDirectory, isSymlink, parentOf, topOfMounts } from './nodes.js'

/** Who walks, and from where. */
export interface Walker {
  readonly root: Dentry
  readonly cwd: Dentry
  readonly pid: number
  readonly credentials: Credentials
  /** Bits of `Resolve` (openat2); with `beneath` and `inRoot` the root is where the path begins. */
  readonly resolve?: number
}

/** What openat2(2) lets a path do: RESOLVE_*. */
export const Resolve = {
  oneMount: 1,
  noMagicLinks: 2,
  noLinks: 4,
  beneath: 8,
  inRoot: 16,
  cached: 32,
} as const

/** What a path's last component is: `..`, `.` and nothing at all can be neither made nor removed. */
export type LastKind = 'name' | 'dot' | 'dotdot' | 'root'

/** The place that a path names, whether something is there or not. */
export interface Place {
  readonly directory: Dentry
  readonly name: string
  readonly last: LastKind
  /** The path ended in a slash: it can only name a directory. */
  readonly slash: boolean
  /** Where a link of /proc leads: an entry that need not have a path. */
  readonly found?: Dentry
}

export type Operations = (kind: FilesystemKind) => FilesystemOperations

export class PathWalk {
  readonly #operations: Operations

  constructor(operations: Operations) {
    this.#operations = operations
  }

  /**
   * The entry that a path names. `start` is where a relative one begins; `follow`: a final symbolic link stands for its
   * target. -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG.
   */
  resolve(walker: Walker, start: Dentry, path: string, follow: boolean): Dentry | number {
    return new Resolution(this.#operations, walker).run(start, path, follow)
  }

  /** The place of the last component: its directory exists. A final symbolic link is not followed. */
  place(walker: Walker, start: Dentry, path: string): Place | number {
    return new Resolution(this.#operations, walker).place(start, path)
  }

  /** As `place`, but through final symbolic links (open with O_CREAT). */
  placeThroughLinks(walker: Walker, start: Dentry, path: string): Place | number {
    return new Resolution(this.#operations, walker).placeThroughLinks(start, path)
  }

  /** The entry at a place, mounts crossed. */
  at(walker: Walker, place: Place): Dentry | number {
    return new Resolution(this.#operations, walker).at(place)
  }

  /** The entry at a place as its directory has it: what is mounted on it stays out of sight. */
  entry(walker: Walker, place: Place): Dentry | number {
    if (place.name.length > NAME_MAX) return -ENAMETOOLONG
    const { kind } = place.directory.inode.filesystem
    return this.#operations(kind).lookup(place.directory, place.name, walker.pid)
  }
}

/** One resolution: it counts the links that it followed. */
class Resolution {
  readonly #operations: Operations
  readonly #walker: Walker
  #links = 0
  /** Linux looks for the root when a path first needs it. */
  #hasRoot: boolean

  constructor(operations: Operations, walker: Walker) {
    this.#operations = operations
    this.#walker = walker
    this.#hasRoot = this.#is(Resolve.beneath | Resolve.inRoot)
  }

  run(start: Dentry, path: string, follow: boolean): Dentry | number {
    const place = this.place(start, path)
    return typeof place === 'number' ? place : this.#finish(place, follow)
  }

  place(start: Dentry, path: string): Place | number {
    if (path === '') return -ENOENT
    if (path.length >= PATH_MAX) return -ENAMETOOLONG
    const names = path.split('/').filter((name) => name !== '')
    if (path.startsWith('/') && this.#is(Resolve.beneath)) return -EXDEV
    if (path.startsWith('/')) this.#hasRoot = true
    let directory = path.startsWith('/') ? this.#walker.root : start
    for (let i = 0; i < names.length - 1; i++) {
      if (!this.#maySearch(directory)) return -EACCES
      const next = this.#step(directory, names[i]!)
      if (typeof next === 'number') return next
      directory = next
    }
    if (names.length > 0 && !isDirectory(directory.inode)) return -ENOTDIR
    if (names.length > 0 && !this.#maySearch(directory)) return -EACCES
    const name = names[names.length - 1] ?? ''
    return { directory, name, last: lastKind(name), slash: path.endsWith('/') }
  }

  placeThroughLinks(start: Dentry, path: string): Place | number {
    let place = this.place(start, path)
    while (typeof place !== 'number' && place.last === 'name') {
      const dentry = this.at(place)
      if (typeof dentry === 'number') return dentry === -ENOENT ? place : dentry
      if (!isSymlink(dentry.inode)) return place
      if (!this.#mayFollow(dentry)) return -EACCES
      const target = this.#readLink(dentry)
      if (typeof target === 'number') return target
      if (typeof target !== 'string') return { ...place, found: target }
      place = this.place(place.directory, target)
    }
    return place
  }

  at(place: Place): Dentry | number {
    const { directory, name, last, found: linked } = place
    if (linked !== undefined) return linked
    if (last === 'root' || last === 'dot') return directory
    if (last === 'dotdot') return this.#up(directory)
    if (name.length > NAME_MAX) return -ENAMETOOLONG
    const found = this.#operationsOf(directory).lookup(directory, name, this.#walker.pid)
    if (typeof found === 'number') return found
    return found.mounted !== null && this.#is(Resolve.oneMount) ? -EXDEV : topOfMounts(found)
  }

  /** The last component; a slash after it asks for a directory and so follows a link. */
  #finish(place: Place, follow: boolean): Dentry | number {
    const dentry = this.at(place)
    if (typeof dentry === 'number') return dentry
    const follows = isSymlink(dentry.inode) && (follow || place.slash)
    if (follows && !this.#mayFollow(dentry)) return -EACCES
    const found = follows ? this.#follow(dentry) : dentry
    if (typeof found === 'number') return found
    return place.slash && !isDirectory(found.inode) ? -ENOTDIR : found
  }

  /** A component on the way: links are followed. */
  #step(directory: Dentry, name: string): Dentry | number {
    if (!isDirectory(directory.inode)) return -ENOTDIR
    const next = this.at({ directory, name, last: lastKind(name), slash: false })
    if (typeof next === 'number' || !isSymlink(next.inode)) return next
    return this.#follow(next)
  }

  /** What is no directory is found out about later. */
  #maySearch({ inode }: Dentry): boolean {
    if (!isDirectory(inode) || checkAccess(this.#walker.credentials, inode, May.execute) === 0) return true
    return isOwnFiles(inode, this.#walker.pid)
  }

  /** fs.protected_symlinks: where everybody may write, the last link of a path leads only those who made it, or its folder's owner. */
  #mayFollow({ inode, parent }: Dentry): boolean {
    if (parent === null || (parent.inode.mode & 0o1002) !== 0o1002) return true
    return this.#walker.credentials.user.files === inode.uid || parent.inode.uid === inode.uid
  }

  #follow(link: Dentry): Dentry | number {
    const target = this.#readLink(link)
    if (typeof target !== 'string') return target
    return this.run(link.parent!, target, true)
  }

  /** Counts the link; the links of /proc lead to an entry without a path. */
  #readLink(link: Dentry): string | Dentry | number {
    if (++this.#links > SYMLINKS_MAX || this.#is(Resolve.noLinks)) return -ELOOP
    const target = this.#operationsOf(link).readLink(link, this.#walker.pid)
    if (typeof target === 'number') return target
    if (typeof target === 'string') return this.#mayJump(link, target) ? target : -EXDEV
    if (this.#is(Resolve.noMagicLinks)) return -ELOOP
    const isBarred = this.#is(Resolve.beneath | Resolve.inRoot) || this.#leaves(link, target)
    return isBarred ? -EXDEV : target
  }

  /** An absolute link may lead to another mount's root; as long as Linux has had no use for the root it takes it for another's. */
  #mayJump(link: Dentry, target: string): boolean {
    if (!target.startsWith('/') || !this.#is(Resolve.oneMount)) return true
    return this.#hasRoot && !this.#leaves(link, this.#walker.root)
  }

  #leaves({ inode }: Dentry, to: Dentry): boolean {
    return this.#is(Resolve.oneMount) && inode.filesystem !== to.inode.filesystem
  }

  #up(directory: Dentry): Dentry | number {
    this.#hasRoot = true
    if (directory === this.#walker.root) return this.#is(Resolve.beneath) ? -EXDEV : directory
    return directory.covers !== null && this.#is(Resolve.oneMount) ? -EXDEV : topOfMounts(parentOf(directory))
  }

  /** Whether any of the bits was asked for. */
  #is(bits: number): boolean {
    return ((this.#walker.resolve ?? 0) & bits) !== 0
  }

  #operationsOf(dentry: Dentry): FilesystemOperations {
    return this.#operations(dentry.inode.filesystem.kind)
  }
}

function lastKind(name: string): LastKind {
  if (name === '') return 'root'
  if (name === '.') return 'dot'
  return name === '..' ? 'dotdot' : 'name'
}
