/** The name space of a machine: its file systems, the root, and what the calls need of both. */
import { assert } from '../../base/assert.js'
import { EFBIG, EINVAL, EISDIR, ENOENT, ENOTDIR, EPERM } from '../../base/errno.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import { sampleErrors } from '../../space/error-sequence.js'
import { ObjectKind } from '../../space/page-object.js'
import { buildBootTree, mountOverRoot } from './boot-tree.js'
import { FileContents } from './contents.js'
import { ROOT } from './credentials.js'
import { ObjectNames } from './describe.js'
import { DEVICE_PTS, Devices } from './devices.js'
import type { FileEnvironment } from './environment.js'
import { FileLocks } from './file-locks.js'
import { operationsOf, sizeOf } from './file-operations.js'
import type { FilesystemOperations } from './filesystem.js'
import { deviceNumber, FILE_BYTES_MAX, FileType, Seal } from './flags.js'
import type { HostDirectory } from './host-directory.js'
import { HostFilesystem } from './host-filesystem.js'
import { HugeTlbFilesystem } from './hugetlbfs.js'
import { forgetFile } from './ipc/epoll.js'
import { Events } from './ipc/event-source.js'
import type { Pid } from './ipc/pid-file.js'
import { Pipes } from './ipc/pipe.js'
import type { SignalFile } from './ipc/signal-file.js'
import { type SocketState, Sockets } from './ipc/sockets.js'
import type { TimerFile } from './ipc/timer-file.js'
import type { UserfaultFile } from './ipc/userfault-file.js'
import { MessageQueues } from './mqueue/message-queues.js'
import { QueueFilesystem } from './mqueue/mqueue-filesystem.js'
import {
  type Dentry,
  type Filesystem,
  type FilesystemKind,
  isDirectory,
  isRegular,
  makeDentry,
  makeInode,
  type Time,
} from './nodes.js'
import { type FileKind, isWritable, makeOpenFile, type OpenFile } from './open-file.js'
import { LowerLayers } from './overlay/lower-layers.js'
import { OverlayFilesystem } from './overlay/overlay-filesystem.js'
import { ProcFilesystem } from './proc/proc-filesystem.js'
import { SYSFS } from './proc/sysfs-files.js'
import { SecretFilesystem } from './secretmem.js'
import type { ShmSegment } from './sysv/shm-segment.js'
import { ShmSegments } from './sysv/shm-segments.js'
import { makeTerminal, type TerminalState } from './terminal.js'
import { Tmpfs } from './tmpfs.js'
import { checkTree } from './tree.js'
import { type Operations, PathWalk, type Walker } from './walk.js'

/** All that a snapshot of the files must keep besides the buffer. */
export interface VfsState {
  readonly root: Dentry
  readonly filesystems: Filesystem[]
  /** Memfds, O_TMPFILE and the streams live in a file system that is mounted nowhere. */
  readonly hidden: Dentry
  hiddenHuge: Dentry | null
  hiddenSecret: Dentry | null
  /** The names of message queues. */
  hiddenQueues: Dentry | null
  /** Message queues at which threads wait, by their records (mqueue/queue-waiters.ts): each counts as a file number. */
  readonly queueWaits: Map<Ptr, OpenFile>
  /** By user: what the pages of memfd_secret are charged to. */
  readonly secretQuotas: Map<number, Ptr>
  /** Identity of the next open file. */
  nextOpenFile: number
  /** How many event sources there have been. */
  nextEventSource: number
  /** Abstract names of unix sockets, and what they have in flight. */
  readonly sockets: SocketState
  readonly terminal: TerminalState
  /** By record of their timers. */
  readonly timerFiles: Map<Ptr, TimerFile>
  readonly signalFiles: Set<SignalFile>
  /** By context. */
  readonly userfaultFiles: Map<Ptr, UserfaultFile>
  /** Those that files stand for and that somebody has, by number. */
  readonly pids: Map<number, Pid>
}

const FIRST_MINOR = 20

export class Vfs {
  readonly env: FileEnvironment
  readonly contents: FileContents
  readonly devices: Devices
  readonly proc: ProcFilesystem
  readonly sys: ProcFilesystem
  /** With folders of the host below the root. */
  readonly overlay: OverlayFilesystem | undefined
  readonly hosts: HostFilesystem
  readonly walk: PathWalk
  readonly names: ObjectNames
  readonly locks: FileLocks
  readonly events: Events
  readonly pipes: Pipes
  readonly sockets: Sockets
  readonly segments: ShmSegments
  readonly secrets: SecretFilesystem
  readonly queues: MessageQueues
  readonly queueFiles: QueueFilesystem
  readonly state: VfsState
  readonly #operations: Operations
  readonly #hugeTlb: HugeTlbFilesystem

