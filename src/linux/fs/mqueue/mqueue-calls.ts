/** mq_open, mq_unlink, mq_notify and mq_getsetattr: ipc/mqueue.c of Linux 6.12, in its order of checks. */
import {
  EACCES,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENAMETOOLONG,
  ENOENT,
  ENOTSOCK,
  EPERM,
} from '../../../base/errno.js'
import type { Ptr } from '../../../base/numbers.js'
import { copyOut, i64, readStruct, StructWriter } from '../../calls/user-data.js'
import { Limit } from '../../limits.js'
import { SIGNAL_MAX } from '../../signal-numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Notify } from '../../timer-record.js'
import { freeNumber, installFile, pathArgument, userOfCall } from '../calls/support.js'
import { Capability } from '../capabilities.js'
import { checkAccess, checkChange, isProtected, May, may } from '../credentials.js'
import { NAME_MAX, Open } from '../flags.js'
import type { Dentry } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { queueOf } from './mqueue-file.js'
import type { QueueSize } from './queue-record.js'
import { queueArgument, timedReceive, timedSend } from './queue-transfer.js'

const ATTRIBUTE_BYTES = 64
const SIGEVENT_BYTES = 64
/** NOTIFY_COOKIE_LEN: what the netlink socket of SIGEV_THREAD would carry. */
const COOKIE_BYTES = 32
/** Flags of the opening that F_GETFL does not show. */
const NOT_KEPT = Open.create | Open.exclusive | Open.noControllingTerminal | Open.truncate
/** By access mode; the fourth is refused before. */
const ACCESS = [May.read, May.write, May.read | May.write] as const

export function messageQueueCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(180, 'mq_open', 'somp', (c) => open(vfs, c)),
    syscall(181, 'mq_unlink', 's', (c) => unlink(vfs, c)),
    syscall(182, 'mq_timedsend', 'fbuup', (c) => timedSend(vfs, c)),
    syscall(183, 'mq_timedreceive', 'fBupp', (c) => timedReceive(vfs, c)),
    syscall(184, 'mq_notify', 'fp', (c) => notify(vfs, c)),
    syscall(185, 'mq_getsetattr', 'fpp', (c) => attributes(vfs, c)),
  ]
}

/** The size that argument 3 of mq_open asks for, if any; -EFAULT. */
function sizeArgument(c: SyscallContext): QueueSize | undefined | number {
  if (c.args.isZero(3)) return undefined
  const view = readStruct(c, c.args.address(3), ATTRIBUTE_BYTES)
  return view === undefined ? -EFAULT : { messages: i64(view, 8), messageBytes: i64(view, 16) }
}

function open(vfs: Vfs, c: SyscallContext): number {
  const size = sizeArgument(c)
  if (typeof size === 'number') return size
  const name = pathArgument(c, 0)
  if (typeof name === 'number') return name
  const fd = freeNumber(c.process)
  if (fd < 0) return fd
  const found = lookUp(vfs, name)
  if (typeof found === 'number') return found
  const flags = c.args.int(1)
  const dentry = found === undefined ? create(vfs, c, name, size) : existing(c, found, flags)
  return typeof dentry === 'number' ? dentry : openQueue(vfs, c, dentry, flags)
}

/** The queue of that name, undefined when there is none (lookup_one_len): -EACCES, -ENAMETOOLONG. */
function lookUp(vfs: Vfs, name: string): Dentry | undefined | number {
  if (name === '.' || name === '..' || name.includes('/')) return -EACCES
  if (name.length > NAME_MAX) return -ENAMETOOLONG
  return vfs.internal.queueFolder().children.get(name)
}

function create(vfs: Vfs, c: SyscallContext, name: string, size: QueueSize | undefined): Dentry | number {
  if ((c.args.int(1) & Open.create) === 0) return -ENOENT
  const user = userOfCall(c)
  const folder = vfs.internal.queueFolder()
  const refused = checkChange(user.credentials, folder.inode)
  if (refused !== 0) return refused
  const ptr = vfs.queues.create(size, {
    user: user.credentials.user.real,
    isUnlimited: may(user.credentials, Capability.resource),
    limit: c.process.softLimit(Limit.messageQueue),
  })
  if (ptr < 0) return ptr
  const mode = c.args.int(2) & 0o7777 & ~user.umask
  const node = { ptr: ptr as Ptr, events: vfs.events.makeSource() }
  return vfs.queueFiles.add(folder, name, node, mode, user.credentials, vfs.now())
}

/** prepare_open, of a queue that is there. */
function existing(c: SyscallContext, found: Dentry, flags: number): Dentry | number {
  const both = Open.create | Open.exclusive
  if ((flags & both) === both) return -EEXIST
  const access = ACCESS[flags & Open.accessMode]
  if (access === undefined) return -EINVAL
  return checkAccess(userOfCall(c).credentials, found.inode, access) || found
}

