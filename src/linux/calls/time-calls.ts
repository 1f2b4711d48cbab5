/** System calls about time: clocks, sleeping, the interval timer. */
import { EFAULT, EINVAL, ENOSYS, EOPNOTSUPP } from '../../base/errno.js'
import { finishSleep, type Remaining, sleepUntil } from '../sleep.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'
import { COARSE_CLOCKS, COARSE_RESOLUTION, STEADY_CLOCKS, WALL_CLOCKS } from '../vvar.js'
import { copyOut, readStruct, readTime, StructWriter, timeAt } from './user-data.js'

const CLOCK_PROCESS_CPUTIME = 2
const CLOCK_THREAD_CPUTIME = 3
const TIMER_ABSTIME = 1
const MICROSECOND = 1000
const ITIMER_REAL = 0
const CLOCK_TICK = 10_000_000

function isCpuClock(clock: number): boolean {
  return clock === CLOCK_PROCESS_CPUTIME || clock === CLOCK_THREAD_CPUTIME
}

function isClock(clock: number): boolean {
  return WALL_CLOCKS.has(clock) || STEADY_CLOCKS.has(clock) || isCpuClock(clock)
}

function clockGettime(c: SyscallContext): number {
  const clock = c.args.int(0)
  if (!isClock(clock)) return -EINVAL
  const out = new StructWriter(16)
  if (WALL_CLOCKS.has(clock)) {
    const { seconds, nanoseconds } = c.linux.clock.timeOfDay()
    out.u64(0, seconds).u64(8, nanoseconds)
  } else out.time(0, isCpuClock(clock) ? c.linux.cpuTime() : c.linux.clock.now())
  return out.copyTo(c, c.args.address(1))
}

function clockGetres(c: SyscallContext): number {
  const clock = c.args.int(0)
  if (!isClock(clock)) return -EINVAL
  return copyOut(c, 1, new StructWriter(16).u64(8, COARSE_CLOCKS.has(clock) ? COARSE_RESOLUTION : 1))
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

function clockNanosleep(c: SyscallContext): number {
  const clock = c.args.int(0)
  if (!isClock(clock)) return -EINVAL
  if (clock === CLOCK_THREAD_CPUTIME) return -EOPNOTSUPP
  const time = readTime(c, c.args.address(2))
  if (time < 0) return time
  if ((c.args.low(1) & TIMER_ABSTIME) === 0) {
    return finishSleep(c, sleepUntil(c, c.linux.clock.now() + time), remainingAt(3))
  }
  return sleepUntil(c, c.linux.clock.fromClock(time, WALL_CLOCKS.has(clock)))
}

function timerValue(c: SyscallContext): StructWriter {
  const left = c.process.timerDeadline - c.linux.clock.now()
  const value = Number.isFinite(left) ? Math.max(left, MICROSECOND) : 0
  return new StructWriter(32).time(0, c.process.timerInterval, MICROSECOND).time(16, value, MICROSECOND)
}

function getitimer(c: SyscallContext): number {
  const which = c.args.int(0)
  if (which !== ITIMER_REAL) return which > 0 && which < 3 ? -ENOSYS : -EINVAL
  return timerValue(c).copyTo(c, c.args.address(1))
}

function setitimer(c: SyscallContext): number {
  const which = c.args.int(0)
  const view = c.args.isZero(1) ? new DataView(new ArrayBuffer(32)) : readStruct(c, c.args.address(1), 32)
  if (view === undefined) return -EFAULT
  const interval = timeAt(view, 0, MICROSECOND)
  const value = timeAt(view, 16, MICROSECOND)
  if (interval < 0 || value < 0) return -EINVAL
  if (which !== ITIMER_REAL) return which > 0 && which < 3 ? -ENOSYS : -EINVAL
  const previous = timerValue(c)
  c.process.timerInterval = interval
  c.process.timerDeadline = value === 0 ? Number.POSITIVE_INFINITY : c.linux.clock.now() + value
  return copyOut(c, 2, previous)
}

/** Ticks of 10 ms: user, system, and the children's; the result is the ticks since the start. */
function times(c: SyscallContext): number {
  const out = new StructWriter(32).u64(0, Math.floor(c.linux.cpuTime() / CLOCK_TICK))
  if (copyOut(c, 0, out) < 0) return -EFAULT
  return Math.floor(c.linux.clock.now() / CLOCK_TICK)
}

export const timeCalls: readonly Syscall[] = [
  { number: 101, name: 'nanosleep', trace: 'pp', handler: nanosleep },
  { number: 102, name: 'getitimer', trace: 'dp', handler: getitimer },
  { number: 103, name: 'setitimer', trace: 'dpp', handler: setitimer },
  { number: 113, name: 'clock_gettime', trace: 'dp', handler: clockGettime },
  { number: 114, name: 'clock_getres', trace: 'dp', handler: clockGetres },
  { number: 115, name: 'clock_nanosleep', trace: 'ddpp', handler: clockNanosleep },
  { number: 153, name: 'times', trace: 'p', handler: times },
  { number: 169, name: 'gettimeofday', trace: 'pp', handler: gettimeofday },
]
