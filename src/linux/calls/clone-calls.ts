/** clone(2) and clone3(2): decoded here, done in forking.ts. */
import { E2BIG, EFAULT, EINVAL, ENOMEM, EPERM } from '../../base/errno.js'
import { NULL, PAGE_SIZE } from '../../base/numbers.js'
import { copyFromUser, isUserRange } from '../../fault/user-copy.js'
import { CloneFlag as Flag } from '../clone-flags.js'
import type { CloneRequest } from '../forking.js'
import { makeNamespace, mayMakeNamespace } from '../namespace-making.js'
import { NAMESPACE_LEVEL_MAX } from '../pid-namespace.js'
import { ProcessFlag } from '../process.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { ERESTARTNOINTR, WaitKind } from '../wait.js'
import { readStruct, u64 } from './user-data.js'

const EXIT_SIGNAL_MASK = 0xff
/** Those that this kernel has not. */
const NAMESPACES = Flag.newMounts | Flag.newCgroup | Flag.newUts | Flag.newIpc | Flag.newUser | Flag.newNet
/** In the upper half of clone3's flags. */
const CLEAR_HANDLERS = 1
const INTO_CGROUP = 2
const SIGNAL_MAX = 64

const has = (flags: number, flag: number) => (flags & flag) !== 0

/** What cannot be asked for together, and what this kernel has not (of namespaces only those of numbers and of time): 0 or -EINVAL. */
function checkFlags(c: SyscallContext, flags: number): number {
  if (has(flags, NAMESPACES)) return -EINVAL
  if (has(flags, Flag.thread) && !has(flags, Flag.signalActions)) return -EINVAL
  if (has(flags, Flag.thread) && (has(flags, Flag.newPid) || isLeaving(c))) return -EINVAL
  if (has(flags, Flag.signalActions) && !has(flags, Flag.memory)) return -EINVAL
  return has(flags, Flag.pidFile) && has(flags, Flag.detached) ? -EINVAL : 0
}

/** Whether the children of the caller are born into another namespace than its own. */
function isLeaving({ process, thread }: SyscallContext): boolean {
  return thread.childNamespace !== undefined && thread.childNamespace !== process.namespace
}

function start(c: SyscallContext, request: CloneRequest): number {
  const problem = checkFlags(c, request.flags)
  if (problem < 0) return problem
  const bothNumbers = has(request.flags, Flag.pidFile) && has(request.flags, Flag.parentSetTid)
  if (bothNumbers && request.pidFile === request.parentTid) return -EINVAL
  const hasNoParent = c.process.parent === undefined || c.process.hasFlag(ProcessFlag.unkillable)
  if (has(request.flags, Flag.parent) && hasNoParent) return -EINVAL
  return c.linux.forking.clone(c.process, c.thread, request)
}

/** The second run of a vfork: the child has let go of the memory, or this process is being killed. */
function finishVfork(c: SyscallContext): number {
  if (!c.thread.wasWoken) return -ERESTARTNOINTR
  c.linux.tracing.vforkDone(c.thread, c.thread.waitArgument)
  return c.thread.progress
}

const isVforkDone = (c: SyscallContext) => c.thread.isResumed && c.thread.waitKind === WaitKind.vfork

/** flags, stack, parent_tid, tls, child_tid: the order of riscv64 (CONFIG_CLONE_BACKWARDS). */
function clone(c: SyscallContext): number {
  if (isVforkDone(c)) return finishVfork(c)
  const flags = c.args.low(0)
  return start(c, {
    flags: (flags & ~EXIT_SIGNAL_MASK) >>> 0,
    clearsHandlers: false,
    exitSignal: flags & EXIT_SIGNAL_MASK,
    stackPointer: c.args.address(1),
    tlsLow: c.args.low(3),
    tlsHigh: c.args.high(3),
    parentTid: c.args.address(2),
    pidFile: c.args.address(2),
    childTid: c.args.address(4),
    numbers: [],
  })
}

/** struct clone_args, as far as Linux 6.12 knows it; its first version had eight fields. */
const CLONE_ARGS_BYTES = 88
const CLONE_ARGS_BYTES_MIN = 64

/** The fields that are there, with zeroes for the others; -EINVAL, -E2BIG, -EFAULT. */
function readArguments(c: SyscallContext): DataView | number {
  const size = c.args.address(1)
  if (size > PAGE_SIZE) return -E2BIG
  if (size < CLONE_ARGS_BYTES_MIN) return -EINVAL
  const bytes = new Uint8Array(Math.max(size, CLONE_ARGS_BYTES))
  if (copyFromUser(c.mm, c.space, c.args.address(0), bytes.subarray(0, size)) < 0) return -EFAULT
  if (bytes.subarray(CLONE_ARGS_BYTES).some((byte) => byte !== 0)) return -E2BIG
  return new DataView(bytes.buffer)
}

