/** What a wait hears of children and of tracees (do_wait of kernel/exit.c): each event is told once, unless WNOWAIT. */
import { ECHILD } from '../../base/errno.js'
import type { Ptr } from '../../base/numbers.js'
import { type ChildInfo, childInfo } from '../child-info.js'
import { CHILDREN_USAGE, PROCESS_USAGE, type Process, ProcessFlag } from '../process.js'
import { type Tracee, TraceeFlag } from '../ptrace/tracee.js'
import { Signal, SignalCode } from '../signal-numbers.js'
import type { SyscallContext } from '../syscall-context.js'
import { ThreadState } from '../thread.js'
import { readUsage, sumOfUsage, type Usage } from '../usage.js'
import { numberOf } from './numbers.js'

/** Bits of a wait's options. */
export const Wait = {
  noHang: 1,
  untraced: 2,
  exited: 4,
  continued: 8,
  noWait: 0x100_0000,
  noThread: 0x2000_0000,
  all: 0x4000_0000,
  clone: 0x8000_0000,
} as const
const CONTINUED_STATUS = 0xffff
const STOPPED_STATUS = 0x7f

/** Which children a call is about. */
export interface Selection {
  /** Of a process, or of a thread that is traced; 0 = any. */
  readonly id: number
  /** Of a process group; 0 = any. */
  readonly group: number
  readonly options: number
  /** Nothing to tell yet is -EAGAIN. */
  readonly isImpatient?: boolean
}

/** What happened to a child. */
export interface Event {
  /** What the caller calls the child. */
  readonly number: number
  /** As wait4 gives it. */
  readonly status: number
  /** As waitid gives it. */
  readonly info: ChildInfo
  readonly usage: Usage
}

export const has = (options: number, option: number) => (options & option) !== 0

function isSelected(child: Process, { id, group, options }: Selection): boolean {
  if (id !== 0 && child.id !== id) return false
  if (group !== 0 && child.groupId !== group) return false
  const isClone = child.exitSignal !== Signal.CHLD
  return has(options, Wait.all) || isClone === has(options, Wait.clone)
}

/** What there is to tell, or whether there is anybody to wait for: -ECHILD, 0. */
export function findEvent(c: SyscallContext, selection: Selection): Event | number {
  const ofChild = findOfChildren(c, selection)
  if (typeof ofChild !== 'number') return ofChild
  const ofTracee = findOfTracees(c, selection)
  return ofTracee === -ECHILD ? ofChild : ofTracee
}

function findOfChildren(c: SyscallContext, selection: Selection): Event | number {
  let found = -ECHILD
  for (const child of c.linux.processTable.childrenOf(c.process)) {
    if (!isSelected(child, selection)) continue
    const tracee = traceeOf(c, child)
    if (tracee !== undefined && c.linux.tracing.tracerProcess(tracee) === c.process) {
      const event = eventOfTracee(c, child, tracee, selection.options)
      if (event !== undefined) return event
      continue
    }
    found = 0
    const status = statusOf(child, selection.options, tracee !== undefined)
    if (status < 0) continue
    const event = eventOf(c, child, child.id, status)
    if (!has(selection.options, Wait.noWait)) consume(c, child, event.usage)
    return event
  }
  return found
}

/** What is kept of a process's first thread, when that is traced. */
function traceeOf({ linux }: SyscallContext, process: Process): Tracee | undefined {
  const { threads, tracing } = linux
  const first = process.isZombie ? undefined : threads.byId(process.id)
  const tracee = (first && tracing.tracees.of(first)) ?? tracing.zombieOf(process)
  return tracee === undefined || tracee.tracer === 0 ? undefined : tracee
}

function eventOf(c: SyscallContext, process: Process, id: number, status: number): Event {
  return { number: numberOf(c, id), status, info: childInfo(status), usage: usageOf(c, process) }
}

/** -1: nothing to tell. A zombie that another process traces is told of there first. */
function statusOf(child: Process, options: number, isTraced: boolean): number {
  if (child.isZombie) return has(options, Wait.exited) && !isTraced && isOver(child) ? child.exitStatus : -1
  const isStopped = child.stopSignal !== 0 && child.hasFlag(ProcessFlag.stopped)
  if (has(options, Wait.untraced) && isStopped) return (child.stopSignal << 8) | STOPPED_STATUS
  return has(options, Wait.continued) && child.hasFlag(ProcessFlag.continued) ? CONTINUED_STATUS : -1
}

