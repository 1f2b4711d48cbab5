/** The file system of namespaces (fs/nsfs.c of Linux): files without contents that stand for them, and are not to be changed. */
import { EPERM } from '../../base/errno.js'
import { type Namespace, namespaceText } from '../namespaces.js'
import type { FilesystemStatistics } from './filesystem.js'
import { FilesystemMagic, FileType } from './flags.js'
import { type Dentry, makeDentry, makeInode, type Time } from './nodes.js'
import { Tmpfs } from './tmpfs.js'

const PERMISSIONS = 0o444

export class NamespaceFilesystem extends Tmpfs {
  /** The one file of a namespace, as long as it is open. */
  file(directory: Dentry, namespace: Namespace, now: Time): Dentry {
    const { children, inode } = directory
    const name = namespaceText(namespace)
    for (const [other, { inode }] of children) if (inode.opens === 0) children.delete(other)
    const there = children.get(name)
    if (there !== undefined) return there
    const made = makeInode(inode.filesystem, FileType.regular | PERMISSIONS, now, namespace.number)
    made.namespace = namespace
    const dentry = makeDentry(name, directory, made)
    children.set(name, dentry)
    return dentry
  }

  override setAttributes(): number {
    return -EPERM
  }

  override resize(): number {
    return -EPERM
  }

  override statistics(): FilesystemStatistics {
    return { magic: FilesystemMagic.nsfs, blocks: 0, blocksFree: 0, files: 0, filesFree: 0 }
  }
}
