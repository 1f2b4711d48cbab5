import { ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { countMapping } from './accounting.js'
import type { AddressSpace } from './address-space.js'
import { type Extent, extentOf, insertVma } from './extent.js'
import { checkCuts } from './huge-pool.js'
import { mergeBetween } from './merge.js'
import { setApart } from './modify-flags.js'
import { isEnoughMemory } from './overcommit.js'
import { announceUnmap, resetUserfault } from './register-userfault.js'
import type { RemapRequest } from './remap-range.js'
import type { SpaceEnv } from './space-env.js'
import { dropHugeAt } from './split-huge.js'
import { mapCountMax } from './tunables.js'
import { clearRange, isInside } from './unmap-range.js'
import { UserfaultFeature } from './userfaults.js'
import { HUGE_PAGES, VM_ACCOUNT, VM_LOCKED, VM_LOCKED_MASK } from './vm-flags.js'
import { Vma } from './vma.js'

/**
 * Moves `oldPages` from the request's start to a free place, where they become `newPages` (move_vma). Returns the place, or
 * -EINVAL (the mapping must not be cut there) or -ENOMEM, and nothing has changed, but that the part of a locked mapping which was
 * to stay may have been cut out of it.
 */
export function moveMapping(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  request: RemapRequest,
  oldPages: number,
  target: Vpn,
): Vpn | number {
  const { start, newPages, keepOld } = request
  if (space.vmaCount >= mapCountMax(mm) - 3) return -ENOMEM
  const misplaced = checkCuts(mm, space, vma.ptr, start, (start + oldPages) as Vpn)
  if (misplaced < 0) return misplaced
  if (keepOld && (vma.flags & VM_LOCKED) !== 0) {
    const apart = setApart(mm, space, vma, start, (start + oldPages) as Vpn)
    if (apart < 0) return apart
    vma.at(apart as Ptr)
  }
  const charged = keepOld ? newPages : newPages - oldPages
  if ((vma.flags & VM_ACCOUNT) !== 0 && !isEnoughMemory(mm, space, charged)) return -ENOMEM
  const fresh = mm.vmas.reserve(space, 2) ? mm.vmas.allocateVma() : NULL
  const cut = fresh === NULL || keepOld ? NULL : mm.vmas.allocateVma()
  const isReady = fresh !== NULL && (keepOld || cut !== NULL) && mm.userfaults.prepare(changesOf(vma))
  if (!isReady || !moveEntries(mm, space, vma, start, target, oldPages)) {
    mm.userfaults.endPreparation()
    mm.vmas.freeVma(fresh)
    mm.vmas.freeVma(cut)
    return -ENOMEM
  }
  const { flags } = vma
  copyMapping(mm, space, vma, movedExtent(vma, start, target, newPages), fresh, keepOld)
  moveRegistration(mm, space, start, request.oldPages, target)
  countMapping(mm, space, flags, newPages)
  if (keepOld) emptyOld(mm, space, start, oldPages)
  else dropOld(mm, space, start, (start + oldPages) as Vpn, cut)
  mm.userfaults.endPreparation()
  return target
}

/** Where it is now, and that it is no longer where it was: at most. */
const changesOf = (vma: Vma): number => (vma.userfault === NULL ? 0 : 2)

/** The last step that can fail; it undoes itself. */
function moveEntries(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  target: Vpn,
  pages: number,
): boolean {
  if (pages === 0) return true
  dropUnmovable(mm, space, vma, start, target, pages)
  const batch = mm.flusher.batch(space.root)
  const result = mm.userMappers.of(space.root).move(start, target, pages, batch)
  batch.finish()
  return result === 0
}

/** Huge leaves of an object's pages that cannot move as they are. */
function dropUnmovable(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  target: Vpn,
  pages: number,
): void {
  if (vma.object === NULL || !mm.objects.hasFolios(vma.object)) return
  const isAlike = (target - start) % HUGE_PAGES === 0
  mm.userMappers.of(space.root).eachHuge(start, (start + pages) as Vpn, (vpn, _leaf, length) => {
    if (!isAlike || length < HUGE_PAGES) dropHugeAt(mm, space, vma, vpn)
  })
}

/** Anonymous memory without a page yet counts from its new place, so that it merges there as new memory does. */
function movedExtent(vma: Vma, start: Vpn, target: Vpn, pages: number): Extent {
  const isUntouched = vma.isAnonymous && vma.family === NULL
  const pageOffset = isUntouched ? target : vma.offsetOf(start)
  return { ...extentOf(vma, start, start), start: target, end: (target + pages) as Vpn, pageOffset }
}

/** copy_vma. A merge may swallow `vma` itself, unless the old mapping is kept. */
function copyMapping(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  extent: Extent,
  fresh: Ptr,
  keepOld: boolean,
): void {
  const { special } = vma
  const above = mm.vmas.find(space, extent.end)
  const below = mm.vmas.before(space, above)
  const enlarged = (neighbour: Ptr) => (keepOld && neighbour === vma.ptr ? NULL : neighbour)
  if (special === 0 && mergeBetween(mm, space, extent, enlarged(below), enlarged(above)) !== NULL) {
    mm.vmas.freeVma(fresh)
    return
  }
  const copy = new Vma(mm.memory, fresh)
  copy.special = special
  insertVma(mm, space, copy, extent)
}

/**
 * What was registered with userfaultfd(2) stays so, for readers who want to hear where it is; else all of the mapping that it is part of
 * now is registered no longer (mremap_userfaultfd_prep).
 */
function moveRegistration(mm: SpaceEnv, space: AddressSpace, from: Vpn, pages: number, to: Vpn): void {
  const vma = new Vma(mm.memory, mm.vmas.findHolding(space, to))
  const context = vma.userfault
  if (context === NULL) return
  if (mm.userfaults.has(context, UserfaultFeature.eventRemap))
    mm.userfaults.announce({ kind: 'remap', context, from, to, pages })
  else resetUserfault(vma)
}

/** Unmaps where the pages came from. Only now it is known whether that lies inside one mapping, and needs a cut. */
function dropOld(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn, cut: Ptr): void {
  const first = mm.vmas.find(space, start)
  const needsCut = start < end && isInside(mm, first, start, end)
  if (!needsCut) mm.vmas.freeVma(cut)
  if (start === end) return
  announceUnmap(mm, space, start, end)
  const batch = mm.flusher.batch(space.root)
  clearRange(mm, space, first, start, end, needsCut ? cut : NULL, batch)
  batch.finish()
}

/** MREMAP_DONTUNMAP: the old mapping (a locked one was set apart) is not locked any more, and as new when all of it has moved. */
function emptyOld(mm: SpaceEnv, space: AddressSpace, start: Vpn, pages: number): void {
  const vma = new Vma(mm.memory, mm.vmas.findHolding(space, start))
  if ((vma.flags & VM_LOCKED) !== 0) {
    space.counts.lockedPages -= vma.pages
    vma.flags &= ~VM_LOCKED_MASK
  }
  if (vma.start !== start || vma.pages !== pages) return
  mm.families.leave(vma)
  if (vma.isAnonymous) vma.pageOffset = start
}
