/** System calls about resources: limits, usage, the machine's memory. */
import { EFAULT, EINVAL, EPERM, ESRCH } from '../../base/errno.js'
import { PAGE_SIZE, type Ptr } from '../../base/numbers.js'
import { sharedPages } from '../../space/frame-census.js'
import { Capability } from '../fs/capabilities.js'
import { type Ids, may } from '../fs/credentials.js'
import { userOf } from '../fs/file-user.js'
import { applyLimits, Limit } from '../limits.js'
import { CHILDREN_USAGE, Process } from '../process.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { ClockBase, shifted } from '../time-offset.js'
import { readUsage, type Usage } from '../usage.js'
import { processNamed } from './numbers.js'
import { copyOut, readStruct, StructWriter, u64 } from './user-data.js'
import { rusage } from './wait-calls.js'

const RLIM_INFINITY = 2n ** 64n - 1n
const FILES_MAX = 1_048_576
/** Limits are kept as doubles: what is nearly RLIM_INFINITY is the greatest number below it. */
const NEARLY_INFINITE = 2 ** 64 - 2048
const SYSINFO_BYTES = 112

const limitAt = (view: DataView, at: number) => {
  if (view.getBigUint64(at, true) === RLIM_INFINITY) return Number.POSITIVE_INFINITY
  return Math.min(u64(view, at), NEARLY_INFINITE)
}

function setLimit(c: SyscallContext, process: Process, resource: number, address: number): number {
  const view = readStruct(c, address, 16)
  if (view === undefined) return -EFAULT
  if (resource >= Process.limitCount) return -EINVAL
  const soft = limitAt(view, 0)
  const hard = limitAt(view, 8)
  if (soft > hard) return -EINVAL
  if (resource === Limit.files && hard > FILES_MAX) return -EPERM
  if (hard > process.hardLimit(resource) && !mayRaise(c)) return -EPERM
  process.setLimit(resource, soft, hard)
  if (!process.isZombie) applyLimits(process, process.space)
  return 0
}

function mayRaise(c: SyscallContext): boolean {
  return may(userOf(c.process).credentials, Capability.resource)
}

/** check_prlimit_permission: one's own process, one of the same users and groups, or CAP_SYS_RESOURCE. */
function mayLookAt(c: SyscallContext, process: Process): boolean {
  if (process === c.process || mayRaise(c)) return true
  const [mine, other] = [userOf(c.process).credentials, userOf(process).credentials]
  const isSame = (id: number, { real, effective, saved }: Ids) =>
    id === real && id === effective && id === saved
  return isSame(mine.user.real, other.user) && isSame(mine.group.real, other.group)
}

function readLimit(process: Process, resource: number): StructWriter {
  return new StructWriter(16).u64(0, process.softLimit(resource)).u64(8, process.hardLimit(resource))
}

function prlimit(c: SyscallContext): number {
  const resource = c.args.low(1)
  const isSetting = !c.args.isZero(2)
  if (isSetting && readStruct(c, c.args.address(2), 16) === undefined) return -EFAULT
  const process = processNamed(c, c.args.int(0))
  if (process === undefined) return -ESRCH
  if (!mayLookAt(c, process)) return -EPERM
  if (resource >= Process.limitCount) return -EINVAL
  const previous = readLimit(process, resource)
  const result = isSetting ? setLimit(c, process, resource, c.args.address(2)) : 0
  return result < 0 ? result : copyOut(c, 3, previous)
}

function getrlimit(c: SyscallContext): number {
  const resource = c.args.low(0)
  if (resource >= Process.limitCount) return -EINVAL
  return readLimit(c.process, resource).copyTo(c, c.args.address(1))
}

const RUSAGE_SELF = 0
const RUSAGE_CHILDREN = -1
const RUSAGE_THREAD = 1

function getrusage(c: SyscallContext): number {
  const usage = usageAsked(c)
  return usage === undefined ? -EINVAL : rusage(usage).copyTo(c, c.args.address(1))
}

function usageAsked(c: SyscallContext): Usage | undefined {
  switch (c.args.int(0)) {
    case RUSAGE_SELF:
      return c.linux.usageOf(c.process)
    case RUSAGE_CHILDREN:
      return readUsage(c.mm.memory, (c.process.ptr + CHILDREN_USAGE) as Ptr)
    case RUSAGE_THREAD:
      return usageOfThread(c)
    default:
      return undefined
  }
}

/** Of the thread that asks: but for its memory, which is the process's. */
function usageOfThread({ linux, process, thread }: SyscallContext): Usage {
  const { residentPages } = linux.usageOf(process)
  return { ...linux.usageOfThread(thread), residentPages }
}

function sysinfo(c: SyscallContext): number {
  const out = new StructWriter(SYSINFO_BYTES)
  const offset = c.linux.namespaces.offset(c.process, ClockBase.boottime)
  const uptime = shifted(c.linux.clock.now(), offset)
  // A part of a second counts as a whole one.
  out.u64(0, uptime.seconds + (uptime.nanoseconds > 0 ? 1 : 0))
  out.u64(32, c.mm.buddy.totalFrames() * PAGE_SIZE).u64(40, c.mm.buddy.zones.freeFrames * PAGE_SIZE)
  out.u64(48, sharedPages(c.mm) * PAGE_SIZE)
  out.u16(80, c.linux.threads.count).u32(104, 1)
  return out.copyTo(c, c.args.address(0))
}

function getcpu(c: SyscallContext): number {
  if (copyOut(c, 0, new StructWriter(4)) < 0) return -EFAULT
  return copyOut(c, 1, new StructWriter(4))
}

export const resourceCalls: readonly Syscall[] = [
  syscall(163, 'getrlimit', 'dp', getrlimit),
  syscall(164, 'setrlimit', 'dp', (c) => setLimit(c, c.process, c.args.low(0), c.args.address(1))),
  syscall(165, 'getrusage', 'dp', getrusage),
  syscall(168, 'getcpu', 'ppp', getcpu),
  syscall(179, 'sysinfo', 'p', sysinfo),
  syscall(261, 'prlimit64', 'ddpp', prlimit),
]