const isOver = (process: Process) => !process.hasFlag(ProcessFlag.lingering) && process.deadTracees === 0

function consume(c: SyscallContext, child: Process, usage: Usage): void {
  if (child.isZombie) c.linux.ends.reap(child, usage)
  else if (child.stopSignal !== 0 && child.hasFlag(ProcessFlag.stopped)) child.stopSignal = 0
  else child.setFlag(ProcessFlag.continued, false)
}

/** Of the child and those that it waited for. */
function usageOf(c: SyscallContext, child: Process): Usage {
  const { memory } = c.mm
  const own = child.isZombie ? readUsage(memory, (child.ptr + PROCESS_USAGE) as Ptr) : c.linux.usageOf(child)
  return sumOfUsage(own, readUsage(memory, (child.ptr + CHILDREN_USAGE) as Ptr))
}

/** Those of every thread of the caller's process, unless __WNOTHREAD. */
function findOfTracees(c: SyscallContext, selection: Selection): Event | number {
  let found = -ECHILD
  const { threads, tracing } = c.linux
  for (const tracer of threads.ofProcess(c.process.ptr)) {
    if (has(selection.options, Wait.noThread) && tracer !== c.thread) continue
    for (const tracee of tracing.tracees.ofTracer(tracer)) {
      const process = tracing.processOf(tracee)
      if (selection.id !== 0 && tracee.id !== selection.id) continue
      if (selection.group !== 0 && process.groupId !== selection.group) continue
      const event = eventOfTracee(c, process, tracee, selection.options)
      if (event !== undefined) return event
      // Waits for stops alone do not wait for who has ended.
      const isWaited = tracee.thread !== 0 || has(selection.options, Wait.continued | Wait.exited)
      if (isWaited) found = 0
    }
  }
  return found
}

function eventOfTracee(
  c: SyscallContext,
  process: Process,
  tracee: Tracee,
  options: number,
): Event | undefined {
  if (tracee.thread === 0) return has(options, Wait.exited) ? endOf(c, process, tracee, options) : undefined
  return stopOf(c, process, tracee, options) ?? continuationOf(c, process, tracee, options)
}

/** A stop for the tracer: told whatever is asked for. */
function stopOf(c: SyscallContext, process: Process, tracee: Tracee, options: number): Event | undefined {
  const { code } = tracee
  const thread = c.linux.threads.at(tracee.thread)
  const isStopped = thread.state === ThreadState.traced && !tracee.has(TraceeFlag.listening)
  if (!isStopped || code === 0) return undefined
  const event = eventOf(c, process, tracee.id, (code << 8) | STOPPED_STATUS)
  if (!has(options, Wait.noWait)) tracee.code = 0
  return { ...event, info: { code: SignalCode.childTrapped, status: code } }
}

function continuationOf(
  c: SyscallContext,
  process: Process,
  tracee: Tracee,
  options: number,
): Event | undefined {
  if (!has(options, Wait.continued) || !process.hasFlag(ProcessFlag.continued)) return undefined
  if (!has(options, Wait.noWait)) process.setFlag(ProcessFlag.continued, false)
  return eventOf(c, process, tracee.id, CONTINUED_STATUS)
}

/** A thread that has ended, the first of a process only with the last. */
function endOf(c: SyscallContext, process: Process, tracee: Tracee, options: number): Event | undefined {
  const isFirst = tracee.id === process.id
  if (isFirst && (!process.isZombie || !isOver(process))) return undefined
  const isGroup = isFirst || process.hasFlag(ProcessFlag.exiting)
  const event = eventOf(c, process, tracee.id, isGroup ? process.exitStatus : tracee.endStatus)
  if (has(options, Wait.noWait)) return event
  if (isFirst) c.linux.tracing.reapFirst(process, tracee, c.process, event.usage)
  else c.linux.tracing.reapThread(process, tracee)
  return event
}
