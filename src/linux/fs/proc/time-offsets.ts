/** /proc/PID/timens_offsets: what the namespace of time of a process's children adds to clocks (kernel/time/namespace.c of Linux). */
import { EACCES, EINVAL, EPERM, ERANGE, ESRCH } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../../../base/numbers.js'
import { ClockBase, shifted, type TimeOffset } from '../../time-offset.js'
import { Capability } from '../capabilities.js'
import { type Credentials, may } from '../credentials.js'
import type { FileEnvironment } from '../environment.js'
import { byteString } from '../text.js'
import { type ProcFile, processFile } from './proc-node.js'
import { firstThread, hasEnded } from './process-status.js'

const NANOSECONDS = 1_000_000_000
/** 2^63 nanoseconds, and the last second that a clock may show. */
const SECONDS_MAX = 9_223_372_036
const SHOWN_MAX = SECONDS_MAX / 2
const LINES_MAX = 2
/** As sscanf takes it: each part as long as it can be. */
const LINE = /^\s*(?=(\S{1,9}))\1\s*(?=(-?\d+))\2\s*(\d+)/
const CLOCKS: ReadonlyMap<string, ClockBase> = new Map([
  ['monotonic', ClockBase.monotonic],
  ['1', ClockBase.monotonic],
  ['boottime', ClockBase.boottime],
  ['7', ClockBase.boottime],
])

interface Setting {
  readonly base: ClockBase
  readonly offset: TimeOffset
}

export const timeOffsets: ProcFile = {
  ...processFile((process, _vfs, env) => {
    const thread = firstThread(process, env)
    if (thread === undefined || hasEnded(process, thread)) return ''
    const row = (name: string, base: ClockBase) => {
      const { seconds, nanoseconds } = env.namespaces.times.offset(thread.childTime, base)
      return `${name.padEnd(10)} ${String(seconds).padStart(10)} ${String(nanoseconds).padStart(9)}\n`
    }
    return row('monotonic', ClockBase.monotonic) + row('boottime', ClockBase.boottime)
  }, 0o644),
  write(source, process, env, position, opener) {
    if (position !== 0 || source.length >= PAGE_SIZE) return -EINVAL
    const settings = parse(source)
    if (settings === undefined) return -EINVAL
    const thread = process && firstThread(process, env)
    if (thread === undefined) return -ESRCH
    const problem = set(env, thread.childTime, settings.list, opener)
    return problem < 0 ? problem : settings.bytes
  },
}

/** Two lines at most, and how many bytes they are; a string ends at its first zero. */
function parse(source: Uint8Array): { list: Setting[]; bytes: number } | undefined {
  const text = byteString(source).split('\0', 1)[0]!
  const list: Setting[] = []
  for (let at = 0; ; ) {
    const end = text.indexOf('\n', at)
    const setting = lineOf(end < 0 ? text.slice(at) : text.slice(at, end))
    if (setting === undefined) return undefined
    list.push(setting)
    const isLast = end < 0 || end + 1 === text.length
    if (isLast) return { list, bytes: source.length }
    at = end + 1
    if (list.length === LINES_MAX) return { list, bytes: at }
  }
}

function lineOf(line: string): Setting | undefined {
  const found = LINE.exec(line)
  const base = found === null ? undefined : CLOCKS.get(found[1]!)
  if (found === null || base === undefined) return undefined
  const offset = { seconds: Number(found[2]), nanoseconds: Number(found[3]) }
  return offset.nanoseconds < NANOSECONDS ? { base, offset } : undefined
}

/** -EPERM without CAP_SYS_TIME; -ERANGE for what shows a time before the start, or too late a one; -EACCES once somebody has entered. */
function set(env: FileEnvironment, time: Ptr, settings: readonly Setting[], opener: Credentials): number {
  if (!may(opener, Capability.setTime)) return -EPERM
  for (const { offset } of settings) {
    if (Math.abs(offset.seconds) > SECONDS_MAX) return -ERANGE
    const { seconds } = shifted(env.clock.now(), offset)
    if (seconds < 0 || seconds > SHOWN_MAX) return -ERANGE
  }
  if (time === NULL || env.namespaces.times.at(time).isFrozen) return -EACCES
  for (const { base, offset } of settings) env.namespaces.times.at(time).setOffset(base, offset)
  return 0
}
