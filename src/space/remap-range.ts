/** mremap: shrink, grow in place, or move (mm/mremap.c of Linux 6.12, where one call changes one mapping only). */
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import { countMapping, mayExpand, mayLock } from './accounting.js'
import type { AddressSpace } from './address-space.js'
import { extentOf } from './extent.js'
import { unitOf } from './huge-pool.js'
import { mergeExtension } from './merge.js'
import { moveMapping } from './move-mapping.js'
import { isEnoughMemory } from './overcommit.js'
import { checkPlace, findPlace, UNALIGNED } from './placement.js'
import { isSealed } from './seal.js'
import type { SpaceEnv } from './space-env.js'
import { mapCountMax } from './tunables.js'
import { unmapRange } from './unmap-range.js'
import { VM_ACCOUNT, VM_DONTEXPAND, VM_HUGETLB, VM_MAYSHARE, VM_PFNMAP, VM_SHARED } from './vm-flags.js'
import { Vma } from './vma.js'

/** What mremap has decoded: pages, and only combinations of flags that Linux accepts. */
export interface RemapRequest {
  readonly start: Vpn
  /** 0: a second view of shared memory is made. */
  readonly oldPages: number
  /** 1 and up. */
  readonly newPages: number
  readonly mayMove: boolean
  /** MREMAP_FIXED: to `target`, in place of what is there. */
  readonly fixed: boolean
  /** MREMAP_DONTUNMAP: the old mapping stays, empty. With it the two sizes are equal. */
  readonly keepOld: boolean
  /** With `fixed` the place; with `keepOld` alone a wish (0 = none). */
  readonly target: Vpn
}

/** Returns the first page of where the mapping is now, or -EFAULT, -EINVAL, -ENOMEM, -EAGAIN, -EPERM (sealed). */
export function remapRange(mm: SpaceEnv, space: AddressSpace, request: RemapRequest): Vpn | number {
  const holding = mm.vmas.findHolding(space, request.start)
  if (holding === NULL) return -EFAULT
  const vma = new Vma(mm.memory, holding)
  if (isSealed(vma)) return -EPERM
  if ((vma.flags & VM_HUGETLB) !== 0) return remapHuge(mm, space, unitOf(mm, vma), request)
  return remapMapping(mm, space, vma, request)
}

/** Huge pages of a pool are moved whole, and their mappings never grow. */
function remapHuge(mm: SpaceEnv, space: AddressSpace, unit: number, request: RemapRequest): Vpn | number {
  const oldPages = Math.ceil(request.oldPages / unit) * unit
  const newPages = Math.ceil(request.newPages / unit) * unit
  if (request.start % unit !== 0 || (request.fixed && request.target % unit !== 0)) return -EINVAL
  if (newPages > oldPages) return -EINVAL
  const vma = new Vma(mm.memory, mm.vmas.findHolding(space, request.start))
  return remapMapping(mm, space, vma, { ...request, oldPages, newPages })
}

function remapMapping(mm: SpaceEnv, space: AddressSpace, vma: Vma, request: RemapRequest): Vpn | number {
  const { start, oldPages, newPages } = request
  if (request.fixed || request.keepOld) return remapTo(mm, space, request)
  if (oldPages >= newPages) return shrink(mm, space, start, oldPages, newPages)
  const refusal = resizeRefusal(space, vma, request, oldPages)
  if (refusal < 0) return refusal
  if (start + oldPages === vma.end && isRoomAbove(mm, space, vma, newPages - oldPages)) {
    const grown = growInPlace(mm, space, vma, newPages - oldPages)
    return grown < 0 ? grown : start
  }
  return request.mayMove ? moveAnywhere(mm, space, vma, request) : -ENOMEM
}

function shrink(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  oldPages: number,
  newPages: number,
): Vpn | number {
  if (oldPages === newPages) return start
  const result = unmapTail(mm, space, start, oldPages, newPages)
  return result < 0 ? result : start
}

