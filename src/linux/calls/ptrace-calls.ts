/** ptrace(2): what a tracer asks (kernel/ptrace.c); registers stand in ptrace-registers.ts. */
import { EACCES, EFAULT, EINVAL, EIO, ENOMEM, EPERM, ESRCH } from '../../base/errno.js'
import { readForced, writeForced } from '../../fault/forced-copy.js'
import { copyToUser } from '../../fault/user-copy.js'
import { Capability } from '../fs/capabilities.js'
import { may } from '../fs/credentials.js'
import { userOf } from '../fs/file-user.js'
import type { Process } from '../process.js'
import { mayAccess } from '../process-access.js'
import {
  KNOWN_OPTIONS,
  PtraceEvent,
  PtraceOption,
  PtraceRequest as Request,
} from '../ptrace/ptrace-numbers.js'
import { type Tracee, TraceeFlag } from '../ptrace/tracee.js'
import { CALL_STOPS } from '../ptrace/tracing.js'
import { SIGNAL_MAX, Signal, SignalCode } from '../signal-numbers.js'
import { SIGINFO_BYTES } from '../signal-queue.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { type Thread, ThreadState } from '../thread.js'
import { THREAD_BLOCKED, THREAD_SAVED_MASK, ThreadFlag } from '../thread-record.js'
import { idOf, processAt, threadAt } from './numbers.js'
import { callInfo, registerSet } from './ptrace-registers.js'
import { readStruct, StructWriter, u64 } from './user-data.js'

const WORD = 8
const PEEK_SHARED = 1
const PEEK_ARGUMENTS_BYTES = 16
const DISPATCH_BYTES = 32

/** A request about a thread that is stopped for the caller. */
export interface Traced {
  readonly process: Process
  readonly thread: Thread
  readonly tracee: Tracee
}

type Handler = (c: SyscallContext, traced: Traced) => number

function traceMe(c: SyscallContext): number {
  const { linux, process, thread } = c
  const { parent } = process
  if (thread.hasFlag(ThreadFlag.traced) || parent === undefined) return -EPERM
  const refused = linux.tracing.mayTrace(parent, process)
  if (refused < 0) return refused
  const maker = linux.threads.byId(process.maker)
  const tracer = maker?.process === parent.ptr ? maker : linux.threadOf(parent)
  return linux.tracing.begin(tracer, thread, 0, 0) === undefined ? -ENOMEM : 0
}

/** Which options there are, and who may have them: 0, -EINVAL or -EPERM. */
function checkOptions(c: SyscallContext, options: number, high: number): number {
  if ((options & ~KNOWN_OPTIONS) !== 0 || high !== 0) return -EINVAL
  const isAdministrator = may(userOf(c.process).credentials, Capability.administrate)
  return (options & PtraceOption.suspendSeccomp) !== 0 && !isAdministrator ? -EPERM : 0
}

/** PTRACE_ATTACH and PTRACE_SEIZE. */
function attach(c: SyscallContext, isSeizing: boolean): number {
  const options = isSeizing ? c.args.low(3) : 0
  if (isSeizing) {
    const problem = c.args.isZero(2) ? checkOptions(c, options, c.args.high(3)) : -EIO
    if (problem < 0) return problem === -EINVAL ? -EIO : problem
  }
  const target = processAt(c, c.args.int(1))!
  if (target === c.process) return -EPERM
  const refused = mayAccess(c.process, target, 'real')
  const thread = threadAt(c, c.args.int(1))
  if (refused < 0) return refused
  if (thread === undefined || thread.state === ThreadState.exited) return -EPERM
  return thread.hasFlag(ThreadFlag.traced) ? -EPERM : begin(c, target, thread, isSeizing, options)
}

function begin(
  { linux, thread }: SyscallContext,
  process: Process,
  target: Thread,
  isSeizing: boolean,
  options: number,
): number {
  const { signals, tracing } = linux
  const tracee = tracing.begin(thread, target, isSeizing ? TraceeFlag.seized : 0, options)
  if (tracee === undefined) return -ENOMEM
  if (!isSeizing) {
    const info = signals.info({ signal: Signal.STOP, code: SignalCode.kernel })
    signals.sendToThread(process, target, Signal.STOP, info)
  }
  if (target.state === ThreadState.stopped) {
    tracee.set(TraceeFlag.trapStop)
    tracing.stops.trap(process, target)
  }
  return 0
}

