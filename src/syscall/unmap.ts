import { EINVAL } from '../base/errno.js'
import type { Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import type { AddressSpace } from '../space/address-space.js'
import { unmapRange } from '../space/unmap-range.js'
import { LockRank } from '../state/atomics.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** munmap(addr, len): 0; -EINVAL for an unaligned address, no length, or a range beyond TASK_SIZE; -ENOMEM. */
export function sysMunmap(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const start = args.page(0)
  const pages = args.pagesUp(1)
  if (!args.isPageAligned(0) || start + pages > mm.arch.userEnd || pages === 0) return -EINVAL
  mm.atomics.lock(space.lock, LockRank.space)
  const result = unmapRange(mm, space, start as Vpn, (start + pages) as Vpn)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}
