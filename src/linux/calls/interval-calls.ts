/** setitimer(2) and getitimer(2): three timers of each process. */
import { EFAULT, EINVAL } from '../../base/errno.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { type Timer, TimerKind } from '../timer-record.js'
import { copyOut, readStruct, StructWriter, timeAt } from './user-data.js'

const MICROSECOND = 1000
const ITIMERVAL_BYTES = 32
/** What is left of a timer of processor time that has expired and is not set again yet: a tick. */
const TICK = 4_000_000

function timerArgument(c: SyscallContext): Timer | undefined {
  const which = c.args.int(0)
  if (which < TimerKind.real || which > TimerKind.profile) return undefined
  return c.linux.time.timers.intervalTimer(c.process, which as TimerKind)
}

/** struct itimerval: the interval, and what is left. */
function itimerOf(c: SyscallContext, timer: Timer): StructWriter {
  const left = timer.isArmed ? timer.moment - c.linux.time.timers.now(timer) : 0
  const least = timer.kind === TimerKind.real ? MICROSECOND : TICK
  const value = timer.isArmed ? (left <= 0 ? least : Math.max(left, MICROSECOND)) : 0
  return new StructWriter(ITIMERVAL_BYTES).time(0, timer.interval, MICROSECOND).time(16, value, MICROSECOND)
}

function getitimer(c: SyscallContext): number {
  const timer = timerArgument(c)
  return timer === undefined ? -EINVAL : itimerOf(c, timer).copyTo(c, c.args.address(1))
}

function setitimer(c: SyscallContext): number {
  const empty = new DataView(new ArrayBuffer(ITIMERVAL_BYTES))
  const view = c.args.isZero(1) ? empty : readStruct(c, c.args.address(1), ITIMERVAL_BYTES)
  if (view === undefined) return -EFAULT
  const interval = timeAt(view, 0, MICROSECOND)
  const value = timeAt(view, 16, MICROSECOND)
  if (interval < 0 || value < 0) return -EINVAL
  const timer = timerArgument(c)
  if (timer === undefined) return -EINVAL
  const previous = itimerOf(c, timer)
  set(c, timer, value, interval)
  return copyOut(c, 2, previous)
}

function set(c: SyscallContext, timer: Timer, value: number, interval: number): void {
  const { timers } = c.linux.time
  timers.queue.disarm(timer)
  timer.interval = timer.kind === TimerKind.real && value === 0 ? 0 : interval
  if (value === 0) return
  timer.moment = timers.now(timer) + value
  timers.queue.arm(timer)
}

export const intervalCalls: readonly Syscall[] = [
  syscall(102, 'getitimer', 'dp', getitimer),
  syscall(103, 'setitimer', 'dpp', setitimer),
]
