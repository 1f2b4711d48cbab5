/** futex(2): waiting for a word of memory to change, and waking who waits. */
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT } from '../../base/errno.js'
import { loadUser32 } from '../../fault/user-copy.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'
import { ERESTART_RESTARTBLOCK, ERESTARTSYS, PARKED, WaitKind } from '../wait.js'
import { readTime } from './user-data.js'

const FUTEX_WAIT = 0
const FUTEX_WAKE = 1
const FUTEX_WAIT_BITSET = 9
const FUTEX_WAKE_BITSET = 10
const FUTEX_CLOCK_REALTIME = 256
const COMMAND_MASK = 127

/** When the wait ends: Infinity without a timeout, or a negative errno. FUTEX_WAIT counts from now, the other names a moment. */
function deadlineOf(c: SyscallContext, command: number): number {
  if (c.args.isZero(3)) return Number.POSITIVE_INFINITY
  const time = readTime(c, c.args.address(3))
  if (time < 0 || c.thread.isResumed) return time < 0 ? time : c.thread.deadline
  if (command === FUTEX_WAIT) return c.linux.clock.now() + time
  return Math.max(0, c.linux.clock.fromClock(time, (c.args.low(1) & FUTEX_CLOCK_REALTIME) !== 0))
}

function wait(c: SyscallContext, command: number): number {
  const address = c.args.address(0)
  if (command === FUTEX_WAIT_BITSET && c.args.low(5) === 0) return -EINVAL
  const deadline = deadlineOf(c, command)
  if (deadline < 0) return deadline
  if (address % 4 !== 0) return -EINVAL
  if (c.thread.isResumed) return resume(c, address, deadline)
  const value = loadUser32(c.mm, c.space, address)
  if (value < 0) return -EFAULT
  if (value !== c.args.low(2)) return -EAGAIN
  if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  return park(c, address, deadline)
}

/** A wait without a timeout runs again after a signal's handler when that has SA_RESTART; one with a timeout never. */
function park(c: SyscallContext, address: number, deadline: number): number {
  if (c.thread.park(WaitKind.futex, address, deadline) === PARKED) return PARKED
  return c.args.isZero(3) ? -ERESTARTSYS : -ERESTART_RESTARTBLOCK
}

/** Woken: by the word's waker, the deadline, or a signal. */
function resume(c: SyscallContext, address: number, deadline: number): number {
  if (c.thread.waitKind !== WaitKind.futex || c.thread.wasWoken) return 0
  if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  return park(c, address, deadline)
}

function wake(c: SyscallContext, command: number): number {
  const address = c.args.address(0)
  if (command === FUTEX_WAKE_BITSET && c.args.low(5) === 0) return -EINVAL
  if (address % 4 !== 0) return -EINVAL
  return c.linux.wake(WaitKind.futex, address, c.args.int(2))
}

function futex(c: SyscallContext): number {
  const command = c.args.low(1) & COMMAND_MASK
  if (command === FUTEX_WAIT || command === FUTEX_WAIT_BITSET) return wait(c, command)
  if (command === FUTEX_WAKE || command === FUTEX_WAKE_BITSET) return wake(c, command)
  return -ENOSYS
}

export const futexCalls: readonly Syscall[] = [{ number: 98, name: 'futex', trace: 'pdupp', handler: futex }]
