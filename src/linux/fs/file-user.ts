/** What files keep for one process: its open files, directories and umask. Plain data but for the tables' methods. */
import type { Ptr } from '../../base/numbers.js'
import type { Process } from '../process.js'
import type { ProcessFiles, RunningProgram } from '../syscall-context.js'
import { Capability } from './capabilities.js'
import { type Credentials, may, ROOT } from './credentials.js'
import { pathOf } from './describe.js'
import type { Dentry } from './nodes.js'
import type { FileTable, OpenFile } from './open-file.js'
import type { Vfs } from './vfs.js'
import type { Walker } from './walk.js'

/** Directories and umask, which processes made with CLONE_FS share. */
interface Surroundings {
  root: Dentry
  cwd: Dentry
  umask: number
  /** Processes. */
  users: number
}

const UMASK = 0o022

/** The open of a FIFO goes on when it has had more partners than `partners`. */
export interface OpeningFifo {
  readonly file: OpenFile
  readonly partners: number
}

export class FileUser implements ProcessFiles {
  readonly #vfs: Vfs
  readonly files: FileTable
  readonly #surroundings: Surroundings
  #executable: OpenFile | undefined
  /** Who the process is for files, and for everything else. */
  credentials: Credentials = ROOT

  constructor(vfs: Vfs, files: FileTable, cwd: Dentry, surroundings?: Surroundings) {
    this.#vfs = vfs
    this.files = files
    this.#surroundings = surroundings ?? { root: vfs.root, cwd, umask: UMASK, users: 0 }
    this.#surroundings.users++
    files.users++
  }

  /** What CLONE_FS shares, for who asks whether it is shared. */
  get places(): object {
    return this.#surroundings
  }

  get root(): Dentry {
    return this.#surroundings.root
  }
  set root(directory: Dentry) {
    this.#surroundings.root = directory
  }

  get cwd(): Dentry {
    return this.#surroundings.cwd
  }
  set cwd(directory: Dentry) {
    this.#surroundings.cwd = directory
  }

  get umask(): number {
    return this.#surroundings.umask
  }
  set umask(bits: number) {
    this.#surroundings.umask = bits
  }

  fork(sharesFiles: boolean, sharesSurroundings: boolean): FileUser {
    const files = sharesFiles ? this.files : this.files.copy()
    const surroundings = sharesSurroundings ? this.#surroundings : { ...this.#surroundings, users: 0 }
    const user = new FileUser(this.#vfs, files, this.cwd, surroundings)
    user.credentials = this.credentials
    if (this.#executable !== undefined) user.run(this.#executable)
    return user
  }

  get realUser(): number {
    return this.credentials.user.real
  }

  get isUnlimited(): boolean {
    return may(this.credentials, Capability.resource)
  }

  get sharesSurroundings(): boolean {
    return this.#surroundings.users > 1
  }

  get sharesFiles(): boolean {
    return this.files.users > 1
  }

  walker(pid: number): Walker {
    return { root: this.root, cwd: this.cwd, pid, credentials: this.credentials }
  }

  /** Closes a file number: 0 or -EBADF. */
  closeNumber(fd: number): number {
    const file = this.files.remove(fd)
    if (typeof file === 'number') return file
    this.#vfs.numberClosed(file)
    this.#vfs.locks.numberClosed(this.files, file)
    this.drop(file)
    return 0
  }

  /** Opens of FIFOs that wait for the other end, by thread record. */
  readonly opening = new Map<Ptr, OpeningFifo>()

  /** One file number fewer stands for an open file. */
  drop(file: OpenFile): void {
    this.#vfs.drop(file)
  }

  get program(): RunningProgram | undefined {
    if (this.#executable === undefined) return undefined
    const { dentry } = this.#executable
    return { path: pathOf(dentry, this.#vfs.root), object: dentry.inode.pages }
  }

  /** Where what it runs is, or was. */
  get executable(): Dentry | undefined {
    return this.#executable?.dentry
  }

  /** It runs a file from now on: keeps it open, and nobody writes to it. */
  run(file: OpenFile): void {
    file.references++
    file.dentry.inode.runners++
    this.#stopRunning()
    this.#executable = file
  }

  #stopRunning(): void {
    const file = this.#executable
    if (file === undefined) return
    this.#executable = undefined
    file.dentry.inode.runners--
    this.drop(file)
  }

  leaveProgram(credentials: Credentials): void {
    this.credentials = credentials
    for (const fd of this.files.numbers()) if (this.files.descriptor(fd)!.closeOnExec) this.closeNumber(fd)
  }

  close(): void {
    this.#surroundings.users--
    this.#stopRunning()
    if (--this.files.users > 0) return
    for (const { file } of this.opening.values()) this.drop(file)
    this.opening.clear()
    for (const fd of this.files.numbers()) this.closeNumber(fd)
    this.#vfs.locks.records.forget(this.files)
    this.#vfs.syncHosts()
  }
}

/** The part of a process that is ours. */
export function userOf(process: Process): FileUser {
  return process.files as FileUser
}
