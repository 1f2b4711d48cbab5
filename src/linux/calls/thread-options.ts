/** What prctl(2) keeps of a thread that nothing here acts by, because what it is about is exact, coherent or not there; fork and threads inherit it. */
import { EINVAL, EPERM } from '../../base/errno.js'
import { Capability } from '../fs/capabilities.js'
import { may } from '../fs/credentials.js'
import { userOf } from '../fs/file-user.js'
import {
  PR_GET_IO_FLUSHER,
  PR_GET_SECCOMP,
  PR_GET_TIMERSLACK,
  PR_GET_TIMING,
  PR_MCE_KILL,
  PR_MCE_KILL_CLEAR,
  PR_MCE_KILL_GET,
  PR_MCE_KILL_SET,
  PR_RISCV_SET_ICACHE_FLUSH_CTX,
  PR_SET_IO_FLUSHER,
  PR_SET_TIMERSLACK,
  PR_SET_TIMING,
  PR_TASK_PERF_EVENTS_DISABLE,
  PR_TASK_PERF_EVENTS_ENABLE,
  restIsZero,
} from '../prctl.js'
import type { SyscallContext } from '../syscall-context.js'
import { ThreadHabit } from '../thread-record.js'
import { setSlack } from '../timer-slack.js'

function setHabits(c: SyscallContext, mask: number, habits: number): number {
  c.thread.habits = (c.thread.habits & ~mask) | habits
  return 0
}

/** Whether SIGBUS for a broken page comes at once, late, or as the machine has it: the kernel of riscv64 looks for no broken pages. */
const MachineCheck = { late: 0, early: 1, asMachine: 2 } as const
const MCE_HABITS = ThreadHabit.ownMachineCheck | ThreadHabit.earlyMachineCheck

/** As on Linux, a way that is none leaves that it is the thread's own, and that it has none leaves which it was. */
function setMachineCheck(c: SyscallContext): number {
  if (!restIsZero(c, 3)) return -EINVAL
  const how = c.args.address(2)
  if (c.args.address(1) === PR_MCE_KILL_CLEAR) {
    return how === 0 ? setHabits(c, ThreadHabit.ownMachineCheck, 0) : -EINVAL
  }
  if (c.args.address(1) !== PR_MCE_KILL_SET) return -EINVAL
  if (how === MachineCheck.early) return setHabits(c, MCE_HABITS, MCE_HABITS)
  if (how === MachineCheck.late) return setHabits(c, MCE_HABITS, ThreadHabit.ownMachineCheck)
  if (how === MachineCheck.asMachine) return setHabits(c, MCE_HABITS, 0)
  c.thread.habits |= ThreadHabit.ownMachineCheck
  return -EINVAL
}

function getMachineCheck(c: SyscallContext): number {
  if (!restIsZero(c, 1)) return -EINVAL
  const { habits } = c.thread
  if ((habits & ThreadHabit.ownMachineCheck) === 0) return MachineCheck.asMachine
  return (habits & ThreadHabit.earlyMachineCheck) !== 0 ? MachineCheck.early : MachineCheck.late
}

const mayFlush = (c: SyscallContext) => may(userOf(c.process).credentials, Capability.resource)

/** Who writes pages for others is not to wait for that when it wants memory. Nobody waits for it here. */
function setFlusher(c: SyscallContext): number {
  if (!mayFlush(c)) return -EPERM
  const value = c.args.address(1)
  if (!restIsZero(c, 2) || value > 1) return -EINVAL
  return setHabits(c, ThreadHabit.flusher, value === 1 ? ThreadHabit.flusher : 0)
}

function getFlusher(c: SyscallContext): number {
  if (!mayFlush(c)) return -EPERM
  return restIsZero(c, 1) ? Number((c.thread.habits & ThreadHabit.flusher) !== 0) : -EINVAL
}

/** Rounded above 2^53; what would become 2^64 is the largest there is. */
function getSlack(c: SyscallContext): number {
  const nanoseconds = Number(c.thread.slack)
  return nanoseconds < 2 ** 64 ? nanoseconds : -1
}

/** PR_RISCV_SET_ICACHE_FLUSH_CTX: fence.i may be executed, for the process or the thread, on whichever hart it will run. It always may. */
function setFlushContext(c: SyscallContext): number {
  return c.args.address(1) <= 1 && c.args.address(2) <= 1 ? 0 : -EINVAL
}

/** By option. PR_SET_TIMING knows statistics alone; there are no performance events to stop, and nobody is under seccomp(2). */
export const threadOptions: readonly (readonly [number, (c: SyscallContext) => number])[] = [
  [PR_GET_TIMING, () => 0],
  [PR_SET_TIMING, (c) => (c.args.isZero(1) ? 0 : -EINVAL)],
  [PR_GET_SECCOMP, () => 0],
  [PR_SET_TIMERSLACK, (c) => setSlack(c.thread, BigInt.asUintN(64, c.args.signed64(1)))],
  [PR_GET_TIMERSLACK, getSlack],
  [PR_TASK_PERF_EVENTS_DISABLE, () => 0],
  [PR_TASK_PERF_EVENTS_ENABLE, () => 0],
  [PR_MCE_KILL, setMachineCheck],
  [PR_MCE_KILL_GET, getMachineCheck],
  [PR_SET_IO_FLUSHER, setFlusher],
  [PR_GET_IO_FLUSHER, getFlusher],
  [PR_RISCV_SET_ICACHE_FLUSH_CTX, setFlushContext],
]
