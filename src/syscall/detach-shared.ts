import { EINVAL } from '../base/errno.js'
import { NULL, type Ptr, pagesFor, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import type { AddressSpace } from '../space/address-space.js'
import { unmapRange } from '../space/unmap-range.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'

/**
 * shmdt: takes away what is left of the mapping of an object of `provider` that began at a page, in pieces cut by mprotect and
 * munmap or in one (ksys_shmdt). 0, or -EINVAL when there is none.
 */
export function detachShared(mm: FaultEnv, space: AddressSpace, start: Vpn, provider: number): number {
  mm.atomics.lock(space.lock, LockRank.space)
  const result = detachLocked(mm, space, start, provider)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function detachLocked(mm: FaultEnv, space: AddressSpace, start: Vpn, provider: number): number {
  const vma = new Vma(mm.memory)
  let at = mm.vmas.find(space, start)
  while (at !== NULL && !isPiece(mm, vma.at(at), start, provider)) at = mm.vmas.next(at)
  if (at === NULL) return -EINVAL
  const { file } = vma
  const end = start + pagesFor(mm.objects.size(vma.object))
  at = mm.vmas.next(at)
  unmapRange(mm, space, vma.start, vma.end)
  while (at !== NULL && vma.at(at).end <= end) {
    const next: Ptr = mm.vmas.next(at)
    if (isPiece(mm, vma, start, provider) && vma.file === file) unmapRange(mm, space, vma.start, vma.end)
    at = next
  }
  return 0
}

/** Whether a mapping shows the pages of an object that a mapping from `start` on would. */
function isPiece(mm: FaultEnv, vma: Vma, start: Vpn, provider: number): boolean {
  if (vma.object === NULL || mm.objects.provider(vma.object) !== provider) return false
  return vma.start - start === vma.pageOffset
}
