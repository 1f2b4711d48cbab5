/** Numbers of ptrace(2) (include/uapi/linux/ptrace.h). */
export const PtraceRequest = {
  traceMe: 0,
  peekText: 1,
  peekData: 2,
  pokeText: 4,
  pokeData: 5,
  continue: 7,
  kill: 8,
  singleStep: 9,
  attach: 16,
  detach: 17,
  systemCall: 24,
  emulateCall: 31,
  emulateCallAndStep: 32,
  setOptions: 0x4200,
  getEventMessage: 0x4201,
  getSignalInfo: 0x4202,
  setSignalInfo: 0x4203,
  getRegisterSet: 0x4204,
  setRegisterSet: 0x4205,
  seize: 0x4206,
  interrupt: 0x4207,
  listen: 0x4208,
  peekSignalInfo: 0x4209,
  getSignalMask: 0x420a,
  setSignalMask: 0x420b,
  getSeccompFilter: 0x420c,
  getSeccompMetadata: 0x420d,
  getCallInfo: 0x420e,
  setCallDispatch: 0x4210,
  getCallDispatch: 0x4211,
} as const

/** What a stop is for, in bits 8 to 15 of what it reports. The option that asks for it is bit `event`. */
export const PtraceEvent = {
  fork: 1,
  vfork: 2,
  clone: 3,
  execute: 4,
  vforkDone: 5,
  exit: 6,
  stop: 128,
} as const

export const PtraceOption = {
  /** Stops at system calls report 0x80 too. */
  goodCalls: 1,
  /** The tracees are killed when their tracer ends. */
  exitKill: 0x10_0000,
  suspendSeccomp: 0x20_0000,
} as const
export const KNOWN_OPTIONS = 0xff | PtraceOption.exitKill | PtraceOption.suspendSeccomp

/** What PTRACE_GETEVENTMSG says of a stop at a system call. */
export const CallMessage = { entry: 1, exit: 2 } as const
