/** The files of a machine, as the rest of linux/ and the program that embeds it see them. */
import { EACCES, EBADF, EIO, ENODEV, ENOENT, ETXTBSY } from '../../base/errno.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import type { FileBacking } from '../../syscall/file-backing.js'
import { Limit } from '../limits.js'
import type { Process } from '../process.js'
import type { Syscall } from '../syscall.js'
import type { ExecutableFile, FileServices, MappingName, RunnableFile } from '../syscall-context.js'
import type { Thread } from '../thread.js'
import { attributeCalls } from './calls/attribute-calls.js'
import { cacheCalls } from './calls/cache-calls.js'
import { capabilityCalls } from './calls/capability-calls.js'
import { compareCalls } from './calls/compare-calls.js'
import { copyingCalls } from './calls/copying.js'
import { directoryCalls } from './calls/directory-calls.js'
import { epollCalls } from './calls/epoll-calls.js'
import { inotifyCalls } from './calls/inotify-calls.js'
import { ioctlCalls } from './calls/ioctl-calls.js'
import { lockCalls } from './calls/lock-calls.js'
import { memfdCalls } from './calls/memfd-calls.js'
import { namespaceCalls } from './calls/namespace-calls.js'
import { openingCalls } from './calls/opening-calls.js'
import { pidFileCalls } from './calls/pid-file-calls.js'
import { pipeCalls } from './calls/pipe-calls.js'
import { pollCalls } from './calls/poll-calls.js'
import { readWriteCalls } from './calls/read-write.js'
import { receivingCalls } from './calls/receiving-calls.js'
import { sendingCalls } from './calls/sending-calls.js'
import { sizeCalls } from './calls/size-calls.js'
import { socketCalls } from './calls/socket-calls.js'
import { socketOptionCalls } from './calls/socket-options.js'
import { spliceCalls } from './calls/splice-calls.js'
import { statCalls } from './calls/stat-calls.js'
import { installFor } from './calls/support.js'
import { swapCalls } from './calls/swap-calls.js'
import { syncCalls } from './calls/sync-calls.js'
import { timerFileCalls } from './calls/timer-file-calls.js'
import { userCalls } from './calls/user-calls.js'
import { userfaultCalls } from './calls/userfault-calls.js'
import { checkAccess, isOwner, May } from './credentials.js'
import { pathOf } from './describe.js'
import { DEVICE_ZERO } from './devices.js'
import type { FileEnvironment } from './environment.js'
import { noteAccess, noteStore } from './file-times.js'
import { FileUser, userOf } from './file-user.js'
import { Open, Seal } from './flags.js'
import type { HostDirectory } from './host-directory.js'
import { dumpTree, type FileStats, fileStats } from './inspect.js'
import { Notice } from './ipc/inotify.js'
import { makePidFile, tellPidFiles } from './ipc/pid-file.js'
import { tellSignalFiles } from './ipc/signal-file.js'
import { tellTimerFile } from './ipc/timer-file.js'
import { tellUserfaultFile } from './ipc/userfault-file.js'
import { messageQueueCalls } from './mqueue/mqueue-calls.js'
import { leaveQueue } from './mqueue/queue-waits.js'
import { type FilesystemKind, isDirectory, isRegular } from './nodes.js'
import { FileTable, isReadable, isWritable, type OpenFile } from './open-file.js'
import { isMappable, openDentry } from './opening.js'
import { sharedMemoryCalls } from './sysv/shm-calls.js'
import { fromUnicode, toUnicode } from './text.js'
import { Vfs } from './vfs.js'
import { tellFile } from './watching.js'

/** File systems whose files nobody may execute or map executable (SB_I_NOEXEC). */
const NOT_EXECUTABLE: ReadonlySet<FilesystemKind> = new Set(['proc', 'sysfs', 'secretmem'])

/** What is said of a file that has a function for being mapped, but no pages: sockets, kernfs, and what of /proc is neither a process's nor a setting. */
function refusalOf({ kind, dentry }: OpenFile): { refusal?: number } {
  const { filesystem, pid, key } = dentry.inode
  if (kind === 'socket') return { refusal: -ENODEV }
  if (kind !== 'text' && kind !== 'raw') return {}
  if (filesystem.kind === 'sysfs') return { refusal: -ENODEV }
  return filesystem.kind === 'proc' && pid === 0 && !key.startsWith('sys/') ? { refusal: -EIO } : {}
}

export interface MountOptions {
  readonly readOnly?: boolean
  /** How /proc/mounts calls it. */
  readonly source?: string
}

export class Files implements FileServices {
  readonly vfs: Vfs
  readonly syscalls: readonly (readonly Syscall[])[]

