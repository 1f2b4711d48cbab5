/**
 * A timer: 120 bytes, in the slab cache "timer" for timer_create(2) and timerfd_create(2), within the process's record for
 * setitimer(2). All zero is a timer that is not set.
 *
 *     0    links among those that are armed; 8: among those of its process
 *     16   u32 kind   20 process   24 number   28 clock   32 signal   36 what it notifies   40 thread   44 signal's record
 *     48   f64 moment, on the scale of its clock   56 interval (nanoseconds, 0 = once)
 *     64   u32 × 2 the program's value
 *     72   f64 overruns, counting   80 overruns of the last signal
 *     88   u32 stamp: odd while its signal is to set it again   92 armed   96 f64 expirations (timerfd)   104 u32 clock's thread   108 what its moments count from (ClockBase)
 *     112  u32 number of its clock as timer_create(2) was given it
 */
import type { Ptr } from '../base/numbers.js'
import { RecordView } from '../state/record-view.js'
import type { ClockBase } from './time-offset.js'

export const TIMER_BYTES = 120
export const ARMED_LINK = 0
export const OWNER_LINK = 8

export const TimerKind = { real: 0, virtual: 1, profile: 2, posix: 3, file: 4 } as const
export type TimerKind = (typeof TimerKind)[keyof typeof TimerKind]

/** On what scale its moments are: the machine's monotonic one, or processor time; `user` without the kernel's. */
export const TimerScale = { monotonic: 0, process: 1, thread: 2, user: 3 } as const
export type TimerScale = (typeof TimerScale)[keyof typeof TimerScale]

/** sigev_notify. */
export const Notify = { signal: 0, none: 1, thread: 2, threadId: 4 } as const

const KIND = 16
const PROCESS = 20
const ID = 24
const SCALE = 28
const SIGNAL = 32
const NOTIFY = 36
const THREAD = 40
const RECORD = 44
const MOMENT = 48
const INTERVAL = 56
const VALUE = 64
const OVERRUN = 72
const LAST_OVERRUN = 80
const STAMP = 88
const ARMED = 92
const TICKS = 96
const CLOCK_THREAD = 104
const BASE = 108
const CLOCK = 112

/** A view on a timer. */
export class Timer extends RecordView {
  get kind(): TimerKind {
    return this.u32(KIND) as TimerKind
  }
  set kind(value: TimerKind) {
    this.setU32(KIND, value)
  }

  /** Record of the process that it belongs to; NULL for a timerfd. */
  get process(): Ptr {
    return this.u32(PROCESS) as Ptr
  }
  set process(value: Ptr) {
    this.setU32(PROCESS, value)
  }

  /** timer_t. */
  get id(): number {
    return this.u32(ID)
  }
  set id(value: number) {
    this.setU32(ID, value)
  }

  get scale(): TimerScale {
    return this.u32(SCALE) as TimerScale
  }
  set scale(value: TimerScale) {
    this.setU32(SCALE, value)
  }

  get signal(): number {
    return this.u32(SIGNAL)
  }
  set signal(value: number) {
    this.setU32(SIGNAL, value)
  }

  /** Notify. */
  get notify(): number {
    return this.u32(NOTIFY)
  }
  set notify(value: number) {
    this.setU32(NOTIFY, value)
  }

  /** Number of the thread that gets the signal (Notify.threadId). */
  get thread(): number {
    return this.u32(THREAD)
  }
  set thread(value: number) {
    this.setU32(THREAD, value)
  }

  /** Number of the thread whose time counts (TimerScale.thread). */
  get clockThread(): number {
    return this.u32(CLOCK_THREAD)
  }
  set clockThread(value: number) {
    this.setU32(CLOCK_THREAD, value)
  }

  /** What absolute moments count from. */
  get base(): ClockBase {
    return this.u32(BASE) as ClockBase
  }
  set base(value: ClockBase) {
    this.setU32(BASE, value)
  }

  /** clockid_t, for /proc. */
  get clock(): number {
    return this.u32(CLOCK) | 0
  }
  set clock(value: number) {
    this.setU32(CLOCK, value)
  }

  /** What its signal is queued with: made with the timer, so that it is never lost. */
  get record(): Ptr {
    return this.u32(RECORD) as Ptr
  }
  set record(value: Ptr) {
    this.setU32(RECORD, value)
  }

  /** When it expires or has expired. */
  get moment(): number {
    return this.f64(MOMENT)
  }
  set moment(value: number) {
    this.setF64(MOMENT, value)
  }

  get interval(): number {
    return this.f64(INTERVAL)
  }
  set interval(value: number) {
    this.setF64(INTERVAL, value)
  }

  get valueLow(): number {
    return this.u32(VALUE)
  }
  get valueHigh(): number {
    return this.u32(VALUE + 4)
  }
  setValue(low: number, high: number): void {
    this.setU32(VALUE, low)
    this.setU32(VALUE + 4, high)
  }

  /** Expirations since its last signal, less that one's own. */
  get overrun(): number {
    return this.f64(OVERRUN)
  }
  set overrun(value: number) {
    this.setF64(OVERRUN, value)
  }

  /** timer_getoverrun(2). */
  get lastOverrun(): number {
    return this.f64(LAST_OVERRUN)
  }
  set lastOverrun(value: number) {
    this.setF64(LAST_OVERRUN, value)
  }

  /** Tells a signal of this setting from one of an earlier setting. */
  get stamp(): number {
    return this.u32(STAMP)
  }
  set stamp(value: number) {
    this.setU32(STAMP, value)
  }

  /** Whether it is in a queue. Kept by TimerQueue. */
  get isArmed(): boolean {
    return this.u32(ARMED) !== 0
  }
  set isArmed(value: boolean) {
    this.setU32(ARMED, value ? 1 : 0)
  }

  /** Expirations that nobody has read yet. */
  get ticks(): number {
    return this.f64(TICKS)
  }
  set ticks(value: number) {
    this.setF64(TICKS, value)
  }

  /** Moves its moment on by whole intervals until it lies after `now`: how many (hrtimer_forward). */
  forward(now: number): number {
    const late = now - this.moment
    if (late < 0) return 0
    const periods = Math.floor(late / this.interval) + 1
    this.moment += periods * this.interval
    return periods
  }
}
