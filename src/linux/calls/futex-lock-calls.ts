/** The commands of futex(2) for locks with priority inheritance. */
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT } from '../../base/errno.js'
import { Access } from '../../fault/access.js'
import { loadUser32 } from '../../fault/user-copy.js'
import { type FutexKey, findKey, isSameKey, makeKey } from '../futex-keys.js'
import { LOCK_IS_HELD, type Lock } from '../futex-locks.js'
import { FutexRole } from '../futex-waiter.js'
import type { SyscallContext } from '../syscall-context.js'
import { ERESTARTNOINTR, PARKED, WaitKind } from '../wait.js'
import { FutexCommand as Command, deadlineOf, isPrivate } from './futex-arguments.js'

/** The lock that an argument names, or a negative errno. */
function lockAt(c: SyscallContext, argument: number, key: FutexKey = makeKey()): Lock | number {
  const address = c.args.address(argument)
  const problem = findKey(c.mm, c.space, address, isPrivate(c), Access.write, key)
  return problem < 0 ? problem : { space: c.space, address, key }
}

function lock(c: SyscallContext, command: number): number {
  const isTrying = command === Command.tryLock
  const deadline = isTrying ? 0 : deadlineOf(c, command)
  if (deadline < 0) return deadline
  const { locks, table } = c.linux.futexes
  if (c.thread.isResumed) {
    if (c.thread.wasWoken) return 0
    table.leave(c.thread)
  }
  const wanted = lockAt(c, 0)
  if (typeof wanted === 'number') return wanted
  const result = locks.take(wanted, c.thread, isTrying)
  if (result !== LOCK_IS_HELD) return result
  if (isTrying) return -EAGAIN
  if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  if (c.thread.park(WaitKind.futex, wanted.address, deadline) !== PARKED) return -ERESTARTNOINTR
  locks.wait(wanted, c.thread)
  return PARKED
}

function unlock(c: SyscallContext): number {
  const held = lockAt(c, 0)
  return typeof held === 'number' ? held : c.linux.futexes.locks.unlock(held, c.thread)
}

/** Waits for a word; who is woken has the lock that the fifth argument names. */
function waitRequeue(c: SyscallContext): number {
  const deadline = deadlineOf(c, Command.waitRequeueLock)
  if (deadline < 0) return deadline
  if (c.thread.isResumed) return endRequeueWait(c, deadline)
  const key = makeKey()
  const problem = findKey(c.mm, c.space, c.args.address(0), isPrivate(c), Access.read, key)
  if (problem < 0) return problem
  const target = lockAt(c, 4)
  if (typeof target === 'number') return target
  const value = loadUser32(c.mm, c.space, c.args.address(0))
  if (value < 0) return -EFAULT
  if (value !== c.args.low(2)) return -EAGAIN
  if (isSameKey(key, target.key)) return -EINVAL
  if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  if (c.thread.park(WaitKind.futex, target.address, deadline) !== PARKED) return -ERESTARTNOINTR
  c.linux.futexes.table.enter(c.thread, key, c.args.low(5), FutexRole.requeue)
  return PARKED
}

function endRequeueWait(c: SyscallContext, deadline: number): number {
  if (c.thread.wasWoken) return 0
  const { table } = c.linux.futexes
  const isInLine = table.roleOfThread(c.thread) === FutexRole.lock
  table.leave(c.thread)
  if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  return isInLine ? -EAGAIN : -ERESTARTNOINTR
}

function requeue(c: SyscallContext): number {
  if (c.args.int(2) !== 1 || c.args.int(3) < 0) return -EINVAL
  const from = lockAt(c, 0)
  if (typeof from === 'number') return from
  const to = lockAt(c, 4)
  if (typeof to === 'number') return to
  return c.linux.futexes.locks.requeue(from, to, c.args.int(3), c.args.low(5))
}

export function lockCommand(c: SyscallContext, command: number): number {
  switch (command) {
    case Command.lock:
    case Command.lockByClock:
    case Command.tryLock:
      return lock(c, command)
    case Command.unlock:
      return unlock(c)
    case Command.waitRequeueLock:
      return waitRequeue(c)
    case Command.compareRequeueLock:
      return requeue(c)
    default:
      return -ENOSYS
  }
}