/** do_munmap of what shrinking leaves over: it may reach beyond the mapping, but not beyond the address range. */
function unmapTail(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  oldPages: number,
  newPages: number,
): number {
  if (start + oldPages > mm.arch.userEnd) return -EINVAL
  return unmapRange(mm, space, (start + newPages) as Vpn, (start + oldPages) as Vpn)
}

/** vma_to_resize: why the mapping must not change so, or 0. */
function resizeRefusal(space: AddressSpace, vma: Vma, request: RemapRequest, oldPages: number): number {
  const { start, newPages, keepOld } = request
  const { flags } = vma
  const growth = newPages - oldPages
  const isPinned = (flags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0
  if (oldPages === 0 && (flags & (VM_SHARED | VM_MAYSHARE)) === 0) return -EINVAL
  if (keepOld && isPinned) return -EINVAL
  if (oldPages > vma.end - start) return -EFAULT
  if (growth === 0) return 0
  if (isPinned) return -EFAULT
  if (!mayLock(space, flags, growth)) return -EAGAIN
  return mayExpand(space, flags, growth) ? 0 : -ENOMEM
}

/** vma_expandable. */
function isRoomAbove(mm: SpaceEnv, space: AddressSpace, vma: Vma, pages: number): boolean {
  const end = vma.end + pages
  if (end > mm.arch.userEnd) return false
  const next = mm.vmas.find(space, vma.end)
  return next === NULL || new Vma(mm.memory, next).start >= end
}

/** Never allocates. The mapping above is joined when it is reached and fits. */
function growInPlace(mm: SpaceEnv, space: AddressSpace, vma: Vma, pages: number): number {
  const { flags, end } = vma
  if ((flags & VM_ACCOUNT) !== 0 && !isEnoughMemory(mm, space, pages)) return -ENOMEM
  if (!mergeExtension(mm, space, vma, extentOf(vma, end, (end + pages) as Vpn))) return -ENOMEM
  countMapping(mm, space, flags, pages)
  return 0
}

function moveAnywhere(mm: SpaceEnv, space: AddressSpace, vma: Vma, request: RemapRequest): Vpn | number {
  const target = placeFor(mm, space, vma, request, 0 as Vpn)
  return target < 0 ? target : moveMapping(mm, space, vma, request, request.oldPages, target as Vpn)
}

function placeFor(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  request: RemapRequest,
  wished: Vpn,
): Vpn | number {
  const { newPages: pages, fixed } = request
  if (fixed) return checkPlace(mm, space, wished, pages)
  // Where anonymous memory counts from says nothing about where it is aligned.
  return findPlace(mm, space, wished, pages, vma.isAnonymous ? 0 : UNALIGNED)
}

/** mremap_to. What is at the target, and a tail that shrinking leaves over, are gone even when the move fails then. */
function remapTo(mm: SpaceEnv, space: AddressSpace, request: RemapRequest): Vpn | number {
  const { start, newPages, target, fixed, keepOld } = request
  if (target + newPages > mm.arch.userEnd) return -EINVAL
  if (start + request.oldPages > target && target + newPages > start) return -EINVAL
  if (space.vmaCount + 2 >= mapCountMax(mm) - 3) return -ENOMEM
  const replaced = fixed ? unmapRange(mm, space, target, (target + newPages) as Vpn) : 0
  if (replaced < 0) return replaced
  const early = mm.userfaults.changes.length
  const cut = request.oldPages > newPages ? unmapTail(mm, space, start, request.oldPages, newPages) : 0
  if (cut < 0) return cut
  const holding = mm.vmas.findHolding(space, start)
  if (holding === NULL) return -EFAULT
  const vma = new Vma(mm.memory, holding)
  const oldPages = Math.min(request.oldPages, newPages)
  const refusal = resizeRefusal(space, vma, request, oldPages)
  if (refusal < 0) return refusal
  if (keepOld && !mayExpand(space, vma.flags, oldPages)) return -ENOMEM
  const place = placeFor(mm, space, vma, request, target)
  if (place < 0) return place
  const moved = moveMapping(mm, space, vma, request, oldPages, fixed ? target : (place as Vpn))
  mm.userfaults.tellRemapsFirst(early)
  return moved
}
