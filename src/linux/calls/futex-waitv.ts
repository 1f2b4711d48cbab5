/** futex_waitv(2): waiting for any of several words of memory. */
import { EAGAIN, EFAULT, EINVAL, ENOMEM, ETIMEDOUT } from '../../base/errno.js'
import { Access } from '../../fault/access.js'
import { loadUser32 } from '../../fault/user-copy.js'
import { type FutexKey, findKey, makeKey } from '../futex-keys.js'
import type { SyscallContext } from '../syscall-context.js'
import { ClockBase } from '../time-offset.js'
import { ERESTARTSYS, PARKED, WaitKind } from '../wait.js'
import { i64, momentAt, readStruct, timeAt } from './user-data.js'

/** FUTEX_WAITV_MAX. */
const MOST = 128
const STRUCT_BYTES = 24

/** Flags of a struct futex_waitv: the size is two bits, of which only that of four bytes is known. */
const SIZE_MASK = 3
const SIZE_U32 = 2
const PRIVATE = 128

const CLOCK_REALTIME = 0
const CLOCK_MONOTONIC = 1

interface Waited {
  readonly address: number
  readonly value: number
  readonly isPrivate: boolean
}

/**
 * futex_waitv(waiters, count, flags, timeout, clock): which one was woken, the last one if several were; -EINVAL, -EFAULT, -EAGAIN (one
 * has another value), -ETIMEDOUT, -ENOMEM.
 */
export function futexWaitv(c: SyscallContext): number {
  const count = c.args.low(1)
  if (c.args.low(2) !== 0 || count === 0 || count > MOST || c.args.isZero(0)) return -EINVAL
  const deadline = deadlineOf(c)
  if (deadline < 0) return deadline
  if (c.thread.isResumed) {
    const woken = c.linux.futexes.table.finishVector(c.thread)
    if (woken >= 0) return woken
    if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
    if (c.thread.hasSignal) return -ERESTARTSYS
  }
  const waited = readWaited(c, count)
  return typeof waited === 'number' ? waited : wait(c, waited, deadline)
}

/** A moment of one of two clocks: Infinity without a timeout, or a negative errno. */
function deadlineOf(c: SyscallContext): number {
  if (c.args.isZero(3)) return Number.POSITIVE_INFINITY
  if (c.thread.isResumed) return c.thread.deadline
  const clock = c.args.int(4)
  if (clock !== CLOCK_REALTIME && clock !== CLOCK_MONOTONIC) return -EINVAL
  const view = readStruct(c, c.args.address(3), 16)
  const time = view === undefined ? -EFAULT : timeAt(view, 0)
  const base = clock === CLOCK_REALTIME ? ClockBase.wall : ClockBase.monotonic
  return time < 0 ? time : Math.max(0, momentAt(c, base, view!, 0))
}

function readWaited(c: SyscallContext, count: number): Waited[] | number {
  const waited: Waited[] = []
  for (let i = 0; i < count; i++) {
    const view = readStruct(c, c.args.address(0) + i * STRUCT_BYTES, STRUCT_BYTES)
    if (view === undefined) return -EFAULT
    const flags = view.getUint32(16, true)
    if ((flags & ~(SIZE_MASK | PRIVATE)) !== 0 || view.getUint32(20, true) !== 0) return -EINVAL
    if ((flags & SIZE_MASK) !== SIZE_U32 || view.getUint32(4, true) !== 0) return -EINVAL
    waited.push({
      address: addressAt(view),
      value: view.getUint32(0, true),
      isPrivate: (flags & PRIVATE) !== 0,
    })
  }
  return waited
}

/** One so large that it would be rounded is none of a program's, but as misaligned as it is. */
function addressAt(view: DataView): number {
  const address = i64(view, 8)
  return Number.isSafeInteger(address) ? address : -4096 + (view.getUint32(8, true) % 4)
}

function wait(c: SyscallContext, waited: readonly Waited[], deadline: number): number {
  const keys: FutexKey[] = []
  for (const { address, isPrivate } of waited) {
    const key = makeKey()
    const problem = findKey(c.mm, c.space, address, isPrivate, Access.read, key)
    if (problem < 0) return problem
    keys.push(key)
  }
  for (const { address, value } of waited) {
    const found = loadUser32(c.mm, c.space, address)
    if (found < 0) return -EFAULT
    if (found !== value) return -EAGAIN
  }
  return park(c, keys, deadline)
}

/** As Linux, it also waits when the moment has passed, and is woken by that at once. */
function park(c: SyscallContext, keys: readonly FutexKey[], deadline: number): number {
  if (c.linux.clock.now() >= deadline) return -ETIMEDOUT
  const { table } = c.linux.futexes
  if (!table.enterVector(c.thread, keys)) return -ENOMEM
  if (c.thread.park(WaitKind.futex, 0, deadline) === PARKED) return PARKED
  table.finishVector(c.thread)
  return -ERESTARTSYS
}
