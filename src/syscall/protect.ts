import { EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { populateLocked } from '../fault/populate.js'
import type { AddressSpace } from '../space/address-space.js'
import { protectRange } from '../space/protect-range.js'
import { VM_ACCESS_FLAGS } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE } from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

const PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM
const GROWS = PROT_GROWSDOWN | PROT_GROWSUP

/**
 * mprotect(addr, len, prot), in the order of do_mprotect_pkey: 0; -EINVAL (unaligned, unknown bits, both PROT_GROWS…),
 * -ENOMEM (wraps around, a hole, no memory), -EACCES (more than the mapping may have). A hole further on leaves what
 * came before it changed.
 */
export function sysMprotect(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const prot = args.low(2)
  if ((prot & GROWS) === GROWS || !args.isPageAligned(0)) return -EINVAL
  if (args.isZero(1)) return 0
  const start = args.page(0)
  const end = start + args.pagesUp(1)
  if (end <= start || end >= 2 ** 52) return -ENOMEM
  if (!args.is32Bit(2) || (prot & ~GROWS & ~PROT_ALL) !== 0) return -EINVAL
  mm.atomics.lock(space.lock, LockRank.space)
  const result = protectLocked(mm, space, start as Vpn, end as Vpn, prot)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function protectLocked(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn, prot: number): number {
  if (start >= mm.arch.userEnd) return -ENOMEM
  const growsDown = (prot & PROT_GROWSDOWN) !== 0
  if ((prot & PROT_GROWSUP) !== 0) return mm.vmas.findHolding(space, start) !== NULL ? -EINVAL : -ENOMEM
  return protectRange(mm, space, start, end, prot & VM_ACCESS_FLAGS, growsDown, populateLocked)
}
