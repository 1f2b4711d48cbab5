/** openat, openat2, close and the numbers of open files: dup, dup3, fcntl, close_range. */
import { EBADF, EINVAL } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Fcntl, Open, SETTABLE_FLAGS } from '../flags.js'
import { objectOf } from '../ipc/file-object.js'
import type { PipeEnd } from '../ipc/pipe-file.js'
import type { Dentry } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import { checkOpenFlags, openPath } from '../opening.js'
import type { Vfs } from '../vfs.js'
import { Resolve, type Walker } from '../walk.js'
import { maySignal } from './ioctl-calls.js'
import { isLockCommand, lockRange } from './lock-calls.js'
import { addSeals, sealsOf } from './memfd-calls.js'
import { type OpenHow, openHow } from './open-how.js'
import { goOnOpening, isOpening, openFifo } from './pipe-calls.js'
import {
  anyFileArgument,
  fileLimit,
  installFile,
  lowestFree,
  pathArgument,
  startArgument,
  userOfCall,
  walkerOf,
} from './support.js'

const FD_CLOEXEC = 1
const CLOSE_RANGE_CLOEXEC = 4
const CLOSE_RANGE_UNSHARE = 2

export function openingCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(23, 'dup', 'f', duplicate),
    syscall(24, 'dup3', 'ffo', duplicateTo),
    syscall(25, 'fcntl', 'fux', (c) => control(vfs, c)),
    syscall(56, 'openat', 'Fsom', (c) => openAt(vfs, c)),
    syscall(57, 'close', 'f', (c) => userOfCall(c).closeNumber(c.args.int(0))),
    syscall(436, 'close_range', 'uux', closeRange),
    syscall(437, 'openat2', 'Fspu', (c) => openAtHow(vfs, c)),
  ]
}

function openAt(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(2)
  const error = isOpening(c) ? 0 : checkOpenFlags(flags)
  return error !== 0 ? error : openBy(vfs, c, { flags, mode: c.args.int(3) & 0o7777, resolve: 0 })
}

function openAtHow(vfs: Vfs, c: SyscallContext): number {
  const how = openHow(c, c.args.address(2), c.args.address(3))
  return typeof how === 'number' ? how : openBy(vfs, c, how)
}

function openBy(vfs: Vfs, c: SyscallContext, { flags, mode: asked, resolve }: OpenHow): number {
  const closeOnExec = (flags & Open.closeOnExec) !== 0
  if (isOpening(c)) return goOnOpening(vfs, c, closeOnExec)
  const path = pathArgument(c, 1)
  if (typeof path === 'number') return path
  const free = lowestFree(c, 0)
  if (free < 0) return free
  // Below a root of its own even an absolute path begins at `dirfd`.
  const start = startArgument(c, 0, (resolve & Resolve.inRoot) !== 0 ? '' : path)
  if (typeof start === 'number') return start
  const mode = asked & ~userOfCall(c).umask
  const file = openPath(vfs, walkerFor(c, start, resolve), { start, path, flags, mode })
  if (typeof file === 'number') return file
  return file.kind === 'pipe' ? openFifo(vfs, c, file, closeOnExec) : installFile(c, file, closeOnExec)
}

function walkerFor(c: SyscallContext, start: Dentry, resolve: number): Walker {
  const isScoped = (resolve & (Resolve.beneath | Resolve.inRoot)) !== 0
  return { ...walkerOf(c), resolve, ...(isScoped && { root: start }) }
}

function duplicate(c: SyscallContext): number {
  const file = anyFileArgument(c, 0)
  if (typeof file === 'number') return file
  return installAt(c, file, lowestFree(c, 0), false)
}

function installAt(c: SyscallContext, file: OpenFile, fd: number, closeOnExec: boolean): number {
  return fd < 0 ? fd : userOfCall(c).files.install(fd, file, closeOnExec)
}

function duplicateTo(c: SyscallContext): number {
  const [from, to, flags] = [c.args.int(0), c.args.low(1), c.args.int(2)]
  if ((flags & ~Open.closeOnExec) !== 0 || from === (to | 0)) return -EINVAL
  if (to >= fileLimit(c)) return -EBADF
  const file = anyFileArgument(c, 0)
  if (typeof file === 'number') return file
  userOfCall(c).closeNumber(to)
  return installAt(c, file, to, (flags & Open.closeOnExec) !== 0)
}

function closeRange(c: SyscallContext): number {
  const [first, last, flags] = [c.args.low(0), c.args.low(1), c.args.int(2)]
  if ((flags & ~(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)) !== 0 || first > last) return -EINVAL
  const user = userOfCall(c)
  for (const fd of user.files.numbers()) {
    if (fd < first || fd > last) continue
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) user.files.descriptor(fd)!.closeOnExec = true
    else user.closeNumber(fd)
  }
  return 0
}

function control(vfs: Vfs, c: SyscallContext): number {
  const file = anyFileArgument(c, 0)
  if (typeof file === 'number') return file
  const descriptor = userOfCall(c).files.descriptor(c.args.int(0))!
  switch (c.args.int(1)) {
    case Fcntl.duplicate:
      return duplicateFrom(c, file, false)
    case Fcntl.duplicateCloseOnExec:
      return duplicateFrom(c, file, true)
    case Fcntl.getDescriptorFlags:
      return descriptor.closeOnExec ? FD_CLOEXEC : 0
    case Fcntl.setDescriptorFlags:
      descriptor.closeOnExec = (c.args.int(2) & FD_CLOEXEC) !== 0
      return 0
    case Fcntl.getFlags:
      return file.flags
    default:
      if (file.kind === 'path') return -EBADF
      return isLockCommand(c.args.int(1)) ? lockRange(vfs, c, file) : controlOpen(vfs, c, file)
  }
}

/** What O_PATH does not allow. */
function controlOpen(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  switch (c.args.int(1)) {
    case Fcntl.setFlags:
      setFlags(file, c.args.int(2))
      return 0
    case Fcntl.getPipeSize:
    case Fcntl.setPipeSize:
      return pipeSize(vfs, c, file)
    case Fcntl.setOwner:
    case Fcntl.getOwner:
      return 0
    case Fcntl.addSeals:
      return addSeals(vfs, file, c.args.low(2))
    case Fcntl.getSeals:
      return sealsOf(file)
    default:
      return -EINVAL
  }
}

function setFlags(file: OpenFile, flags: number): void {
  const mask = maySignal(file) ? SETTABLE_FLAGS : SETTABLE_FLAGS & ~Open.async
  file.flags = (file.flags & ~mask) | (flags & mask)
}

/** F_GETPIPE_SZ and F_SETPIPE_SZ, in bytes. */
function pipeSize(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  if (file.kind !== 'pipe') return -EBADF
  const { pipe } = objectOf<PipeEnd>(file)
  const sets = c.args.int(1) === Fcntl.setPipeSize
  return sets ? vfs.pipes.resize(pipe, c.args.low(2)) : pipe.capacity * PAGE_SIZE
}

function duplicateFrom(c: SyscallContext, file: OpenFile, closeOnExec: boolean): number {
  const lowest = c.args.low(2)
  if (lowest >= fileLimit(c)) return -EINVAL
  return installAt(c, file, lowestFree(c, lowest), closeOnExec)
}
