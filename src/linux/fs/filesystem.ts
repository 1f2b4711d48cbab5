/** What each kind of file system must be able to do. The caller (vfs.ts) has made the checks that are the same for all. */
import type { Ptr } from '../../base/numbers.js'
import type { Dentry, Filesystem, Inode, Time } from './nodes.js'

/** One entry of a directory, without `.` and `..`. */
export interface Listed {
  readonly name: string
  readonly number: number
  /** Type bits of a mode. */
  readonly type: number
}

/** What chmod, chown and utimensat change; what is absent stays. */
export interface AttributeChange {
  readonly permissions?: number
  readonly uid?: number
  readonly gid?: number
  readonly accessed?: Time
  readonly modified?: Time
}

/** statfs(2); blocks of 4096 bytes. */
export interface FilesystemStatistics {
  readonly magic: number
  readonly blocks: number
  readonly blocksFree: number
  readonly files: number
  readonly filesFree: number
}

/**
 * One object for each kind, which finds everything else in the nodes. Failures are negative errno numbers.
 * `now` is the moment that goes into the changed times.
 */
export interface FilesystemOperations {
  /** The entry of that name, or -ENOENT. `pid` is who asks: /proc/self. */
  lookup(directory: Dentry, name: string, pid: number): Dentry | number
  list(directory: Dentry, pid: number): readonly Listed[] | number
  /** A new regular file, directory or device; the name is free. */
  create(directory: Dentry, name: string, mode: number, rdev: number, now: Time): Dentry | number
  symlink(directory: Dentry, name: string, target: string, now: Time): Dentry | number
  link(directory: Dentry, name: string, existing: Dentry, now: Time): Dentry | number
  /** A file without a name (O_TMPFILE). */
  createUnnamed(directory: Dentry, mode: number, now: Time): Dentry | number
  /** Unlink, or rmdir of an empty directory (-ENOTEMPTY). */
  remove(dentry: Dentry, now: Time): number
  /** The types were checked, `replaced` is of the right one; -ENOTEMPTY when it is a directory with entries. */
  rename(dentry: Dentry, directory: Dentry, name: string, replaced: Dentry | undefined, now: Time): number
  exchange(one: Dentry, other: Dentry, now: Time): number
  /** The text of a link, or for the links of /proc the entry that it stands for. */
  readLink(dentry: Dentry, pid: number): string | Dentry | number
  /** The text that readlink(2) gives; for most the same as `readLink`. */
  linkText(dentry: Dentry, pid: number): string | number
  /** Brings size and times up to date. */
  refresh(dentry: Dentry): number
  setAttributes(dentry: Dentry, change: AttributeChange, now: Time): number
  /** The page object of a regular file, made if needed; `writable`: it will be written. */
  pages(dentry: Dentry, writable: boolean): Ptr | number
  /** ftruncate: the page object takes the new size. */
  resize(dentry: Dentry, bytes: number): number
  /** fallocate: room for a part of the file; its size stays. */
  allocate(inode: Inode, offset: number, length: number): number
  /** write(2) at an offset within the limits: bytes written. */
  write(inode: Inode, offset: number, source: Uint8Array): number
  /** fsync. */
  sync(inode: Inode): number
  /** Nobody names it and nobody has it open: what it holds goes back. */
  forget(inode: Inode): void
  statistics(filesystem: Filesystem): FilesystemStatistics
}
