/**
 * mlock(2) and its family. Nothing is ever swapped out, so a locked page needs no protection: what is left is what the
 * program sees, the flags, the limits, the count (VmLck) and the populating.
 */
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import { PAGE_SIZE, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { populate, populateQuietly } from '../fault/populate.js'
import type { AddressSpace } from '../space/address-space.js'
import { adviseRange } from '../space/dont-need.js'
import { lockRange } from '../space/lock-range.js'
import { VM_LOCKED, VM_LOCKED_MASK, VM_LOCKONFAULT } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT } from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** mlock(addr, len): 0; -EPERM, -ENOMEM (limit, hole, no access), -EAGAIN (no memory to populate), -EINVAL. */
export function sysMlock(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  return lockAndPopulate(mm, space, args, VM_LOCKED)
}

/** mlock2(addr, len, flags). */
export function sysMlock2(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const flags = args.int(2)
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL
  return lockAndPopulate(mm, space, args, flags === 0 ? VM_LOCKED : VM_LOCKED | VM_LOCKONFAULT)
}

/** munlock(addr, len): 0, -ENOMEM at a hole, -EINVAL when the range wraps around. */
export function sysMunlock(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const start = args.page(0)
  const end = start + pagesTouched(args)
  if (end >= 2 ** 52) return -EINVAL
  mm.atomics.lock(space.lock, LockRank.space)
  const result = lockRange(mm, space, start as Vpn, end as Vpn, 0)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

/** mlockall(flags): what is mapped, what will be, or both. 0, -EINVAL, -EPERM, -ENOMEM beyond RLIMIT_MEMLOCK. */
export function sysMlockall(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const flags = args.int(0)
  const isKnown = (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) === 0
  if (flags === 0 || !isKnown || flags === MCL_ONFAULT) return -EINVAL
  if (space.limitLocked === 0) return -EPERM
  const current = (flags & MCL_CURRENT) !== 0
  mm.atomics.lock(space.lock, LockRank.space)
  const fits = !current || space.counts.totalPages * PAGE_SIZE <= space.limitLocked
  if (fits) applyToAll(mm, space, flags)
  mm.atomics.unlock(space.lock, LockRank.space)
  if (!fits) return -ENOMEM
  if (current) populateQuietly(mm, space, 0 as Vpn, mm.arch.userEnd)
  return 0
}

/** munlockall(): nothing is locked any more, nor will be. */
export function sysMunlockall(mm: FaultEnv, space: AddressSpace): number {
  mm.atomics.lock(space.lock, LockRank.space)
  applyToAll(mm, space, 0)
  mm.atomics.unlock(space.lock, LockRank.space)
  return 0
}

/** PAGE_ALIGN(len + offset in page) in pages, as 64 bits count: may wrap around to 0. */
function pagesTouched(args: SyscallArguments): number {
  const bytes = (args.low(0) % PAGE_SIZE) + (args.low(1) % PAGE_SIZE)
  return (args.page(1) + Math.ceil(bytes / PAGE_SIZE)) % 2 ** 52
}

function lockAndPopulate(mm: FaultEnv, space: AddressSpace, args: SyscallArguments, flags: number): number {
  if (space.limitLocked === 0) return -EPERM
  const start = args.page(0)
  const pages = pagesTouched(args)
  mm.atomics.lock(space.lock, LockRank.space)
  const result = lockLocked(mm, space, start, pages, flags)
  mm.atomics.unlock(space.lock, LockRank.space)
  if (result < 0) return result
  return populateProblem(populate(mm, space, start as Vpn, (start + pages) as Vpn))
}

function lockLocked(mm: FaultEnv, space: AddressSpace, start: number, pages: number, flags: number): number {
  const end = start + pages
  if ((space.counts.lockedPages + pages) * PAGE_SIZE > space.limitLocked) {
    const already = end < 2 ** 52 ? lockedIn(mm, space, start as Vpn, end as Vpn) : 0
    if ((space.counts.lockedPages + pages - already) * PAGE_SIZE > space.limitLocked) return -ENOMEM
  }
  if (end >= 2 ** 52) return -EINVAL
  return lockRange(mm, space, start as Vpn, end as Vpn, flags)
}

/** __mlock_posix_error_return(). */
function populateProblem(problem: number): number {
  if (problem === -EFAULT) return -ENOMEM
  return problem === -ENOMEM ? -EAGAIN : problem
}

/** Pages of the range that are locked already (count_mm_mlocked_page_nr). */
function lockedIn(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  let pages = 0
  adviseRange(mm, space, start, end, (_mm, _space, vma, from, to) => {
    if ((vma.flags & VM_LOCKED) !== 0) pages += to - from
    return 0
  })
  return pages
}

/** apply_mlockall_flags(): a mapping that cannot be changed for want of memory is left out. */
function applyToAll(mm: FaultEnv, space: AddressSpace, mcl: number): void {
  const flags = (mcl & MCL_ONFAULT) !== 0 ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED
  space.defaultFlags = (space.defaultFlags & ~VM_LOCKED_MASK) | ((mcl & MCL_FUTURE) !== 0 ? flags : 0)
  if ((mcl & MCL_FUTURE) !== 0 && (mcl & MCL_CURRENT) === 0) return
  const wanted = (mcl & MCL_CURRENT) !== 0 ? flags : 0
  adviseRange(mm, space, 0 as Vpn, mm.arch.userEnd, (_mm, _space, _vma, from, to) => {
    lockRange(mm, space, from, to, wanted)
    return 0
  })
}
