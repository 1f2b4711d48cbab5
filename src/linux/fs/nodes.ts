/**
 * The name space as plain data: file systems, inodes, and the directory entries that name them. No methods and
 * no closures here, so that the whole tree can be cloned with structuredClone (a snapshot). What a node does is
 * looked up by `filesystem.kind` (filesystem.ts).
 *
 * Names and paths are *byte strings*: one character, 0 to 255, a byte (text.ts).
 */
import { NULL, type Ptr } from '../../base/numbers.js'
import type { Namespace } from '../namespaces.js'
import { deviceNumber, FileType } from './flags.js'
import type { Watch } from './ipc/inotify.js'
import type { Pipe } from './ipc/pipe.js'
import type { UnixSocket } from './ipc/unix-socket.js'
import type { QueueNode } from './mqueue/mqueue-filesystem.js'

export interface Time {
  readonly seconds: number
  /** 0 to 999,999,999. */
  readonly nanoseconds: number
}

export type FilesystemKind =
  | 'tmpfs'
  | 'hugetlbfs'
  | 'secretmem'
  | 'mqueue'
  | 'overlay'
  | 'host'
  | 'proc'
  | 'sysfs'
  | 'nsfs'

/** A file or folder in a layer of the host below an overlay; the path as HostDirectory has it. */
export interface LowerPlace {
  /** 0 is the uppermost. */
  readonly layer: number
  readonly path: string
}

/** A name that nobody has looked at yet. */
export interface LowerName {
  /** Type bits of a mode, as the folder's listing says. */
  readonly type: number
  /** One for all but folders that several layers have. */
  readonly places: readonly LowerPlace[]
  /** Inode number that it will have, unless it is a further name of a known file. */
  readonly number: number
  /** As in Dentry: names of the host count as made in alphabetical order, before all that the guest made. */
  readonly order: number
}

/** What an inode of an overlay still has in the layers below. */
export interface Below {
  readonly places: readonly LowerPlace[]
  /** A folder: names that are not entries yet; null before it was read. With the entries, that is all there is in it. */
  names: Map<string, LowerName> | null
  /** A regular file: pages that are not in the cache are the host's up to this byte, and zeroes beyond. */
  bytes: number
  /** It was opened for writing: what is in the cache is all that there is of it. */
  isWritten: boolean
}

export interface Filesystem {
  readonly kind: FilesystemKind
  /** st_dev, as user space sees it. */
  readonly device: number
  readonly readOnly: boolean
  /** First column of /proc/mounts. */
  readonly source: string
  /** Where it is mounted, for /proc/mounts. */
  readonly mountPath: string
  /** Which host directory or page provider belongs to it; 0 for none. */
  readonly provider: number
  /** What the pages of its files are charged to (space/page-quota.ts); NULL = nothing. */
  readonly quota: Ptr
  nextInode: number
  /** `order` of the next entry. */
  nextOrder: number
}

export interface Inode {
  readonly filesystem: Filesystem
  number: number
  /** Type and permission bits. */
  mode: number
  uid: number
  gid: number
  /** Names of it; 0 once the last is gone. A directory: 2 and one for each directory in it. */
  links: number
  /** Bytes; of a regular file with pages, the page object's size is the truth. */
  size: number
  /** The contents of a regular file, or NULL while none was needed. The inode holds one reference. */
  pages: Ptr
  /** Open file descriptions on it: an unlinked inode lives as long as one is left. */
  opens: number
  /** Of those, how many may write: a program that somebody writes cannot be executed. */
  writers: number
  /** Processes that run it: while there are any, nobody can write to it. */
  runners: number
  /** For character devices. */
  rdev: number
  /** Of a symbolic link. */
  target: string
  accessed: Time
  modified: Time
  changed: Time
  born: Time
  /** memfd: F_SEAL_*. */
  seals: number
  /** The file system's own: the path in a host directory, the kind of a /proc file. */
  key: string
  /** /proc: which process. */
  pid: number
  /** Of a FIFO that is open. */
  pipe: Pipe | null
  /** The socket that is bound to it. */
  socket: UnixSocket | null
  /** The message queue that it is. */
  queue: QueueNode | null
  /** The namespace that it stands for. */
  namespace: Namespace | null
  /** Who watches it by inotify(7), the oldest first; null for nobody. */
  watches: readonly Watch[] | null
  /** Overlays: what it has from the host, or null for what the guest made. */
  below: Below | null
}

