/** Open files that no directory names: what /proc/PID/fd shows as `anon_inode:[eventpoll]`. */
import { makeDentry, makeInode } from '../nodes.js'
import type { FileKind, OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'

const PERMISSIONS = 0o600

/** A new open file with an inode of no type; the caller gives it its object. */
export function makeAnonymousFile(vfs: Vfs, kind: FileKind, name: string, flags: number): OpenFile {
  const { hidden } = vfs.state
  const inode = makeInode(hidden.inode.filesystem, PERMISSIONS, vfs.now())
  return vfs.openFile(kind, makeDentry(`anon_inode:${name}`, hidden, inode), flags)
}
