/** sigaltstack(2): a second stack for signal handlers. */
import { EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import type { Thread } from './thread.js'

export const SS_ONSTACK = 1
export const SS_DISABLE = 2
/** The stack is disabled while a handler runs on it. */
export const SS_AUTODISARM = 0x8000_0000

/** Whether sp lies on the alternate stack. One that disarms itself never counts. */
export function isOnStack(thread: Thread, sp: number): boolean {
  if ((thread.altFlags & SS_AUTODISARM) !== 0) return false
  return sp > thread.altBase && sp - thread.altBase <= thread.altSize
}

/** ss_flags as sigaltstack(2) reports them. */
export function stackFlags(thread: Thread, sp: number): number {
  if (thread.altSize === 0) return SS_DISABLE
  return isOnStack(thread, sp) ? SS_ONSTACK : 0
}

export function resetStack(thread: Thread): void {
  thread.altBase = 0
  thread.altSize = 0
  thread.altFlags = SS_DISABLE
}

const MINSIGSTKSZ = 2048

/** do_sigaltstack: 0, -EPERM while on it, -EINVAL for unknown flags, -ENOMEM when it is too small. */
export function setStack(thread: Thread, base: number, flags: number, size: number, sp: number): number {
  if (isOnStack(thread, sp)) return -EPERM
  const mode = (flags & ~SS_AUTODISARM) >>> 0
  if (mode !== 0 && mode !== SS_DISABLE && mode !== SS_ONSTACK) return -EINVAL
  if (mode === SS_DISABLE) {
    resetStack(thread)
    thread.altFlags = flags
    return 0
  }
  if (size < MINSIGSTKSZ) return -ENOMEM
  thread.altBase = base
  thread.altSize = size
  thread.altFlags = flags
  return 0
}
