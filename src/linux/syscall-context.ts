/** What a system call handler is given. */
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import type { FileResolver } from '../syscall/file-backing.js'
import type { SyscallArguments } from '../syscall/syscall-arguments.js'
import type { Linux } from './linux.js'
import type { Process } from './process.js'
import type { Syscall } from './syscall.js'
import type { Thread } from './thread.js'

/**
 * One recycled object, good for the call that is running: nothing may keep it.
 *
 *     const buffer = c.args.address(1)
 *     return copyToUser(c.mm, c.space, buffer, bytes)   // 0 or -EFAULT
 */
export interface SyscallContext {
  readonly mm: MemoryManager
  readonly linux: Linux
  readonly process: Process
  readonly thread: Thread
  readonly space: AddressSpace
  readonly args: SyscallArguments
  /** FileServices.fileBacking for the process. */
  readonly fileBacking: FileResolver
}

/** A file that may be the program of a process. */
export interface RunnableFile {
  /** Somebody has it open for writing: no program can be run then. */
  readonly isWritten: boolean
  /** It is what the process runs from now on: /proc/PID/exe, as long as the process lives, wherever its name goes. */
  runBy(process: Process): void
}

/** A program file, opened for execve(2). It is mapped from its page object, as Linux maps it from the page cache. */
export interface ExecutableFile extends RunnableFile {
  /** Absolute path in the guest, links resolved, a byte string. */
  readonly path: string
  /** Page object (a reference is held until `close`). */
  readonly object: import('../base/numbers.js').Ptr
  readonly size: number
  /** Who opened it may read it, too. */
  readonly isReadable: boolean
  /** Bytes read at an offset: fewer at the end, or a negative errno. */
  read(offset: number, target: Uint8Array): number
  /** It stays open for who runs it. */
  close(): void
}

/** What a process runs. */
export interface RunningProgram {
  /** Where it is now, a byte string. */
  readonly path: string
  readonly object: import('../base/numbers.js').Ptr
}

/** What fs/ keeps for one process: open files, working directory, umask. */
export interface ProcessFiles {
  /** For clone(2): what the new process gets, with the table of open files or the directories shared (CLONE_FILES, CLONE_FS). */
  fork(sharesFiles: boolean, sharesSurroundings: boolean): ProcessFiles
  /** getuid(2): whose processes RLIMIT_NPROC counts together. */
  readonly realUser: number
  /** CAP_SYS_RESOURCE: limits of that kind are not for it. */
  readonly isUnlimited: boolean
  /** Whether another process has the same table of open files. */
  readonly sharesFiles: boolean
  /** At execve: closes what is marked close-on-exec; `credentials`: who the process is from now on (identity.ts). */
  leaveProgram(credentials: import('./fs/credentials.js').Credentials): void
  /** Undefined before the first program, and after the end. */
  readonly program: RunningProgram | undefined
  /** At exit: closes everything, unless another process has the same table. */
  close(): void
}

/** How a mapping with a page object is written in /proc/PID/maps. */
export interface MappingName {
  /** `00:02`: major and minor number in hexadecimal. */
  readonly device: string
  readonly inode: number
  readonly path: string
}

/** What linux/ asks of fs/. One per machine. */
export interface FileServices {
  readonly syscalls: readonly (readonly Syscall[])[]
  /** A new process: 0, 1 and 2 are the host's streams, the working directory is `cwd`. */
  createFiles(cwd: string): ProcessFiles
  /** Opens a file for execve: -ENOENT, -EACCES (no x bit, a directory), … `path` is a byte string, relative to the working directory. */
  openExecutable(process: Process, path: string): ExecutableFile | number
  /** The program that a file number is of; -EBADF, or -EACCES when it could not be executed. */
  programAt(process: Process, fd: number): RunnableFile | number
  /** A file for mmap(2), by file number: what syscall/'s mmap wants, or -EBADF, … */
  fileBacking(process: Process, fd: number): import('../syscall/file-backing.js').FileBacking | number
  /** The file of a number has been mapped. */
  wasMapped(process: Process, fd: number): void
  /** Whether a process may know what is cached of a mapped file: who owns it or may write it. */
  mayLookAt(process: Process, object: import('../base/numbers.js').Ptr): boolean
  /** A signal is pending for a process or thread: who reads signals from files looks (signalfd). */
  signalSent(signal: number): void
  /** A thread ends, perhaps in a wait: it is in no queue any more. */
  threadEnds(thread: Thread): void
  /** A process has ended; `isGone`: and nobody has its number any more, or a thread's has (pidfd). */
  taskEnded(id: number, isGone: boolean): void
  /** A pidfd for a number that has just been given: the file number, or -EMFILE. */
  openPid(process: Process, id: number, flags: number): number
  closeNumber(process: Process, fd: number): void
  /** The timer of a file has expired (timerfd). */
  timerExpired(timer: import('../base/numbers.js').Ptr): void
  /** Something is to be read from the file of a context (userfaultfd). */
  userfaultArrived(context: import('../base/numbers.js').Ptr): void
  nameOfObject(object: import('../base/numbers.js').Ptr): MappingName
}
