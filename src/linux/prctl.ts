/** Options of prctl(2) that are known here (include/uapi/linux/prctl.h). */
import type { SyscallContext } from './syscall-context.js'

export const PR_SET_PDEATHSIG = 1
export const PR_GET_PDEATHSIG = 2
export const PR_GET_DUMPABLE = 3
export const PR_SET_DUMPABLE = 4
export const PR_GET_KEEPCAPS = 7
export const PR_SET_KEEPCAPS = 8
export const PR_GET_TIMING = 13
export const PR_SET_TIMING = 14
export const PR_SET_NAME = 15
export const PR_GET_NAME = 16
export const PR_GET_SECCOMP = 21
export const PR_CAPBSET_READ = 23
export const PR_CAPBSET_DROP = 24
export const PR_GET_SECUREBITS = 27
export const PR_SET_SECUREBITS = 28
export const PR_SET_TIMERSLACK = 29
export const PR_GET_TIMERSLACK = 30
export const PR_TASK_PERF_EVENTS_DISABLE = 31
export const PR_TASK_PERF_EVENTS_ENABLE = 32
export const PR_MCE_KILL = 33
export const PR_MCE_KILL_CLEAR = 0
export const PR_MCE_KILL_SET = 1
export const PR_MCE_KILL_GET = 34
export const PR_SET_MM = 35
export const PR_SET_CHILD_SUBREAPER = 36
export const PR_GET_CHILD_SUBREAPER = 37
export const PR_SET_NO_NEW_PRIVS = 38
export const PR_GET_NO_NEW_PRIVS = 39
export const PR_GET_TID_ADDRESS = 40
export const PR_SET_THP_DISABLE = 41
export const PR_GET_THP_DISABLE = 42
export const PR_CAP_AMBIENT = 47
export const PR_SET_IO_FLUSHER = 57
export const PR_GET_IO_FLUSHER = 58
export const PR_SET_MDWE = 65
export const PR_GET_MDWE = 66
export const PR_SET_MEMORY_MERGE = 67
export const PR_GET_MEMORY_MERGE = 68
export const PR_RISCV_SET_ICACHE_FLUSH_CTX = 71
export const PR_SET_VMA = 0x5356_4d41
export const PR_SET_PTRACER = 0x5961_6d61
export const PR_GET_AUXV = 0x4155_5856

/** Most options refuse arguments that they do not take. */
export function restIsZero(c: SyscallContext, from: number): boolean {
  for (let i = from; i < 5; i++) if (!c.args.isZero(i)) return false
  return true
}
