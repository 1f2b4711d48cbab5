import { EINVAL } from '../base/errno.js'
import type { Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import type { AddressSpace } from '../space/address-space.js'
import { sealRange } from '../space/seal.js'
import { LockRank } from '../state/atomics.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** mseal(addr, len, flags): 0; -EINVAL (flags, unaligned, wraps around), -ENOMEM (a hole: no effect; or no memory). */
export function sysMseal(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  if (!args.isZero(2) || !args.isPageAligned(0)) return -EINVAL
  const start = args.page(0)
  const pages = args.pagesUp(1)
  if ((pages === 0 && !args.isZero(1)) || start + pages >= 2 ** 52) return -EINVAL
  mm.atomics.lock(space.lock, LockRank.space)
  const result = sealRange(mm, space, start as Vpn, (start + pages) as Vpn)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}