/** The tracee that a number names; `isAnyState`: one that is not stopped too. -ESRCH. */
function tracedBy(c: SyscallContext, isAnyState: boolean): Traced | number {
  const thread = threadAt(c, c.args.int(1))
  const tracee = thread && c.linux.tracing.tracees.of(thread)
  if (thread === undefined || tracee === undefined || tracee.tracer !== c.thread.ptr) return -ESRCH
  const isStopped = thread.state === ThreadState.traced && !tracee.has(TraceeFlag.listening)
  return isAnyState || isStopped ? { process: c.linux.processOf(thread), thread, tracee } : -ESRCH
}

function peek(c: SyscallContext, { process }: Traced): number {
  const word = new Uint8Array(WORD)
  if (readForced(c.mm, process.space, c.args.address(2), word) < WORD) return -EIO
  return copyToUser(c.mm, c.space, c.args.address(3), word)
}

function poke(c: SyscallContext, { process }: Traced): number {
  const word = new StructWriter(WORD).u32(0, c.args.low(3)).u32(4, c.args.high(3)).bytes
  return writeForced(c.mm, process.space, c.args.address(2), word) < WORD ? -EIO : 0
}

/** The signal that is given with a request: -EIO when there is none of that number. */
function signalOf(c: SyscallContext): number {
  const signal = c.args.low(3)
  return c.args.high(3) !== 0 || signal > SIGNAL_MAX ? -EIO : signal
}

function resume(c: SyscallContext, { thread, tracee }: Traced, stops = 0): number {
  const signal = signalOf(c)
  if (signal < 0) return signal
  c.linux.tracing.resume(thread, tracee, signal, stops)
  return 0
}

/** There is no hardware for it on riscv64: debuggers set breakpoints instead. */
function singleStep(c: SyscallContext, { tracee }: Traced, stops = 0): number {
  if (signalOf(c) >= 0) tracee.flags = (tracee.flags & ~CALL_STOPS) | stops
  return -EIO
}

function detach(c: SyscallContext, { thread, tracee }: Traced): number {
  const signal = signalOf(c)
  if (signal < 0) return signal
  tracee.code = signal
  c.linux.tracing.detach(thread, tracee)
  return 0
}

function kill({ linux, process: caller }: SyscallContext, { process, thread }: Traced): number {
  const { signals } = linux
  const processId = process.namespace.numberOf(caller.id)
  const info = signals.info({ signal: Signal.KILL, code: SignalCode.user, processId })
  signals.sendToThread(process, thread, Signal.KILL, info)
  return 0
}

function interrupt({ linux }: SyscallContext, { process, thread, tracee }: Traced): number {
  if (!tracee.has(TraceeFlag.seized)) return -EIO
  if (!thread.isKilled && !process.isZombie) linux.tracing.stops.request(thread, tracee, TraceeFlag.trapStop)
  return 0
}

function listen({ linux }: SyscallContext, { thread, tracee }: Traced): number {
  if (!tracee.has(TraceeFlag.seized)) return -EIO
  const code = new DataView(tracee.info.slice().buffer).getInt32(WORD, true)
  if (!tracee.has(TraceeFlag.hasInfo) || code >> 8 !== PtraceEvent.stop) return -EIO
  tracee.set(TraceeFlag.listening)
  if (tracee.has(TraceeFlag.trapNotify)) linux.tracing.stops.request(thread, tracee, TraceeFlag.trapNotify)
  return 0
}

function setOptions(c: SyscallContext, { tracee }: Traced): number {
  const options = c.args.low(3)
  const problem = checkOptions(c, options, c.args.high(3))
  if (problem === 0) tracee.options = options
  return problem
}

function getEventMessage(c: SyscallContext, { tracee }: Traced): number {
  return new StructWriter(WORD).u64(0, tracee.message).copyTo(c, c.args.address(3))
}

function getSignalInfo(c: SyscallContext, { tracee }: Traced): number {
  if (!tracee.has(TraceeFlag.hasInfo)) return -EINVAL
  return copyToUser(c.mm, c.space, c.args.address(3), tracee.info.slice())
}

function setSignalInfo(c: SyscallContext, { tracee }: Traced): number {
  const info = readStruct(c, c.args.address(3), SIGINFO_BYTES)
  if (info === undefined) return -EFAULT
  if (!tracee.has(TraceeFlag.hasInfo)) return -EINVAL
  tracee.info.set(new Uint8Array(info.buffer))
  return 0
}

