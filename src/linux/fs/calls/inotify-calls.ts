/** inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2), with the checks of inotify_user.c in their order. */
import { EBADF, EEXIST, EINVAL, EMFILE, ENOSPC, ENOTDIR } from '../../../base/errno.js'
import { readSetting, Setting } from '../../../state/settings.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { checkAccess, May } from '../credentials.js'
import { Open } from '../flags.js'
import { addWatch, type Inotify, NOTICES, Notice, usageOf } from '../ipc/inotify.js'
import { inotifyOf, makeInotifyFile } from '../ipc/inotify-file.js'
import { type Inode, isDirectory } from '../nodes.js'
import type { Vfs } from '../vfs.js'
import { ignore } from '../watching.js'
import { anyFileArgument, fileArgument, installFile, pathArgument, userOfCall, walkerOf } from './support.js'

const INIT_FLAGS = Open.closeOnExec | Open.nonBlock
/** All bits that have a meaning. */
const KNOWN =
  NOTICES |
  Notice.unmount |
  Notice.overflow |
  Notice.ignored |
  Notice.onlyDirectory |
  Notice.doNotFollow |
  Notice.excludeUnlinked |
  Notice.maskCreate |
  Notice.maskAdd |
  Notice.isDirectory |
  Notice.oneShot

export function inotifyCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(26, 'inotify_init1', 'x', (c) => init(vfs, c)),
    syscall(27, 'inotify_add_watch', 'fsx', (c) => add(vfs, c)),
    syscall(28, 'inotify_rm_watch', 'fd', (c) => remove(vfs, c)),
  ]
}

const setting = (vfs: Vfs, which: Setting) => readSetting(vfs.env.mm.memory, which)

function init(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(0)
  if ((flags & ~INIT_FLAGS) !== 0) return -EINVAL
  const usage = usageOf(vfs.state.inotify, userOfCall(c).credentials.user.effective)
  if (usage.instances >= setting(vfs, Setting.inotifyInstancesMax)) return -EMFILE
  const file = makeInotifyFile(vfs, usage, flags & Open.nonBlock)
  return installFile(c, file, (flags & Open.closeOnExec) !== 0)
}

/** The instance of argument 0: -EBADF, -EINVAL. */
function instanceArgument(c: SyscallContext): Inotify | number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  return file.kind === 'inotify' ? inotifyOf(file) : -EINVAL
}

function add(vfs: Vfs, c: SyscallContext): number {
  const asked = c.args.low(2)
  if ((asked & ~KNOWN) !== 0 || (asked & KNOWN) === 0) return -EINVAL
  if (anyFileArgument(c, 0) === -EBADF) return -EBADF
  if ((asked & Notice.maskAdd) !== 0 && (asked & Notice.maskCreate) !== 0) return -EINVAL
  const instance = instanceArgument(c)
  if (typeof instance === 'number') return instance
  const inode = watchedArgument(vfs, c, asked)
  return typeof inode === 'number' ? inode : watch(vfs, instance, inode, asked)
}

/** What is to be watched must be readable. */
function watchedArgument(vfs: Vfs, c: SyscallContext, asked: number): Inode | number {
  const path = pathArgument(c, 1)
  if (typeof path === 'number') return path
  const user = userOfCall(c)
  const follow = (asked & Notice.doNotFollow) === 0
  const dentry = vfs.walk.resolve(walkerOf(c), user.cwd, path, follow)
  if (typeof dentry === 'number') return dentry
  if ((asked & Notice.onlyDirectory) !== 0 && !isDirectory(dentry.inode)) return -ENOTDIR
  const refused = checkAccess(user.credentials, dentry.inode, May.read)
  return refused === 0 ? dentry.inode : refused
}

/** An instance watches a file once: asking again changes what it wants to know. As on Linux, a watch too many takes a number. */
function watch(vfs: Vfs, instance: Inotify, inode: Inode, asked: number): number {
  const mask = asked & NOTICES
  const excludesUnlinked = (asked & Notice.excludeUnlinked) !== 0
  const isOneShot = (asked & Notice.oneShot) !== 0
  const known = inode.watches?.find((other) => other.instance === instance)
  if (known === undefined) {
    if (instance.usage.watches >= setting(vfs, Setting.inotifyWatchesMax)) {
      instance.nextWatch++
      return -ENOSPC
    }
    const made = addWatch(vfs.state.inotify, instance, inode, mask)
    Object.assign(made, { excludesUnlinked, isOneShot })
    return made.number
  }
  if ((asked & Notice.maskCreate) !== 0) return -EEXIST
  const adds = (asked & Notice.maskAdd) !== 0
  known.mask = adds ? known.mask | mask : mask
  known.excludesUnlinked = excludesUnlinked || (adds && known.excludesUnlinked)
  known.isOneShot = isOneShot || (adds && known.isOneShot)
  return known.number
}

function remove(vfs: Vfs, c: SyscallContext): number {
  const instance = instanceArgument(c)
  if (typeof instance === 'number') return instance
  const found = instance.watches.get(c.args.int(1))
  if (found === undefined) return -EINVAL
  ignore(vfs, found)
  return 0
}
