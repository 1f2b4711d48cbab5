import { assert } from '../base/assert.js'
import { cloneCalls } from './calls/clone-calls.js'
import { futexCalls } from './calls/futex-calls.js'
import { groupCalls } from './calls/group-calls.js'
import { identityCalls } from './calls/identity-calls.js'
import { intervalCalls } from './calls/interval-calls.js'
import { killCalls } from './calls/kill-calls.js'
import { machineCalls } from './calls/machine-calls.js'
import { memoryCalls } from './calls/memory-calls.js'
import { memoryPolicyCalls } from './calls/memory-policy-calls.js'
import { prctlCalls } from './calls/prctl-calls.js'
import { processCalls } from './calls/process-calls.js'
import { processMemoryCalls } from './calls/process-memory-calls.js'
import { ptraceCalls } from './calls/ptrace-calls.js'
import { resourceCalls } from './calls/resource-calls.js'
import { riscvCalls } from './calls/riscv-calls.js'
import { schedulingCalls } from './calls/scheduling-calls.js'
import { signalCalls } from './calls/signal-calls.js'
import { timeCalls } from './calls/time-calls.js'
import { timerCalls } from './calls/timer-calls.js'
import { waitCalls } from './calls/wait-calls.js'
import type { Syscall } from './syscall.js'

const CALLS: readonly (readonly Syscall[])[] = [
  cloneCalls,
  futexCalls,
  groupCalls,
  identityCalls,
  prctlCalls,
  intervalCalls,
  killCalls,
  machineCalls,
  memoryCalls,
  memoryPolicyCalls,
  processCalls,
  processMemoryCalls,
  ptraceCalls,
  resourceCalls,
  riscvCalls,
  schedulingCalls,
  signalCalls,
  timeCalls,
  timerCalls,
  waitCalls,
]

/** Numbers above are no calls. */
export const NUMBER_MAX = 511

/** A call by its number. */
export type SyscallTable = readonly (Syscall | undefined)[]

/** All calls there are; those of the file system are given. */
export function makeSyscallTable(fileCalls: readonly (readonly Syscall[])[]): SyscallTable {
  const table = new Array<Syscall | undefined>(NUMBER_MAX + 1).fill(undefined)
  const add = (call: Syscall) => {
    assert(call.number <= NUMBER_MAX && table[call.number] === undefined, 'each call has a number of its own')
    table[call.number] = call
  }
  for (const calls of CALLS) calls.forEach(add)
  for (const calls of fileCalls) calls.forEach(add)
  return table
}
