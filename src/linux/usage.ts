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

type FiveNumbers = readonly [number, number, number, number, number]

export function readUsage(memory: Memory, at: Ptr): Usage {
  const words = memory.f64.subarray(at >>> 3, (at + USAGE_BYTES) >>> 3)
  const [userTime, systemTime, minorFaults, majorFaults, residentPages] = words as unknown as FiveNumbers
  return { userTime, systemTime, minorFaults, majorFaults, residentPages }
}

export function addUsage(memory: Memory, at: Ptr, more: Usage): void {
  memory.f64.set(Object.values(sumOfUsage(readUsage(memory, at), more)), at >>> 3)
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