  /** `layers`: folders of the host that the root is made of, the uppermost first. */
  constructor(env: FileEnvironment, layers: readonly HostDirectory[] = []) {
    this.env = env
    this.contents = new FileContents(env.mm)
    this.devices = new Devices(env)
    this.hosts = new HostFilesystem(this.contents)
    this.proc = new ProcFilesystem(env, this)
    this.sys = new ProcFilesystem(env, this, SYSFS)
    const tmpfs = new Tmpfs(this.contents)
    if (layers.length > 0) this.overlay = new OverlayFilesystem(this.contents, new LowerLayers(layers))
    const overlay = this.overlay ?? tmpfs
    this.state = emptyState(this.now(), this.overlay)
    this.secrets = new SecretFilesystem(this.contents, this.state.secretQuotas)
    this.queues = new MessageQueues(env)
    this.queueFiles = new QueueFilesystem(this.contents, this.queues)
    this.#hugeTlb = new HugeTlbFilesystem(this.contents)
    this.#operations = {
      tmpfs,
      hugetlbfs: this.#hugeTlb,
      secretmem: this.secrets,
      mqueue: this.queueFiles,
      overlay,
      host: this.hosts,
      proc: this.proc,
      sysfs: this.sys,
    }
    this.walk = new PathWalk(this.#operations)
    this.names = new ObjectNames(env.mm.objects, () => this.root)
    this.events = new Events(env, this.state)
    this.locks = new FileLocks(this.events)
    this.pipes = new Pipes(env.mm, this.events)
    this.sockets = new Sockets(env.mm, this.events, this.state.sockets, (file) => this.drop(file))
    this.segments = new ShmSegments(env, (segment) => this.#nameSegment(segment))
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
    return this.#operations[of.inode.filesystem.kind]
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
    const filesystem = this.#nextFilesystem('host', source, path, { readOnly, provider })
    const root = this.hosts.root(filesystem, this.now())
    if (typeof root === 'number') return root
    this.#cover(place, root)
    return 0
  }

  /** Mounts a file system that needs nothing of the host on a directory. */
  mountOwn(kind: 'proc' | 'sysfs' | 'tmpfs', path: string, place: Dentry, permissions = 0o755): Dentry {
    const half = Math.floor(this.contents.frames().total / 2)
    const quota = kind === 'tmpfs' ? this.contents.createQuota(half) : NULL
    const filesystem = this.#nextFilesystem(kind, kind, path, { quota })
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

  /** A file with these contents, its directories made: /etc/passwd and the like, and tests. What is there is replaced. */
  addFile(path: string, bytes: Uint8Array, permissions = 0o644): number {
    const cut = path.lastIndexOf('/')
    const directory = this.makeDirectories(path.slice(0, cut))
    if (typeof directory === 'number') return directory
    const mode = FileType.regular | permissions
    const name = path.slice(cut + 1)
    const operations = this.operations(directory)
    const there = operations.lookup(directory, name, 0)
    if (typeof there !== 'number') operations.remove(there, this.now())
    const made = operations.create(directory, name, mode, 0, this.now())
    if (typeof made === 'number') return made
    return Math.min(0, operations.write(made.inode, 0, bytes))
  }

  /** A regular file without a name, `huge`: of huge pages; memfd_create. -ENOSPC. */
  createHidden(name: string, permissions: number, huge?: ObjectKind): Dentry | number {
    const hidden = huge === undefined ? this.state.hidden : this.#hiddenHuge()
    const made = this.operations(hidden).createUnnamed(hidden, FileType.regular | permissions, this.now())
    if (typeof made === 'number') return made
    made.name = name
    // Shared anonymous memory is in the same file system, and called by the number of its object.
    if (hidden === this.state.hidden) made.inode.number = this.env.mm.objects.identity(made.inode.pages)
    const result = huge === ObjectKind.gigantic ? this.#hugeTlb.makeGigantic(made.inode) : 0
    if (result < 0) this.#hugeTlb.forget(made.inode)
    return result < 0 ? result : made
  }

  /** A segment of SysV shared memory is called by its key, and its number is that of a file that has no other name. */
  #nameSegment({ id, key, object }: ShmSegment): void {
    const { hidden } = this.state
    const inode = makeInode(hidden.inode.filesystem, FileType.regular | 0o777, this.now(), id)
    const dentry = makeDentry(`/SYSV${(key >>> 0).toString(16).padStart(8, '0')}`, hidden, inode)
    dentry.unlinked = true
    this.names.note(object, dentry)
  }

  /** A file of memfd_secret: -ENOMEM. */
  createSecret(user: number, group: number): Dentry | number {
    if (this.state.hiddenSecret === null) {
      const filesystem = this.#nextFilesystem('secretmem', 'none', '', {})
      this.state.filesystems.push(filesystem)
      this.state.hiddenSecret = makeRoot(filesystem, FileType.directory | 0o700, this.now())
    }
    return this.secrets.make(this.state.hiddenSecret, user, group, this.now())
  }

  /** Where all message queues have their names: mounted nowhere, and made with the first of them. */
  queueFolder(): Dentry {
    if (this.state.hiddenQueues === null) {
      const filesystem = this.#nextFilesystem('mqueue', 'none', '', {})
      this.state.filesystems.push(filesystem)
      this.state.hiddenQueues = makeRoot(filesystem, FileType.directory | 0o1777, this.now())
    }
    return this.state.hiddenQueues
  }

  /** Files of huge pages are in a file system of their own, made when the first is. */
  #hiddenHuge(): Dentry {
    if (this.state.hiddenHuge === null) {
      const filesystem = this.#nextFilesystem('hugetlbfs', 'none', '', {})
      this.state.filesystems.push(filesystem)
      this.state.hiddenHuge = makeRoot(filesystem, FileType.directory | 0o700, this.now())
    }
    return this.state.hiddenHuge
  }

