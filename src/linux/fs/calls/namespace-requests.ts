/** What ioctl(2) tells of namespaces: of their files (ioctl_ns(2)), and of those that somebody behind a pidfd is in. */
import { EACCES, EINVAL, ENOENT, ENOTTY, EPERM, ESRCH } from '../../../base/errno.js'
import { type Namespace, NamespaceFlag, type NamespaceName } from '../../namespaces.js'
import { PidNamespace } from '../../pid-namespace.js'
import { mayAccess } from '../../process-access.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import { Open } from '../flags.js'
import { pidOf } from '../ipc/pid-file.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { installFile, put, setInt64, userOfCall } from './support.js'

/** NS_*. */
const Request = {
  user: 0xb701,
  parent: 0xb702,
  type: 0xb703,
  owner: 0xb704,
  mountsId: 0x8008b705,
  pidFrom: 0x8004b706,
  groupFrom: 0x8004b707,
  pidIn: 0x8004b708,
  groupIn: 0x8004b709,
} as const
/** Lowest byte of requests whose structures may grow. */
const MountRequest = { info: 10, next: 11, previous: 12 } as const
/** struct mnt_ns_info. */
const MOUNT_INFO_BYTES = 16
/** The one namespace of mounts (mnt_ns_id). */
const MOUNTS_ID = 1

/** PIDFD_GET_*_NAMESPACE, from 0xff01 on. */
const OF_PID_FILE = 0xff01
const PID_FILE_NAMES: readonly NamespaceName[] = [
  'cgroup',
  'ipc',
  'mnt',
  'net',
  'pid',
  'pid_for_children',
  'time',
  'time_for_children',
  'user',
  'uts',
]

/** A file number for a namespace. */
function openNamespace(vfs: Vfs, c: SyscallContext, namespace: Namespace): number {
  const dentry = vfs.internal.namespaceFile(namespace)
  return installFile(c, vfs.openFile('namespace', dentry, Open.readOnly | Open.largeFile), true)
}

export function namespaceIoctl(vfs: Vfs, c: SyscallContext, file: OpenFile, request: number): number {
  const namespace = file.dentry.inode.namespace!
  const number = request & 0xff
  const isAboutOthers = number === MountRequest.next || number === MountRequest.previous
  if (isAboutOthers && !maySeeAll(c)) return -EPERM
  switch (request) {
    case Request.user:
      // The first one has no owner.
      if (namespace.kind === 'user') return -EPERM
      return openNamespace(vfs, c, vfs.env.namespaces.initial('user'))
    case Request.parent:
      return openParent(vfs, c, namespace)
    case Request.type:
      return NamespaceFlag[namespace.kind]
    case Request.owner:
      return namespace.kind === 'user' ? put(c, c.args.address(2), new Uint8Array(4)) : -EINVAL
    case Request.mountsId:
      return namespace.kind === 'mnt' ? put(c, c.args.address(2), idBytes()) : -EINVAL
    case Request.pidFrom:
    case Request.groupFrom:
    case Request.pidIn:
    case Request.groupIn:
      return translate(c, namespace, request)
    default:
      return isAboutOthers || number === MountRequest.info ? mounts(vfs, c, namespace, request) : -ENOTTY
  }
}

function maySeeAll(c: SyscallContext): boolean {
  return !c.process.namespace.isNested && may(userOfCall(c).credentials, Capability.administrate)
}

/** Only namespaces of users and of process numbers are within others; those around the caller's own are hidden from it. */
function openParent(vfs: Vfs, c: SyscallContext, namespace: Namespace): number {
  if (namespace.kind === 'user') return -EPERM
  if (!(namespace instanceof PidNamespace)) return -EINVAL
  const { parent } = namespace
  return parent?.isWithin(c.process.namespace) ? openNamespace(vfs, c, parent) : -EPERM
}

/** A number of a process or thread in the caller's namespace from that in another, or the other way round: -EINVAL, -ESRCH. */
function translate(c: SyscallContext, namespace: Namespace, request: number): number {
  if (!(namespace instanceof PidNamespace)) return -EINVAL
  const own = c.process.namespace
  const isInwards = request === Request.pidIn || request === Request.groupIn
  const [from, to] = isInwards ? [own, namespace] : [namespace, own]
  const { linux } = c
  const id = from.idOf(c.args.int(2))
  const thread = linux.threads.byId(id)
  const process = thread === undefined ? linux.processes.get(id) : linux.processOf(thread)
  if (process === undefined) return -ESRCH
  const isGroup = request === Request.groupFrom || request === Request.groupIn
  return to.numberOf(isGroup ? process.id : id) || -ESRCH
}

function idBytes(): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  setInt64(view, 0, MOUNTS_ID)
  return new Uint8Array(view.buffer)
}

/** NS_MNT_GET_INFO; there is no other namespace to go on to. */
function mounts(vfs: Vfs, c: SyscallContext, { kind }: Namespace, request: number): number {
  const size = (request >>> 16) & 0x3fff
  const isInfo = (request & 0xff) === MountRequest.info
  if (kind !== 'mnt' || (isInfo && c.args.isZero(2)) || size < MOUNT_INFO_BYTES) return -EINVAL
  if (!isInfo) return -ENOENT
  const mounted = vfs.state.filesystems.filter(({ mountPath }) => mountPath !== '').length
  const view = new DataView(new ArrayBuffer(MOUNT_INFO_BYTES))
  view.setUint32(0, MOUNT_INFO_BYTES, true)
  view.setUint32(4, mounted - 1, true)
  setInt64(view, 8, MOUNTS_ID)
  return put(c, c.args.address(2), new Uint8Array(view.buffer))
}

/** PIDFD_GET_*_NAMESPACE: -EINVAL, -ESRCH, -EACCES; -ENOTTY for what no pidfd knows. */
export function pidFileIoctl(vfs: Vfs, c: SyscallContext, file: OpenFile, request: number): number {
  if (!c.args.isZero(2)) return -EINVAL
  const { id, isGone } = pidOf(file)
  const { linux } = c
  const thread = isGone ? undefined : linux.threads.byId(id)
  const process = thread === undefined ? linux.processes.get(id) : linux.processOf(thread)
  if (isGone || process === undefined) return -ESRCH
  if (mayAccess(c.process, process, 'files') < 0) return -EACCES
  if (thread === undefined) return -ESRCH
  const name = PID_FILE_NAMES[request - OF_PID_FILE]
  if (name === undefined) return -ENOTTY
  const forChildren = thread.childNamespace ?? process.namespace
  const namespace = name === 'pid_for_children' ? forChildren : linux.namespaces.of(process, thread, name)
  return openNamespace(vfs, c, namespace!)
}
