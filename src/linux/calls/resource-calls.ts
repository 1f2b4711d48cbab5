/** System calls about resources: limits, usage, the machine's memory and processors. */
import { EFAULT, EINVAL, EPERM, ESRCH } from '../../base/errno.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import { applyLimits, Limit } from '../limits.js'
import { Process } from '../process.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'
import { copyOut, readStruct, SECOND, StructWriter, u64 } from './user-data.js'

const FILES_MAX = 1_048_576
/** RLIM_INFINITY as it comes out of a rounded u64. */
const ALL_ONES = 2 ** 64
const MICROSECOND = 1000
const RUSAGE_BYTES = 144
const SYSINFO_BYTES = 112
const AFFINITY_BYTES = 8

const limitAt = (view: DataView, at: number) => {
  const value = u64(view, at)
  return value >= ALL_ONES - 2048 ? Number.POSITIVE_INFINITY : value
}

function setLimit(c: SyscallContext, resource: number, address: number): number {
  const view = readStruct(c, address, 16)
  if (view === undefined) return -EFAULT
  if (resource >= Process.limitCount) return -EINVAL
  const soft = limitAt(view, 0)
  const hard = limitAt(view, 8)
  if (soft > hard) return -EINVAL
  if (resource === Limit.files && hard > FILES_MAX) return -EPERM
  c.process.setLimit(resource, soft, hard)
  applyLimits(c.process, c.space)
  return 0
}

function readLimit(process: Process, resource: number): StructWriter {
  return new StructWriter(16).u64(0, process.softLimit(resource)).u64(8, process.hardLimit(resource))
}

function prlimit(c: SyscallContext): number {
  const resource = c.args.low(1)
  const isSetting = !c.args.isZero(2)
  if (isSetting && readStruct(c, c.args.address(2), 16) === undefined) return -EFAULT
  const id = c.args.int(0)
  if (id !== 0 && id !== c.process.id) return -ESRCH
  if (resource >= Process.limitCount) return -EINVAL
  const previous = readLimit(c.process, resource)
  const result = isSetting ? setLimit(c, resource, c.args.address(2)) : 0
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
  const who = c.args.int(0)
  if (who !== RUSAGE_SELF && who !== RUSAGE_CHILDREN && who !== RUSAGE_THREAD) return -EINVAL
  const out = new StructWriter(RUSAGE_BYTES)
  if (who !== RUSAGE_CHILDREN) {
    out.time(0, c.linux.cpuTime(), MICROSECOND)
    out.u64(32, (c.space.rssPages * PAGE_SIZE) / 1024)
    out.u64(64, c.space.minorFaults).u64(72, c.space.majorFaults)
  }
  return out.copyTo(c, c.args.address(1))
}

function sysinfo(c: SyscallContext): number {
  const out = new StructWriter(SYSINFO_BYTES)
  out.u64(0, Math.floor(c.linux.clock.now() / SECOND))
  out.u64(32, c.mm.buddy.totalFrames() * PAGE_SIZE).u64(40, c.mm.buddy.freeFrames() * PAGE_SIZE)
  out.u16(80, c.linux.processes.size).u32(104, 1)
  return out.copyTo(c, c.args.address(0))
}

const isUs = (c: SyscallContext, argument: number) => {
  const id = c.args.int(argument)
  return id === 0 || id === c.thread.id
}

function schedGetaffinity(c: SyscallContext): number {
  const length = c.args.low(1)
  if (length < AFFINITY_BYTES || length % 8 !== 0) return -EINVAL
  if (!isUs(c, 0)) return -ESRCH
  const out = new StructWriter(AFFINITY_BYTES).u32(0, 1)
  return out.copyTo(c, c.args.address(2)) < 0 ? -EFAULT : AFFINITY_BYTES
}

function schedSetaffinity(c: SyscallContext): number {
  const length = Math.min(c.args.low(1), AFFINITY_BYTES)
  const view = readStruct(c, c.args.address(2), length)
  if (view === undefined) return -EFAULT
  if (!isUs(c, 0)) return -ESRCH
  return length > 0 && (view.getUint8(0) & 1) !== 0 ? 0 : -EINVAL
}

function getcpu(c: SyscallContext): number {
  if (copyOut(c, 0, new StructWriter(4)) < 0) return -EFAULT
  return copyOut(c, 1, new StructWriter(4))
}

/** The thread that a sched_ call names: 0 or -errno. */
function checkThread(c: SyscallContext): number {
  if (c.args.int(0) < 0) return -EINVAL
  return isUs(c, 0) ? 0 : -ESRCH
}

function schedGetparam(c: SyscallContext): number {
  if (c.args.isZero(1)) return -EINVAL
  const problem = checkThread(c)
  return problem !== 0 ? problem : new StructWriter(4).copyTo(c, c.args.address(1))
}

/** Policies: SCHED_OTHER 0, FIFO 1, RR 2, BATCH 3, IDLE 5, DEADLINE 6, EXT 7. Only the two of real time have priorities. */
function schedPriority(c: SyscallContext, ofRealTime: number): number {
  const policy = c.args.int(0)
  if (policy === 1 || policy === 2) return ofRealTime
  return [0, 3, 5, 6, 7].includes(policy) ? 0 : -EINVAL
}

const PRIORITY_USER = 2

/** Nice is 0, which the kernel tells as 20. */
function getpriority(c: SyscallContext): number {
  const which = c.args.int(0)
  if (which < 0 || which > PRIORITY_USER) return -EINVAL
  return isUs(c, 1) ? 20 : -ESRCH
}

export const resourceCalls: readonly Syscall[] = [
  { number: 120, name: 'sched_getscheduler', trace: 'd', handler: checkThread },
  { number: 121, name: 'sched_getparam', trace: 'dp', handler: schedGetparam },
  { number: 122, name: 'sched_setaffinity', trace: 'dup', handler: schedSetaffinity },
  { number: 123, name: 'sched_getaffinity', trace: 'dup', handler: schedGetaffinity },
  { number: 124, name: 'sched_yield', trace: '', handler: () => 0 },
  { number: 125, name: 'sched_get_priority_max', trace: 'd', handler: (c) => schedPriority(c, 99) },
  { number: 126, name: 'sched_get_priority_min', trace: 'd', handler: (c) => schedPriority(c, 1) },
  { number: 141, name: 'getpriority', trace: 'dd', handler: getpriority },
  { number: 163, name: 'getrlimit', trace: 'dp', handler: getrlimit },
  {
    number: 164,
    name: 'setrlimit',
    trace: 'dp',
    handler: (c) => setLimit(c, c.args.low(0), c.args.address(1)),
  },
  { number: 165, name: 'getrusage', trace: 'dp', handler: getrusage },
  { number: 168, name: 'getcpu', trace: 'ppp', handler: getcpu },
  { number: 179, name: 'sysinfo', trace: 'p', handler: sysinfo },
  { number: 261, name: 'prlimit64', trace: 'ddpp', handler: prlimit },
]
