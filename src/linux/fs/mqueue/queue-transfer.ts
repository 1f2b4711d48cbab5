/** mq_timedsend and mq_timedreceive: ipc/mqueue.c of Linux 6.12, in its order of checks. */
import { EAGAIN, EBADF, EFAULT, EINVAL, EMSGSIZE } from '../../../base/errno.js'
import { NULL, type Ptr } from '../../../base/numbers.js'
import { i64, readStruct, timeAt } from '../../calls/user-data.js'
import type { SyscallContext } from '../../syscall-context.js'
import { fileArgument, put } from '../calls/support.js'
import { UserBytes } from '../calls/user-bytes.js'
import { Open } from '../flags.js'
import { isReadable, isWritable, type OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { queueOf, tellQueueFile } from './mqueue-file.js'
import { PRIORITIES, Role } from './queue-record.js'
import { goOnWaiting, type Waited, waitAtQueue, waiterOf } from './queue-waits.js'

const TIMESPEC_BYTES = 16

/** The open queue of argument 0, or -EBADF. */
export function queueArgument(c: SyscallContext): OpenFile | number {
  const file = fileArgument(c, 0)
  return typeof file !== 'number' && file.kind === 'mqueue' ? file : -EBADF
}

/** When the wait ends, a moment since 1970: Infinity without one; -EFAULT, -EINVAL. */
function deadlineArgument(c: SyscallContext): number {
  if (c.args.isZero(4)) return Number.POSITIVE_INFINITY
  const view = readStruct(c, c.args.address(4), TIMESPEC_BYTES)
  if (view === undefined) return -EFAULT
  if (timeAt(view, 0) < 0) return -EINVAL
  return Math.max(0, c.linux.clock.fromTimeOfDay(i64(view, 0), i64(view, 8)))
}

export function timedSend(vfs: Vfs, c: SyscallContext): number {
  const waiter = waiterOf(c.thread)
  if (waiter !== NULL) return sent(goOnWaiting(vfs, c, waiter, c.thread.deadline))
  const deadline = deadlineArgument(c)
  if (deadline < 0) return deadline
  const priority = c.args.low(3)
  if (priority >= PRIORITIES) return -EINVAL
  const file = queueArgument(c)
  if (typeof file === 'number' || !isWritable(file)) return -EBADF
  const [address, length] = [c.args.address(1), c.args.address(2)]
  if (length > queueOf(vfs, file).messageBytes) return -EMSGSIZE
  const message = vfs.queues.messages.make(new UserBytes(c, [{ address, length }]), priority)
  return message < 0 ? message : send(vfs, c, file, message as Ptr, deadline)
}

function send(vfs: Vfs, c: SyscallContext, file: OpenFile, message: Ptr, deadline: number): number {
  const queue = queueOf(vfs, file)
  if (queue.count < queue.messages) {
    if (vfs.queues.send(queue, message)) tellQueueFile(vfs, file)
    touch(vfs, file)
    return 0
  }
  if ((file.flags & Open.nonBlock) === 0) {
    return sent(waitAtQueue(vfs, c, file, Role.send, message, deadline))
  }
  vfs.queues.messages.free(message)
  return -EAGAIN
}

function sent(waited: Waited): number {
  return typeof waited === 'number' ? waited : 0
}

function touch(vfs: Vfs, { dentry: { inode } }: OpenFile): void {
  inode.changed = vfs.now()
  inode.modified = inode.changed
  inode.accessed = inode.changed
}

export function timedReceive(vfs: Vfs, c: SyscallContext): number {
  const waiter = waiterOf(c.thread)
  if (waiter !== NULL) return received(vfs, c, goOnWaiting(vfs, c, waiter, c.thread.deadline))
  const deadline = deadlineArgument(c)
  if (deadline < 0) return deadline
  const file = queueArgument(c)
  if (typeof file === 'number' || !isReadable(file)) return -EBADF
  const queue = queueOf(vfs, file)
  if (c.args.address(2) < queue.messageBytes) return -EMSGSIZE
  if (queue.count > 0) {
    const { message, hasRoom } = vfs.queues.receive(queue)
    if (hasRoom) tellQueueFile(vfs, file)
    touch(vfs, file)
    return deliver(vfs, c, message)
  }
  if ((file.flags & Open.nonBlock) !== 0) return -EAGAIN
  return received(vfs, c, waitAtQueue(vfs, c, file, Role.receive, NULL, deadline))
}

function received(vfs: Vfs, c: SyscallContext, waited: Waited): number {
  return typeof waited === 'number' ? waited : deliver(vfs, c, waited.message)
}

/** Its length. One that cannot be stored is lost, as in Linux. */
function deliver(vfs: Vfs, c: SyscallContext, message: Ptr): number {
  const { messages } = vfs.queues
  const length = messages.length(message)
  const result = store(vfs, c, message, length)
  messages.free(message)
  return result < 0 ? result : length
}

function store(vfs: Vfs, c: SyscallContext, message: Ptr, length: number): number {
  const { messages } = vfs.queues
  const priority = new Uint8Array(Uint32Array.of(messages.priority(message)).buffer)
  if (!c.args.isZero(3) && put(c, c.args.address(3), priority) !== 0) return -EFAULT
  return messages.give(message, new UserBytes(c, [{ address: c.args.address(1), length }]))
}
