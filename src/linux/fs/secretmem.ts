/**
 * The file system of memfd_secret(2) (mm/secretmem.c): files without names whose bytes are only seen through a mapping. Pages are
 * charged to the user who made the file, up to RLIMIT_MEMLOCK.
 */
import { EINVAL, ENOMEM, EOPNOTSUPP } from '../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../../base/numbers.js'
import type { FileContents } from './contents.js'
import type { FilesystemStatistics } from './filesystem.js'
import { FilesystemMagic, FileType } from './flags.js'
import { type Dentry, type Inode, makeDentry, makeInode, type Time } from './nodes.js'
import { Tmpfs } from './tmpfs.js'

const PAGES_MAX = 0xffff_ffff
const PERMISSIONS = 0o600

export class SecretFilesystem extends Tmpfs {
  /** What the pages of each user's files are charged to. */
  readonly #quotas: Map<number, Ptr>

  constructor(contents: FileContents, quotas: Map<number, Ptr>) {
    super(contents)
    this.#quotas = quotas
  }

  /** An empty file; -ENOMEM. */
  make(directory: Dentry, user: number, group: number, now: Time): Dentry | number {
    const quota = this.#quotaOf(user)
    const pages = quota === NULL ? NULL : this.contents.createSecret(quota)
    if (pages === NULL) return -ENOMEM
    const inode = makeInode(directory.inode.filesystem, FileType.regular | PERMISSIONS, now)
    inode.uid = user
    inode.gid = group
    inode.pages = pages
    const dentry = makeDentry('/secretmem', directory, inode)
    dentry.unlinked = true
    return dentry
  }

  #quotaOf(user: number): Ptr {
    const quota = this.#quotas.get(user) ?? this.contents.createQuota(PAGES_MAX)
    if (quota !== NULL) this.#quotas.set(user, quota)
    return quota
  }

  /** What a process that maps a file may have locked, in bytes, is what the file's user may have from now on. */
  limit({ pages }: Inode, bytes: number): void {
    this.contents.limitPages(pages, Math.min(Math.floor(bytes / PAGE_SIZE), PAGES_MAX))
  }

  /** A file keeps the size that it is given first. */
  override resize(dentry: Dentry, bytes: number): number {
    return this.contents.size(dentry.inode.pages) > 0 ? -EINVAL : super.resize(dentry, bytes)
  }

  override allocate(): number {
    return -EOPNOTSUPP
  }

  override statistics(): FilesystemStatistics {
    return { magic: FilesystemMagic.secretmem, blocks: 0, blocksFree: 0, files: 0, filesFree: 0 }
  }
}
