import { ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import { isPoison } from './poisoned-entry.js'
import type { SpaceEnv } from './space-env.js'
import { Special, Vma } from './vma.js'

/**
 * mincore for one mapping (do_mincore): writes 1 (in memory) or 0 for each page from `start` on, as far as the mapping and
 * the target go, and returns how many; -ENOMEM when `start` is not mapped. Page-cache pages with contents count though not mapped. Of an object that the
 * caller may not look at (`mayLook`), and of the kernel's own mappings, all pages are said to be there (can_do_mincore).
 */
export function residency(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  target: Uint8Array,
  mayLook: (object: Ptr) => boolean,
): number {
  const holding = mm.vmas.findHolding(space, start)
  if (holding === NULL) return -ENOMEM
  const vma = new Vma(mm.memory, holding)
  const pages = Math.min(vma.end - start, target.length)
  if (!vma.isAnonymous && (vma.special !== Special.none || !mayLook(vma.object))) {
    target.fill(1, 0, pages)
    return pages
  }
  for (let i = 0; i < pages; i++) target[i] = isCached(mm, vma, start + i) ? 1 : 0
  new UserMapper(mm, space.root).walkPages(start, (start + pages) as Vpn, (vpn, _pfn, flags) => {
    if (!isPoison(flags)) target[vpn - start] = 1
  })
  return pages
}

function isCached(mm: SpaceEnv, vma: Vma, vpn: number): boolean {
  return vma.object !== NULL && mm.objects.isFilled(vma.object, vma.offsetOf(vpn))
}
