/** A system call, as it is entered into the table. */
import type { SyscallContext } from './syscall-context.js'

/**
 * Returns a result ≥ 0 (exact to 2^53), a negative errno, -ERESTARTSYS and the like when a signal cut a wait short, or
 * PARKED after `c.thread.park(kind, argument, deadline)`. A parked call is run again from the start with the same arguments
 * when the thread is woken: nothing that it did before parking may be lost or done twice. First thing on such a
 * second run: `c.thread.deadline` is still the deadline of the first (Infinity on a first run), so a relative timeout is
 * turned into a deadline once.
 */
export type SyscallHandler = (c: SyscallContext) => number

/**
 * How --trace prints an argument: d signed, u unsigned, x hexadecimal, p pointer (NULL), s string, b buffer whose length is the next
 * argument (B: whose length is the result), v vector of such buffers, f file number, F path's directory file number (AT_FDCWD), o open flags, m mode in octal,
 * P protection, M mapping flags, A advice, S signal.
 */
export type TraceFormat = string

export interface Syscall {
  /** In the generic 64-bit table (include/uapi/asm-generic/unistd.h). */
  readonly number: number
  readonly name: string
  readonly handler: SyscallHandler
  /** One letter an argument. */
  readonly trace: TraceFormat
}

/** Each is made here: V8 makes objects of one place all alike, and sooner than as many literals. */
export function syscall(number: number, name: string, trace: TraceFormat, handler: SyscallHandler): Syscall {
  return { number, name, trace, handler }
}
