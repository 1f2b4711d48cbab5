/** swapon(2) and swapoff(2) (mm/swapfile.c of Linux): no file here can be swapped to, so that none ever is. */
import { EINVAL, EISDIR, EPERM } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import { Open } from '../flags.js'
import { isDirectory, isRegular } from '../nodes.js'
import { openDentry } from '../opening.js'
import type { Vfs } from '../vfs.js'
import { pathArgument, userOfCall, walkerOf } from './support.js'

/** Priority, and whether blocks are discarded: SWAP_FLAGS_VALID. */
const SWAP_FLAGS = 0x7_ffff

export function swapCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(224, 'swapon', 'sx', (c) => ((c.args.low(1) & ~SWAP_FLAGS) !== 0 ? -EINVAL : refuse(vfs, c))),
    syscall(225, 'swapoff', 's', (c) => refuse(vfs, c)),
  ]
}

/** -EPERM, what is wrong with the path or with opening it for reading and writing, or -EINVAL. */
function refuse(vfs: Vfs, c: SyscallContext): number {
  const walker = walkerOf(c)
  if (!may(walker.credentials, Capability.administrate)) return -EPERM
  const path = pathArgument(c, 0)
  if (typeof path === 'number') return path
  const dentry = vfs.walk.resolve(walker, userOfCall(c).cwd, path, true)
  if (typeof dentry === 'number') return dentry
  if (isDirectory(dentry.inode)) return -EISDIR
  if (!isRegular(dentry.inode)) return -EINVAL
  const file = openDentry(vfs, dentry, Open.readWrite, walker.credentials)
  if (typeof file === 'number') return file
  vfs.closeFile(file)
  return -EINVAL
}
