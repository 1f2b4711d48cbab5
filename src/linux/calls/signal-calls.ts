/** System calls about a program's own signals: sigaction(2), sigprocmask(2), sigtimedwait(2), sigaltstack(2) and their kin. */
import { EAGAIN, EFAULT, EINTR, EINVAL } from '../../base/errno.js'
import { copyFromUser, copyToUser } from '../../fault/user-copy.js'
import { SS_AUTODISARM, setStack, stackFlags } from '../alternate-stack.js'
import { PROCESS_PENDING } from '../process.js'
import { stackPointer } from '../registers.js'
import { ACTION_BYTES } from '../signal-actions.js'
import { decodeStack, encodeStack } from '../signal-frame.js'
import { UNBLOCKABLE } from '../signal-masks.js'
import {
  SA_EXPOSE_TAGBITS,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_SIGINFO,
  SIGNAL_MAX,
  Signal,
} from '../signal-numbers.js'
import { SIGINFO_BYTES } from '../signal-queue.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { THREAD_BLOCKED, THREAD_PENDING } from '../thread-record.js'
import { ERESTARTNOHAND, PARKED, REGISTERS_SET, WaitKind } from '../wait.js'
import { readStruct, readTime } from './user-data.js'

const SIGNAL_SET_BYTES = 8
const KNOWN_FLAGS =
  SA_NOCLDSTOP |
  SA_NOCLDWAIT |
  SA_SIGINFO |
  SA_EXPOSE_TAGBITS |
  SA_ONSTACK |
  SA_RESTART |
  SA_NODEFER |
  SA_RESETHAND

const SIG_BLOCK = 0
const SIG_UNBLOCK = 1
const SIG_SETMASK = 2

const hasSetSize = (c: SyscallContext, argument: number) => c.args.address(argument) === SIGNAL_SET_BYTES

function rtSigaction(c: SyscallContext): number {
  if (!hasSetSize(c, 3)) return -EINVAL
  const signal = c.args.int(0)
  const isSetting = !c.args.isZero(1)
  const wanted = new Uint8Array(ACTION_BYTES)
  if (isSetting && copyFromUser(c.mm, c.space, c.args.address(1), wanted) < 0) return -EFAULT
  if (signal < 1 || signal > SIGNAL_MAX) return -EINVAL
  if (isSetting && (signal === Signal.KILL || signal === Signal.STOP)) return -EINVAL
  const action = c.process.action(signal)
  const previous = c.mm.memory.u8.slice(action, action + ACTION_BYTES)
  if (isSetting) setAction(c, signal, wanted)
  return c.args.isZero(2) ? 0 : copyToUser(c.mm, c.space, c.args.address(2), previous)
}

function setAction(c: SyscallContext, signal: number, wanted: Uint8Array): void {
  const view = new DataView(wanted.buffer)
  view.setUint32(8, view.getUint32(8, true) & KNOWN_FLAGS, true)
  view.setUint32(12, 0, true)
  c.linux.signals.setAction(c.process, signal, wanted)
}

function rtSigprocmask(c: SyscallContext): number {
  if (!hasSetSize(c, 3)) return -EINVAL
  const { u8, u32 } = c.mm.memory
  const blocked = (c.thread.ptr + THREAD_BLOCKED) >>> 2
  const previous = u8.slice(blocked * 4, blocked * 4 + SIGNAL_SET_BYTES)
  if (!c.args.isZero(1)) {
    const set = readStruct(c, c.args.address(1), SIGNAL_SET_BYTES)
    if (set === undefined) return -EFAULT
    const result = changeMask(c, set, u32[blocked]!, u32[blocked + 1]!)
    if (result < 0) return result
  }
  return c.args.isZero(2) ? 0 : copyToUser(c.mm, c.space, c.args.address(2), previous)
}

function changeMask(c: SyscallContext, set: DataView, oldLow: number, oldHigh: number): number {
  const low = set.getUint32(0, true)
  const high = set.getUint32(4, true)
  const { signals } = c.linux
  const how = c.args.int(0)
  if (how === SIG_BLOCK) signals.setBlocked(c.thread, oldLow | low, oldHigh | high)
  else if (how === SIG_UNBLOCK) signals.setBlocked(c.thread, oldLow & ~low, oldHigh & ~high)
  else if (how === SIG_SETMASK) signals.setBlocked(c.thread, low, high)
  else return -EINVAL
  return 0
}