/** dentry_open, with what it refuses once the queue has been made. */
function openQueue(vfs: Vfs, c: SyscallContext, dentry: Dentry, flags: number): number {
  if ((flags & Open.path) !== 0) return installFile(c, vfs.openFile('path', dentry, flags), true)
  if ((flags & Open.direct) !== 0) return -EINVAL
  return installFile(c, vfs.openFile('mqueue', dentry, flags & ~NOT_KEPT), true)
}

function unlink(vfs: Vfs, c: SyscallContext): number {
  const name = pathArgument(c, 0)
  if (typeof name === 'number') return name
  const found = lookUp(vfs, name)
  if (typeof found === 'number') return found
  if (found === undefined) return -ENOENT
  const { credentials } = userOfCall(c)
  const folder = vfs.internal.queueFolder().inode
  const refused = checkChange(credentials, folder)
  if (refused !== 0) return refused
  if (isProtected(credentials, folder, found.inode)) return -EPERM
  return vfs.queueFiles.remove(found, vfs.now())
}

/** What struct sigevent asks for. */
interface Notification {
  readonly notify: number
  readonly signal: number
  readonly valueLow: number
  readonly valueHigh: number
}

/** undefined: none is given. -EFAULT, -EINVAL, and what is wrong with the socket of SIGEV_THREAD. */
function notificationArgument(c: SyscallContext): Notification | undefined | number {
  if (c.args.isZero(1)) return undefined
  const view = readStruct(c, c.args.address(1), SIGEVENT_BYTES)
  if (view === undefined) return -EFAULT
  const [valueLow, valueHigh] = [view.getUint32(0, true), view.getUint32(4, true)]
  const [signal, notify] = [view.getInt32(8, true), view.getInt32(12, true)]
  if (notify === Notify.thread) return checkThread(c, valueHigh * 0x1_0000_0000 + valueLow, signal)
  if (notify !== Notify.none && notify !== Notify.signal) return -EINVAL
  if (notify === Notify.signal && (signal < 0 || signal > SIGNAL_MAX)) return -EINVAL
  return { notify, signal, valueLow, valueHigh }
}

/** SIGEV_THREAD goes by a netlink socket, of which there are none here: its file is always a wrong one. */
function checkThread(c: SyscallContext, cookie: number, fd: number): number {
  if (readStruct(c, cookie, COOKIE_BYTES) === undefined) return -EFAULT
  const file = userOfCall(c).files.get(fd)
  if (file === undefined || file.kind === 'path') return -EBADF
  return file.kind === 'socket' ? -EINVAL : -ENOTSOCK
}

function notify(vfs: Vfs, c: SyscallContext): number {
  const wanted = notificationArgument(c)
  if (typeof wanted === 'number') return wanted
  const file = queueArgument(c)
  if (typeof file === 'number') return file
  const queue = queueOf(vfs, file)
  if (wanted === undefined) {
    if (queue.owner === c.process.id) {
      queue.owner = 0
      touch(vfs, file)
    }
    return 0
  }
  if (queue.owner !== 0) return -EBUSY
  queue.owner = c.process.id
  queue.notify = wanted.notify
  queue.signal = wanted.signal
  queue.setValue(wanted.valueLow, wanted.valueHigh)
  queue.executions = c.process.executions
  touch(vfs, file)
  return 0
}

function touch(vfs: Vfs, { dentry: { inode } }: OpenFile): void {
  inode.changed = vfs.now()
  inode.accessed = inode.changed
}

/** mq_getsetattr: only O_NONBLOCK can be changed. */
function attributes(vfs: Vfs, c: SyscallContext): number {
  const isSetting = !c.args.isZero(1)
  const wanted = isSetting ? readStruct(c, c.args.address(1), ATTRIBUTE_BYTES) : undefined
  if (isSetting && wanted === undefined) return -EFAULT
  const flags = wanted === undefined ? 0n : wanted.getBigUint64(0, true)
  if ((flags & ~BigInt(Open.nonBlock)) !== 0n) return -EINVAL
  const file = queueArgument(c)
  if (typeof file === 'number') return file
  const { messages, messageBytes, count } = queueOf(vfs, file)
  const before = new StructWriter(ATTRIBUTE_BYTES)
    .u64(0, file.flags & Open.nonBlock)
    .u64(8, messages)
    .u64(16, messageBytes)
    .u64(24, count)
  if (isSetting) {
    file.flags = (file.flags & ~Open.nonBlock) | Number(flags)
    touch(vfs, file)
  }
  return copyOut(c, 2, before)
}