/** Signals in the queue of a thread or its process, from a position on: how many. */
function peekSignalInfo(c: SyscallContext, { process, thread }: Traced): number {
  const wanted = readStruct(c, c.args.address(2), PEEK_ARGUMENTS_BYTES)
  if (wanted === undefined) return -EFAULT
  const flags = wanted.getUint32(8, true)
  const count = wanted.getInt32(12, true)
  if ((flags & ~PEEK_SHARED) !== 0 || count < 0) return -EINVAL
  const target = (flags & PEEK_SHARED) !== 0 ? process : thread
  for (let done = 0; done < count; done++) {
    const info = c.linux.signals.queues.infoAt(target, u64(wanted, 0) + done)
    if (info === undefined) return done
    const to = c.args.address(3) + done * SIGINFO_BYTES
    if (copyToUser(c.mm, c.space, to, info.slice()) < 0) return done || -EFAULT
  }
  return count
}

function getSignalMask(c: SyscallContext, { thread }: Traced): number {
  if (c.args.address(2) !== WORD) return -EINVAL
  const from = thread.ptr + (thread.hasFlag(ThreadFlag.restoreMask) ? THREAD_SAVED_MASK : THREAD_BLOCKED)
  return copyToUser(c.mm, c.space, c.args.address(3), c.mm.memory.u8.slice(from, from + WORD))
}

function setSignalMask(c: SyscallContext, { thread }: Traced): number {
  if (c.args.address(2) !== WORD) return -EINVAL
  const set = readStruct(c, c.args.address(3), WORD)
  if (set === undefined) return -EFAULT
  thread.flags &= ~ThreadFlag.restoreMask
  c.linux.signals.setBlocked(thread, set.getUint32(0, true), set.getUint32(4, true))
  return 0
}

/** No thread has filters of seccomp(2) here. */
function seccomp(c: SyscallContext): number {
  return may(userOf(c.process).credentials, Capability.administrate) ? -EINVAL : -EACCES
}

/** Nor does any have its calls dispatched to itself (PR_SET_SYSCALL_USER_DISPATCH). */
function getDispatch(c: SyscallContext): number {
  if (c.args.address(2) !== DISPATCH_BYTES) return -EINVAL
  return new StructWriter(DISPATCH_BYTES).copyTo(c, c.args.address(3))
}

function setDispatch(c: SyscallContext): number {
  if (c.args.address(2) !== DISPATCH_BYTES) return -EINVAL
  const wanted = readStruct(c, c.args.address(3), DISPATCH_BYTES)
  if (wanted === undefined) return -EFAULT
  return new Uint8Array(wanted.buffer).some((byte) => byte !== 0) ? -EINVAL : 0
}

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [Request.peekText, peek],
  [Request.peekData, peek],
  [Request.pokeText, poke],
  [Request.pokeData, poke],
  [Request.continue, (c, traced) => resume(c, traced)],
  [Request.systemCall, (c, traced) => resume(c, traced, TraceeFlag.stopsAtCalls)],
  [Request.emulateCall, (c, traced) => resume(c, traced, TraceeFlag.emulatesCalls)],
  [Request.emulateCallAndStep, (c, traced) => singleStep(c, traced, TraceeFlag.emulatesCalls)],
  [Request.singleStep, (c, traced) => singleStep(c, traced)],
  [Request.kill, kill],
  [Request.detach, detach],
  [Request.interrupt, interrupt],
  [Request.listen, listen],
  [Request.setOptions, setOptions],
  [Request.getEventMessage, getEventMessage],
  [Request.getSignalInfo, getSignalInfo],
  [Request.setSignalInfo, setSignalInfo],
  [Request.peekSignalInfo, peekSignalInfo],
  [Request.getSignalMask, getSignalMask],
  [Request.setSignalMask, setSignalMask],
  [Request.getRegisterSet, (c, traced) => registerSet(c, traced, false)],
  [Request.setRegisterSet, (c, traced) => registerSet(c, traced, true)],
  [Request.getCallInfo, callInfo],
  [Request.getSeccompFilter, seccomp],
  [Request.getSeccompMetadata, seccomp],
  [Request.getCallDispatch, getDispatch],
  [Request.setCallDispatch, setDispatch],
])

/** A thread's number, or that of a process whose first thread has ended. */
const isThere = (c: SyscallContext, number: number) =>
  number > 0 && idOf(c, number) > 0 && processAt(c, number) !== undefined

function ptrace(c: SyscallContext): number {
  const request = c.args.high(0) === 0 ? c.args.low(0) : -1
  if (request === Request.traceMe) return traceMe(c)
  if (!isThere(c, c.args.int(1))) return -ESRCH
  if (request === Request.attach || request === Request.seize) return attach(c, request === Request.seize)
  const traced = tracedBy(c, request === Request.kill || request === Request.interrupt)
  if (typeof traced === 'number') return traced
  return HANDLERS.get(request)?.(c, traced) ?? -EIO
}

export const ptraceCalls: readonly Syscall[] = [syscall(117, 'ptrace', 'xdpp', ptrace)]
