/**
 * A directory of the host that is mounted in the guest, as the program that embeds the machine gives it. All paths are
 * relative to that directory, of components joined by '/', never `.`, `..` or empty ones; '' is the directory itself.
 * The file system above resolves links itself, so no call here may follow a symbolic link in any component.
 * Failures are negative errno numbers of *Linux*. Calls return at once: reading a file of the host may take its time, as
 * a page fault on a disk does.
 */
import type { Time } from './nodes.js'

export interface HostStat {
  /** Type and permission bits as Linux has them (S_IFREG | 0o644). */
  readonly mode: number
  readonly size: number
  readonly links: number
  /** The same for two names of one file, and for no other file as long as it exists: device and inode number. */
  readonly identity: string
  readonly accessed: Time
  readonly modified: Time
  readonly changed: Time
}

export interface HostListed {
  readonly name: string
  /** Type bits of a mode (S_IFDIR, …). */
  readonly type: number
}

/** An open host file; negative numbers are errnos. */
export type HostHandle = number

export interface HostDirectory {
  lstat(path: string): HostStat | number
  list(path: string): readonly HostListed[] | number
  readLink(path: string): string | number
  /** Opens a regular file, for reading or for both; never creates, never follows a link. */
  open(path: string, writable: boolean): HostHandle
  close(handle: HostHandle): void
  /** Bytes read at an offset, fewer at the end of the file. */
  read(handle: HostHandle, offset: number, target: Uint8Array): number
  /** Bytes written. */
  write(handle: HostHandle, offset: number, source: Uint8Array): number
  truncate(handle: HostHandle, bytes: number): number
  sync(handle: HostHandle): number
  /** As lstat, of an open file. */
  statHandle(handle: HostHandle): HostStat | number
  /** A new empty regular file; -EEXIST when the name is taken. */
  createFile(path: string, permissions: number): number
  makeDirectory(path: string, permissions: number): number
  symlink(path: string, target: string): number
  link(existing: string, path: string): number
  unlink(path: string): number
  removeDirectory(path: string): number
  /** Replaces what is at `to`, as rename(2). */
  rename(from: string, to: string): number
  setPermissions(path: string, permissions: number): number
  setTimes(path: string, accessed: Time, modified: Time): number
}
