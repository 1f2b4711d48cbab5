/** System calls that send signals: kill(2), tgkill(2), rt_sigqueueinfo(2). */
import { EFAULT, EINVAL, EPERM, ESRCH } from '../../base/errno.js'
import { copyFromUser } from '../../fault/user-copy.js'
import type { Process } from '../process.js'
import { SIGNAL_MAX, SignalCode } from '../signal-numbers.js'
import { checkSender, realUserOf } from '../signal-permission.js'
import { INFO_CODE, SIGINFO_BYTES } from '../signal-queue.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import type { Thread } from '../thread.js'
import { idOf, numberOf, processAt, threadAt } from './numbers.js'

const INT_MIN = -0x8000_0000
/** What a number that nobody has stands for: no group. */
const NOBODY = -1

/** Signal 0 only asks whether somebody is there. */
const isValid = (signal: number) => signal >= 0 && signal <= SIGNAL_MAX

/** -EINVAL, -EPERM, or 0. */
function check(c: SyscallContext, target: Process, signal: number): number {
  return isValid(signal) ? checkSender(c.process, target, signal) : -EINVAL
}

/** What kill and tkill tell: who sent it. */
export function senderInfo(c: SyscallContext, signal: number, code: number): Uint8Array {
  return c.linux.signals.info({ signal, code, processId: c.process.number, userId: realUserOf(c.process) })
}

/** `main`: the thread that was named, if it was not the first. */
function sendTo(c: SyscallContext, process: Process, signal: number, main?: Thread): number {
  const refused = check(c, process, signal)
  if (refused < 0 || signal === 0) return refused
  return c.linux.signals.sendToProcess(process, signal, senderInfo(c, signal, SignalCode.user), main)
}

/** To each of several: 0 when one could be sent to, -ESRCH when there is none. */
function sendToAll(c: SyscallContext, signal: number, isMeant: (process: Process) => boolean): number {
  let result: number = -ESRCH
  for (const process of [...c.linux.processes.values()]) {
    if (!isMeant(process)) continue
    const sent = sendTo(c, process, signal)
    if (sent === 0 || result === -ESRCH) result = sent
  }
  return result
}

/** A number names a process, or one of its threads, which is then asked first. */
function sendToNumber(c: SyscallContext, id: number, signal: number): number {
  const process = processAt(c, id)
  return process === undefined ? -ESRCH : sendTo(c, process, signal, threadAt(c, id))
}

function kill(c: SyscallContext): number {
  const target = c.args.int(0)
  const signal = c.args.int(1)
  if (target > 0) return sendToNumber(c, target, signal)
  if (target === INT_MIN) return -ESRCH
  if (target === -1)
    return sendToAll(c, signal, (process) => process !== c.process && numberOf(c, process.id) > 1)
  const group = target === 0 ? c.process.groupId : idOf(c, -target) || NOBODY
  return sendToAll(c, signal, ({ groupId }) => groupId === group)
}

/** The thread with a number, in a process if one is named. */
function findThread(c: SyscallContext, group: number | undefined, id: number): Thread | undefined {
  const thread = threadAt(c, id)
  if (thread === undefined || group === undefined) return thread
  return c.linux.processOf(thread).id === idOf(c, group) ? thread : undefined
}

function sendToThread(c: SyscallContext, group: number | undefined, id: number, signal: number): number {
  if (id <= 0 || (group !== undefined && group <= 0)) return -EINVAL
  const { linux } = c
  const thread = findThread(c, group, id)
  if (thread === undefined) return isZombie(c, group ?? id, id) && isValid(signal) ? 0 : -ESRCH
  const refused = check(c, linux.processOf(thread), signal)
  if (refused < 0 || signal === 0) return refused
  const info = senderInfo(c, signal, SignalCode.tkill)
  return linux.signals.sendToThread(linux.processOf(thread), thread, signal, info)
}

/** The first thread of a process that nobody has waited for is still there. */
function isZombie(c: SyscallContext, group: number, id: number): boolean {
  return group === id && c.linux.processes.has(idOf(c, id))
}

/** A siginfo_t of the program; undefined where there is none. */
export function readInfo(c: SyscallContext, address: number): Uint8Array<ArrayBuffer> | undefined {
  const info = new Uint8Array(SIGINFO_BYTES)
  return copyFromUser(c.mm, c.space, address, info) < 0 ? undefined : info
}

/** A siginfo_t of the sender's own, or a negative errno. It may not claim to come from the kernel unless it goes to itself. */
function infoFor(c: SyscallContext, id: number, signal: number, address: number): Uint8Array | number {
  const info = readInfo(c, address)
  if (info === undefined) return -EFAULT
  const view = new DataView(info.buffer)
  view.setInt32(0, signal, true)
  const code = view.getInt32(INFO_CODE, true)
  return (code >= 0 || code === SignalCode.tkill) && idOf(c, id) !== c.thread.id ? -EPERM : info
}

function rtSigqueueinfo(c: SyscallContext): number {
  const id = c.args.int(0)
  const signal = c.args.int(1)
  const info = infoFor(c, id, signal, c.args.address(2))
  if (typeof info === 'number') return info
  const process = processAt(c, id)
  if (process === undefined) return -ESRCH
  const refused = check(c, process, signal)
  if (refused < 0 || signal === 0) return refused
  return c.linux.signals.sendToProcess(process, signal, info, threadAt(c, id))
}

function rtTgsigqueueinfo(c: SyscallContext): number {
  const group = c.args.int(0)
  const id = c.args.int(1)
  const signal = c.args.int(2)
  const info = infoFor(c, id, signal, c.args.address(3))
  if (info === -EFAULT) return -EFAULT
  if (id <= 0 || group <= 0) return -EINVAL
  if (typeof info === 'number') return info
  const { linux } = c
  const thread = findThread(c, group, id)
  if (thread === undefined) return -ESRCH
  const process = linux.processOf(thread)
  const refused = check(c, process, signal)
  if (refused < 0 || signal === 0) return refused
  return linux.signals.sendToThread(process, thread, signal, info)
}

export const killCalls: readonly Syscall[] = [
  syscall(129, 'kill', 'dS', kill),
  syscall(130, 'tkill', 'dS', (c) => sendToThread(c, undefined, c.args.int(0), c.args.int(1))),
  syscall(131, 'tgkill', 'ddS', (c) => sendToThread(c, c.args.int(0), c.args.int(1), c.args.int(2))),
  syscall(138, 'rt_sigqueueinfo', 'dSp', rtSigqueueinfo),
  syscall(240, 'rt_tgsigqueueinfo', 'ddSp', rtTgsigqueueinfo),
]
