/** What files keep for one process: its open files, directories and umask. Plain data but for the tables' methods. */
import { assert } from '../../base/assert.js'
import type { Process } from '../process.js'
import type { ProcessFiles } from '../syscall-context.js'
import type { Dentry } from './nodes.js'
import type { FileTable, OpenFile } from './open-file.js'
import type { Vfs } from './vfs.js'
import type { Walker } from './walk.js'

export class FileUser implements ProcessFiles {
  readonly #vfs: Vfs
  readonly files: FileTable
  root: Dentry
  cwd: Dentry
  umask = 0o022

  constructor(vfs: Vfs, files: FileTable, cwd: Dentry) {
    this.#vfs = vfs
    this.files = files
    this.root = vfs.root
    this.cwd = cwd
  }

  /** For fork: the same open files, its own table, directories and umask. */
  copy(): FileUser {
    const copy = new FileUser(this.#vfs, this.files.copy(), this.cwd)
    copy.root = this.root
    copy.umask = this.umask
    return copy
  }

  walker(pid: number): Walker {
    return { root: this.root, cwd: this.cwd, pid }
  }

  /** Closes a file number: 0 or -EBADF. */
  closeNumber(fd: number): number {
    const file = this.files.remove(fd)
    if (typeof file === 'number') return file
    this.drop(file)
    return 0
  }

  /** One file number fewer stands for an open file. */
  drop(file: OpenFile): void {
    assert(file.references > 0, 'an open file is dropped once per file number')
    file.references--
    if (file.references === 0) this.#vfs.closeFile(file)
  }

  closeOnExec(): void {
    for (const fd of this.files.numbers()) if (this.files.descriptor(fd)!.closeOnExec) this.closeNumber(fd)
  }

  close(): void {
    for (const fd of this.files.numbers()) this.closeNumber(fd)
    this.#vfs.hosts.syncAll()
  }
}

/** The part of a process that is ours. */
export function userOf(process: Process): FileUser {
  return process.files as FileUser
}