  /** The entry behind file number 0, 1 or 2: a terminal, or a pipe. */
  stream(key: 'stdin' | 'stdout' | 'stderr'): Dentry {
    const terminal = this.env.host[key].terminal === true
    const { hidden } = this.state
    const type = terminal ? FileType.character | 0o620 : FileType.fifo | 0o600
    const inode = makeInode(hidden.inode.filesystem, type, this.now())
    inode.key = key
    inode.rdev = terminal ? DEVICE_PTS : 0
    return makeDentry(terminal ? '/dev/pts/0' : `pipe:[${inode.number}]`, hidden, inode)
  }

  /** A new open file, to which no number refers yet. */
  openFile(kind: FileKind, dentry: Dentry, flags: number): OpenFile {
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
    if (file.references === 0) this.closeFile(file)
    else this.sockets.collect(file)
  }

  /** No file number stands for it any more. What has no name goes. */
  closeFile(file: OpenFile): void {
    const { dentry } = file
    const { inode } = dentry
    this.locks.closed(file)
    forgetFile(file)
    operationsOf(file).channel?.close(this, file)
    inode.opens--
    if (isWritable(file)) inode.writers--
    if (inode.opens > 0) return
    if (inode.links === 0 || inode.filesystem.kind === 'secretmem') this.operations(dentry).forget(inode)
    else if (inode.filesystem.kind === 'overlay') this.overlay?.closed(inode)
    else this.hosts.closed(inode)
  }

  /** truncate(2) and O_TRUNC of a regular file that has its page object: 0, -EPERM (seals), -EFBIG, … */
  truncate(dentry: Dentry, bytes: number): number {
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
    this.segments.check()
    this.queues.check()
  }

  #nextFilesystem(
    kind: FilesystemKind,
    source: string,
    path: string,
    options: { readOnly?: boolean; provider?: number; quota?: Ptr },
  ): Filesystem {
    return makeFilesystem(kind, source, path, this.state.filesystems.length, options)
  }

  #cover(place: Dentry, root: Dentry): void {
    place.mounted = root
    root.covers = place
    this.state.filesystems.push(root.inode.filesystem)
  }
}

/** A root without entries, and the place for files without names. */
function emptyState(now: Time, overlay: OverlayFilesystem | undefined): VfsState {
  const kind = overlay === undefined ? 'tmpfs' : 'overlay'
  const visible = makeFilesystem(kind, kind, '/', 0)
  const nameless = makeFilesystem('tmpfs', 'none', '', 1)
  return {
    root: overlay?.root(visible) ?? makeRoot(visible, FileType.directory | 0o755, now),
    filesystems: [visible, nameless],
    hidden: makeRoot(nameless, FileType.directory | 0o700, now),
    hiddenHuge: null,
    hiddenSecret: null,
    hiddenQueues: null,
    queueWaits: new Map(),
    secretQuotas: new Map(),
    nextOpenFile: 1,
    nextEventSource: 0,
    sockets: { abstract: new Map(), nextAutomatic: 0, inFlight: new Map() },
    terminal: makeTerminal(),
    timerFiles: new Map(),
    signalFiles: new Set(),
    userfaultFiles: new Map(),
    pids: new Map(),
  }
}

function makeFilesystem(
  kind: FilesystemKind,
  source: string,
  mountPath: string,
  index: number,
  options: { readOnly?: boolean; provider?: number; quota?: Ptr } = {},
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

function makeRoot(filesystem: Filesystem, mode: number, now: Time): Dentry {
  const root = makeDentry('', null, makeInode(filesystem, mode, now))
  root.parent = root
  return root
}
