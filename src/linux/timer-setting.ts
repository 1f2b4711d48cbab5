/** Setting and reading a timer as timer_settime(2) and timerfd_settime(2) do: struct itimerspec. */
import { EINVAL } from '../base/errno.js'
import { momentAt, StructWriter, timeAt } from './calls/user-data.js'
import type { SyscallContext } from './syscall-context.js'
import { ClockBase } from './time-offset.js'

export const ITIMERSPEC_BYTES = 32

/** What a program wants of a timer, in nanoseconds. */
export interface TimerSetting {
  /** From now, or the moment on the scale of its clock when `isAbsolute`; 0 = stop it. */
  readonly value: number
  readonly interval: number
  readonly isAbsolute: boolean
}

/** Reads a setting, or -EINVAL. `base`: what moments count from. */
export function readSetting(
  c: SyscallContext,
  view: DataView,
  isAbsolute: boolean,
  base: ClockBase,
): TimerSetting | number {
  const interval = timeAt(view, 0)
  const value = timeAt(view, 16)
  if (interval < 0 || value < 0) return -EINVAL
  if (!isAbsolute || base === ClockBase.processor || value === 0) return { value, interval, isAbsolute }
  const moment = momentAt(c, base, view, 16)
  // A moment before the machine was started has passed, which 0 does not say.
  return { value: Math.max(1, moment), interval, isAbsolute }
}

/** struct itimerspec: the interval, and what is left. */
export function settingOf(interval: number, left: number): StructWriter {
  return new StructWriter(ITIMERSPEC_BYTES).time(0, interval).time(16, left)
}
