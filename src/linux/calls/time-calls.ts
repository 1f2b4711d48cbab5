/** System calls about time: clocks and sleeping. */
import { EFAULT, EINVAL, EOPNOTSUPP } from '../../base/errno.js'
import type { Ptr } from '../../base/numbers.js'
import type { TimeOfDay } from '../clock.js'
import { clockNamed, cpuTimeOf, type NamedClock } from '../clock-names.js'
import { CHILDREN_USAGE } from '../process.js'
import { finishSleep, type Remaining, sleepUntil } from '../sleep.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { ClockBase, shifted } from '../time-offset.js'
import { readUsage } from '../usage.js'
import { COARSE_CLOCKS, COARSE_RESOLUTION } from '../vvar.js'
import { copyOut, momentAt, readStruct, readTime, StructWriter } from './user-data.js'

const TIMER_ABSTIME = 1
const MICROSECOND = 1000
const CLOCK_TICK = 10_000_000

/** The clock that argument 0 names; undefined is EINVAL. */
function clockArgument(c: SyscallContext): NamedClock | undefined {
  return clockNamed(c.linux, c.process, c.thread, c.args.int(0))
}

function clockGettime(c: SyscallContext): number {
  const clock = clockArgument(c)
  if (clock === undefined) return -EINVAL
  const out = new StructWriter(16)
  if (clock.process === undefined) {
    const { seconds, nanoseconds } = timeBy(c, clock.base)
    out.u64(0, seconds).u64(8, nanoseconds)
  } else out.time(0, cpuTimeOf(c.linux, clock))
  return out.copyTo(c, c.args.address(1))
}

function timeBy({ linux, process }: SyscallContext, base: ClockBase): TimeOfDay {
  const { clock, namespaces } = linux
  return base === ClockBase.wall ? clock.timeOfDay() : shifted(clock.now(), namespaces.offset(process, base))
}

function clockGetres(c: SyscallContext): number {
  if (clockArgument(c) === undefined) return -EINVAL
  const resolution = COARSE_CLOCKS.has(c.args.int(0)) ? COARSE_RESOLUTION : 1
  return copyOut(c, 1, new StructWriter(16).u64(8, resolution))
}

function gettimeofday(c: SyscallContext): number {
  const { seconds, nanoseconds } = c.linux.clock.timeOfDay()
  const time = new StructWriter(16).u64(0, seconds).u64(8, Math.floor(nanoseconds / MICROSECOND))
  if (copyOut(c, 0, time) < 0) return -EFAULT
  return copyOut(c, 1, new StructWriter(8))
}

const remainingAt =
  (argument: number): Remaining =>
  (c, nanoseconds) =>
    copyOut(c, argument, new StructWriter(16).time(0, nanoseconds))

function nanosleep(c: SyscallContext): number {
  const wanted = readTime(c, c.args.address(0))
  if (wanted < 0) return wanted
  return finishSleep(c, sleepUntil(c, c.linux.clock.now() + wanted), remainingAt(1))
}

/** Nobody can sleep by these: the time of a thread, raw and coarse clocks. */
const SLEEPLESS: ReadonlySet<number> = new Set([3, 4, 5, 6])

function clockNanosleep(c: SyscallContext): number {
  const clock = clockArgument(c)
  if (clock === undefined) return -EINVAL
  if (SLEEPLESS.has(c.args.int(0))) return -EOPNOTSUPP
  const time = readTime(c, c.args.address(2))
  if (time < 0) return time
  if (clock.thread !== undefined) return -EINVAL
  if ((c.args.low(1) & TIMER_ABSTIME) === 0) {
    return finishSleep(c, sleepUntil(c, c.linux.clock.now() + time), remainingAt(3))
  }
  const view = readStruct(c, c.args.address(2), 16)
  return view === undefined ? -EFAULT : sleepUntil(c, momentAt(c, clock.base, view, 0))
}

/** Ticks of 10 ms: user, system, and the children's; the result is the ticks since the start. */
function times(c: SyscallContext): number {
  const ticks = (nanoseconds: number) => Math.floor(nanoseconds / CLOCK_TICK)
  const children = readUsage(c.mm.memory, (c.process.ptr + CHILDREN_USAGE) as Ptr)
  const own = c.linux.usageOf(c.process)
  const out = new StructWriter(32)
    .u64(0, ticks(own.userTime))
    .u64(8, ticks(own.systemTime))
    .u64(16, ticks(children.userTime))
    .u64(24, ticks(children.systemTime))
  if (copyOut(c, 0, out) < 0) return -EFAULT
  return ticks(c.linux.clock.now())
}

export const timeCalls: readonly Syscall[] = [
  syscall(101, 'nanosleep', 'pp', nanosleep),
  syscall(113, 'clock_gettime', 'dp', clockGettime),
  syscall(114, 'clock_getres', 'dp', clockGetres),
  syscall(115, 'clock_nanosleep', 'ddpp', clockNanosleep),
  syscall(153, 'times', 'p', times),
  syscall(169, 'gettimeofday', 'pp', gettimeofday),
]
