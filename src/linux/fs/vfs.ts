/** The name space of a machine: its file systems, the root, and what the calls need of both. */
import { assert } from '../../base/assert.js'
import { EFBIG, EINVAL, EISDIR, ENOENT, ENOSPC, ENOTDIR, EPERM } from '../../base/errno.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import { sampleErrors } from '../../space/error-sequence.js'
import { buildBootTree, mountOverRoot } from './boot-tree.js'
import { FileContents } from './contents.js'
import { ROOT } from './credentials.js'
import { ObjectNames } from './describe.js'
import { Devices } from './devices.js'
import type { FileEnvironment } from './environment.js'
import { FileLocks } from './file-locks.js'
import { operationsOf, sizeOf } from './file-operations.js'
import type { FilesystemOperations } from './filesystem.js'
import { FILE_BYTES_MAX, FileType, Seal } from './flags.js'
import type { HostDirectory } from './host-directory.js'
import { InternalMounts } from './internal-mounts.js'
import { forgetFile } from './ipc/epoll.js'
import { Events } from './ipc/event-source.js'
import { Notice } from './ipc/inotify.js'
import { createQueueCache } from './mqueue/message-queues.js'
import { createWaiterCache } from './mqueue/queue-waiters.js'
import {
  type Dentry,
  type Filesystem,
  type FilesystemKind,
  type FilesystemOptions,
  isDirectory,
  isRegular,
  makeFilesystem,
  makeRoot,
  type Time,
} from './nodes.js'
import { type FileKind, isWritable, makeOpenFile, type OpenFile } from './open-file.js'
import { LowerLayers } from './overlay/lower-layers.js'
import { OverlayFilesystem } from './overlay/overlay-filesystem.js'
import { ProcFilesystem } from './proc/proc-filesystem.js'
import { SYSFS } from './proc/sysfs-files.js'
import { Staging } from './staging.js'
import { createSegmentCache } from './sysv/shm-segments.js'
import { Tmpfs } from './tmpfs.js'
import { checkTree } from './tree.js'
import { VfsParts } from './vfs-parts.js'
import { emptyState, type VfsState } from './vfs-state.js'
import { PathWalk, type Walker } from './walk.js'
import { tellEntry, tellFile, tellGone } from './watching.js'

