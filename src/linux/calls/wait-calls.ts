/** wait4(2) and waitid(2): hearing of children that have ended, stopped or gone on. */
import { EAGAIN, EBADF, ECHILD, EFAULT, EINVAL, ESRCH } from '../../base/errno.js'
import { PAGE_SIZE, type Ptr } from '../../base/numbers.js'
import { childInfo } from '../child-info.js'
import { userOf } from '../fs/file-user.js'
import { Open } from '../fs/flags.js'
import { idOfPidFile } from '../fs/ipc/pid-file.js'
import { CHILDREN_USAGE, PROCESS_USAGE, type Process, ProcessFlag } from '../process.js'
import { Signal } from '../signal-numbers.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'
import { readUsage, sumOfUsage, type Usage } from '../usage.js'
import { ERESTARTSYS, PARKED, WaitKind } from '../wait.js'
import { idOf, numberOf } from './numbers.js'
import { copyOut, StructWriter } from './user-data.js'

const WNOHANG = 1
const WUNTRACED = 2
const WEXITED = 4
const WCONTINUED = 8
const WNOWAIT = 0x100_0000
const WNOTHREAD = 0x2000_0000
const WALL = 0x4000_0000
const WCLONE = 0x8000_0000
const MICROSECOND = 1000
const RUSAGE_BYTES = 144
const CONTINUED_STATUS = 0xffff
const STOPPED_STATUS = 0x7f
const INT_MIN = -0x8000_0000

const P_ALL = 0
const P_PID = 1
const P_PGID = 2
const P_PIDFD = 3

/** What a number that nobody has stands for: no child. */
const NOBODY = -1

/** Which children a call is about. */
interface Selection {
  /** Of a process; 0 = any. */
  readonly id: number
  /** Of a process group; 0 = any. */
  readonly group: number
  readonly options: number
  /** Nothing to tell yet is -EAGAIN. */
  readonly isImpatient?: boolean
}

/** What happened to a child. */
interface Event {
  /** What the caller calls the child. */
  readonly number: number
  /** As wait4 gives it. */
  readonly status: number
  readonly usage: Usage
}

const has = (options: number, option: number) => (options & option) !== 0

function isSelected(child: Process, { id, group, options }: Selection): boolean {
  if (id !== 0 && child.id !== id) return false
  if (group !== 0 && child.groupId !== group) return false
  const isClone = child.exitSignal !== Signal.CHLD
  return has(options, WALL) || isClone === has(options, WCLONE)
}

/** What there is to tell, or whether there is anybody to wait for: -ECHILD, 0. It is told once, unless WNOWAIT. */
function findEvent(c: SyscallContext, selection: Selection): Event | number {
  let found = -ECHILD
  for (const child of c.linux.processTable.childrenOf(c.process)) {
    if (!isSelected(child, selection)) continue
    found = 0
    const status = statusOf(child, selection.options)
    if (status < 0) continue
    const event = { number: numberOf(c, child.id), status, usage: usageOf(c, child) }
    if (!has(selection.options, WNOWAIT)) consume(c, child, event.usage)
    return event
  }
  return found
}

/** -1: nothing to tell. */
function statusOf(child: Process, options: number): number {
  if (child.isZombie) {
    return has(options, WEXITED) && !child.hasFlag(ProcessFlag.lingering) ? child.exitStatus : -1
  }
  if (has(options, WUNTRACED) && child.stopSignal !== 0) return (child.stopSignal << 8) | STOPPED_STATUS
  return has(options, WCONTINUED) && child.hasFlag(ProcessFlag.continued) ? CONTINUED_STATUS : -1
}

function consume(c: SyscallContext, child: Process, usage: Usage): void {
  if (child.isZombie) c.linux.ends.reap(child, usage)
  else if (child.stopSignal !== 0) child.stopSignal = 0
  else child.setFlag(ProcessFlag.continued, false)
}

/** Of the child and those that it waited for. */
function usageOf(c: SyscallContext, child: Process): Usage {
  const { memory } = c.mm
  const own = child.isZombie ? readUsage(memory, (child.ptr + PROCESS_USAGE) as Ptr) : c.linux.usageOf(child)
  return sumOfUsage(own, readUsage(memory, (child.ptr + CHILDREN_USAGE) as Ptr))
}

