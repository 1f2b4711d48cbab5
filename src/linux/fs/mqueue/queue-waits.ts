/** Threads that wait in mq_timedsend(2) and mq_timedreceive(2) (wq_sleep of ipc/mqueue.c). */
import { ENOMEM, ETIMEDOUT } from '../../../base/errno.js'
import { NULL, type Ptr } from '../../../base/numbers.js'
import type { SyscallContext } from '../../syscall-context.js'
import type { Thread } from '../../thread.js'
import { PARKED, WaitKind } from '../../wait.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { queueOf } from './mqueue-file.js'
import type { Role } from './queue-record.js'

/** The record of a thread whose call has waited and runs again, NULL in a first run. */
export function waiterOf({ isResumed, waitKind, waitArgument }: Thread): Ptr {
  return isResumed && waitKind === WaitKind.messages ? (waitArgument as Ptr) : NULL
}

/** What a wait has come to: the message that somebody has sent (NULL for a sender), or why there is none, or PARKED. */
export type Waited = { readonly message: Ptr } | number

/** Waits at a queue, with the message that is to be sent; that stays open, whoever closes it. */
export function waitAtQueue(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  role: Role,
  message: Ptr,
  deadline: number,
): Waited {
  const waiter = vfs.queues.waiters.add(queueOf(vfs, file), role, c.thread, message)
  if (waiter === NULL) {
    if (message !== NULL) vfs.queues.messages.free(message)
    return -ENOMEM
  }
  file.references++
  vfs.state.queueWaits.set(waiter, file)
  return goOnWaiting(vfs, c, waiter, deadline)
}

/** What has come goes before a signal, and that before the end of the time. */
export function goOnWaiting(vfs: Vfs, c: SyscallContext, waiter: Ptr, deadline: number): Waited {
  const { thread } = c
  if (vfs.queues.waiters.isServed(waiter)) return { message: leave(vfs, thread, waiter) }
  const isOver = c.linux.clock.now() >= deadline && !thread.hasSignal
  const result = isOver ? -ETIMEDOUT : thread.park(WaitKind.messages, waiter, deadline)
  if (result === PARKED) return result
  giveUp(vfs, thread, waiter)
  return result
}

/** A thread that waits has ended. */
export function leaveQueue(vfs: Vfs, thread: Thread): void {
  if (thread.waitKind === WaitKind.messages) giveUp(vfs, thread, thread.waitArgument as Ptr)
}

function giveUp(vfs: Vfs, thread: Thread, waiter: Ptr): void {
  const message = leave(vfs, thread, waiter)
  if (message !== NULL) vfs.queues.messages.free(message)
}

function leave(vfs: Vfs, thread: Thread, waiter: Ptr): Ptr {
  const { queueWaits } = vfs.state
  const file = queueWaits.get(waiter)!
  queueWaits.delete(waiter)
  thread.endWait()
  const message = vfs.queues.waiters.remove(waiter)
  vfs.drop(file)
  return message
}
