import { EBUSY, EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import type { AddressSpace } from '../space/address-space.js'
import { VM_LOCKED, VM_SHARED } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { writeBackObject } from '../space/write-back.js'
import { LockRank } from '../state/atomics.js'
import { MS_ASYNC, MS_INVALIDATE, MS_SYNC } from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

/**
 * msync(addr, len, flags): 0; -EINVAL (unaligned, unknown flags, both ways at once), -ENOMEM (a hole; what is mapped is
 * written back all the same), -EBUSY (MS_INVALIDATE of locked memory), or what the provider said.
 */
export function sysMsync(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const flags = args.int(2)
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0) return -EINVAL
  if (!args.isPageAligned(0)) return -EINVAL
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL
  const start = args.page(0)
  const end = start + args.pagesUp(1)
  if (end >= 2 ** 52) return -ENOMEM
  if (end === start) return 0
  return sync(mm, space, start as Vpn, end as Vpn, flags)
}

/** Pages `first` to `end` - 1 of an object, as a mapping shows them. */
interface View {
  readonly object: Ptr
  readonly first: number
  readonly end: number
}

function sync(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn, flags: number): number {
  const views: View[] = []
  mm.atomics.lock(space.lock, LockRank.space)
  const problem = collectViews(mm, space, start, end, flags, views)
  mm.atomics.unlock(space.lock, LockRank.space)
  let failed = 0
  for (const { object, first, end: last } of views) {
    failed ||= writeBackObject(mm, object, first, last)
    mm.objects.release(object)
  }
  return failed || problem
}

/** Finds what has to be written back, with a reference on each object; -ENOMEM at a hole, -EBUSY at locked memory. */
function collectViews(
  mm: FaultEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  flags: number,
  views: View[],
): number {
  const vma = new Vma(mm.memory, NULL)
  let problem = 0
  for (let at = start; at < end; at = vma.end) {
    const found = at < mm.arch.userEnd ? mm.vmas.find(space, at) : NULL
    if (found === NULL) return -ENOMEM
    if (vma.at(found).start > at) {
      if (flags === MS_ASYNC || vma.start >= end) return -ENOMEM
      problem = -ENOMEM
    }
    if ((flags & MS_INVALIDATE) !== 0 && (vma.flags & VM_LOCKED) !== 0) return -EBUSY
    if ((flags & MS_SYNC) !== 0 && isSharedObject(vma)) {
      if (mm.objects.isSecret(vma.object)) return -EINVAL
      const first = vma.offsetOf(Math.max(at, vma.start))
      mm.objects.retain(vma.object)
      views.push({ object: vma.object, first, end: vma.offsetOf(Math.min(end, vma.end)) })
    }
  }
  return problem
}

function isSharedObject(vma: Vma): boolean {
  return vma.object !== NULL && (vma.flags & VM_SHARED) !== 0
}