  /**
   * `layers`: folders of the host that the guest's root consists of, the uppermost first. They are only read: what the guest
   * changes is kept in RAM. Without any, the root is a small tree in RAM.
   */
  constructor(env: FileEnvironment, layers: readonly HostDirectory[] = []) {
    this.vfs = new Vfs(env, layers)
    env.mm.objects.stored = (object) => noteStore(this.vfs, object)
    this.syscalls = fileSyscalls(this.vfs)
  }

  /**
   * Mounts a directory of the host at an absolute path of the guest, making directories on the way. 0, or a negative errno
   * when the host's is no directory or something else than a directory is in the way.
   */
  mount(path: string, directory: HostDirectory, options: MountOptions = {}): number {
    return this.vfs.mount(fromUnicode(path), directory, options)
  }

  /** Puts a file into the guest's tmpfs, with the directories that it needs: 0 or a negative errno. */
  addFile(path: string, contents: Uint8Array, permissions = 0o644): number {
    return this.vfs.addFile(fromUnicode(path), contents, permissions)
  }

  /** Whether a path names a directory in the guest: for --cwd. */
  isDirectory(path: string): boolean {
    const { vfs } = this
    const dentry = vfs.walk.resolve(vfs.walker(), vfs.root, fromUnicode(path), true)
    return typeof dentry !== 'number' && isDirectory(dentry.inode)
  }

  /**
   * The path of a program that is named as in a shell: with a slash its own, else looked for in the directories of `path` (as
   * in $PATH). -ENOENT, -EACCES when what was found cannot be executed, and what a path's own look-up says.
   */
  findProgram(name: string, path: string, cwd: string): string | number {
    if (name.includes('/')) return this.#checkProgram(name, cwd) || name
    let result = -ENOENT
    for (const directory of path.split(':')) {
      const place = `${directory === '' ? '.' : directory}/${name}`
      const error = this.#checkProgram(place, cwd)
      if (error === 0) return place
      if (error === -EACCES) result = error
    }
    return result
  }

