/** A message queue as an open file: what is read from it tells of the queue, and it polls as one thinks. */
import { EINVAL } from '../../../base/errno.js'
import { Notify } from '../../timer-record.js'
import type { FileOperations } from '../file-operations.js'
import { Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import { bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import type { MessageQueue } from './queue-record.js'

export const QUEUE_READABLE = Poll.in | Poll.readNormal
export const QUEUE_WRITABLE = Poll.out | Poll.writeNormal

/** The queue of an open file of kind `mqueue`. */
export function queueOf(vfs: Vfs, { dentry }: OpenFile): MessageQueue {
  return vfs.queues.at(dentry.inode.queue!.ptr)
}

/** A message, or room for one, has come: who polls looks. */
export function tellQueueFile(vfs: Vfs, { dentry }: OpenFile): void {
  vfs.events.notify(dentry.inode.queue!.events, QUEUE_READABLE | QUEUE_WRITABLE)
}

/** mqueue_read_file. */
function textOf({ bytes, notify, owner, signal }: MessageQueue): string {
  const kind = owner === 0 ? Notify.signal : notify
  const number = owner !== 0 && notify === Notify.signal ? signal : 0
  const column = (value: number, width: number) => `${value}`.padEnd(width)
  const who = `NOTIFY:${column(kind, 5)} SIGNO:${column(number, 5)} NOTIFY_PID:${column(owner, 6)}`
  return `QSIZE:${column(bytes, 10)} ${who}\n`
}

export const queueFile: FileOperations = {
  read(vfs, file, position, target) {
    const { inode } = file.dentry
    const rest = bytesOf(textOf(queueOf(vfs, file))).subarray(position, position + target.length)
    target.set(rest)
    if (rest.length > 0) {
      inode.changed = vfs.now()
      inode.accessed = inode.changed
    }
    return rest.length
  },
  write: () => -EINVAL,
  poll(vfs, file) {
    const { count, messages } = queueOf(vfs, file)
    return (count > 0 ? QUEUE_READABLE : 0) | (count < messages ? QUEUE_WRITABLE : 0)
  },
  waitsFor: (_vfs, file) => file.dentry.inode.queue!.events.mask,
  events: (file) => file.dentry.inode.queue!.events,
}
