/** Times of a file that others than its calls change (touch_atime and file_update_time of Linux). */
import type { Ptr } from '../../base/numbers.js'
import type { Inode, Time } from './nodes.js'
import type { Vfs } from './vfs.js'

const DAY_SECONDS = 86_400

/** It was read, or mapped. As `relatime` has it, one access since the last change is enough for a day. */
export function noteAccess(vfs: Vfs, inode: Inode): void {
  if (inode.filesystem.readOnly) return
  const now = vfs.now()
  const { accessed, modified, changed } = inode
  const isKnown = isAfter(accessed, modified) && isAfter(accessed, changed)
  if (!isKnown || now.seconds - accessed.seconds >= DAY_SECONDS) inode.accessed = now
}

function isAfter(one: Time, other: Time): boolean {
  return one.seconds > other.seconds || (one.seconds === other.seconds && one.nanoseconds > other.nanoseconds)
}

/** A program has stored to a page of the file through a mapping. */
export function noteStore(vfs: Vfs, object: Ptr): void {
  const inode = vfs.names.inodeOf(object)
  if (inode === undefined || inode.filesystem.readOnly) return
  inode.modified = vfs.now()
  inode.changed = inode.modified
}
