/** timer_create(2) and its kin: timers of a process that send signals (kernel/time/posix-timers.c of Linux). */
import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP } from '../../base/errno.js'
import { NULL } from '../../base/numbers.js'
import { clockNamed, type NamedClock } from '../clock-names.js'
import { Limit } from '../limits.js'
import { SIGNAL_MAX, Signal } from '../signal-numbers.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { ClockBase } from '../time-offset.js'
import { Notify, type Timer, TimerKind } from '../timer-record.js'
import { ITIMERSPEC_BYTES, readSetting, settingOf, type TimerSetting } from '../timer-setting.js'
import { threadAt } from './numbers.js'
import { copyOut, readStruct, StructWriter } from './user-data.js'

const SIGEVENT_BYTES = 64
const TIMER_ABSTIME = 1
/** Clocks that are only to be read: raw, coarse ones; and those that wake a sleeping machine, which has no such clock. */
const WITHOUT_TIMERS: ReadonlySet<number> = new Set([4, 5, 6, 8, 9])

/** The processor's time of the process and of the thread, by the names that the kernel gives them itself. */
const OWN_CLOCKS: ReadonlyMap<number, number> = new Map([
  [2, -6],
  [3, -2],
])

/** What struct sigevent asks for. */
interface Event {
  readonly notify: number
  readonly signal: number
  readonly thread: number
  readonly valueLow: number
  readonly valueHigh: number
}

/** undefined: none was given. -EFAULT. */
function readEvent(c: SyscallContext): Event | undefined | number {
  if (c.args.isZero(1)) return undefined
  const view = readStruct(c, c.args.address(1), SIGEVENT_BYTES)
  if (view === undefined) return -EFAULT
  return {
    valueLow: view.getUint32(0, true),
    valueHigh: view.getUint32(4, true),
    signal: view.getInt32(8, true),
    notify: view.getInt32(12, true),
    thread: view.getInt32(16, true),
  }
}

function isGood(c: SyscallContext, { notify, signal, thread }: Event): boolean {
  if (notify === Notify.none) return true
  if (notify === Notify.threadId) {
    if (threadAt(c, thread)?.process !== c.process.ptr) return false
  } else if (notify !== Notify.signal && notify !== Notify.thread) return false
  return signal > 0 && signal <= SIGNAL_MAX
}

function timerCreate(c: SyscallContext): number {
  const event = readEvent(c)
  if (typeof event === 'number') return event
  const id = c.args.int(0)
  if (WITHOUT_TIMERS.has(id)) return -EOPNOTSUPP
  const clock = clockNamed(c.linux, c.process, c.thread, id)
  if (clock === undefined || (clock.process ?? c.process) !== c.process) return -EINVAL
  const timer = makeTimer(c)
  if (timer === undefined) return -EAGAIN
  timer.id = c.process.takeTimerId()
  const result = describe(c, timer, clock, event)
  if (result < 0) c.linux.time.timers.delete(timer)
  return result
}

/** A timer with the record for its signal; undefined without memory, or with too many signals. */
function makeTimer(c: SyscallContext): Timer | undefined {
  const { queue } = c.linux.time.timers
  const timer = queue.create(c.process.ptr)
  if (timer === undefined) return undefined
  timer.kind = TimerKind.posix
  const limit = c.process.softLimit(Limit.pendingSignals)
  timer.record = c.linux.signals.queues.createFor(timer.ptr, limit)
  if (timer.record !== NULL) return timer
  queue.free(timer)
  return undefined
}

/** Without an event a timer sends SIGALRM with its number. */
function describe(c: SyscallContext, timer: Timer, clock: NamedClock, event: Event | undefined): number {
  const none = { notify: Notify.signal, signal: Signal.ALRM, thread: 0, valueLow: timer.id, valueHigh: 0 }
  const wanted = event ?? none
  if (!isGood(c, wanted)) return -EINVAL
  timer.notify = wanted.notify
  timer.signal = wanted.signal
  timer.thread = wanted.thread
  timer.setValue(wanted.valueLow, wanted.valueHigh)
  timer.scale = clock.scale
  timer.clockThread = clock.thread?.id ?? 0
  timer.base = clock.base
  timer.clock = OWN_CLOCKS.get(c.args.int(0)) ?? c.args.int(0)
  timer.overrun = -1
  return new StructWriter(4).u32(0, timer.id).copyTo(c, c.args.address(2))
}

/** The timer that argument 0 names. */
function timerArgument(c: SyscallContext): Timer | undefined {
  const id = c.args.int(0)
  for (const timer of c.linux.time.timers.queue.ofProcess(c.process.ptr)) if (timer.id === id) return timer
  return undefined
}

function timerSettime(c: SyscallContext): number {
  if (c.args.isZero(2)) return -EINVAL
  const view = readStruct(c, c.args.address(2), ITIMERSPEC_BYTES)
  if (view === undefined) return -EFAULT
  const timer = timerArgument(c)
  const isAbsolute = (c.args.low(1) & TIMER_ABSTIME) !== 0
  const setting = readSetting(c, view, isAbsolute, timer?.base ?? ClockBase.monotonic)
  if (typeof setting === 'number') return setting
  if (timer === undefined) return -EINVAL
  const previous = leftOf(c, timer)
  set(c, timer, setting)
  return copyOut(c, 3, previous)
}

function set(c: SyscallContext, timer: Timer, { value, interval, isAbsolute }: TimerSetting): void {
  const { timers } = c.linux.time
  timers.queue.disarm(timer)
  timer.stamp = (timer.stamp + 2) & ~1
  timer.overrun = -1
  timer.lastOverrun = 0
  timer.interval = value === 0 ? 0 : interval
  timer.moment = value === 0 || isAbsolute ? value : timers.now(timer) + value
  if (value !== 0 && timer.notify !== Notify.none) timers.queue.arm(timer)
}

/** What timer_gettime(2) tells. A timer that notifies nobody moves on only when somebody asks. */
function leftOf(c: SyscallContext, timer: Timer): StructWriter {
  const isSilent = timer.notify === Notify.none
  const isSet = timer.isArmed || (isSilent && timer.moment !== 0)
  const { interval } = timer
  if (!isSet && interval === 0) return settingOf(0, 0)
  const now = c.linux.time.timers.now(timer)
  const isWaiting = (timer.stamp & 1) !== 0
  if (interval !== 0 && (isWaiting || isSilent)) timer.overrun += timer.forward(now)
  const left = timer.moment - now
  return settingOf(interval, left > 0 ? left : isSilent ? 0 : 1)
}

function timerGettime(c: SyscallContext): number {
  const timer = timerArgument(c)
  return timer === undefined ? -EINVAL : leftOf(c, timer).copyTo(c, c.args.address(1))
}

const INT_MAX = 0x7fff_ffff

function timerGetoverrun(c: SyscallContext): number {
  const timer = timerArgument(c)
  return timer === undefined ? -EINVAL : Math.min(INT_MAX, timer.lastOverrun)
}

function timerDelete(c: SyscallContext): number {
  const timer = timerArgument(c)
  if (timer === undefined) return -EINVAL
  c.linux.time.timers.delete(timer)
  return 0
}

export const timerCalls: readonly Syscall[] = [
  syscall(107, 'timer_create', 'dpp', timerCreate),
  syscall(108, 'timer_gettime', 'dp', timerGettime),
  syscall(109, 'timer_getoverrun', 'd', timerGetoverrun),
  syscall(110, 'timer_settime', 'ddpp', timerSettime),
  syscall(111, 'timer_delete', 'd', timerDelete),
]
