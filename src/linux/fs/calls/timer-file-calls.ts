/** System calls that make files of timers and signals: timerfd_create(2), timerfd_settime(2), signalfd(2). */
import { EBADF, EFAULT, EINVAL, ENOMEM } from '../../../base/errno.js'
import { UNBLOCKABLE } from '../../signal-masks.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { ClockBase } from '../../time-offset.js'
import { ITIMERSPEC_BYTES, readSetting } from '../../timer-setting.js'
import { Open } from '../flags.js'
import { makeSignalFile, setSignalMask } from '../ipc/signal-file.js'
import { baseOfTimer, makeTimerFile, readTimerFile, setTimerFile } from '../ipc/timer-file.js'
import type { FileKind, OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { fileArgument, installFile, take } from './support.js'

const FLAGS = Open.closeOnExec | Open.nonBlock
const SIGNAL_SET_BYTES = 8
const TFD_TIMER_ABSTIME = 1
const TFD_TIMER_CANCEL_ON_SET = 2
/** Realtime and its alarm; monotonic, boottime and its alarm. */
const WALL: ReadonlySet<number> = new Set([0, 8])
const STEADY: ReadonlySet<number> = new Set([1, 7, 9])
const MONOTONIC = 1

function baseOf(clock: number): ClockBase {
  if (WALL.has(clock)) return ClockBase.wall
  return clock === MONOTONIC ? ClockBase.monotonic : ClockBase.boottime
}

export function timerFileCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(74, 'signalfd4', 'dpux', (c) => signalfd(vfs, c)),
    syscall(85, 'timerfd_create', 'dx', (c) => create(vfs, c)),
    syscall(86, 'timerfd_settime', 'dxpp', (c) => settime(vfs, c)),
    syscall(87, 'timerfd_gettime', 'dp', (c) => gettime(vfs, c)),
  ]
}

function create(vfs: Vfs, c: SyscallContext): number {
  const clock = c.args.int(0)
  const flags = c.args.int(1)
  if ((flags & ~FLAGS) !== 0 || !(WALL.has(clock) || STEADY.has(clock))) return -EINVAL
  const file = makeTimerFile(vfs, baseOf(clock), flags & Open.nonBlock)
  return file === undefined ? -ENOMEM : installFile(c, file, (flags & Open.closeOnExec) !== 0)
}

/** The open file of argument 0 if it is of a kind: -EBADF, -EINVAL. */
function fileOf(c: SyscallContext, kind: FileKind): OpenFile | number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return -EBADF
  return file.kind === kind ? file : -EINVAL
}

function settime(vfs: Vfs, c: SyscallContext): number {
  const view = take(c, c.args.address(2), ITIMERSPEC_BYTES)
  if (view === undefined) return -EFAULT
  const flags = c.args.int(1)
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL
  if (typeof readSetting(c, view, false, ClockBase.monotonic) === 'number') return -EINVAL
  const file = fileOf(c, 'timerfd')
  if (typeof file === 'number') return file
  const isAbsolute = (flags & TFD_TIMER_ABSTIME) !== 0
  const setting = readSetting(c, view, isAbsolute, baseOfTimer(vfs, file))
  if (typeof setting === 'number') return setting
  const previous = setTimerFile(vfs, file, setting)
  return c.args.isZero(3) ? 0 : previous.copyTo(c, c.args.address(3))
}

function gettime(vfs: Vfs, c: SyscallContext): number {
  const file = fileOf(c, 'timerfd')
  return typeof file === 'number' ? file : readTimerFile(vfs, file).copyTo(c, c.args.address(1))
}

function signalfd(vfs: Vfs, c: SyscallContext): number {
  if (c.args.address(2) !== SIGNAL_SET_BYTES) return -EINVAL
  const set = take(c, c.args.address(1), SIGNAL_SET_BYTES)
  if (set === undefined) return -EFAULT
  const flags = c.args.int(3)
  if ((flags & ~FLAGS) !== 0) return -EINVAL
  const low = set.getUint32(0, true) & ~UNBLOCKABLE
  const high = set.getUint32(4, true)
  if (c.args.int(0) === -1) {
    const file = makeSignalFile(vfs, low, high, flags & Open.nonBlock)
    return installFile(c, file, (flags & Open.closeOnExec) !== 0)
  }
  const file = fileOf(c, 'signalfd')
  if (typeof file === 'number') return file
  setSignalMask(vfs, file, low, high)
  return c.args.int(0)
}
