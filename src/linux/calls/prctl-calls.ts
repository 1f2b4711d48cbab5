/** prctl(2): what a process says of itself, and asks. */
import { EFAULT, EINVAL, EPERM } from '../../base/errno.js'
import { copyFromUserPartial, copyToUser } from '../../fault/user-copy.js'
import { SpaceFlag } from '../../space/address-space.js'
import { setMergesAll } from '../../space/merges-all.js'
import { SAVED_VECTOR_BYTES } from '../../space/saved-vectors.js'
import { LockRank } from '../../state/atomics.js'
import { sysSetVmaName } from '../../syscall/name-memory.js'
import { securityOptions } from '../fs/calls/security-options.js'
import {
  PR_GET_AUXV,
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_MDWE,
  PR_GET_MEMORY_MERGE,
  PR_GET_NAME,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_PDEATHSIG,
  PR_GET_THP_DISABLE,
  PR_GET_TID_ADDRESS,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_MDWE,
  PR_SET_MEMORY_MERGE,
  PR_SET_MM,
  PR_SET_NAME,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  PR_SET_PTRACER,
  PR_SET_THP_DISABLE,
  PR_SET_VMA,
  restIsZero,
} from '../prctl.js'
import { ProcessFlag } from '../process.js'
import { SIGNAL_MAX } from '../signal-numbers.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { nameThread } from '../thread-name.js'
import { processAt, threadAt } from './numbers.js'
import { setMemoryMap } from './set-memory-map.js'
import { threadOptions } from './thread-options.js'
import { StructWriter } from './user-data.js'

const THREAD_NAME_BYTES = 16

function setName(c: SyscallContext): number {
  const bytes = new Uint8Array(THREAD_NAME_BYTES - 1)
  const there = copyFromUserPartial(c.mm, c.space, c.args.address(1), bytes)
  const end = bytes.subarray(0, there).indexOf(0)
  if (end < 0 && there < bytes.length) return -EFAULT
  nameThread(c.thread, c.process, bytes.subarray(0, end < 0 ? there : end))
  return 0
}

function getName(c: SyscallContext): number {
  const out = new StructWriter(THREAD_NAME_BYTES)
  out.bytes.set(c.thread.name)
  return out.copyTo(c, c.args.address(1))
}

function setFlag(c: SyscallContext, flag: number, on: boolean): number {
  c.process.setFlag(flag, on)
  return 0
}

const hasFlag = (c: SyscallContext, flag: number) => ((c.process.flags & flag) !== 0 ? 1 : 0)

function setDumpable(c: SyscallContext): number {
  const value = c.args.address(1)
  return value > 1 ? -EINVAL : setFlag(c, ProcessFlag.notDumpable, value === 0)
}

function setNoNewPrivileges(c: SyscallContext): number {
  const isOne = c.args.address(1) === 1
  return isOne && restIsZero(c, 2) ? setFlag(c, ProcessFlag.noNewPrivileges, true) : -EINVAL
}

function setDeathSignal(c: SyscallContext): number {
  if (c.args.address(1) > SIGNAL_MAX) return -EINVAL
  c.thread.deathSignal = c.args.low(1)
  return 0
}

/** PR_SET_THP_DISABLE: kept with the memory, inherited by fork and exec. */
function setHugePagesDisabled(c: SyscallContext): number {
  if (!restIsZero(c, 2)) return -EINVAL
  c.process.space.hugePagesDisabled = !c.args.isZero(1)
  return 0
}

/** The bits are those of SpaceFlag. Once there they stay, and they stay as they are. */
const MDWE_FLAGS = SpaceFlag.refusesExecGain | SpaceFlag.refusesForItselfOnly

function setMdwe(c: SyscallContext): number {
  const bits = c.args.low(1)
  const isKnown = (bits & ~MDWE_FLAGS) === 0 && c.args.is32Bit(1)
  if (!restIsZero(c, 2) || !isKnown || bits === SpaceFlag.refusesForItselfOnly) return -EINVAL
  const current = c.space.flags & MDWE_FLAGS
  if (current !== 0 && current !== bits) return -EPERM
  c.space.flags |= bits
  return 0
}

