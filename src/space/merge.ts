/**
 * When two neighbouring mappings become one (mm/vma.c of Linux 6.12): same flags, same open file, same memory policy, offsets that go on,
 * the same name, the same context of userfaultfd(2), and anonymous families that agree. As in 6.12, a mapping with pages of its own is not joined to a neighbour that has
 * none yet, while the other way round it is (6.16 changed that).
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { absorbVma, type Extent, moveBorder, moveEnd, moveStart, removeVma } from './extent.js'
import type { SpaceEnv } from './space-env.js'
import { VM_SPECIAL } from './vm-flags.js'
import { Vma } from './vma.js'

function isAlike(mm: SpaceEnv, vma: Vma, extent: Extent): boolean {
  return (
    vma.flags === extent.flags &&
    vma.object === extent.object &&
    vma.hasFile(extent.file) &&
    vma.special === 0 &&
    vma.policy === extent.policy &&
    vma.userfault === extent.userfault &&
    mm.names.equal(vma.name, extent.name)
  )
}

/** is_mergeable_anon_vma, asked of a neighbour. */
function isFamilyCompatible({ families }: SpaceEnv, neighbour: Vma, family: Ptr): boolean {
  return neighbour.family === family || (family === NULL && families.isRoot(neighbour.family))
}

/** Whether a mapping may go because a neighbour takes its place: not when each mapping of its object counts (vm_ops->close). */
function mayVanish({ objects }: SpaceEnv, { object }: Vma): boolean {
  return object === NULL || !objects.countsMappings(object)
}

export function canMergeLeft(mm: SpaceEnv, previous: Vma, extent: Extent): boolean {
  return (
    previous.ptr !== NULL &&
    previous.end === extent.start &&
    isAlike(mm, previous, extent) &&
    previous.offsetOf(previous.end) === extent.pageOffset &&
    isFamilyCompatible(mm, previous, extent.family)
  )
}

/** `joined`: what is to be merged is merged with that mapping on its left as well, or NULL. */
export function canMergeRight(mm: SpaceEnv, next: Vma, extent: Extent, joined: Vma | undefined): boolean {
  return (
    next.ptr !== NULL &&
    next.start === extent.end &&
    isAlike(mm, next, extent) &&
    next.pageOffset === extent.pageOffset + (extent.end - extent.start) &&
    isFamilyCompatible(mm, next, extent.family) &&
    (joined === undefined || joined.family === NULL || next.family === NULL || joined.family === next.family)
  )
}

/**
 * Covers a range that is free now by enlarging its neighbours (vma_merge_new_range). Returns the mapping that holds it
 * afterwards, or NULL when neither neighbour fits.
 */
export function mergeNew(mm: SpaceEnv, space: AddressSpace, extent: Extent, leftOnly = false): Ptr {
  const above = mm.vmas.find(space, extent.end)
  return mergeBetween(mm, space, extent, mm.vmas.before(space, above), leftOnly ? NULL : above)
}

/** Whether a neighbour reaches to the range at all and has its flags: mostly none does, and nothing else need be compared. */
export function mayMerge(
  { vmas }: SpaceEnv,
  start: number,
  end: number,
  flags: number,
  below: Ptr,
  above: Ptr,
): boolean {
  return (
    (below !== NULL && vmas.endOf(below) === start && vmas.flagsOf(below) === flags) ||
    (above !== NULL && vmas.startOf(above) === end && vmas.flagsOf(above) === flags)
  )
}

/** The same for who knows the neighbours already: `below` and `above`, either may be NULL, which then is not to be enlarged. */
export function mergeBetween(mm: SpaceEnv, space: AddressSpace, extent: Extent, below: Ptr, above: Ptr): Ptr {
  if ((extent.flags & VM_SPECIAL) !== 0) return NULL
  const previous = new Vma(mm.memory, below)
  const left = canMergeLeft(mm, previous, extent)
  const next = new Vma(mm.memory, above)
  const right = canMergeRight(mm, next, extent, left ? previous : undefined)
  if (left && right && mayVanish(mm, next)) return absorbNext(mm, space, previous, next)
  if (left) moveEnd(mm, space, previous, extent.end)
  else if (right) moveStart(mm, space, next, extent.start)
  return left ? below : right ? above : NULL
}

/**
 * Adds free pages to the end of `vma`, and joins it to the mapping above when they reach that (vma_merge_extend). False
 * when `vma` may not be merged at all.
 */
export function mergeExtension(mm: SpaceEnv, space: AddressSpace, vma: Vma, extent: Extent): boolean {
  if ((extent.flags & VM_SPECIAL) !== 0) return false
  const next = new Vma(mm.memory, mm.vmas.next(vma.ptr))
  if (canMergeRight(mm, next, extent, vma) && mayVanish(mm, next)) absorbNext(mm, space, vma, next)
  else moveEnd(mm, space, vma, extent.end)
  return true
}

/** `vma` takes everything up to the end of `next`, which disappears. */
function absorbNext(mm: SpaceEnv, space: AddressSpace, vma: Vma, next: Vma): Ptr {
  mm.families.adopt(vma, next)
  absorbVma(mm, space, vma, next)
  return vma.ptr
}

/**
 * Joins the part of `vma` that `extent` describes (with its new flags) to the neighbours that it is like
 * (vma_merge_existing_range). Returns the mapping that holds it afterwards, or NULL when neither neighbour fits.
 */
export function mergeExisting(mm: SpaceEnv, space: AddressSpace, vma: Vma, extent: Extent): Ptr {
  if ((extent.flags & VM_SPECIAL) !== 0) return NULL
  const atStart = extent.start === vma.start
  const atEnd = extent.end === vma.end
  const previous = new Vma(mm.memory, atStart ? mm.vmas.previous(vma.ptr) : NULL)
  const next = new Vma(mm.memory, atEnd ? mm.vmas.next(vma.ptr) : NULL)
  const left = canMergeLeft(mm, previous, extent)
  const right = canMergeRight(mm, next, extent, left ? previous : undefined)
  if ((left || right) && atStart && atEnd && !mayVanish(mm, vma)) return NULL
  if (left && right && mayVanish(mm, next)) {
    mm.families.adopt(previous, next.family !== NULL ? next : vma)
    absorbVma(mm, space, previous, vma)
    absorbVma(mm, space, previous, next)
    return previous.ptr
  }
  if (left) return joinLeft(mm, space, previous, vma, extent)
  return right ? joinRight(mm, space, vma, next, extent) : NULL
}

function joinLeft(mm: SpaceEnv, space: AddressSpace, previous: Vma, vma: Vma, extent: Extent): Ptr {
  if (extent.end === vma.end) return absorbNext(mm, space, previous, vma)
  mm.families.adopt(previous, vma)
  moveBorder(mm, space, previous, vma, extent.end)
  return previous.ptr
}

function joinRight(mm: SpaceEnv, space: AddressSpace, vma: Vma, next: Vma, extent: Extent): Ptr {
  mm.families.adopt(next, vma)
  if (extent.start === vma.start) {
    removeVma(mm, space, vma)
    moveStart(mm, space, next, extent.start)
  } else moveBorder(mm, space, vma, next, extent.start)
  return next.ptr
}
