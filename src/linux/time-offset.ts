/** What a namespace of time adds to clocks (time_namespaces(7)), and moments that programs name by them. */
import { type Clock, NANOSECONDS, type TimeOfDay } from './clock.js'

/** From when a clock counts: two starts of the machine that namespaces shift, 1970, or none of a time of day. */
export const ClockBase = { monotonic: 0, wall: 1, boottime: 2, processor: 3 } as const
export type ClockBase = (typeof ClockBase)[keyof typeof ClockBase]

/** The nanoseconds are 0 to 999,999,999, also when the whole is negative. */
export type TimeOffset = TimeOfDay

export const NO_OFFSET: TimeOffset = { seconds: 0, nanoseconds: 0 }

/** A number of nanoseconds, and an offset. */
export function shifted(nanoseconds: number, offset: TimeOffset): TimeOfDay {
  const sum = nanoseconds + offset.nanoseconds
  return { seconds: Math.floor(sum / NANOSECONDS) + offset.seconds, nanoseconds: sum % NANOSECONDS }
}

/** A moment by a clock, on the scale of `Clock.now`; 0 for one before it begins, but for the wall's. */
export function momentBy(clock: Clock, base: ClockBase, offset: TimeOffset, time: TimeOfDay): number {
  if (base === ClockBase.wall) return clock.fromTimeOfDay(time.seconds, time.nanoseconds)
  const since = (time.seconds - offset.seconds) * NANOSECONDS + time.nanoseconds - offset.nanoseconds
  return Math.max(0, since)
}
