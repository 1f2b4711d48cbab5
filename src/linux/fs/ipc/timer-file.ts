/** timerfd(2): a file from which a program reads how often its timer has expired. */
import { EAGAIN, EFAULT, EINVAL } from '../../../base/errno.js'
import type { Ptr } from '../../../base/numbers.js'
import type { StructWriter } from '../../calls/user-data.js'
import type { ClockBase } from '../../time-offset.js'
import type { Timer } from '../../timer-record.js'
import { settingOf, type TimerSetting } from '../../timer-setting.js'
import { Open, Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { makeAnonymousFile } from './anonymous-file.js'
import { channel } from './channel.js'
import type { EventSource } from './event-source.js'
import { objectOf } from './file-object.js'

const BYTES = 8

export interface TimerFile {
  readonly events: EventSource
  /** Record of its timer (timer-record.ts). */
  readonly timer: Ptr
}

const timersOf = (vfs: Vfs) => vfs.env.time.timers
const timerOf = (vfs: Vfs, file: OpenFile) => timersOf(vfs).queue.at(objectOf<TimerFile>(file).timer)

/** A periodic timer that has expired counts what it missed, and is set again, when somebody looks. */
function catchUp(vfs: Vfs, timer: Timer): void {
  if (timer.ticks === 0 || timer.isArmed || timer.interval === 0) return
  timer.ticks += timer.forward(timersOf(vfs).now(timer)) - 1
  timersOf(vfs).queue.arm(timer)
}

export const timerFile = channel({
  receive(vfs, file, sink) {
    const timer = timerOf(vfs, file)
    if (sink.left < BYTES) return -EINVAL
    if (timer.ticks === 0) return -EAGAIN
    catchUp(vfs, timer)
    const bytes = new Uint8Array(BigUint64Array.of(BigInt(timer.ticks)).buffer)
    timer.ticks = 0
    return sink.put(bytes) === BYTES ? BYTES : -EFAULT
  },
  send: () => -EINVAL,
  poll: (vfs, file) => (timerOf(vfs, file).ticks > 0 ? Poll.in | Poll.readNormal : 0),
  events: (file) => objectOf<TimerFile>(file).events,
  close(vfs, file) {
    vfs.state.timerFiles.delete(objectOf<TimerFile>(file).timer)
    timersOf(vfs).delete(timerOf(vfs, file))
  },
})

/** A new one whose timer is not set; undefined without memory. */
export function makeTimerFile(vfs: Vfs, base: ClockBase, flags: number): OpenFile | undefined {
  const timer = timersOf(vfs).createForFile()
  if (timer === undefined) return undefined
  timer.base = base
  const file = makeAnonymousFile(vfs, 'timerfd', '[timerfd]', flags | Open.readWrite)
  const object: TimerFile = { events: vfs.events.makeSource(), timer: timer.ptr }
  file.object = object
  vfs.state.timerFiles.set(timer.ptr, object)
  return file
}

/** What its absolute moments count from. */
export function baseOfTimer(vfs: Vfs, file: OpenFile): ClockBase {
  return timerOf(vfs, file).base
}

/** Its timer has expired: readers look. */
export function tellTimerFile(vfs: Vfs, timer: Ptr): void {
  vfs.events.notify(vfs.state.timerFiles.get(timer)!.events, Poll.in)
}

/** timerfd_settime(2): what was set before. Expirations that nobody has read are forgotten. */
export function setTimerFile(vfs: Vfs, file: OpenFile, setting: TimerSetting): StructWriter {
  const timers = timersOf(vfs)
  const timer = timerOf(vfs, file)
  if (timer.ticks > 0 && !timer.isArmed && timer.interval > 0) timer.forward(timers.now(timer))
  const previous = leftOf(vfs, timer)
  timers.queue.disarm(timer)
  timer.ticks = 0
  timer.interval = setting.interval
  timer.moment = setting.value === 0 || setting.isAbsolute ? setting.value : timers.now(timer) + setting.value
  if (setting.value !== 0) timers.queue.arm(timer)
  return previous
}

/** timerfd_gettime(2). */
export function readTimerFile(vfs: Vfs, file: OpenFile): StructWriter {
  const timer = timerOf(vfs, file)
  catchUp(vfs, timer)
  return leftOf(vfs, timer)
}

function leftOf(vfs: Vfs, timer: Timer): StructWriter {
  return settingOf(timer.interval, Math.max(0, timer.moment - timersOf(vfs).now(timer)))
}
