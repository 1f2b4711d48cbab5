/**
 * Mappings of huge pages from a pool (mm/hugetlb.c of Linux 6.12), as on a machine that has set none aside: they can have a place
 * and a size, in whole huge pages, but whoever touches one gets SIGBUS, because their objects never have a page.
 */
import { EINVAL } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { ObjectKind } from './object-records.js'
import { findGap, isFree } from './placement.js'
import type { SpaceEnv } from './space-env.js'
import { lowestPlacedPage } from './tunables.js'
import { HUGE_PAGES, VM_HUGETLB } from './vm-flags.js'
import { Special, Vma } from './vma.js'

/** Pages of 1 GiB. */
const GIGANTIC_PAGES = 512 * HUGE_PAGES

/** The kind of object for huge pages of 2^`shift` bytes; undefined: there is no such size. 0 is the default one. */
export function hugeKind(shift: number): ObjectKind | undefined {
  if (shift === 30) return ObjectKind.gigantic
  return shift === 0 || shift === 21 ? ObjectKind.huge : undefined
}

/** Small pages that one huge page of such an object has; 1 for other kinds. */
export function pagesOfKind(kind: ObjectKind): number {
  if (kind === ObjectKind.gigantic) return GIGANTIC_PAGES
  return kind === ObjectKind.huge ? HUGE_PAGES : 1
}

/** Pages that the parts of a mapping must be multiples of. */
export function unitOf(mm: SpaceEnv, vma: Vma): number {
  return (vma.flags & VM_HUGETLB) === 0 ? 1 : pagesOfKind(mm.objects.kind(vma.object))
}

/** Whether a mapping can be cut at a page inside it: 0, or -EINVAL (hugetlb_vm_op_split, special_mapping_split). */
export function cutProblem(mm: SpaceEnv, vma: Vma, at: Vpn): number {
  return vma.special === Special.none && at % unitOf(mm, vma) === 0 ? 0 : -EINVAL
}

/** The same for the mappings that the ends of a range lie in. `first` is the one at its start or the next above. */
export function checkCuts(mm: SpaceEnv, space: AddressSpace, first: Ptr, start: Vpn, end: Vpn): number {
  const { vmas } = mm
  const last = vmas.endOf(first) >= end || end >= mm.arch.userEnd ? first : vmas.findHolding(space, end)
  return cutProblemAt(mm, first, start) || (last === NULL ? 0 : cutProblemAt(mm, last, end))
}

function cutProblemAt(mm: SpaceEnv, vma: Ptr, at: Vpn): number {
  const isInside = mm.vmas.startOf(vma) < at && mm.vmas.endOf(vma) > at
  return isInside ? cutProblem(mm, new Vma(mm.memory, vma), at) : 0
}

/** Where huge pages go: a multiple of their size, near the wish (0 = none); -ENOMEM (hugetlb_get_unmapped_area). */
export function findHugePlace(
  mm: SpaceEnv,
  space: AddressSpace,
  wish: number,
  pages: number,
  unit: number,
): number {
  const roundUp = (page: number) => Math.ceil(page / unit) * unit
  if (wish > 0) {
    const wished = roundUp(Math.max(wish, lowestPlacedPage(mm))) as Vpn
    if (wished <= mm.arch.userEnd - pages && isFree(mm, space, wished, pages)) return wished
  }
  const found = findGap(mm, space, pages + unit - 1)
  return found < 0 ? found : roundUp(found)
}
