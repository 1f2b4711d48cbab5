/** Sleeping until a moment, and what an interrupted sleep tells. */
import { EFAULT } from '../base/errno.js'
import type { SyscallContext } from './syscall-context.js'
import { ERESTART_RESTARTBLOCK, ERESTARTNOHAND, PARKED, WaitKind } from './wait.js'

/** Parks until the deadline of the first run: 0 when it has come, PARKED, or -ERESTARTNOHAND for a signal. */
export function sleepUntil(c: SyscallContext, moment: number): number {
  const deadline = c.thread.isResumed ? c.thread.deadline : moment
  if (c.linux.clock.now() >= deadline) return 0
  return c.thread.park(WaitKind.time, 0, deadline) === PARKED ? PARKED : -ERESTARTNOHAND
}

/** Writes what is left of a sleep. */
export type Remaining = (c: SyscallContext, nanoseconds: number) => number

/** A relative sleep that a signal cut short says how much was left. */
export function finishSleep(c: SyscallContext, result: number, remaining: Remaining): number {
  if (result !== -ERESTARTNOHAND) return result
  const left = Math.max(0, c.thread.deadline - c.linux.clock.now())
  return remaining(c, left) < 0 ? -EFAULT : -ERESTART_RESTARTBLOCK
}
