/** What mmap(2) must know of an open file. linux/ finds it by file number. */
import type { Ptr } from '../base/numbers.js'
import type { ObjectKind } from '../space/page-object.js'

export interface FileBacking {
  /** The page object of the file; NULL for a file that maps as anonymous memory (/dev/zero). */
  readonly object: Ptr
  /** The open file description: mappings of two opens never merge. Absent = the object's identity. */
  readonly identity?: number
  /** It has no name any more: a memfd, or what was unlinked. Faults map all of its huge pages then. */
  readonly unnamed?: boolean
  /** What the file is open for (FMODE_READ, FMODE_WRITE). */
  readonly readable: boolean
  readonly writable: boolean
  /** False on a file system mounted noexec: PROT_EXEC is then EPERM. */
  readonly executable: boolean
  /** False for directories, pipes and terminals: ENODEV. */
  readonly mappable: boolean
  /** One that is mapped by a function of its own, which only ever answers this (f_op->mmap): a socket's, those of files in /proc and /sys. */
  readonly refusal?: number
  /** A memfd that may not be written any more (F_SEAL_WRITE, F_SEAL_FUTURE_WRITE). */
  readonly sealed?: boolean
  /** Of memfd_secret: shared or not at all. */
  readonly secret?: boolean
  /** Its pages are huge ones of a pool, which is empty: this kind of object. With no object yet, mmap makes one. */
  readonly huge?: ObjectKind
  /** Huge pages that were asked for when the object was made (SHM_HUGETLB), not when it is mapped. */
  readonly reserved?: boolean
}

/** The file behind a file number, or a negative errno (-EBADF). */
export type FileResolver = (fd: number) => FileBacking | number
