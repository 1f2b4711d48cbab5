/** Clocks as programs name them (clock_gettime(2)): of the machine, of a process, of a thread. */
import type { Linux } from './linux.js'
import type { Process } from './process.js'
import type { Thread } from './thread.js'
import { ClockBase } from './time-offset.js'
import { TimerScale } from './timer-record.js'
import { timeOf } from './usage.js'
import { baseOf, STEADY_CLOCKS, WALL_CLOCKS } from './vvar.js'

const PROCESS_TIME = 2
const THREAD_TIME = 3
/** Of clocks that name a process or thread, the lowest bits: what is counted (3 = of a file), and whether of a thread only. */
const COUNTED = 3
const OF_THREAD = 4

/** A clock that exists. */
export interface NamedClock {
  readonly scale: TimerScale
  /** What moments count from. */
  readonly base: ClockBase
  /** Whose time it is, of TimerScale.process and thread. */
  readonly process?: Process
  readonly thread?: Thread
}

/** The clock of a number, for a thread that asks; undefined when there is none (EINVAL). */
export function clockNamed(
  linux: Linux,
  process: Process,
  thread: Thread,
  id: number,
): NamedClock | undefined {
  if (WALL_CLOCKS.has(id) || STEADY_CLOCKS.has(id)) return { scale: TimerScale.monotonic, base: baseOf(id) }
  if (id === PROCESS_TIME) return { scale: TimerScale.process, base: ClockBase.processor, process }
  if (id === THREAD_TIME) return { scale: TimerScale.thread, base: ClockBase.processor, process, thread }
  if (id >= 0 || (id & COUNTED) === COUNTED) return undefined
  const owner = ~(id >> 3)
  return (id & OF_THREAD) !== 0
    ? threadClock(linux, process, thread, owner)
    : processClock(linux, process, owner)
}

/** Only threads of the asker's own process have clocks that it can read. */
function threadClock(linux: Linux, process: Process, self: Thread, id: number): NamedClock | undefined {
  const thread = id === 0 ? self : linux.threads.byId(process.namespace.idOf(id))
  if (thread === undefined || thread.process !== process.ptr) return undefined
  return { scale: TimerScale.thread, base: ClockBase.processor, process, thread }
}

function processClock(linux: Linux, self: Process, id: number): NamedClock | undefined {
  const process = id === 0 ? self : linux.processes.get(self.namespace.idOf(id))
  return process && { scale: TimerScale.process, base: ClockBase.processor, process }
}

/** Nanoseconds of processor time. */
export function cpuTimeOf(linux: Linux, { scale, process, thread }: NamedClock): number {
  return scale === TimerScale.thread ? linux.scheduler.timeOf(thread!) : timeOf(linux.usageOf(process!))
}
