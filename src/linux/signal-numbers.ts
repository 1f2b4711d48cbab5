/** Signals of riscv64 Linux (include/uapi/asm-generic/signal.h, siginfo.h) and what they do when nobody handles them. */
export const Signal = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
} as const

export const SIGNAL_MAX = 64
/** From here on signals queue, and are delivered in order. */
export const FIRST_REALTIME = 32

export const SIG_DFL = 0
export const SIG_IGN = 1

/** Bits of sa_flags. */
export const SA_NOCLDSTOP = 0x1
export const SA_NOCLDWAIT = 0x2
export const SA_SIGINFO = 0x4
export const SA_EXPOSE_TAGBITS = 0x800
export const SA_ONSTACK = 0x0800_0000
export const SA_RESTART = 0x1000_0000
export const SA_NODEFER = 0x4000_0000
export const SA_RESETHAND = 0x8000_0000

/** si_code. Above 0 the kernel reports a fault or an event, at 0 or below somebody sent it. */
export const SignalCode = {
  user: 0,
  kernel: 0x80,
  queue: -1,
  timer: -2,
  messageQueue: -3,
  tkill: -6,
  illegalOpcode: 1,
  segvMapError: 1,
  segvAccessError: 2,
  busAlignment: 1,
  busAddressError: 2,
  trapBreakpoint: 1,
  childExited: 1,
  childKilled: 2,
  childDumped: 3,
  childTrapped: 4,
  childStopped: 5,
  childContinued: 6,
} as const

export type DefaultAction = 'ignore' | 'terminate' | 'core' | 'stop' | 'continue'

const NAMES = Object.keys(Signal)
const CORE: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 8, 11, 24, 25, 31])
const IGNORED: ReadonlySet<number> = new Set([17, 23, 28])
const STOPPING: ReadonlySet<number> = new Set([19, 20, 21, 22])

/** What happens to a process that does not handle the signal. */
export function defaultAction(signal: number): DefaultAction {
  if (signal === Signal.CONT) return 'continue'
  if (IGNORED.has(signal)) return 'ignore'
  if (STOPPING.has(signal)) return 'stop'
  return CORE.has(signal) ? 'core' : 'terminate'
}

/** `SIGSEGV` for 11, `SIGRT_2` for 34, as strace writes them. */
export function signalName(signal: number): string {
  if (signal >= 1 && signal < FIRST_REALTIME) return `SIG${NAMES[signal - 1]}`
  return `SIGRT_${signal - FIRST_REALTIME}`
}

const MESSAGES: ReadonlyMap<number, string> = new Map([
  [Signal.HUP, 'Hangup'],
  [Signal.INT, 'Interrupt'],
  [Signal.QUIT, 'Quit'],
  [Signal.ILL, 'Illegal instruction'],
  [Signal.TRAP, 'Trace/breakpoint trap'],
  [Signal.ABRT, 'Aborted'],
  [Signal.BUS, 'Bus error'],
  [Signal.FPE, 'Floating point exception'],
  [Signal.KILL, 'Killed'],
  [Signal.SEGV, 'Segmentation fault'],
  [Signal.PIPE, 'Broken pipe'],
  [Signal.ALRM, 'Alarm clock'],
  [Signal.TERM, 'Terminated'],
  [Signal.SYS, 'Bad system call'],
])

/** `Segmentation fault` for 11, as strsignal(3) words it. */
export function signalMessage(signal: number): string {
  return MESSAGES.get(signal) ?? signalName(signal)
}
