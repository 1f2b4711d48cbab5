/**
 * How threads share the processor: policies, priorities, nice values, which processors (kernel/sched/syscalls.c of Linux). They
 * are kept and told; threads take turns on the one hart all the same.
 */
import { EFAULT, EINVAL, ESRCH } from '../../base/errno.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import type { Thread } from '../thread.js'
import { slackForPolicy } from '../timer-slack.js'
import { idOf, threadAt } from './numbers.js'
import { readStruct, StructWriter } from './user-data.js'

const Policy = { other: 0, fifo: 1, roundRobin: 2, batch: 3, idle: 5, deadline: 6, extensible: 7 } as const
const SETTABLE: readonly number[] = [Policy.other, Policy.fifo, Policy.roundRobin, Policy.batch, Policy.idle]
const RESET_ON_FORK = 0x4000_0000
const PRIORITY_MAX = 99
const ROUND_ROBIN_NANOSECONDS = 100_000_000
const AFFINITY_BYTES = 8
/** What the kernel itself has for a set of processors: Debian's is made for up to 128. */
const MASK_BYTES = 16
const NICE_MIN = -20
const NICE_MAX = 19
const PRIORITY_PROCESS = 0
const PRIORITY_GROUP = 1
const PRIORITY_USER = 2

const isRealTime = (policy: number) => policy === Policy.fifo || policy === Policy.roundRobin

/** The thread that a number names, 0 being the caller. */
const threadNamed = (c: SyscallContext, id: number) => (id === 0 ? c.thread : threadAt(c, id))

/** The thread that the first argument names; -EINVAL, -ESRCH. */
function threadOf(c: SyscallContext): Thread | number {
  const id = c.args.int(0)
  return id < 0 ? -EINVAL : (threadNamed(c, id) ?? -ESRCH)
}

/** Gives a thread a policy with its priority: 0 or -EINVAL. */
function setPolicy(thread: Thread, policy: number, priority: number): number {
  const plain = policy & ~RESET_ON_FORK
  if (!SETTABLE.includes(plain) || priority < 0 || priority > PRIORITY_MAX) return -EINVAL
  if (isRealTime(plain) !== (priority !== 0)) return -EINVAL
  thread.policy = policy
  thread.priority = priority
  slackForPolicy(thread)
  return 0
}

/** Both calls that take a struct sched_param; without a policy the thread keeps its own. */
function setByParameter(c: SyscallContext, address: number, policy: number | undefined): number {
  if (address === 0 || c.args.int(0) < 0 || (policy !== undefined && policy < 0)) return -EINVAL
  const view = readStruct(c, address, 4)
  if (view === undefined) return -EFAULT
  const thread = threadOf(c)
  if (typeof thread === 'number') return thread
  return setPolicy(thread, policy ?? thread.policy, view.getInt32(0, true))
}

function getScheduler(c: SyscallContext): number {
  const thread = threadOf(c)
  return typeof thread === 'number' ? thread : thread.policy
}

function getParameter(c: SyscallContext): number {
  if (c.args.isZero(1)) return -EINVAL
  const thread = threadOf(c)
  if (typeof thread === 'number') return thread
  return new StructWriter(4).u32(0, thread.priority).copyTo(c, c.args.address(1))
}

/** Lowest or highest priority of a policy: only those of real time have any. */
function priorityLimit(c: SyscallContext, ofRealTime: number): number {
  const policy = c.args.int(0)
  if (isRealTime(policy)) return ofRealTime
  return SETTABLE.includes(policy) || policy === Policy.deadline || policy === Policy.extensible ? 0 : -EINVAL
}

function getInterval(c: SyscallContext): number {
  const thread = threadOf(c)
  if (typeof thread === 'number') return thread
  const isRoundRobin = (thread.policy & ~RESET_ON_FORK) === Policy.roundRobin
  return new StructWriter(16).time(0, isRoundRobin ? ROUND_ROBIN_NANOSECONDS : 0).copyTo(c, c.args.address(1))
}

function getAffinity(c: SyscallContext): number {
  const length = c.args.low(1)
  if (length < AFFINITY_BYTES || length % 8 !== 0) return -EINVAL
  if (threadNamed(c, c.args.int(0)) === undefined) return -ESRCH
  const out = new StructWriter(Math.min(length, MASK_BYTES)).u32(0, 1)
  return out.copyTo(c, c.args.address(2)) < 0 ? -EFAULT : out.bytes.length
}

function setAffinity(c: SyscallContext): number {
  const length = Math.min(c.args.low(1), AFFINITY_BYTES)
  const view = readStruct(c, c.args.address(2), length)
  if (view === undefined) return -EFAULT
  if (threadNamed(c, c.args.int(0)) === undefined) return -ESRCH
  return length > 0 && (view.getUint8(0) & 1) !== 0 ? 0 : -EINVAL
}

