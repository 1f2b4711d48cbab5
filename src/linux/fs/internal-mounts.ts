/**
 * The file systems that are mounted nowhere (kern_mount): of files without names, of huge pages, of secrets, and of the names of message
 * queues. Each but the first is made with the first file in it.
 */
import { ObjectKind } from '../../space/page-object.js'
import type { Namespace } from '../namespaces.js'
import { DEVICE_PTS } from './devices.js'
import { FileType } from './flags.js'
import { type Dentry, type FilesystemKind, makeDentry, makeInode, makeRoot } from './nodes.js'
import type { ShmSegment } from './sysv/shm-segment.js'
import type { Vfs } from './vfs.js'

export class InternalMounts {
  readonly #vfs: Vfs

  constructor(vfs: Vfs) {
    this.#vfs = vfs
  }

  /** A regular file without a name, `huge`: of huge pages; memfd_create. -ENOSPC. */
  createFile(name: string, permissions: number, huge?: ObjectKind): Dentry | number {
    const vfs = this.#vfs
    const { hidden } = vfs.state
    const root = huge === undefined ? hidden : this.#root('hugetlbfs')
    const made = vfs.operations(root).createUnnamed(root, FileType.regular | permissions, vfs.now())
    if (typeof made === 'number') return made
    made.name = name
    // Shared anonymous memory is in the same file system, and called by the number of its object.
    if (root === hidden) {
      const { objects } = vfs.env.mm
      made.inode.number = objects.identity(made.inode.pages)
      objects.setInternal(made.inode.pages)
    }
    const result = huge === ObjectKind.gigantic ? vfs.hugeFiles.makeGigantic(made.inode) : 0
    if (result < 0) vfs.hugeFiles.forget(made.inode)
    return result < 0 ? result : made
  }

  /** A file of memfd_secret: -ENOMEM. */
  createSecret(user: number, group: number): Dentry | number {
    return this.#vfs.secrets.make(this.#root('secretmem'), user, group, this.#vfs.now())
  }

  /** The file that stands for a namespace. */
  namespaceFile(namespace: Namespace): Dentry {
    return this.#vfs.namespaceFiles.file(this.#root('nsfs'), namespace, this.#vfs.now())
  }

  /** Where all message queues have their names. */
  queueFolder(): Dentry {
    return this.#root('mqueue', 0o1777)
  }

  /** A segment of SysV shared memory is called by its key, and its number is that of a file that has no other name. */
  nameSegment({ id, key, object }: ShmSegment): void {
    const { hidden } = this.#vfs.state
    const inode = makeInode(hidden.inode.filesystem, FileType.regular | 0o777, this.#vfs.now(), id)
    const dentry = makeDentry(`/SYSV${(key >>> 0).toString(16).padStart(8, '0')}`, hidden, inode)
    dentry.unlinked = true
    this.#vfs.names.note(object, dentry)
  }

  /** The entry behind file number 0, 1 or 2: a terminal, or a pipe. */
  stream(key: 'stdin' | 'stdout' | 'stderr'): Dentry {
    const terminal = this.#vfs.env.host[key].terminal === true
    const { hidden } = this.#vfs.state
    const type = terminal ? FileType.character | 0o620 : FileType.fifo | 0o600
    const inode = makeInode(hidden.inode.filesystem, type, this.#vfs.now())
    inode.key = key
    inode.rdev = terminal ? DEVICE_PTS : 0
    return makeDentry(terminal ? '/dev/pts/0' : `pipe:[${inode.number}]`, hidden, inode)
  }

  #root(kind: FilesystemKind, permissions = 0o700): Dentry {
    const { internal, filesystems } = this.#vfs.state
    const there = internal.get(kind)
    if (there !== undefined) return there
    const filesystem = this.#vfs.nextFilesystem(kind, 'none', '')
    const root = makeRoot(filesystem, FileType.directory | permissions, this.#vfs.now())
    filesystems.push(filesystem)
    internal.set(kind, root)
    return root
  }
}
