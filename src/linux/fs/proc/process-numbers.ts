/** /proc/PID/stat, statm, limits and the like: numbers in the order of fs/proc/array.c. */
import { PAGE_SIZE, type Ptr } from '../../../base/numbers.js'
import { SpaceFlag } from '../../../space/address-space.js'
import { Limit } from '../../limits.js'
import { CHILDREN_USAGE, PROCESS_USAGE, Process, ProcessFlag } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import type { Thread } from '../../thread.js'
import { ClockBase, shifted } from '../../time-offset.js'
import { readUsage } from '../../usage.js'
import type { FileEnvironment } from '../environment.js'
import { hasEnded, nameOf, shownThreads, stateOf, textPages } from './process-status.js'

/** USER_HZ: what a clock tick is in these files. */
const NANOSECONDS_PER_TICK = 1e7
const TICKS_PER_SECOND = 100
/** PF_EXITING, PF_POSTCOREDUMP and PF_NOFREEZE. */
const PF_ENDED = 0x800c
const PF_SIGNALED = 0x400
/** In a status as wait4(2) has it. */
const SIGNAL_MASK = 0x7f
const PF_FORKNOEXEC = 0x40
const PF_RANDOMIZE = 0x400000

const ticks = (nanoseconds: number) => Math.floor((nanoseconds || 0) / NANOSECONDS_PER_TICK)

/** When it was made, as the clocks of who reads have it. */
function startTicks({ startTime }: Process, env: FileEnvironment): number {
  const offset = env.namespaces.offset(env.currentProcess(), ClockBase.boottime)
  const { seconds, nanoseconds } = shifted(startTime, offset)
  return seconds * TICKS_PER_SECOND + ticks(nanoseconds)
}

/** 52 fields (proc_pid_stat(5)); those that Pagoda does not keep are 0. Faults and times are `whose`. */
export function statText(
  process: Process,
  thread: Thread | undefined,
  env: FileEnvironment,
  whose: 'process' | 'thread' = 'process',
): string {
  const fields: (number | string)[] = new Array(53).fill(0)
  const residentLimit = process.softLimit(Limit.residentSet)
  const values: Record<number, number | string> = {
    1: thread?.id ?? process.id,
    2: `(${nameOf(process, thread)})`,
    3: stateOf(process, thread),
    4: process.parentId,
    5: process.groupId,
    6: process.sessionId,
    8: -1,
    18: 20 + (thread?.nice ?? 0),
    19: thread?.nice ?? 0,
    20: shownThreads(process, env),
    22: startTicks(process, env),
    25: residentLimit === Number.POSITIVE_INFINITY ? '18446744073709551615' : residentLimit,
    38: isFirst(process, thread) ? process.exitSignal : -1,
    41: thread?.policy ?? 0,
    ...usageFields(process, whose === 'thread' ? thread : undefined, env),
    ...(hasEnded(process, thread) ? {} : memoryFields(process, env)),
    ...(mayLook(process, env) ? stopFields(process, thread, whose, env) : {}),
    9: flagsOf(process, thread),
  }
  for (const [field, value] of Object.entries(values)) fields[Number(field)] = value
  return `${fields.slice(1).join(' ')}\n`
}

/** Of children: those of the process, whoever of its threads has made them. */
function usageFields(
  process: Process,
  thread: Thread | undefined,
  env: FileEnvironment,
): Record<number, number> {
  const { memory } = env.mm
  const whole = () =>
    process.isZombie ? readUsage(memory, (process.ptr + PROCESS_USAGE) as Ptr) : env.usageOf(process)
  const own = thread === undefined ? whole() : env.usageOfThread(thread)
  const children = readUsage(memory, (process.ptr + CHILDREN_USAGE) as Ptr)
  return {
    10: own.minorFaults,
    11: children.minorFaults,
    12: own.majorFaults,
    13: children.majorFaults,
    14: ticks(own.userTime),
    15: ticks(own.systemTime),
    16: ticks(children.userTime),
    17: ticks(children.systemTime),
  }
}