/** Parks until a child has something to tell: PARKED, 0 for WNOHANG, -ECHILD, -ERESTARTSYS. */
function waitFor(c: SyscallContext, selection: Selection): Event | number {
  const event = findEvent(c, selection)
  if (event === 0 && selection.isImpatient === true) return -EAGAIN
  if (typeof event !== 'number' || event < 0 || has(selection.options, WNOHANG)) return event
  return c.thread.park(WaitKind.child, 0) === PARKED ? PARKED : -ERESTARTSYS
}

/** struct rusage. */
export function rusage(usage: Usage): StructWriter {
  const { userTime, systemTime, minorFaults, majorFaults, residentPages } = usage
  return new StructWriter(RUSAGE_BYTES)
    .time(0, userTime, MICROSECOND)
    .time(16, systemTime, MICROSECOND)
    .u64(32, (residentPages * PAGE_SIZE) / 1024)
    .u64(64, minorFaults)
    .u64(72, majorFaults)
}

function wait4(c: SyscallContext): number {
  const options = c.args.low(2)
  if (has(options, ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))) return -EINVAL
  const wanted = c.args.int(0)
  if (wanted === INT_MIN) return -ESRCH
  const event = waitFor(c, selected(c, wanted, options | WEXITED))
  if (typeof event === 'number') return event
  if (copyOut(c, 1, new StructWriter(4).u32(0, event.status)) < 0) return -EFAULT
  return copyOut(c, 3, rusage(event.usage)) < 0 ? -EFAULT : event.number
}

/** A process, a group as a negative number, the caller's group 0, or any child -1. (Whole, not spread into another object: V8 gives each of those a shape of its own.) */
function selected(c: SyscallContext, wanted: number, options: number): Selection {
  if (wanted === -1) return { id: 0, group: 0, options }
  if (wanted > 0) return { id: named(c, wanted), group: 0, options }
  return { id: 0, group: wanted === 0 ? c.process.groupId : named(c, -wanted), options }
}

const named = (c: SyscallContext, number: number) => idOf(c, number) || NOBODY

/** Which children waitid is about, or -EINVAL. */
function selectionOf(c: SyscallContext): Selection | number {
  const options = c.args.low(3)
  const known = WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL
  if (has(options, ~known) || !has(options, WEXITED | WUNTRACED | WCONTINUED)) return -EINVAL
  const id = c.args.int(1)
  switch (c.args.int(0)) {
    case P_ALL:
      return { id: 0, group: 0, options }
    case P_PID:
      return id <= 0 ? -EINVAL : { id: named(c, id), group: 0, options }
    case P_PGID:
      return id < 0 ? -EINVAL : { id: 0, group: id === 0 ? c.process.groupId : named(c, id), options }
    case P_PIDFD:
      return id < 0 ? -EINVAL : selectionByFile(c, id, options)
    default:
      return -EINVAL
  }
}

/** A pidfd with O_NONBLOCK does not let the call wait. What nobody is any more is no child. */
function selectionByFile(c: SyscallContext, fd: number, options: number): Selection | number {
  const file = userOf(c.process).files.get(fd)
  const id = idOfPidFile(file)
  if (id === -EBADF) return -EBADF
  const isImpatient = (file!.flags & Open.nonBlock) !== 0 && !has(options, WNOHANG)
  return {
    id: Math.max(id, NOBODY),
    group: 0,
    options: isImpatient ? options | WNOHANG : options,
    isImpatient,
  }
}

function waitid(c: SyscallContext): number {
  const selection = selectionOf(c)
  const event = typeof selection === 'number' ? selection : waitFor(c, selection)
  if (event === PARKED) return PARKED
  if (typeof event !== 'number' && copyOut(c, 4, rusage(event.usage)) < 0) return -EFAULT
  if (!c.args.isZero(2) && !putInfo(c, c.args.address(2), event)) return -EFAULT
  return typeof event === 'number' ? event : 0
}

/** The fields of siginfo_t that a wait fills; zeroes when there is nothing to tell. */
function putInfo(c: SyscallContext, address: number, event: Event | number): boolean {
  const head = new StructWriter(12)
  const rest = new StructWriter(12)
  if (typeof event !== 'number') {
    const { code, status } = childInfo(event.status)
    head.u32(0, Signal.CHLD).u32(8, code)
    rest.u32(0, event.number).u32(8, status)
  }
  return head.copyTo(c, address) === 0 && rest.copyTo(c, address + 16) === 0
}

export const waitCalls: readonly Syscall[] = [
  { number: 95, name: 'waitid', trace: 'ddpxp', handler: waitid },
  { number: 260, name: 'wait4', trace: 'dpxp', handler: wait4 },
]
