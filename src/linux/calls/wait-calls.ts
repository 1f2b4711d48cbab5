/** wait4(2) and waitid(2): hearing of children that have ended, stopped or gone on. */
import { EAGAIN, EBADF, EFAULT, EINVAL, ESRCH } from '../../base/errno.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import { storeUser32 } from '../../fault/user-copy.js'
import { userOf } from '../fs/file-user.js'
import { Open } from '../fs/flags.js'
import { idOfPidFile } from '../fs/ipc/pid-file.js'
import { Signal } from '../signal-numbers.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import type { Usage } from '../usage.js'
import { ERESTARTSYS, PARKED, WaitKind } from '../wait.js'
import { idOf } from './numbers.js'
import { copyOut, StructWriter } from './user-data.js'
import { type Event, findEvent, has, type Selection, Wait } from './wait-events.js'

const MICROSECOND = 1000
const RUSAGE_BYTES = 144
const INT_MIN = -0x8000_0000

const P_ALL = 0
const P_PID = 1
const P_PGID = 2
const P_PIDFD = 3

/** What a number that nobody has stands for: no child. */
const NOBODY = -1

/** Parks until a child has something to tell: PARKED, 0 for WNOHANG, -ECHILD, -ERESTARTSYS. */
function waitFor(c: SyscallContext, selection: Selection): Event | number {
  const event = findEvent(c, selection)
  if (event === 0 && selection.isImpatient === true) return -EAGAIN
  if (typeof event !== 'number' || event < 0 || has(selection.options, Wait.noHang)) return event
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
  if (has(options, ~(Wait.noHang | Wait.untraced | Wait.continued | Wait.noThread | Wait.all | Wait.clone)))
    return -EINVAL
  const wanted = c.args.int(0)
  if (wanted === INT_MIN) return -ESRCH
  const event = waitFor(c, selected(c, wanted, options | Wait.exited))
  if (typeof event === 'number') return event
  if (!c.args.isZero(1) && storeUser32(c.mm, c.space, c.args.address(1), event.status) < 0) return -EFAULT
  if (!c.args.isZero(3) && copyOut(c, 3, rusage(event.usage)) < 0) return -EFAULT
  return event.number
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
  const known =
    Wait.noHang |
    Wait.noWait |
    Wait.exited |
    Wait.untraced |
    Wait.continued |
    Wait.noThread |
    Wait.clone |
    Wait.all
  if (has(options, ~known) || !has(options, Wait.exited | Wait.untraced | Wait.continued)) return -EINVAL
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
  const isImpatient = (file!.flags & Open.nonBlock) !== 0 && !has(options, Wait.noHang)
  return {
    id: Math.max(id, NOBODY),
    group: 0,
    options: isImpatient ? options | Wait.noHang : options,
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
    const { code, status } = event.info
    head.u32(0, Signal.CHLD).u32(8, code)
    rest.u32(0, event.number).u32(8, status)
  }
  return head.copyTo(c, address) === 0 && rest.copyTo(c, address + 16) === 0
}

export const waitCalls: readonly Syscall[] = [
  syscall(95, 'waitid', 'ddpxp', waitid),
  syscall(260, 'wait4', 'dpxp', wait4),
]
