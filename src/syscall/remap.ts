import { EFAULT, EINVAL, EPERM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { populateQuietly } from '../fault/populate.js'
import type { AddressSpace } from '../space/address-space.js'
import { remapRange } from '../space/remap-range.js'
import { isSealed } from '../space/seal.js'
import { VM_LOCKED } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

/**
 * mremap(old, oldLength, newLength, flags, new): the new address; -EINVAL, -EFAULT (nothing mapped there), -ENOMEM,
 * -EAGAIN (locked memory), -EPERM (sealed), in the order of sys_mremap of Linux 6.12.
 */
export function sysMremap(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const oldPages = args.pagesUp(1)
  const newPages = args.pagesUp(2)
  if (!flagsAreSound(args)) return -EINVAL
  if (!args.isPageAligned(0) || newPages === 0) return -EINVAL
  mm.atomics.lock(space.lock, LockRank.space)
  const page = remapLocked(mm, space, args, oldPages, newPages)
  const locked = page >= 0 && newPages > oldPages && isLocked(mm, space, page as Vpn)
  mm.atomics.unlock(space.lock, LockRank.space)
  if (page < 0) return page
  if (locked) populateQuietly(mm, space, (page + oldPages) as Vpn, (page + newPages) as Vpn)
  return page * PAGE_SIZE
}

function flagsAreSound(args: SyscallArguments): boolean {
  const flags = args.low(3)
  const mayMove = (flags & MREMAP_MAYMOVE) !== 0
  if (!args.is32Bit(3) || (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) return false
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0 && !mayMove) return false
  const sameLength = args.low(1) === args.low(2) && args.high(1) === args.high(2)
  return (flags & MREMAP_DONTUNMAP) === 0 || sameLength
}

function remapLocked(
  mm: FaultEnv,
  space: AddressSpace,
  args: SyscallArguments,
  oldPages: number,
  newPages: number,
): number {
  const flags = args.low(3)
  const start = args.page(0) as Vpn
  const fixed = (flags & MREMAP_FIXED) !== 0
  const keepOld = (flags & MREMAP_DONTUNMAP) !== 0
  const holding = start < mm.arch.userEnd ? mm.vmas.findHolding(space, start) : NULL
  if (holding === NULL) return -EFAULT
  if (isSealed(new Vma(mm.memory, holding))) return -EPERM
  if ((fixed || keepOld) && !args.isPageAligned(4)) return -EINVAL
  const mayMove = (flags & MREMAP_MAYMOVE) !== 0
  const target = args.page(4) as Vpn
  return remapRange(mm, space, { start, oldPages, newPages, mayMove, fixed, keepOld, target })
}

function isLocked(mm: FaultEnv, space: AddressSpace, page: Vpn): boolean {
  const found = mm.vmas.findHolding(space, page)
  return found !== NULL && (new Vma(mm.memory, found).flags & VM_LOCKED) !== 0
}