/** PR_SET_MEMORY_MERGE: all that may be merged is marked as MADV_MERGEABLE marks it, and what is mapped from now on (ksm_enable_merge_any). */
function setMemoryMerge(c: SyscallContext): number {
  if (!restIsZero(c, 2)) return -EINVAL
  c.mm.atomics.lock(c.space.lock, LockRank.space)
  setMergesAll(c.mm, c.space, !c.args.isZero(1))
  c.mm.atomics.unlock(c.space.lock, LockRank.space)
  return 0
}

/** PR_GET_AUXV: as much as there is room for; answers how long it is. */
function getAuxiliary(c: SyscallContext): number {
  if (!restIsZero(c, 3)) return -EINVAL
  const room = Math.min(SAVED_VECTOR_BYTES, c.args.address(2))
  const bytes = c.mm.spaces.auxiliaryOf(c.space).subarray(0, room)
  return copyToUser(c.mm, c.space, c.args.address(1), bytes) < 0 ? -EFAULT : SAVED_VECTOR_BYTES
}

/** PR_SET_PTRACER names who may trace the caller though it is no ancestor. As Debian has it (ptrace_scope 0), that takes no leave. */
function setTracer(c: SyscallContext): number {
  const number = c.args.int(1)
  return c.args.isZero(1) || number === -1 || threadAt(c, number) || processAt(c, number) ? 0 : -EINVAL
}

/** By option (include/uapi/linux/prctl.h). */
const OPTIONS: ReadonlyMap<number, (c: SyscallContext) => number> = new Map([
  [PR_SET_PDEATHSIG, setDeathSignal],
  [PR_GET_PDEATHSIG, (c) => new StructWriter(4).u32(0, c.thread.deathSignal).copyTo(c, c.args.address(1))],
  [PR_GET_DUMPABLE, (c) => 1 - hasFlag(c, ProcessFlag.notDumpable)],
  [PR_SET_DUMPABLE, setDumpable],
  [PR_SET_NAME, setName],
  [PR_GET_NAME, getName],
  [PR_SET_CHILD_SUBREAPER, (c) => setFlag(c, ProcessFlag.subreaper, !c.args.isZero(1))],
  [
    PR_GET_CHILD_SUBREAPER,
    (c) => new StructWriter(4).u32(0, hasFlag(c, ProcessFlag.subreaper)).copyTo(c, c.args.address(1)),
  ],
  [PR_SET_NO_NEW_PRIVS, setNoNewPrivileges],
  [PR_GET_NO_NEW_PRIVS, (c) => (restIsZero(c, 1) ? hasFlag(c, ProcessFlag.noNewPrivileges) : -EINVAL)],
  [PR_SET_THP_DISABLE, setHugePagesDisabled],
  [PR_SET_MDWE, setMdwe],
  [PR_GET_MDWE, (c) => (restIsZero(c, 1) ? c.space.flags & MDWE_FLAGS : -EINVAL)],
  [PR_SET_MM, setMemoryMap],
  [
    PR_GET_TID_ADDRESS,
    (c) => new StructWriter(8).u64(0, c.thread.clearChildTid).copyTo(c, c.args.address(1)),
  ],
  [PR_SET_MEMORY_MERGE, setMemoryMerge],
  [PR_GET_MEMORY_MERGE, (c) => (restIsZero(c, 1) ? Number(c.space.mergesAll) : -EINVAL)],
  [PR_GET_AUXV, getAuxiliary],
  [PR_SET_PTRACER, setTracer],
  [PR_SET_VMA, (c) => sysSetVmaName(c.mm, c.space, c.args)],
  [PR_GET_THP_DISABLE, (c) => (restIsZero(c, 1) ? Number(c.process.space.hugePagesDisabled) : -EINVAL)],
  ...threadOptions,
  ...securityOptions,
])

function prctl(c: SyscallContext): number {
  return OPTIONS.get(c.args.int(0))?.(c) ?? -EINVAL
}

export const prctlCalls: readonly Syscall[] = [syscall(167, 'prctl', 'dxxxx', prctl)]