  #checkProgram(path: string, cwd: string): number {
    const { vfs } = this
    const start = vfs.walk.resolve(vfs.walker(), vfs.root, fromUnicode(cwd), true)
    if (typeof start === 'number') return start
    const dentry = vfs.walk.resolve(vfs.walker(), start, fromUnicode(path), true)
    if (typeof dentry === 'number') return dentry
    return isRegular(dentry.inode) && (dentry.inode.mode & 0o111) !== 0 ? 0 : -EACCES
  }

  /** A new process. A `cwd` that is no directory is the root. */
  createFiles(cwd: string): FileUser {
    const { vfs } = this
    const found = vfs.walk.resolve(vfs.walker(), vfs.root, fromUnicode(cwd), true)
    const start = typeof found !== 'number' && isDirectory(found.inode) ? found : vfs.root
    const user = new FileUser(vfs, new FileTable(), start)
    this.#openStream(user, 0, 'stdin', Open.readOnly)
    this.#openStream(user, 1, 'stdout', Open.writeOnly)
    this.#openStream(user, 2, 'stderr', Open.writeOnly)
    return user
  }

  openExecutable(process: Process, path: string): ExecutableFile | number {
    const { vfs } = this
    const user = userOf(process)
    const dentry = vfs.walk.resolve(user.walker(process.id), user.cwd, path, true)
    if (typeof dentry === 'number') return dentry
    const error = checkAccess(user.credentials, dentry.inode, May.execute)
    if (error === 0 && dentry.inode.writers > 0) return -ETXTBSY
    const file = error !== 0 ? error : openDentry(vfs, dentry, Open.readOnly)
    if (typeof file === 'number') return file
    tellFile(vfs, file, Notice.open)
    if (isMappable(file)) return this.#executable(file, user)
    vfs.closeFile(file)
    return -EACCES
  }

  programAt(process: Process, fd: number): RunnableFile | number {
    const { credentials, files } = userOf(process)
    const file = files.get(fd)
    if (file === undefined || file.kind === 'path') return -EBADF
    const { inode } = file.dentry
    if (!isRegular(inode) || NOT_EXECUTABLE.has(inode.filesystem.kind)) return -EACCES
    return checkAccess(credentials, inode, May.execute) || runnable(file)
  }

  fileBacking(process: Process, fd: number): FileBacking | number {
    const file = userOf(process).files.get(fd)
    if (file === undefined || file.kind === 'path') return -EBADF
    const { inode } = file.dentry
    const isZero = file.kind === 'device' && inode.key === '' && inode.rdev === DEVICE_ZERO
    const object = isMappable(file) ? inode.pages : NULL
    if (file.kind === 'secret') this.vfs.secrets.limit(inode, process.softLimit(Limit.lockedMemory))
    this.vfs.names.note(object, file.dentry)
    return {
      object,
      identity: file.identity,
      unnamed: inode.links === 0,
      readable: isReadable(file),
      writable: isWritable(file),
      executable: file.kind !== 'pidfd' && !NOT_EXECUTABLE.has(inode.filesystem.kind),
      ...refusalOf(file),
      mappable: object !== NULL || isZero,
      secret: file.kind === 'secret',
      sealed: (inode.seals & (Seal.write | Seal.futureWrite)) !== 0,
      ...(inode.filesystem.kind === 'hugetlbfs' ? { huge: this.vfs.env.mm.objects.kind(object) } : {}),
    }
  }

  wasMapped(process: Process, fd: number): void {
    const file = userOf(process).files.get(fd)
    if (file?.kind === 'pages') noteAccess(this.vfs, file.dentry.inode)
  }

  mayLookAt(process: Process, object: Ptr): boolean {
    const inode = this.vfs.names.inodeOf(object)
    const { credentials } = userOf(process)
    return (
      inode === undefined || isOwner(credentials, inode) || checkAccess(credentials, inode, May.write) === 0
    )
  }

  signalSent(signal: number): void {
    tellSignalFiles(this.vfs, signal)
  }

  threadEnds(thread: Thread): void {
    leaveQueue(this.vfs, thread)
    this.vfs.locks.endWait(thread.id)
  }

  taskEnded(id: number, isGone: boolean): void {
    tellPidFiles(this.vfs, id, isGone)
    this.vfs.creatorEnded(id)
  }

  openPid(process: Process, id: number, flags: number): number {
    return installFor(process, makePidFile(this.vfs, id, flags), true)
  }

  closeNumber(process: Process, fd: number): void {
    userOf(process).closeNumber(fd)
  }

  timerExpired(timer: Ptr): void {
    tellTimerFile(this.vfs, timer)
  }

  userfaultArrived(context: Ptr): void {
    tellUserfaultFile(this.vfs, context)
  }

  nameOfObject(object: Ptr): MappingName {
    const name = this.vfs.names.of(object)
    return { ...name, path: toUnicode(name.path) ?? name.path }
  }

  /** Writes to the host what mappings of its files have changed: at the end of a run. 0 or the first negative errno. */
  sync(): number {
    return this.vfs.syncHosts()
  }

  /** Throws InvariantError on a broken invariant of the names kept in RAM. */
  check(): void {
    this.vfs.check()
  }

  /** What the files kept in RAM come to. */
  stats(): FileStats {
    return fileStats(this.vfs)
  }

  /** The tree of names kept in RAM, one a line. */
  dump(): string {
    return dumpTree(this.vfs)
  }

  #openStream(user: FileUser, fd: number, key: 'stdin' | 'stdout' | 'stderr', flags: number): void {
    const file = openDentry(this.vfs, this.vfs.internal.stream(key), flags)
    if (typeof file !== 'number') user.files.install(fd, file, false)
  }

  #executable(file: OpenFile, { credentials }: FileUser): ExecutableFile {
    const { contents, names, root } = this.vfs
    const object = file.dentry.inode.pages
    names.note(object, file.dentry)
    return {
      path: pathOf(file.dentry, root),
      object,
      size: contents.size(object),
      isReadable: checkAccess(credentials, file.dentry.inode, May.read) === 0,
      read: (offset, target) => {
        const count = contents.read(object, offset, target)
        if (count > 0) tellFile(this.vfs, file, Notice.access)
        return count
      },
      ...runnable(file),
      close: () => {
        if (file.references > 0) return
        tellFile(this.vfs, file, Notice.closeNoWrite)
        this.vfs.closeFile(file)
      },
    }
  }
}

function runnable(file: OpenFile): RunnableFile {
  return { isWritten: file.dentry.inode.writers > 0, runBy: (process) => userOf(process).run(file) }
}

/** Every call of this folder, by rising number within each group. */
export function fileSyscalls(vfs: Vfs): readonly (readonly Syscall[])[] {
  return [
    readWriteCalls(vfs),
    openingCalls(vfs),
    memfdCalls(vfs),
    lockCalls(vfs),
    statCalls(vfs),
    userCalls,
    capabilityCalls,
    cacheCalls(vfs),
    compareCalls,
    swapCalls(vfs),
    directoryCalls(vfs),
    attributeCalls(vfs),
    sizeCalls(vfs),
    syncCalls(vfs),
    copyingCalls(vfs),
    ioctlCalls(vfs),
    pollCalls(vfs),
    pipeCalls(vfs),
    epollCalls(vfs),
    timerFileCalls(vfs),
    inotifyCalls(vfs),
    userfaultCalls(vfs),
    pidFileCalls(vfs),
    namespaceCalls(vfs),
    spliceCalls(vfs),
    socketCalls(vfs),
    socketOptionCalls,
    sendingCalls(vfs),
    receivingCalls(vfs),
    sharedMemoryCalls(vfs),
    messageQueueCalls(vfs),
  ]
}
