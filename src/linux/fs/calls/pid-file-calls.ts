/** System calls that make and use pidfds: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2) (kernel/pid.c and signal.c of Linux). */
import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from '../../../base/errno.js'
import { readInfo, senderInfo } from '../../calls/kill-calls.js'
import { idOf } from '../../calls/numbers.js'
import type { Process } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import { SIGNAL_MAX, SignalCode } from '../../signal-numbers.js'
import { checkSender } from '../../signal-permission.js'
import { INFO_CODE } from '../../signal-queue.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { userOf } from '../file-user.js'
import { Open } from '../flags.js'
import { idOfPidFile, makePidFile, PID_FILE_THREAD, pidOf } from '../ipc/pid-file.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { fileArgument, installFile, userOfCall } from './support.js'

/** Whom pidfd_send_signal is for, if not whom the file stands for. */
const Scope = { thread: 1, process: 2, group: 4 } as const

export function pidFileCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(424, 'pidfd_send_signal', 'fSpx', (c) => sendSignal(vfs, c)),
    syscall(434, 'pidfd_open', 'dx', (c) => open(vfs, c)),
    syscall(438, 'pidfd_getfd', 'fdx', getFile),
  ]
}

function open(vfs: Vfs, c: SyscallContext): number {
  const id = c.args.int(0)
  const flags = c.args.low(1)
  if ((flags & ~(Open.nonBlock | PID_FILE_THREAD)) !== 0 || id <= 0) return -EINVAL
  const whom = idOf(c, id)
  const problem = whom === 0 ? -ESRCH : checkNumber(c, whom, (flags & PID_FILE_THREAD) !== 0)
  return problem < 0 ? problem : installFile(c, makePidFile(vfs, whom, flags), true)
}

/** Whether a number is a process's, or a thread's: 0; -ESRCH when it is nobody's, -EINVAL when it is something else's. */
function checkNumber(c: SyscallContext, id: number, asThread: boolean): number {
  const { processes, processTable, threads } = c.linux
  if (processes.has(id)) return 0
  if (threads.byId(id) !== undefined) return asThread ? 0 : -EINVAL
  return processTable.isFree(id) ? -ESRCH : -EINVAL
}

/** The process that a file stands for, or whose thread it stands for: -EBADF, -ESRCH. */
function processBehind(c: SyscallContext, file: OpenFile | undefined): Process | number {
  const id = idOfPidFile(file)
  if (id < 0) return id
  const thread = c.linux.threads.byId(id)
  return c.linux.processes.get(id) ?? (thread === undefined ? -ESRCH : c.linux.processOf(thread))
}

/** The process of a pidfd argument, for calls about its memory: -EBADF, -ESRCH; a mere thread is -ESRCH too (pidfd_get_task). */
export function processOfPidFile(c: SyscallContext, i: number): Process | number {
  const id = idOfPidFile(userOfCall(c).files.get(c.args.int(i)))
  return id < 0 ? id : (c.linux.processes.get(id) ?? -ESRCH)
}

function getFile(c: SyscallContext): number {
  if (c.args.low(2) !== 0) return -EINVAL
  const process = processBehind(c, userOfCall(c).files.get(c.args.int(0)))
  if (typeof process === 'number') return process
  const refused = mayAccess(c.process, process, 'real')
  if (refused < 0) return refused
  if (process.isZombie) return -ESRCH
  const file = userOf(process).files.get(c.args.int(1))
  return file === undefined ? -EBADF : installFile(c, file, true)
}

function sendSignal(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.low(3)
  if (flags !== 0 && !(Object.values(Scope) as number[]).includes(flags)) return -EINVAL
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const id = file.kind === 'pidfd' ? pidOf(file).id : vfs.proc.processOf(file.dentry)
  if (id === 0) return -EBADF
  const isThread = file.kind === 'pidfd' && (file.flags & PID_FILE_THREAD) !== 0
  const scope = flags === 0 ? (isThread ? Scope.thread : Scope.process) : flags
  const info = infoFor(c, id, scope)
  if (typeof info === 'number') return info
  if (file.kind === 'pidfd' && pidOf(file).isGone) return -ESRCH
  return scope === Scope.group ? sendToGroup(c, id, info) : sendTo(c, id, scope, info)
}

/** The program's own siginfo_t, or the one that kill(2) sends: -EFAULT, -EINVAL, -EPERM. */
function infoFor(c: SyscallContext, id: number, scope: number): Uint8Array | number {
  const signal = c.args.int(1)
  if (c.args.isZero(2)) {
    return senderInfo(c, signal, scope === Scope.thread ? SignalCode.tkill : SignalCode.user)
  }
  const info = readInfo(c, c.args.address(2))
  if (info === undefined) return -EFAULT
  const view = new DataView(info.buffer)
  if (view.getInt32(0, true) !== signal) return -EINVAL
  const code = view.getInt32(INFO_CODE, true)
  const isOwn = id === c.thread.id && scope !== Scope.group
  return !isOwn && (code >= 0 || code === SignalCode.tkill) ? -EPERM : info
}

function sendTo(c: SyscallContext, id: number, scope: number, info: Uint8Array): number {
  const { processes, signals, threads } = c.linux
  const thread = threads.byId(id)
  const process = processes.get(id) ?? (thread && c.linux.processOf(thread))
  if (process === undefined) return -ESRCH
  const signal = c.args.int(1)
  if (signal < 0 || signal > SIGNAL_MAX) return -EINVAL
  const refused = checkSender(c.process, process, signal)
  if (refused < 0 || signal === 0 || process.isZombie) return refused
  if (scope === Scope.process) return signals.sendToProcess(process, signal, info, thread)
  return thread === undefined ? 0 : signals.sendToThread(process, thread, signal, info)
}

/** 0 when one member could be sent to, or the last refusal; -ESRCH without members. */
function sendToGroup(c: SyscallContext, id: number, info: Uint8Array): number {
  let result: number = -ESRCH
  let hasSent = false
  for (const member of [...c.linux.processTable.group(id)]) {
    result = sendTo(c, member.id, Scope.process, info)
    hasSent ||= result === 0
  }
  return hasSent ? 0 : result
}
