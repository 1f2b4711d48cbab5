/** What ppoll, pselect6 and epoll_pwait have in common: a deadline, and a signal mask for as long as they wait. */
import { EFAULT, EINTR, EINVAL } from '../../../base/errno.js'
import { swapMask } from '../../calls/signal-calls.js'
import { Personality } from '../../personality.js'
import type { SyscallContext } from '../../syscall-context.js'
import { THREAD_SAVED_MASK, ThreadFlag } from '../../thread-record.js'
import { ERESTARTNOHAND, ERESTARTSYS, PARKED, WaitKind } from '../../wait.js'
import { int64, put, take } from './support.js'

const SIGNAL_SET_BYTES = 8
const NANOSECONDS = 1_000_000_000

/** When the wait of a relative timespec ends: Infinity without one; -EFAULT, -EINVAL. */
export function deadlineArgument(c: SyscallContext, i: number): number {
  if (c.args.isZero(i)) return Number.POSITIVE_INFINITY
  const view = take(c, c.args.address(i), 16)
  if (view === undefined) return -EFAULT
  const [seconds, nanoseconds] = [int64(view, 0), int64(view, 8)]
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= NANOSECONDS) return -EINVAL
  return deadlineAfter(c, seconds * NANOSECONDS + nanoseconds)
}

/** So many nanoseconds after the first run of the call. */
export function deadlineAfter(c: SyscallContext, nanoseconds: number): number {
  return c.thread.isResumed ? c.thread.deadline : c.linux.clock.now() + nanoseconds
}

/** Nothing is ready: 0 when the time is over, else the thread waits for the files of `waits` (FileWait and event source bits). */
export function waitUntil(c: SyscallContext, deadline: number, waits: number): number {
  if (c.linux.clock.now() >= deadline) return 0
  const result = c.thread.park(WaitKind.file, waits, deadline)
  return result === -ERESTARTSYS ? -ERESTARTNOHAND : result
}

/**
 * The end of a call with a relative timespec: what is left of it is written back (poll_select_finish). Where that cannot be, or
 * the personality forbids it, the call is not begun again after a signal, or it would wait for too long.
 */
export function finishWait(c: SyscallContext, i: number, deadline: number, result: number): number {
  if (result === PARKED || c.args.isZero(i)) return result
  const isSticky = (c.process.personality & Personality.stickyTimeouts) !== 0
  if (!isSticky && putRemaining(c, c.args.address(i), deadline) === 0) return result
  return result === -ERESTARTNOHAND ? -EINTR : result
}

function putRemaining(c: SyscallContext, address: number, deadline: number): number {
  const left = Math.max(0, deadline - c.linux.clock.now())
  const timespec = new DataView(new ArrayBuffer(16))
  timespec.setBigInt64(0, BigInt(Math.floor(left / NANOSECONDS)), true)
  timespec.setBigInt64(8, BigInt(Math.floor(left % NANOSECONDS)), true)
  return put(c, address, new Uint8Array(timespec.buffer))
}

/** A signal mask for the time of the call: `undefined` for none; -EINVAL, -EFAULT. */
export function maskAt(c: SyscallContext, address: number, size: number): DataView | undefined | number {
  if (address === 0) return undefined
  if (size !== SIGNAL_SET_BYTES) return -EINVAL
  return take(c, address, SIGNAL_SET_BYTES) ?? -EFAULT
}

/** Runs a call under a mask. It stays while the thread waits, and until a handler has run if a signal ended the wait. */
export function underMask(
  c: SyscallContext,
  mask: DataView | undefined | number,
  call: () => number,
): number {
  if (typeof mask === 'number') return mask
  if (mask === undefined) return call()
  const { thread, linux } = c
  swapMask(c, mask)
  const result = call()
  if (result === PARKED || result === -ERESTARTNOHAND) return result
  const saved = (thread.ptr + THREAD_SAVED_MASK) >>> 2
  const { u32 } = c.mm.memory
  linux.signals.setBlocked(thread, u32[saved]!, u32[saved + 1]!)
  thread.flags &= ~ThreadFlag.restoreMask
  return result
}
