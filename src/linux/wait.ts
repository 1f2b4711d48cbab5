/**
 * What a parked thread waits for. It is data in the thread's record, never a callback: `kind` and `argument` name the
 * event, `deadline` (nanoseconds of CLOCK_MONOTONIC, Infinity = none) ends the wait without it. A thread that is woken
 * runs its system call again from the start; the call finds what has come, or parks again.
 */
export const WaitKind = {
  none: 0,
  /** Only the deadline or a signal ends it: nanosleep, pause. */
  time: 1,
  /** Host input or output, pipes, poll: anything of the file system. The argument is a set of files: fs/ipc/event-source.ts. */
  file: 2,
  /** A futex word; which one is in the thread's futex fields (futex-table.ts). */
  futex: 3,
  /** A signal of the set in `sigwait`: rt_sigtimedwait, sigsuspend. */
  signal: 4,
  /** A child that ends, stops or goes on: wait4, waitid. */
  child: 5,
  /** A child made by vfork that ends or becomes another program; the argument is its number. No signal ends the wait. */
  vfork: 6,
  /** The reader of a file of userfaultfd(2): userfault-waits.ts. The argument is the context. */
  userfault: 7,
  /** A message, or room for one, in a message queue: fs/mqueue/queue-waits.ts. The argument is the thread's record in the queue. */
  messages: 8,
} as const
export type WaitKind = (typeof WaitKind)[keyof typeof WaitKind]

/** What a handler returns after `thread.park(…)`: no result yet. */
export const PARKED = -1000

/** What a handler returns that has set the registers itself (rt_sigreturn, execve): there is no result to store. */
export const REGISTERS_SET = -1001

/**
 * Codes of Linux's kernel for an interrupted call (include/linux/errno.h). A handler whose wait was cut short by a signal
 * (`thread.interrupted`) returns one of them; the signal code turns it into EINTR or runs the call again.
 */
export const ERESTARTSYS = 512
export const ERESTARTNOINTR = 513
export const ERESTARTNOHAND = 514
export const ERESTART_RESTARTBLOCK = 516
