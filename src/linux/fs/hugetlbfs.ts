/** Files of huge pages (memfd_create with MFD_HUGETLB), as on a machine that has set none aside: they have sizes, but no contents. Of 2 MiB unless made gigantic. */
import { EINVAL, ENOSPC } from '../../base/errno.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import { ObjectKind } from '../../space/page-object.js'
import type { FilesystemStatistics } from './filesystem.js'
import { FilesystemMagic } from './flags.js'
import type { Dentry, Inode } from './nodes.js'
import { Tmpfs } from './tmpfs.js'

export class HugeTlbFilesystem extends Tmpfs {
  protected override createPages(): Ptr {
    return this.contents.createHuge(ObjectKind.huge)
  }

  /** Gives an empty file pages of 1 GiB: 0 or -ENOSPC. */
  makeGigantic(inode: Inode): number {
    const pages = this.contents.createHuge(ObjectKind.gigantic)
    if (pages === NULL) return -ENOSPC
    this.contents.release(inode.pages)
    inode.pages = pages
    return 0
  }

  override resize(dentry: Dentry, bytes: number): number {
    const unit = this.contents.pageBytes(dentry.inode.pages)
    return bytes % unit === 0 ? super.resize(dentry, bytes) : -EINVAL
  }

  override write(): number {
    return -EINVAL
  }

  override allocate(): number {
    return -ENOSPC
  }

  override statistics(): FilesystemStatistics {
    return { magic: FilesystemMagic.hugetlbfs, blocks: 0, blocksFree: 0, files: 0, filesFree: 0 }
  }
}
