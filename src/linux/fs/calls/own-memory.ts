/** Memory that is a mapping of the very file that is read into it, or written from it. */
import { NULL, PAGE_SIZE, type Ptr, pageOf, type Vpn } from '../../../base/numbers.js'
import { Vma } from '../../../space/vma.js'
import { LockRank } from '../../../state/atomics.js'
import type { SyscallContext } from '../../syscall-context.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'

/**
 * How many of `length` bytes at `position` of the file are moved at once: up to the end of a page where the memory is of the same file. Linux
 * copies page after page, and what it has stored in one may be what the next is read from.
 */
export function pieceOf(
  vfs: Vfs,
  c: SyscallContext,
  { kind, dentry }: OpenFile,
  position: number,
  address: number,
  length: number,
): number {
  const { pages } = dentry.inode
  const most = PAGE_SIZE - (position % PAGE_SIZE)
  if (length <= most || kind !== 'pages' || pages === NULL || !vfs.contents.isMapped(pages)) return length
  return shows(c, pages, pageOf(address), pageOf(address + length - 1) + 1) ? most : length
}

/** Whether a mapping between two pages is one of the object. */
function shows({ mm, space }: SyscallContext, object: Ptr, start: number, end: number): boolean {
  const vma = new Vma(mm.memory, NULL)
  let isShown = false
  mm.atomics.lock(space.lock, LockRank.space)
  for (let at = start; !isShown && at < Math.min(end, mm.arch.userEnd); at = vma.end) {
    const found = mm.vmas.find(space, at as Vpn)
    if (found === NULL || vma.at(found).start >= end) break
    isShown = vma.object === object
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return isShown
}
