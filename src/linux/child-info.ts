/** What siginfo_t tells of a child: in SIGCHLD, and from waitid(2). */
import { Signal, SignalCode } from './signal-numbers.js'

const CONTINUED_STATUS = 0xffff
const STOPPED_STATUS = 0x7f
const CORE = 0x80

export interface ChildInfo {
  readonly code: number
  readonly status: number
}

/** si_code and si_status for a status as wait4(2) gives it. */
export function childInfo(waitStatus: number): ChildInfo {
  const signal = waitStatus & 0x7f
  const high = (waitStatus >> 8) & 0xff
  if (waitStatus === CONTINUED_STATUS) return { code: SignalCode.childContinued, status: Signal.CONT }
  if (signal === STOPPED_STATUS) return { code: SignalCode.childStopped, status: high }
  if (signal === 0) return { code: SignalCode.childExited, status: high }
  return { code: (waitStatus & CORE) !== 0 ? SignalCode.childDumped : SignalCode.childKilled, status: signal }
}