/** Pending and blocked: those that are not blocked would have been delivered. */
function rtSigpending(c: SyscallContext): number {
  const length = c.args.address(1)
  if (length > SIGNAL_SET_BYTES) return -EINVAL
  const { u32 } = c.mm.memory
  const set = new Uint32Array(2)
  for (let word = 0; word < 2; word++) {
    const own = u32[((c.thread.ptr + THREAD_PENDING) >>> 2) + word]!
    const shared = u32[((c.process.ptr + PROCESS_PENDING) >>> 2) + word]!
    set[word] = (own | shared) & u32[((c.thread.ptr + THREAD_BLOCKED) >>> 2) + word]!
  }
  return copyToUser(c.mm, c.space, c.args.address(0), new Uint8Array(set.buffer, 0, length))
}

function rtSigreturn(c: SyscallContext): number {
  const { signals } = c.linux
  if (!signals.returnFrom(c.process, c.thread, c.linux.hart.ptr)) {
    // The frame's page has still to come (userfaultfd): the call is made again then.
    if (c.mm.userfaults.missed !== undefined) return -EFAULT
    signals.forceSegv(c.process, c.thread, 0)
  }
  return REGISTERS_SET
}

/** Waits with another mask until a handler has run; the old mask comes back with it. */
function rtSigsuspend(c: SyscallContext): number {
  if (!hasSetSize(c, 1)) return -EINVAL
  const set = readStruct(c, c.args.address(0), SIGNAL_SET_BYTES)
  if (set === undefined) return -EFAULT
  swapMask(c, set)
  return c.thread.park(WaitKind.signal, 0) === PARKED ? PARKED : -ERESTARTNOHAND
}

/** Another mask until the call is over (sigsuspend, ppoll, pselect6). */
export function swapMask(c: SyscallContext, set: DataView): void {
  c.linux.signals.masks.swap(c.thread, set.getUint32(0, true), set.getUint32(4, true))
}

/** Takes a signal of the set without running its handler. A signal for a handler, and a stop, end the wait. */
function rtSigtimedwait(c: SyscallContext): number {
  if (!hasSetSize(c, 3)) return -EINVAL
  const { masks } = c.linux.signals
  if (c.thread.isResumed) masks.endWait(c.thread)
  const set = readStruct(c, c.args.address(0), SIGNAL_SET_BYTES)
  if (set === undefined) return -EFAULT
  const timeout = c.args.isZero(2) ? Number.POSITIVE_INFINITY : readTime(c, c.args.address(2))
  if (timeout < 0) return timeout
  const low = set.getUint32(0, true) & ~UNBLOCKABLE
  const high = set.getUint32(4, true)
  const info = new Uint8Array(SIGINFO_BYTES)
  const signal = c.linux.signals.takeOf(c.process, c.thread, low, high, info)
  if (signal > 0) return giveInfo(c, signal, info)
  if (timeout === 0) return -EAGAIN
  if (c.thread.isResumed) return c.linux.clock.now() >= c.thread.deadline ? -EAGAIN : -EINTR
  masks.beginWait(c.thread, low, high)
  if (c.thread.park(WaitKind.signal, 0, c.linux.clock.now() + timeout) === PARKED) return PARKED
  masks.endWait(c.thread)
  return -EINTR
}

function giveInfo(c: SyscallContext, signal: number, info: Uint8Array): number {
  if (c.args.isZero(1)) return signal
  return copyToUser(c.mm, c.space, c.args.address(1), info) < 0 ? -EFAULT : signal
}

function sigaltstack(c: SyscallContext): number {
  const { thread } = c
  const sp = stackPointer(c.mm.memory.u32, c.linux.hart.ptr)
  const wanted = c.args.isZero(0) ? undefined : readStruct(c, c.args.address(0), 24)
  if (wanted === undefined && !c.args.isZero(0)) return -EFAULT
  const previous = new Uint8Array(24)
  encodeStack(new DataView(previous.buffer), 0, {
    base: thread.altBase,
    size: thread.altSize,
    flags: stackFlags(thread, sp) | (thread.altFlags & SS_AUTODISARM),
  })
  if (wanted !== undefined) {
    const { base, flags, size } = decodeStack(wanted, 0)
    const problem = setStack(thread, base, flags, size, sp)
    if (problem !== 0) return problem
  }
  return c.args.isZero(1) ? 0 : copyToUser(c.mm, c.space, c.args.address(1), previous)
}

export const signalCalls: readonly Syscall[] = [
  syscall(128, 'restart_syscall', '', () => -EINTR),
  syscall(132, 'sigaltstack', 'pp', sigaltstack),
  syscall(133, 'rt_sigsuspend', 'pu', rtSigsuspend),
  syscall(134, 'rt_sigaction', 'Sppu', rtSigaction),
  syscall(135, 'rt_sigprocmask', 'dppu', rtSigprocmask),
  syscall(136, 'rt_sigpending', 'pu', rtSigpending),
  syscall(137, 'rt_sigtimedwait', 'pppu', rtSigtimedwait),
  syscall(139, 'rt_sigreturn', '', rtSigreturn),
]
