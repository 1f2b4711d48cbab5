/** Setting and reading a timer as timer_settime(2) and timerfd_settime(2) do: struct itimerspec. */
import { EINVAL } from '../base/errno.js'
import { i64, StructWriter, timeAt } from './calls/user-data.js'
import type { Clock } from './clock.js'

export const ITIMERSPEC_BYTES = 32

/** What a program wants of a timer, in nanoseconds. */
export interface TimerSetting {
  /** From now, or the moment on the scale of its clock when `isAbsolute`; 0 = stop it. */
  readonly value: number
  readonly interval: number
  readonly isAbsolute: boolean
}

/** Reads a setting, or -EINVAL. `isWall`: moments are given since 1970. */
export function readSetting(
  view: DataView,
  clock: Clock,
  isAbsolute: boolean,
  isWall: boolean,
): TimerSetting | number {
  const interval = timeAt(view, 0)
  const value = timeAt(view, 16)
  if (interval < 0 || value < 0) return -EINVAL
  if (!isAbsolute || !isWall || value === 0) return { value, interval, isAbsolute }
  const moment = clock.fromTimeOfDay(i64(view, 16), i64(view, 24))
  // A moment before the machine was started has passed, which 0 does not say.
  return { value: Math.max(1, moment), interval, isAbsolute }
}

/** struct itimerspec: the interval, and what is left. */
export function settingOf(interval: number, left: number): StructWriter {
  return new StructWriter(ITIMERSPEC_BYTES).time(0, interval).time(16, left)
}
