/** futex(2): waiting for a word of memory to change, and waking who waits. */
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT } from '../../base/errno.js'
import { Access } from '../../fault/access.js'
import { loadUser32 } from '../../fault/user-copy.js'
import { type FutexKey, findKey, makeKey } from '../futex-keys.js'
import { ANY_BIT } from '../futex-table.js'
import { FutexRole } from '../futex-waiter.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { ERESTART_RESTARTBLOCK, ERESTARTSYS, PARKED, WaitKind } from '../wait.js'
import { FutexCommand as Command, deadlineOf, isPrivate } from './futex-arguments.js'
import { lockCommand } from './futex-lock-calls.js'
import { changeWord, isConditionMet } from './futex-operation.js'
import { futexWaitv } from './futex-waitv.js'

function wait(c: SyscallContext, command: number): number {
  const bits = command === Command.wait ? ANY_BIT : c.args.low(5)
  const deadline = deadlineOf(c, command)
  if (deadline < 0) return deadline
  if (bits === 0) return -EINVAL
  if (c.thread.isResumed) {
    if (c.thread.waitKind !== WaitKind.futex || c.thread.wasWoken) return 0
    c.linux.futexes.table.leave(c.thread)
    if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  }
  const key = makeKey()
  const problem = findKey(c.mm, c.space, c.args.address(0), isPrivate(c), Access.read, key)
  if (problem < 0) return problem
  const value = loadUser32(c.mm, c.space, c.args.address(0))
  if (value < 0) return -EFAULT
  if (value !== c.args.low(2)) return -EAGAIN
  if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  return park(c, key, bits, deadline)
}

/** A wait without a timeout runs again after a signal's handler when that has SA_RESTART; one with a timeout never. */
function park(c: SyscallContext, key: FutexKey, bits: number, deadline: number): number {
  if (c.thread.park(WaitKind.futex, c.args.address(0), deadline) !== PARKED) {
    return c.args.isZero(3) ? -ERESTARTSYS : -ERESTART_RESTARTBLOCK
  }
  c.linux.futexes.table.enter(c.thread, key, bits, FutexRole.waiter)
  return PARKED
}

function wake(c: SyscallContext, command: number): number {
  const bits = command === Command.wake ? ANY_BIT : c.args.low(5)
  if (bits === 0) return -EINVAL
  const key = makeKey()
  const problem = findKey(c.mm, c.space, c.args.address(0), isPrivate(c), Access.read, key)
  return problem < 0 ? problem : c.linux.futexes.wake(key, c.args.int(2), bits)
}

/** Both keys of a call with two addresses: 0 or a negative errno. */
function findKeys(c: SyscallContext, second: Access, key: FutexKey, other: FutexKey): number {
  const problem = findKey(c.mm, c.space, c.args.address(0), isPrivate(c), Access.read, key)
  return problem < 0 ? problem : findKey(c.mm, c.space, c.args.address(4), isPrivate(c), second, other)
}

function requeue(c: SyscallContext, command: number): number {
  const wakes = c.args.int(2)
  const moves = c.args.int(3)
  if (wakes < 0 || moves < 0) return -EINVAL
  const key = makeKey()
  const other = makeKey()
  const problem = findKeys(c, Access.read, key, other)
  if (problem < 0) return problem
  if (command === Command.compareRequeue) {
    const value = loadUser32(c.mm, c.space, c.args.address(0))
    if (value < 0) return -EFAULT
    if (value !== c.args.low(5)) return -EAGAIN
  }
  return c.linux.futexes.requeue(key, other, wakes, moves)
}

/** Changes the second word, wakes who waits for the first, and for the second when its old value says so. */
function wakeOperation(c: SyscallContext): number {
  const key = makeKey()
  const other = makeKey()
  const problem = findKeys(c, Access.write, key, other)
  if (problem < 0) return problem
  const old = changeWord(c, c.args.address(4), c.args.low(5))
  if (old < 0) return old
  const isMet = isConditionMet(old | 0, c.args.low(5))
  if (isMet < 0) return isMet
  const woken = c.linux.futexes.wake(key, c.args.int(2), ANY_BIT)
  return isMet === 0 || woken < 0
    ? woken
    : addWoken(woken, c.linux.futexes.wake(other, c.args.int(3), ANY_BIT))
}

const addWoken = (first: number, second: number) => (second < 0 ? second : first + second)

function futex(c: SyscallContext): number {
  const command = c.args.low(1) & Command.mask
  if ((c.args.low(1) & Command.realtime) !== 0 && !Command.withClock.includes(command)) return -ENOSYS
  switch (command) {
    case Command.wait:
    case Command.waitBits:
      return wait(c, command)
    case Command.wake:
    case Command.wakeBits:
      return wake(c, command)
    case Command.requeue:
    case Command.compareRequeue:
      return requeue(c, command)
    case Command.wakeOperation:
      return wakeOperation(c)
    default:
      return lockCommand(c, command)
  }
}

export const futexCalls: readonly Syscall[] = [
  syscall(98, 'futex', 'pdupp', futex),
  syscall(449, 'futex_waitv', 'puxpd', futexWaitv),
]
