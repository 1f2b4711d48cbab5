/**
 * What was used of the machine: by the ended threads of a process, or by its children (struct rusage, as far as there is
 * something to count). Four f64 in the process's record.
 *
 *     0    nanoseconds on the hart
 *     8    minor faults
 *     16   major faults
 *     24   most resident pages
 */
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'

export interface Usage {
  /** Nanoseconds. */
  readonly time: number
  readonly minorFaults: number
  readonly majorFaults: number
  /** Most resident pages. */
  readonly residentPages: number
}

export const NO_USAGE: Usage = { time: 0, minorFaults: 0, majorFaults: 0, residentPages: 0 }

export function readUsage(memory: Memory, at: Ptr): Usage {
  const [time, minorFaults, majorFaults, residentPages] = memory.f64.subarray(at >>> 3, (at >>> 3) + 4)
  return { time: time!, minorFaults: minorFaults!, majorFaults: majorFaults!, residentPages: residentPages! }
}

export function addUsage(memory: Memory, at: Ptr, more: Usage): void {
  memory.f64.set(Object.values(sumOfUsage(readUsage(memory, at), more)), at >>> 3)
}

export function sumOfUsage(one: Usage, other: Usage): Usage {
  return {
    time: one.time + other.time,
    minorFaults: one.minorFaults + other.minorFaults,
    majorFaults: one.majorFaults + other.majorFaults,
    residentPages: Math.max(one.residentPages, other.residentPages),
  }
}
