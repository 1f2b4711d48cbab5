/** Files of huge pages (memfd_create with MFD_HUGETLB), as on a machine that has set none aside: they have sizes, but no contents. */
import { EINVAL, ENOSPC } from '../../base/errno.js'
import type { FilesystemStatistics } from './filesystem.js'
import { FilesystemMagic } from './flags.js'
import type { Dentry } from './nodes.js'
import { Tmpfs } from './tmpfs.js'

const HUGE_BYTES = 2 ** 21

export class HugeTlbFilesystem extends Tmpfs {
  override resize(dentry: Dentry, bytes: number): number {
    return bytes % HUGE_BYTES === 0 ? super.resize(dentry, bytes) : -EINVAL
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
