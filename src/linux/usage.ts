/**
 * What was used of the machine: by the ended threads of a process, or by its children (struct rusage, as far as there is
 * something to count). Five f64 in the process's record.
 *
 *     0    nanoseconds of the program's own instructions
 *     8    nanoseconds of the kernel's work for it (kernel-time.ts)
 *     16   minor faults
 *     24   major faults
 *     32   most resident pages
 */
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'

export interface Usage {
  /** Nanoseconds. */
  readonly userTime: number
  readonly systemTime: number
  readonly minorFaults: number
  readonly majorFaults: number
  /** Most resident pages. */
  readonly residentPages: number
}

export const USAGE_BYTES = 40

export const NO_USAGE: Usage = {
  userTime: 0,
  systemTime: 0,
  minorFaults: 0,
  majorFaults: 0,
  residentPages: 0,
}

/** Processor time, whoever used it. */
export const timeOf = ({ userTime, systemTime }: Usage) => userTime + systemTime

export function readUsage({ f64 }: Memory, at: Ptr): Usage {
  const first = at >>> 3
  return {
    userTime: f64[first]!,
    systemTime: f64[first + 1]!,
    minorFaults: f64[first + 2]!,
    majorFaults: f64[first + 3]!,
    residentPages: f64[first + 4]!,
  }
}

export function addUsage(memory: Memory, at: Ptr, more: Usage): void {
  const { f64 } = memory
  const first = at >>> 3
  const sum = sumOfUsage(readUsage(memory, at), more)
  f64[first] = sum.userTime
  f64[first + 1] = sum.systemTime
  f64[first + 2] = sum.minorFaults
  f64[first + 3] = sum.majorFaults
  f64[first + 4] = sum.residentPages
}

export function sumOfUsage(one: Usage, other: Usage): Usage {
  return {
    userTime: one.userTime + other.userTime,
    systemTime: one.systemTime + other.systemTime,
    minorFaults: one.minorFaults + other.minorFaults,
    majorFaults: one.majorFaults + other.majorFaults,
    residentPages: Math.max(one.residentPages, other.residentPages),
  }
}