function yieldTurn(c: SyscallContext): number {
  c.linux.scheduler.yield()
  return 0
}

/** The threads that getpriority(2) and setpriority(2) are about; -EINVAL for an unknown kind. */
function threadsOf(c: SyscallContext): readonly Thread[] | number {
  const id = c.args.int(1)
  switch (c.args.int(0)) {
    case PRIORITY_PROCESS: {
      const thread = threadNamed(c, id)
      return thread === undefined ? [] : [thread]
    }
    case PRIORITY_GROUP: {
      const members = [...c.linux.processTable.group(id === 0 ? c.process.groupId : idOf(c, id))]
      return members.flatMap(({ ptr }) => [...c.linux.threads.ofProcess(ptr)])
    }
    case PRIORITY_USER:
      return id === 0 ? [...c.linux.threads] : []
    default:
      return -EINVAL
  }
}

/** The kernel tells 20 less the lowest nice value, so that no answer is an error. */
function getPriority(c: SyscallContext): number {
  const threads = threadsOf(c)
  if (typeof threads === 'number') return threads
  return threads.length === 0 ? -ESRCH : Math.max(...threads.map(({ nice }) => 20 - nice))
}

function setPriority(c: SyscallContext): number {
  const threads = threadsOf(c)
  if (typeof threads === 'number') return threads
  const nice = Math.min(Math.max(c.args.int(2), NICE_MIN), NICE_MAX)
  for (const thread of threads) thread.nice = nice
  return threads.length === 0 ? -ESRCH : 0
}

/** struct sched_attr: its first version, and the one that Linux 6.12 knows. */
const ATTRIBUTE_BYTES_MIN = 48
const ATTRIBUTE_BYTES = 56
const ATTRIBUTE_BYTES_MAX = 4096
const ATTRIBUTE_RESET_ON_FORK = 1

function getAttributes(c: SyscallContext): number {
  const size = c.args.low(2)
  const isBad =
    c.args.isZero(1) || size < ATTRIBUTE_BYTES_MIN || size > ATTRIBUTE_BYTES_MAX || c.args.low(3) !== 0
  const thread = isBad ? -EINVAL : threadOf(c)
  if (typeof thread === 'number') return thread
  const out = new StructWriter(Math.min(size, ATTRIBUTE_BYTES))
  const policy = thread.policy & ~RESET_ON_FORK
  out.u32(0, out.bytes.length).u32(4, policy)
  out.u32(8, policy === thread.policy ? 0 : ATTRIBUTE_RESET_ON_FORK)
  if (isRealTime(policy)) out.u32(20, thread.priority)
  else out.u32(16, thread.nice)
  return out.copyTo(c, c.args.address(1))
}

function setAttributes(c: SyscallContext): number {
  if (c.args.isZero(1) || c.args.int(0) < 0 || c.args.low(2) !== 0) return -EINVAL
  const view = readStruct(c, c.args.address(1), ATTRIBUTE_BYTES_MIN)
  if (view === undefined) return -EFAULT
  const thread = threadOf(c)
  if (typeof thread === 'number') return thread
  const flags = view.getUint32(8, true)
  if (view.getInt32(4, true) < 0 || (flags & ~ATTRIBUTE_RESET_ON_FORK) !== 0) return -EINVAL
  const policy = view.getInt32(4, true) | (flags === 0 ? 0 : RESET_ON_FORK)
  const result = setPolicy(thread, policy, view.getInt32(20, true))
  if (result === 0) thread.nice = Math.min(Math.max(view.getInt32(16, true), NICE_MIN), NICE_MAX)
  return result
}

export const schedulingCalls: readonly Syscall[] = [
  syscall(118, 'sched_setparam', 'dp', (c) => setByParameter(c, c.args.address(1), undefined)),
  syscall(119, 'sched_setscheduler', 'ddp', (c) => setByParameter(c, c.args.address(2), c.args.int(1))),
  syscall(120, 'sched_getscheduler', 'd', getScheduler),
  syscall(121, 'sched_getparam', 'dp', getParameter),
  syscall(122, 'sched_setaffinity', 'dup', setAffinity),
  syscall(123, 'sched_getaffinity', 'dup', getAffinity),
  syscall(124, 'sched_yield', '', yieldTurn),
  syscall(125, 'sched_get_priority_max', 'd', (c) => priorityLimit(c, PRIORITY_MAX)),
  syscall(126, 'sched_get_priority_min', 'd', (c) => priorityLimit(c, 1)),
  syscall(127, 'sched_rr_get_interval', 'dp', getInterval),
  syscall(140, 'setpriority', 'ddd', setPriority),
  syscall(141, 'getpriority', 'dd', getPriority),
  syscall(274, 'sched_setattr', 'dpx', setAttributes),
  syscall(275, 'sched_getattr', 'dpux', getAttributes),
]