export class Vfs extends VfsParts {
  readonly env: FileEnvironment
  readonly contents: FileContents
  readonly devices: Devices
  readonly proc: ProcFilesystem
  readonly sys: ProcFilesystem
  /** With folders of the host below the root. */
  readonly overlay: OverlayFilesystem | undefined
  readonly walk: PathWalk
  readonly names: ObjectNames
  readonly locks: FileLocks
  readonly events: Events
  readonly state: VfsState
  readonly internal: InternalMounts
  readonly staging = new Staging()
  /** `layers`: folders of the host that the root is made of, the uppermost first. */
  constructor(env: FileEnvironment, layers: readonly HostDirectory[] = []) {
    super()
    this.env = env
    this.contents = new FileContents(env.mm)
    this.devices = new Devices(env)
    this.proc = new ProcFilesystem(env, this)
    this.sys = new ProcFilesystem(env, this, SYSFS)
    const tmpfs = new Tmpfs(this.contents)
    if (layers.length > 0) this.overlay = new OverlayFilesystem(this.contents, new LowerLayers(layers))
    const overlay = this.overlay ?? tmpfs
    this.state = emptyState(this.now(), this.overlay, this.#createQuota())
    createWaiterCache(env.mm)
    createQueueCache(env.mm)
    createSegmentCache(env.mm)
    this.internal = new InternalMounts(this)
    this.have({ tmpfs, overlay, proc: this.proc, sysfs: this.sys })
    this.walk = new PathWalk((kind) => this.operationsOf(kind))
    this.names = new ObjectNames(env.mm.objects, () => this.root)
    this.events = new Events(env, this.state)
    this.locks = new FileLocks(this.events)
    if (this.overlay === undefined) buildBootTree(this)
    else mountOverRoot(this)
  }

  get root(): Dentry {
    return this.state.root
  }

  /** What goes into the times of an inode. */
  now(): Time {
    return this.env.clock.timeOfDay()
  }

  operations(of: Dentry): FilesystemOperations {
    return this.operationsOf(of.inode.filesystem.kind)
  }

  /** A walker for the machine itself: from the root, for process `pid`. */
  walker(pid = 0): Walker {
    return { root: this.root, cwd: this.root, pid, credentials: ROOT }
  }

  /**
   * Mounts a host directory; directories of the path that are missing are made. 0, or a negative errno: -ENOTDIR when
   * the host's is none or something else is in the way.
   */
  mount(
    path: string,
    directory: HostDirectory,
    options: { readOnly?: boolean; source?: string } = {},
  ): number {
    const place = this.makeDirectories(path)
    if (typeof place === 'number') return place
    const { readOnly = false, source = 'host' } = options
    const provider = this.hosts.add(directory)
    const filesystem = this.nextFilesystem('host', source, path, { readOnly, provider })
    const root = this.hosts.root(filesystem, this.now())
    if (typeof root === 'number') return root
    this.#cover(place, root)
    return 0
  }

  /** Mounts a file system that needs nothing of the host on a directory. */
  mountOwn(kind: 'proc' | 'sysfs' | 'tmpfs', path: string, place: Dentry, permissions = 0o755): Dentry {
    const quota = kind === 'tmpfs' ? this.#createQuota() : NULL
    const filesystem = this.nextFilesystem(kind, kind, path, { quota })
    const mode = FileType.directory | (kind === 'tmpfs' ? permissions : 0o555)
    const root = makeRoot(filesystem, mode, this.now())
    this.#cover(place, root)
    return root
  }

  /** What makes up a text of /proc or /sys. */
  madeUp(of: Dentry): ProcFilesystem {
    return of.inode.filesystem.kind === 'sysfs' ? this.sys : this.proc
  }

  /** mkdir -p, for mounts and the boot tree. The directory, or a negative errno. */
  makeDirectories(path: string): Dentry | number {
    let at = this.root
    for (const name of path.split('/').filter((part) => part !== '')) {
      const next = this.#directoryIn(at, name)
      if (typeof next === 'number') return next
      at = next
    }
    return at
  }

  #directoryIn(parent: Dentry, name: string): Dentry | number {
    const found = this.walk.resolve(this.walker(), parent, name, true)
    if (typeof found !== 'number') return isDirectory(found.inode) ? found : -ENOTDIR
    if (found !== -ENOENT) return found
    return this.operations(parent).create(parent, name, FileType.directory | 0o755, 0, this.now())
  }

  /** A file with these contents, its directories made: /etc/passwd and the like, and tests. What is there is replaced. -ENOSPC when not all of it has room. */
  addFile(path: string, bytes: Uint8Array, permissions = 0o644): number {
    const cut = path.lastIndexOf('/')
    const directory = this.makeDirectories(path.slice(0, cut))
    if (typeof directory === 'number') return directory
    return this.addFileIn(directory, path.slice(cut + 1), bytes, permissions)
  }

  addFileIn(directory: Dentry, name: string, bytes: Uint8Array, permissions = 0o644): number {
    const mode = FileType.regular | permissions
    const operations = this.operations(directory)
    const there = operations.lookup(directory, name, 0)
    if (typeof there !== 'number') operations.remove(there, this.now())
    const made = operations.create(directory, name, mode, 0, this.now())
    if (typeof made === 'number') return made
    const written = operations.write(made.inode, 0, bytes)
    if (written === bytes.length) return 0
    operations.remove(made, this.now())
    return written < 0 ? written : -ENOSPC
  }

  /** A new open file, to which no number refers yet. */
  openFile(kind: FileKind, dentry: Dentry, flags: number): OpenFile {
    if (dentry.inode.namespace !== null && dentry.inode.opens === 0) {
      this.env.namespaces.hold(dentry.inode.namespace)
    }
    dentry.inode.opens++
    const file = makeOpenFile(this.state.nextOpenFile++, kind, dentry, flags)
    if (kind === 'pages') file.errors = sampleErrors(this.contents.errors(dentry.inode.pages))
    if (isWritable(file)) dentry.inode.writers++
    return file
  }