function isFirst(process: Process, thread: Thread | undefined): boolean {
  return thread === undefined || thread.id === process.id
}

/** Bits of task_struct's flags. The first thread of a process is the one that has called execve(2). */
function flagsOf(process: Process, thread: Thread | undefined): number {
  const hasExecuted = process.hasFlag(ProcessFlag.executed) && isFirst(process, thread)
  const forked = hasExecuted ? 0 : PF_FORKNOEXEC
  const signalled = (process.exitStatus & SIGNAL_MASK) !== 0 ? PF_SIGNALED : 0
  if (hasEnded(process, thread)) return forked | PF_ENDED | signalled
  return forked | ((process.space.flags & SpaceFlag.randomized) !== 0 ? PF_RANDOMIZE : 0)
}

/** Whether it waits (wchan), of several threads each for itself, and what it has ended or stopped with. */
function stopFields(
  process: Process,
  thread: Thread | undefined,
  whose: 'process' | 'thread',
  env: FileEnvironment,
): Record<number, number> {
  const isAsked = whose === 'thread' || shownThreads(process, env) === 1
  const stopped = process.hasFlag(ProcessFlag.stopped) ? process.stopSignal : 0
  return {
    35: isAsked && stateOf(process, thread) !== 'R' ? 1 : 0,
    52: hasEnded(process, thread) ? process.exitStatus : stopped,
  }
}

function mayLook(process: Process, env: FileEnvironment): boolean {
  const caller = env.currentProcess()
  return caller === undefined || mayAccess(caller, process, 'files') === 0
}

/** Addresses are for those who may look at the process's memory; to others its code is at 1. */
function memoryFields(process: Process, env: FileEnvironment): Record<number, number> {
  const { space } = process
  const { parts } = space
  const sizes = { 23: space.counts.totalPages * PAGE_SIZE, 24: space.counts.rssPages }
  if (!mayLook(process, env)) return { ...sizes, 26: 1, 27: 1 }
  return {
    ...sizes,
    26: parts.codeStart,
    27: parts.codeEnd,
    28: parts.stackStart,
    45: parts.dataStart,
    46: parts.dataEnd,
    47: parts.brkStart,
    48: parts.argumentsStart,
    49: parts.argumentsEnd,
    50: parts.environmentStart,
    51: parts.environmentEnd,
  }
}

/** In pages: size, resident, shared, text, 0, data, 0. */
export function statmText(process: Process): string {
  const { space } = process
  const shared = space.counts.rssFile + space.counts.rssShared
  const data = space.counts.dataPages + space.counts.stackPages
  return `${[space.counts.totalPages, space.counts.rssPages, shared, textPages(space), 0, data, 0].join(' ')}\n`
}

/** In the order of the resource numbers. */
const LIMITS = [
  ['Max cpu time', 'seconds'],
  ['Max file size', 'bytes'],
  ['Max data size', 'bytes'],
  ['Max stack size', 'bytes'],
  ['Max core file size', 'bytes'],
  ['Max resident set', 'bytes'],
  ['Max processes', 'processes'],
  ['Max open files', 'files'],
  ['Max locked memory', 'bytes'],
  ['Max address space', 'bytes'],
  ['Max file locks', 'locks'],
  ['Max pending signals', 'signals'],
  ['Max msgqueue size', 'bytes'],
  ['Max nice priority', ''],
  ['Max realtime priority', ''],
  ['Max realtime timeout', 'us'],
] as const

export function limitsText(process: Process): string {
  const row = (name: string, soft: string, hard: string, units: string) =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${units === '' ? '' : units.padEnd(10)}\n`
  const show = (limit: number) => (limit === Number.POSITIVE_INFINITY ? 'unlimited' : `${limit}`)
  return LIMITS.slice(0, Process.limitCount).reduce(
    (text, [name, units], i) =>
      text + row(name, show(process.softLimit(i)), show(process.hardLimit(i)), units),
    row('Limit', 'Soft Limit', 'Hard Limit', 'Units'),
  )
}
