/** System calls that ask who and where: numbers of the process, the system's name, what prctl(2) keeps. */

import { EFAULT, EINVAL, EPERM } from '../../base/errno.js'
import { copyFromUserPartial } from '../../fault/user-copy.js'
import { SpaceFlag } from '../../space/address-space.js'
import { sysSetVmaName } from '../../syscall/name-memory.js'
import { isLinux32, Personality } from '../personality.js'
import { ProcessFlag } from '../process.js'
import { LINUX_RELEASE, LINUX_RELEASE_26 } from '../release.js'
import { SIGNAL_MAX } from '../signal-numbers.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'
import { nameThread } from '../thread-name.js'
import { numberOf, processAt, threadAt } from './numbers.js'
import { StructWriter } from './user-data.js'

const NAME_BYTES = 65

function uname(c: SyscallContext): number {
  const { personality } = c.process
  const release = (personality & Personality.uname26) !== 0 ? LINUX_RELEASE_26 : LINUX_RELEASE
  const machine = isLinux32(personality) ? 'riscv32' : 'riscv64'
  const fields = ['Linux', '(none)', release, '#1 SMP Pagoda', machine, '(none)']
  const out = new StructWriter(NAME_BYTES * fields.length)
  fields.forEach((field, i) => {
    out.text(i * NAME_BYTES, field)
  })
  return out.copyTo(c, c.args.address(0))
}

const THREAD_NAME_BYTES = 16
const PR_SET_NAME = 15
const PR_GET_NAME = 16
const PR_SET_VMA = 0x5356_4d41
const PR_SET_PTRACER = 0x5961_6d61

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

const restIsZero = (c: SyscallContext, from: number) => {
  for (let i = from; i < 5; i++) if (!c.args.isZero(i)) return false
  return true
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

/** PR_SET_PTRACER names who may trace the caller though it is no ancestor. As Debian has it (ptrace_scope 0), that takes no leave. */
function setTracer(c: SyscallContext): number {
  const number = c.args.int(1)
  return c.args.isZero(1) || number === -1 || threadAt(c, number) || processAt(c, number) ? 0 : -EINVAL
}

/** By option (include/uapi/linux/prctl.h). */
const OPTIONS: ReadonlyMap<number, (c: SyscallContext) => number> = new Map([
  [1, setDeathSignal],
  [2, (c) => new StructWriter(4).u32(0, c.thread.deathSignal).copyTo(c, c.args.address(1))],
  [3, (c) => 1 - hasFlag(c, ProcessFlag.notDumpable)],
  [4, setDumpable],
  [PR_SET_NAME, setName],
  [PR_GET_NAME, getName],
  [23, (c) => (c.args.address(1) > 40 ? -EINVAL : 1)],
  [27, () => 0],
  [29, () => 0],
  [30, () => 50_000],
  [36, (c) => setFlag(c, ProcessFlag.subreaper, !c.args.isZero(1))],
  [37, (c) => new StructWriter(4).u32(0, hasFlag(c, ProcessFlag.subreaper)).copyTo(c, c.args.address(1))],
  [38, setNoNewPrivileges],
  [39, (c) => (restIsZero(c, 1) ? hasFlag(c, ProcessFlag.noNewPrivileges) : -EINVAL)],
  [41, setHugePagesDisabled],
  [65, setMdwe],
  [66, (c) => (restIsZero(c, 1) ? c.space.flags & MDWE_FLAGS : -EINVAL)],
  [PR_SET_PTRACER, setTracer],
  [PR_SET_VMA, (c) => sysSetVmaName(c.mm, c.space, c.args)],
  [42, (c) => (restIsZero(c, 1) ? Number(c.process.space.hugePagesDisabled) : -EINVAL)],
])

function prctl(c: SyscallContext): number {
  return OPTIONS.get(c.args.int(0))?.(c) ?? -EINVAL
}

function setPersonality(c: SyscallContext): number {
  const previous = c.process.personality
  if (c.args.low(0) !== 0xffff_ffff) c.process.personality = c.args.low(0)
  return previous
}

export const identityCalls: readonly Syscall[] = [
  { number: 92, name: 'personality', trace: 'x', handler: setPersonality },
  { number: 160, name: 'uname', trace: 'p', handler: uname },
  { number: 167, name: 'prctl', trace: 'dxxxx', handler: prctl },
  { number: 172, name: 'getpid', trace: '', handler: (c) => c.process.number },
  { number: 173, name: 'getppid', trace: '', handler: (c) => numberOf(c, c.process.parentId) },
  { number: 178, name: 'gettid', trace: '', handler: (c) => numberOf(c, c.thread.id) },
]