  /** Whether what is written to a file goes nowhere. */
  discards(file: OpenFile): boolean {
    return file.kind === 'device' && this.devices.of(file.dentry.inode)?.discards === true
  }

  /** A process has closed a number of a file, which others may stand for still. */
  numberClosed({ kind, dentry }: OpenFile): void {
    if (kind === 'mqueue') this.queues.closedBy(dentry.inode.queue!.ptr, this.env.currentProcess()?.id)
  }

  /** One file number, or message on its way, fewer stands for an open file. */
  drop(file: OpenFile): void {
    assert(file.references > 0, 'an open file is dropped once per file number')
    file.references--
    if (file.references === 0) {
      tellFile(this, file, isWritable(file) ? Notice.closeWrite : Notice.closeNoWrite)
      this.closeFile(file)
    } else this.madeSockets?.collect(file)
  }

  /** No file number stands for it any more, and nobody runs it. What has no name goes. */
  closeFile(file: OpenFile): void {
    const { dentry } = file
    const { inode } = dentry
    this.locks.closed(file)
    forgetFile(file)
    operationsOf(file).channel?.close(this, file)
    inode.opens--
    if (isWritable(file)) inode.writers--
    if (inode.opens > 0) return
    if (inode.namespace !== null) this.env.namespaces.letGo(inode.namespace)
    if (inode.links === 0) tellGone(this, inode)
    if (inode.links === 0 || inode.filesystem.kind === 'secretmem') this.operations(dentry).forget(inode)
    else if (inode.filesystem.kind === 'overlay') this.overlay?.closed(inode)
    else this.madeHosts?.closed(inode)
  }

  /** truncate(2) of a regular file that has its page object: 0, -EPERM (seals), -EFBIG, … Who watches it is told. */
  truncate(dentry: Dentry, bytes: number): number {
    const result = this.resize(dentry, bytes)
    if (result === 0) tellEntry(this, dentry, Notice.modify)
    return result
  }

  /** The same for what tells of itself: O_TRUNC, fallocate(2). */
  resize(dentry: Dentry, bytes: number): number {
    const { inode } = dentry
    if (!isRegular(inode)) return isDirectory(inode) ? -EISDIR : -EINVAL
    if (bytes > FILE_BYTES_MAX) return -EFBIG
    const size = sizeOf(this, inode)
    if (bytes < size && (inode.seals & Seal.shrink) !== 0) return -EPERM
    if (bytes > size && (inode.seals & Seal.grow) !== 0) return -EPERM
    const result = this.operations(dentry).resize(dentry, bytes)
    if (result !== 0) return result
    inode.modified = this.now()
    inode.changed = inode.modified
    return 0
  }

  /** Throws InvariantError on a broken invariant of the names kept in RAM. */
  check(): void {
    checkTree(this.root)
    this.madeSegments?.check()
    this.madeQueues?.check()
  }

  /** A process has ended that may have made segments of shared memory. */
  creatorEnded(id: number): void {
    this.madeSegments?.creatorEnded(id)
  }

  /** Writes to the host what mappings of its files have changed. 0 or the first negative errno. */
  syncHosts(): number {
    return this.madeHosts?.syncAll() ?? 0
  }

  /** The record of a new file system, which the caller adds to the table with its root. */
  nextFilesystem(
    kind: FilesystemKind,
    source: string,
    path: string,
    options: FilesystemOptions = {},
  ): Filesystem {
    return makeFilesystem(kind, source, path, this.state.filesystems.length, options)
  }

  /** Half of RAM, as a tmpfs may have that is mounted without a size. */
  #createQuota(): Ptr {
    return this.contents.createQuota(Math.floor(this.contents.frames().total / 2))
  }

  #cover(place: Dentry, root: Dentry): void {
    place.mounted = root
    root.covers = place
    this.state.filesystems.push(root.inode.filesystem)
  }
}
