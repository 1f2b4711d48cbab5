import { EAGAIN, EFAULT, ENOMEM, EPERM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import { countMapping, mayExpand, mayLock } from './accounting.js'
import type { AddressSpace } from './address-space.js'
import { moveStart } from './extent.js'
import { isEnoughMemory } from './overcommit.js'
import type { SpaceEnv } from './space-env.js'
import { lowestPlacedPage } from './tunables.js'
import { STACK_GUARD_PAGES, VM_ACCESS_FLAGS, VM_GROWSDOWN } from './vm-flags.js'
import { Vma } from './vma.js'

/**
 * Lets a mapping that grows down reach down to a page (expand_downwards). 0, or -EFAULT (it does not grow), -EPERM (too
 * low), -ENOMEM (too near to the mapping below, RLIMIT_STACK, RLIMIT_AS, RLIMIT_MEMLOCK, overcommit), -EAGAIN (no memory for
 * its family; only a stack without a page of its own needs any).
 */
export function expandStack(mm: SpaceEnv, space: AddressSpace, stack: Ptr, vpn: Vpn): number {
  const vma = new Vma(mm.memory, stack)
  if ((vma.flags & VM_GROWSDOWN) === 0) return -EFAULT
  if (vpn < lowestPlacedPage(mm)) return -EPERM
  if (isTooNear(mm, stack, vpn)) return -ENOMEM
  if (!mm.families.prepare(vma)) return -EAGAIN
  if (vpn >= vma.start) return 0
  const pages = vma.start - vpn
  if (pages > vma.pageOffset || !mayGrow(mm, space, vma, pages)) return -ENOMEM
  moveStart(mm, space, vma, vpn)
  countMapping(mm, space, vma.flags, pages)
  return 0
}

/** Lets a stack that lies above a page without a mapping grow down to it, if it may: for who looks at it from outside (access_remote_vm). */
export function growTo(mm: SpaceEnv, space: AddressSpace, vpn: Vpn): void {
  const above = mm.vmas.find(space, vpn)
  if (above !== NULL && new Vma(mm.memory, above).start > vpn) expandStack(mm, space, above, vpn)
}

/** The guard gap is kept from everything below that can be accessed, but for another stack. */
function isTooNear(mm: SpaceEnv, stack: Ptr, vpn: Vpn): boolean {
  const below = new Vma(mm.memory, mm.vmas.previous(stack))
  if (below.ptr === NULL) return false
  if (vpn < below.end) return true
  const guarded = (below.flags & VM_GROWSDOWN) === 0 && (below.flags & VM_ACCESS_FLAGS) !== 0
  return guarded && vpn - below.end < STACK_GUARD_PAGES
}

/** acct_stack_growth. */
function mayGrow(mm: SpaceEnv, space: AddressSpace, vma: Vma, pages: number): boolean {
  return (
    mayExpand(space, vma.flags, pages) &&
    (vma.pages + pages) * PAGE_SIZE <= space.limitStack &&
    mayLock(space, vma.flags, pages) &&
    isEnoughMemory(mm, space, pages)
  )
}
