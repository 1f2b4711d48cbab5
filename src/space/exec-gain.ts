import { type AddressSpace, SpaceFlag } from './address-space.js'
import { VM_EXEC, VM_WRITE } from './vm-flags.js'

/**
 * Whether PR_SET_MDWE keeps a mapping from getting these flags (map_deny_write_exec): executable and writable at once, or
 * executable when it was not (`old`; of a new mapping the same flags).
 */
export function gainsExec(space: AddressSpace, flags: number, old = flags): boolean {
  if ((space.flags & SpaceFlag.refusesExecGain) === 0 || (flags & VM_EXEC) === 0) return false
  return (flags & VM_WRITE) !== 0 || (old & VM_EXEC) === 0
}