function clone3(c: SyscallContext): number {
  if (isVforkDone(c)) return finishVfork(c)
  const view = readArguments(c)
  if (typeof view === 'number') return view
  const numbers = chosenNumbers(c, view)
  if (typeof numbers === 'number') return numbers
  const problem = checkArguments(c, view)
  if (problem < 0) return problem
  const [stack, size] = [u64(view, 40), u64(view, 48)]
  return start(c, {
    flags: view.getUint32(0, true),
    clearsHandlers: has(view.getUint32(4, true), CLEAR_HANDLERS),
    exitSignal: view.getUint32(32, true),
    stackPointer: stack + size,
    tlsLow: view.getUint32(56, true),
    tlsHigh: view.getUint32(60, true),
    parentTid: u64(view, 24),
    pidFile: u64(view, 8),
    childTid: u64(view, 16),
    numbers,
  })
}

/** clone3_args_valid: 0 or -EINVAL. */
function checkArguments(c: SyscallContext, view: DataView): number {
  const [low, high] = [view.getUint32(0, true), view.getUint32(4, true)]
  if ((high & ~(CLEAR_HANDLERS | INTO_CGROUP)) !== 0 || has(high, INTO_CGROUP)) return -EINVAL
  if (has(low, Flag.detached) || has(low, EXIT_SIGNAL_MASK & ~Flag.newTime)) return -EINVAL
  if (has(high, CLEAR_HANDLERS) && has(low, Flag.signalActions)) return -EINVAL
  if (has(low, Flag.thread | Flag.parent) && u64(view, 32) !== 0) return -EINVAL
  return isStackValid(c, u64(view, 40), u64(view, 48)) ? 0 : -EINVAL
}

function isStackValid(c: SyscallContext, stack: number, size: number): boolean {
  if (stack === 0) return size === 0
  return size > 0 && isUserRange(c.mm, stack, size)
}

/** The numbers that set_tid asks for, and whether the exit signal is one (copy_clone_args_from_user): -EINVAL, -EFAULT. */
function chosenNumbers(c: SyscallContext, view: DataView): number[] | number {
  const [address, count] = [u64(view, 64), u64(view, 72)]
  if (count > NAMESPACE_LEVEL_MAX || (address === 0) !== (count === 0)) return -EINVAL
  if (u64(view, 32) > SIGNAL_MAX) return -EINVAL
  const chosen = count === 0 ? undefined : readStruct(c, address, count * 4)
  if (count > 0 && chosen === undefined) return -EFAULT
  return Array.from({ length: count }, (_, level) => chosen!.getInt32(level * 4, true))
}

/** unshare(2): files and directories that another process has too become its own; its children get a namespace of numbers, or of time. */
const UNSHAREABLE =
  Flag.newPid |
  Flag.thread |
  Flag.surroundings |
  NAMESPACES |
  Flag.signalActions |
  Flag.memory |
  Flag.files |
  Flag.semaphores |
  Flag.newTime

function unshare(c: SyscallContext): number {
  const flags = c.args.low(0)
  if (has(flags, ~UNSHAREABLE)) return -EINVAL
  const isAlone = c.process.threadCount === 1
  if (has(flags, Flag.thread | Flag.signalActions | Flag.memory) && !isAlone) return -EINVAL
  if (has(flags, NAMESPACES)) return -EINVAL
  const { process, thread } = c
  if (has(flags, Flag.newTime) && !mayMakeNamespace(process)) return -EPERM
  if (has(flags, Flag.newPid)) {
    const current = thread.childNamespace ?? process.namespace
    const namespace = makeNamespace(c.linux.namespaces, process, current)
    if (typeof namespace === 'number') return namespace
    const isDone = unshareTime(c, flags)
    if (isDone) c.linux.namespaces.setChildNamespace(thread, namespace)
    c.linux.namespaces.pids.release(namespace)
    if (!isDone) return -ENOMEM
  } else if (!unshareTime(c, flags)) return -ENOMEM
  const { files } = process
  const own = files.fork(!has(flags, Flag.files), !has(flags, Flag.surroundings))
  files.close()
  process.files = own
  return 0
}

/** Whether there was memory for a namespace of time, where one is asked for. */
function unshareTime({ linux, thread }: SyscallContext, flags: number): boolean {
  if (!has(flags, Flag.newTime)) return true
  const { namespaces } = linux
  const made = namespaces.makeTime(thread.childTime)
  if (made === NULL) return false
  namespaces.setChildTime(thread, made)
  namespaces.times.release(made)
  return true
}

export const cloneCalls: readonly Syscall[] = [
  syscall(97, 'unshare', 'x', unshare),
  syscall(220, 'clone', 'xppxp', clone),
  syscall(435, 'clone3', 'pu', clone3),
]
