/** The arguments of futex(2): commands, flags and timeouts (include/uapi/linux/futex.h). */
import { EFAULT } from '../../base/errno.js'
import type { SyscallContext } from '../syscall-context.js'
import { ClockBase } from '../time-offset.js'
import { momentAt, readStruct, timeAt } from './user-data.js'

export const FutexCommand = {
  wait: 0,
  wake: 1,
  requeue: 3,
  compareRequeue: 4,
  wakeOperation: 5,
  lock: 6,
  unlock: 7,
  tryLock: 8,
  waitBits: 9,
  wakeBits: 10,
  waitRequeueLock: 11,
  compareRequeueLock: 12,
  lockByClock: 13,
  mask: 127,
  /** Flags besides the command: for this process only, and the clock that the timeout is of. */
  private: 128,
  realtime: 256,
  /** Commands that may be told the clock. */
  withClock: [9, 11, 13] as readonly number[],
} as const

export const isPrivate = (c: SyscallContext) => (c.args.low(1) & FutexCommand.private) !== 0

/** When the wait ends: Infinity without a timeout, or a negative errno. FUTEX_WAIT counts from now, the others name a moment. */
export function deadlineOf(c: SyscallContext, command: number): number {
  if (c.args.isZero(3)) return Number.POSITIVE_INFINITY
  const view = readStruct(c, c.args.address(3), 16)
  const time = view === undefined ? -EFAULT : timeAt(view, 0)
  if (time < 0 || c.thread.isResumed) return time < 0 ? time : c.thread.deadline
  if (command === FutexCommand.wait) return c.linux.clock.now() + time
  const isRealtime = command === FutexCommand.lock || (c.args.low(1) & FutexCommand.realtime) !== 0
  return Math.max(0, momentAt(c, isRealtime ? ClockBase.wall : ClockBase.monotonic, view!, 0))
}
