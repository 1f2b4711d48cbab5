/** userfaultfd(2), /dev/userfaultfd, and the requests that are made of such a file (ioctl_userfaultfd(2)). */
import { EFAULT, EINVAL, ENOMEM, EPERM } from '../../../base/errno.js'
import { NULL, type Ptr } from '../../../base/numbers.js'
import { USER_MODE_ONLY, UserfaultFeature } from '../../../space/userfaults.js'
import { readSetting, Setting } from '../../../state/settings.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import { DEVICE_USERFAULT } from '../devices.js'
import { Open } from '../flags.js'
import { isInitialized, makeUserfaultFile, userfaultOf } from '../ipc/userfault-file.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { installFile, put, take, userOfCall } from './support.js'
import { fill, move, protect, register, unregister, wake } from './userfault-requests.js'

const FLAGS = Open.closeOnExec | Open.nonBlock | USER_MODE_ONLY

/** UFFDIO_*, with the sizes of their structures. */
const Request = {
  api: 0xc018aa3f,
  register: 0xc020aa00,
  unregister: 0x8010aa01,
  wake: 0x8010aa02,
  copy: 0xc028aa03,
  zero: 0xc020aa04,
  move: 0xc028aa05,
  protect: 0xc018aa06,
  continue: 0xc020aa07,
  poison: 0xc020aa08,
  /** USERFAULTFD_IOC_NEW. */
  new: 0xaa00,
} as const

const API = 0xaan
/** What Debian's riscv64 kernel has: all but write protection. */
const FEATURES = 0x14ffen
/** UFFDIO_REGISTER, UNREGISTER and API. */
const FILE_REQUESTS = 0x8000_0000_0000_0003n

export function userfaultCalls(vfs: Vfs): Syscall[] {
  return [syscall(282, 'userfaultfd', 'x', (c) => userfaultfd(vfs, c))]
}

function userfaultfd(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(0)
  const isAllowed =
    (flags & USER_MODE_ONLY) !== 0 ||
    may(userOfCall(c).credentials, Capability.trace) ||
    readSetting(c.mm.memory, Setting.unprivilegedUserfault) !== 0
  return isAllowed ? create(vfs, c, flags) : -EPERM
}

function create(vfs: Vfs, c: SyscallContext, flags: number): number {
  if ((flags & ~FLAGS) !== 0) return -EINVAL
  const context = c.mm.userfaults.create(c.space.ptr, flags)
  if (context === NULL) return -ENOMEM
  return installFile(c, makeUserfaultFile(vfs, context, flags), (flags & Open.closeOnExec) !== 0)
}

/** Whether a file answers these requests itself. */
export function isUserfault(file: OpenFile): boolean {
  return file.kind === 'userfaultfd' || isDevice(file)
}

function isDevice({ kind, dentry }: OpenFile): boolean {
  return kind === 'device' && dentry.inode.key === '' && dentry.inode.rdev === DEVICE_USERFAULT
}

export function userfaultIoctl(vfs: Vfs, c: SyscallContext, file: OpenFile, request: number): number {
  if (isDevice(file)) return request === Request.new ? create(vfs, c, c.args.int(2)) : -EINVAL
  const { context } = userfaultOf(file)
  if (request === Request.api) return api(c, context)
  if (!isInitialized(vfs, file)) return -EINVAL
  switch (request) {
    case Request.register:
      return register(c, context)
    case Request.unregister:
      return unregister(c, context)
    case Request.wake:
      return wake(c, context)
    case Request.copy:
      return fill(c, context, 'copy')
    case Request.zero:
      return fill(c, context, 'zero')
    case Request.continue:
      return fill(c, context, 'continue')
    case Request.poison:
      return fill(c, context, 'poison')
    case Request.move:
      return move(c, context)
    case Request.protect:
      return protect(c, context)
    default:
      return -EINVAL
  }
}

/** UFFDIO_API: which features there are, and which of them are wanted. A refusal clears the structure. */
function api(c: SyscallContext, context: Ptr): number {
  const view = take(c, c.args.address(2), 24)
  if (view === undefined) return -EFAULT
  const wanted = view.getBigUint64(8, true)
  const refusal = apiRefusal(c, view.getBigUint64(0, true), wanted)
  view.setBigUint64(8, FEATURES, true)
  view.setBigUint64(16, FILE_REQUESTS, true)
  if (refusal === 0 && put(c, c.args.address(2), new Uint8Array(view.buffer)) < 0) return -EFAULT
  const { userfaults } = c.mm
  if (refusal === 0 && userfaults.features(context) === 0) {
    userfaults.setFeatures(context, Number(wanted) + UserfaultFeature.initialized)
    return 0
  }
  return put(c, c.args.address(2), new Uint8Array(24)) < 0 ? -EFAULT : refusal || -EINVAL
}

function apiRefusal(c: SyscallContext, version: bigint, wanted: bigint): number {
  if (version !== API) return -EINVAL
  const wantsForks = (wanted & BigInt(UserfaultFeature.eventFork)) !== 0n
  if (wantsForks && !may(userOfCall(c).credentials, Capability.trace)) return -EPERM
  return (wanted & ~FEATURES) === 0n ? 0 : -EINVAL
}