export interface Dentry {
  name: string
  /** The root of a file system is its own parent. */
  parent: Dentry | null
  readonly inode: Inode
  /** Entries are listed from the highest to the lowest: tmpfs of Linux 6.12 has the newest first. */
  order: number
  /** The name is gone; /proc/self/fd shows "(deleted)". */
  unlinked: boolean
  /** Directories: names known so far (tmpfs: all there are). */
  readonly children: Map<string, Dentry>
  /** The root of what is mounted here. */
  mounted: Dentry | null
  /** Of a mounted root: the entry that it hides. */
  covers: Dentry | null
}

export interface FilesystemOptions {
  readonly readOnly?: boolean
  readonly provider?: number
  readonly quota?: Ptr
}

export const TIME_ZERO: Time = { seconds: 0, nanoseconds: 0 }

const FIRST_MINOR = 20

/** `index`: its place among the machine's, which makes its device number. */
export function makeFilesystem(
  kind: FilesystemKind,
  source: string,
  mountPath: string,
  index: number,
  options: FilesystemOptions = {},
): Filesystem {
  return {
    kind,
    device: deviceNumber(0, FIRST_MINOR + index),
    readOnly: options.readOnly ?? false,
    source,
    mountPath,
    provider: options.provider ?? 0,
    quota: options.quota ?? NULL,
    nextInode: 1,
    nextOrder: 1,
  }
}

/** The root of a file system, its own parent. */
export function makeRoot(filesystem: Filesystem, mode: number, now: Time): Dentry {
  const root = makeDentry('', null, makeInode(filesystem, mode, now))
  root.parent = root
  return root
}

/** A new inode of a file system, with the next number if none is given. */
export function makeInode(
  filesystem: Filesystem,
  mode: number,
  now: Time,
  number = filesystem.nextInode++,
): Inode {
  return {
    filesystem,
    number,
    mode,
    uid: 0,
    gid: 0,
    links: (mode & FileType.mask) === FileType.directory ? 2 : 1,
    size: 0,
    pages: NULL,
    opens: 0,
    writers: 0,
    runners: 0,
    rdev: 0,
    target: '',
    accessed: now,
    modified: now,
    changed: now,
    born: now,
    seals: 0,
    key: '',
    pid: 0,
    pipe: null,
    socket: null,
    queue: null,
    namespace: null,
    watches: null,
    below: null,
  }
}

export function makeDentry(name: string, parent: Dentry | null, inode: Inode): Dentry {
  const order = inode.filesystem.nextOrder++
  return { name, parent, inode, order, unlinked: false, children: new Map(), mounted: null, covers: null }
}

export function typeOf(inode: Inode): number {
  return inode.mode & FileType.mask
}

/** Whether its entries are made up as they are looked at, so that nothing can be added. */
export function isMadeUp({ kind }: Filesystem): boolean {
  return kind === 'proc' || kind === 'sysfs'
}

export function isDirectory(inode: Inode): boolean {
  return typeOf(inode) === FileType.directory
}

export function isSymlink(inode: Inode): boolean {
  return typeOf(inode) === FileType.symlink
}

export function isRegular(inode: Inode): boolean {
  return typeOf(inode) === FileType.regular
}

/** The entry's parent as `..` sees it: upwards out of a mounted root. */
export function parentOf(dentry: Dentry): Dentry {
  let at = dentry
  while (at.covers !== null) at = at.covers
  return at.parent ?? at
}

/** The topmost root mounted on an entry, or the entry itself. */
export function topOfMounts(dentry: Dentry): Dentry {
  let at = dentry
  while (at.mounted !== null) at = at.mounted
  return at
}

/** The absolute path below `root`; `undefined` when the entry is not below it. */
export function pathFrom(dentry: Dentry, root: Dentry): string | undefined {
  const names: string[] = []
  let at = dentry
  while (at !== root) {
    while (at.covers !== null && at !== root) at = at.covers
    if (at === root) break
    if (at.parent === null || at.parent === at) return undefined
    names.push(at.name)
    at = at.parent
  }
  return `/${names.reverse().join('/')}`
}

/** Whether `ancestor` is `dentry` or stands above it in the same file system. */
export function isAncestor(ancestor: Dentry, dentry: Dentry): boolean {
  for (let at: Dentry | null = dentry; at !== null; at = at.parent) {
    if (at === ancestor) return true
    if (at.parent === at) return false
  }
  return false
}
