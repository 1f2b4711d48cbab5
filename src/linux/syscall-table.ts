import { cloneCalls } from './calls/clone-calls.js'
import { futexCalls } from './calls/futex-calls.js'
import { groupCalls } from './calls/group-calls.js'
import { identityCalls } from './calls/identity-calls.js'
import { machineCalls } from './calls/machine-calls.js'
import { memoryCalls } from './calls/memory-calls.js'
import { processCalls } from './calls/process-calls.js'
import { resourceCalls } from './calls/resource-calls.js'
import { riscvCalls } from './calls/riscv-calls.js'
import { signalCalls } from './calls/signal-calls.js'
import { timeCalls } from './calls/time-calls.js'
import { waitCalls } from './calls/wait-calls.js'
import type { Syscall } from './syscall-context.js'

const CALLS: readonly (readonly Syscall[])[] = [
  cloneCalls,
  futexCalls,
  groupCalls,
  identityCalls,
  machineCalls,
  memoryCalls,
  processCalls,
  resourceCalls,
  riscvCalls,
  signalCalls,
  timeCalls,
  waitCalls,
]

/** All calls there are by number; those of the file system are given. */
export function makeSyscallTable(fileCalls: readonly Syscall[]): ReadonlyMap<number, Syscall> {
  return new Map([...CALLS.flat(), ...fileCalls].map((call) => [call.number, call]))
}
