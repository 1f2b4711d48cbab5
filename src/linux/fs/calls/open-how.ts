/** struct open_how of openat2(2): which files are opened, and what their paths may do (build_open_flags of fs/open.c). */
import { E2BIG, EAGAIN, EFAULT, EINVAL } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { copyFromUser } from '../../../fault/user-copy.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Open } from '../flags.js'
import { checkOpenFlags } from '../opening.js'
import { Resolve } from '../walk.js'

export interface OpenHow {
  readonly flags: number
  /** Permissions of a new file, as asked. */
  readonly mode: number
  /** Bits of `Resolve`. */
  readonly resolve: number
}

const BYTES = 24
const [FLAGS, MODE, RESOLVE] = [0, 8, 16]
const KNOWN_FLAGS = Object.values<number>(Open).reduce((all, flag) => all | flag, 0)
const KNOWN_RESOLVE = Object.values<number>(Resolve).reduce((all, bit) => all | bit, 0)
const PATH_FLAGS = Open.directory | Open.noFollow | Open.path | Open.closeOnExec
const MAKING = Open.create | Open.temporary
/** The kernel's own (FMODE_NONOTIFY): nobody is refused for it. */
const PASSED_OVER = 0x200_0000

/** What the structure says: -EINVAL, unlike open(2), for all that contradicts itself; -E2BIG for a later kernel's wishes; -EFAULT. */
export function openHow(c: SyscallContext, address: number, size: number): OpenHow | number {
  if (size < BYTES) return -EINVAL
  if (size > PAGE_SIZE) return -E2BIG
  const bytes = new Uint8Array(size)
  if (copyFromUser(c.mm, c.space, address, bytes) < 0) return -EFAULT
  if (bytes.subarray(BYTES).some((byte) => byte !== 0)) return -E2BIG
  const view = new DataView(bytes.buffer)
  if ([FLAGS, MODE, RESOLVE].some((at) => view.getUint32(at + 4, true) !== 0)) return -EINVAL
  const flags = view.getUint32(FLAGS, true) & ~PASSED_OVER
  const how = { flags, mode: view.getUint32(MODE, true), resolve: view.getUint32(RESOLVE, true) }
  const error = check(how)
  return error !== 0 ? error : { ...how, flags: withDataSync(flags) }
}

function check({ flags, mode, resolve }: OpenHow): number {
  if ((flags & ~KNOWN_FLAGS) !== 0 || (resolve & ~KNOWN_RESOLVE) !== 0) return -EINVAL
  const both = Resolve.beneath | Resolve.inRoot
  if ((resolve & both) === both) return -EINVAL
  const isMaking = (flags & MAKING) !== 0
  if ((mode & ~(isMaking ? 0o7777 : 0)) !== 0) return -EINVAL
  if ((flags & Open.path) !== 0 && (flags & ~PATH_FLAGS) !== 0) return -EINVAL
  const error = checkOpenFlags(flags)
  if (error !== 0) return error
  return (resolve & Resolve.cached) !== 0 && (isMaking || (flags & Open.truncate) !== 0) ? -EAGAIN : 0
}

function withDataSync(flags: number): number {
  return (flags & Open.sync) !== 0 ? flags | Open.dataSync : flags
}
