import { EFAULT, EINVAL, ENOMEM } from '../base/errno.js'
import { PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { copyToUser, isUserRange } from '../fault/user-copy.js'
import type { AddressSpace } from '../space/address-space.js'
import { residency } from '../space/residency.js'
import { LockRank } from '../state/atomics.js'
import type { SyscallArguments } from './syscall-arguments.js'

interface Question {
  readonly start: number
  readonly pages: number
  /** Address for the answers. */
  readonly vector: number
  readonly mayLook: (object: Ptr) => boolean
}

/**
 * mincore(addr, len, vec): 0 and a byte a page; -EINVAL (unaligned), -ENOMEM (beyond TASK_SIZE, a hole), -EFAULT
 * (vec). Bytes before a hole are written. `mayLook`: whether what is cached of an object is the caller's business.
 */
export function sysMincore(
  mm: FaultEnv,
  space: AddressSpace,
  args: SyscallArguments,
  mayLook: (object: Ptr) => boolean = () => true,
): number {
  if (!args.isPageAligned(0)) return -EINVAL
  if (!isUserRange(mm, args.address(0), args.address(1))) return -ENOMEM
  const pages = args.pagesUp(1)
  const vector = args.address(2)
  if (!isUserRange(mm, vector, pages)) return -EFAULT
  return report(mm, space, { start: args.page(0), pages, vector, mayLook })
}

/** A page's worth of answers at a time, so that the lock is not held while user memory is written. */
function report(mm: FaultEnv, space: AddressSpace, { start, pages, vector, mayLook }: Question): number {
  for (let done = 0; done < pages; ) {
    const bytes = new Uint8Array(Math.min(PAGE_SIZE, pages - done))
    mm.atomics.lock(space.lock, LockRank.space)
    const count = residency(mm, space, (start + done) as Vpn, bytes, mayLook)
    mm.atomics.unlock(space.lock, LockRank.space)
    if (count <= 0) return count
    if (copyToUser(mm, space, vector + done, bytes.subarray(0, count)) !== 0) return -EFAULT
    done += count
  }
  return 0
}
