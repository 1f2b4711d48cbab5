/** mmap: find a place, make it free, cover it with a neighbour or a new mapping (do_mmap and mmap_region of Linux). */
import { EACCES, EAGAIN, EEXIST, ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { countMapping, isAccountable, mayExpand, mayLock } from './accounting.js'
import type { AddressSpace } from './address-space.js'
import { gainsExec } from './exec-gain.js'
import { type Extent, insertVma } from './extent.js'
import { checkCuts } from './huge-pool.js'
import { mayMerge, mergeBetween, mergeNew } from './merge.js'
import { markNew } from './merges-all.js'
import { isEnoughMemory } from './overcommit.js'
import { placeShmem } from './place-shmem.js'
import { checkPlace, findPlace, UNALIGNED } from './placement.js'
import { announceUnmap } from './register-userfault.js'
import { enterKhugepaged } from './scanned-spaces.js'
import { checkSeals, cutEnds } from './seal.js'
import type { SpaceEnv } from './space-env.js'
import { mapCountMax } from './tunables.js'
import { clearRange, isInside, prepareCut } from './unmap-range.js'
import { VM_ACCOUNT, VM_DROPPABLE, VM_LOCKED, VM_LOCKED_MASK, VM_SPECIAL } from './vm-flags.js'
import { Vma } from './vma.js'

/** Mappings that mlock passes over, and that are not locked from the start either (vma_supports_mlock). */
const NEVER_LOCKED = VM_SPECIAL | VM_DROPPABLE

/** findPlace: anywhere. */
const NO_WISH = 0 as Vpn

/** Everything that mmap has decoded and checked. */
export interface MapRequest {
  /** Wished first page, 0 = none; the place itself when fixed. */
  readonly start: Vpn
  /** 1 and up. */
  readonly pages: number
  /** VM_*: access, may-access, shared, … Those of mlockall(MCL_FUTURE) are in it already (space.defaultFlags). */
  readonly flags: number
  /** What is shown, or NULL = anonymous. The mapping takes a reference of its own. */
  readonly object: Ptr
  /** First page of the object. Of an anonymous mapping: what mmap was given (it only steers alignment). */
  readonly pageOffset: number
  /** MAP_FIXED: exactly there, in place of what is there. */
  readonly fixed: boolean
  /** MAP_FIXED_NOREPLACE: exactly there, -EEXIST when something is. */
  readonly noReplace?: boolean | undefined
  /** Identity of the open file, so that only mappings of one open file are merged. */
  readonly file?: number | undefined
  /** Special: the kernel's own mappings. */
  readonly special?: number | undefined
}

/**
 * Maps, and returns the first page. -ENOMEM, -EEXIST, -EAGAIN (RLIMIT_MEMLOCK), -EPERM (sealed, or too low), -EACCES
 * (PR_SET_MDWE). Then nothing has changed, but for mappings that are cut in two at the ends of the range (see mapAt).
 */
export function mapRegion(mm: SpaceEnv, space: AddressSpace, request: MapRequest): Vpn | number {
  const { start: wished, pages, flags, object, pageOffset, fixed, noReplace, file, special } = request
  // One shape for V8, whoever asks: the same properties as a system call's request has, in the same order.
  const uniform = { start: wished, pages, flags, object, pageOffset, fixed, noReplace, file, special }
  const start = placeMapping(mm, space, uniform)
  return start < 0 ? start : mapAt(mm, space, start as Vpn, uniform)
}

/**
 * The first half of do_mmap: where the mapping will be. A system call that has more to check (the open file's mode)
 * does that next, and calls mapAt then.
 */
export function placeMapping(mm: SpaceEnv, space: AddressSpace, request: MapRequest): Vpn | number {
  if (space.vmaCount > mapCountMax(mm)) return -ENOMEM
  const { pages, object, special, noReplace = false } = request
  const isFixed = request.fixed || noReplace
  const found = isFixed
    ? checkPlace(mm, space, request.start, pages)
    : findPlace(mm, space, request.start, pages, object === NULL && !special ? request.pageOffset : UNALIGNED)
  if (found < 0) return found
  const start = isFixed || object === NULL ? found : placeShmem(mm, space, request, found as Vpn)
  if (noReplace && isAnyMapped(mm, space, start as Vpn, pages)) return -EEXIST
  return mayLock(space, request.flags, pages) ? start : -EAGAIN
}

function isAnyMapped(mm: SpaceEnv, space: AddressSpace, start: Vpn, pages: number): boolean {
  const next = mm.vmas.find(space, start)
  return next !== NULL && new Vma(mm.memory, next).start < start + pages
}

/**
 * The second half: maps at `start`, in place of what is there, with `wished` for flags. Returns `start`, or -ENOMEM, -EPERM,
 * -EACCES. As in Linux, where a limit or a seal is met only when the mappings in the range are set apart already, those at
 * its ends stay cut.
 */
export function mapAt(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  request: MapRequest,
  wished = request.flags,
): Vpn | number {
  if (gainsExec(space, wished)) return -EACCES
  const { pages, object, file = 0, special = 0 } = request
  const pageOffset = object === NULL && special === 0 ? start : request.pageOffset
  const end = (start + pages) as Vpn
  const above = mm.vmas.find(space, start)
  const isFree = above === NULL || mm.vmas.startOf(above) >= end
  return isFree
    ? mapFree(mm, space, start, pages, wished, object, pageOffset, file, special, above)
    : mapOver(mm, space, start, request, wished, above)
}

/**
 * The whole of mapRegion for private anonymous memory anywhere, by far the commonest request: -ENOMEM, -EAGAIN or -EACCES, and then
 * nothing has changed.
 */
export function mapAnywhere(mm: SpaceEnv, space: AddressSpace, pages: number, flags: number): Vpn | number {
  if (space.vmaCount > mapCountMax(mm)) return -ENOMEM
  const start = findPlace(mm, space, NO_WISH, pages, 0) as Vpn
  if (start < 0) return start
  if (!mayLock(space, flags, pages)) return -EAGAIN
  if (gainsExec(space, flags)) return -EACCES
  return mapFree(mm, space, start, pages, flags, NULL, start, 0, 0, mm.vmas.find(space, start))
}

/**
 * Nothing is in the range; `above` is the mapping that comes next, or NULL. (Numbers instead of objects: each would cost a
 * tenth of a call.)
 */
function mapFree(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  pages: number,
  wished: number,
  object: Ptr,
  pageOffset: number,
  file: number,
  special: number,
  above: Ptr,
): Vpn | number {
  const flags = grantedFlags(mm, space, wished, pages, pages)
  if (flags < 0) return flags
  const { vmas } = mm
  const end = (start + pages) as Vpn
  const below = vmas.before(space, above)
  if (mayMerge(mm, start, end, flags, below, above) && mayJoin(wished, flags, special)) {
    const extent = newExtent(start, end, pageOffset, flags, object, file)
    const merged = mergeBetween(mm, space, extent, below, above)
    if (merged !== NULL) {
      countMapping(mm, space, flags, pages)
      if (!space.isScanned) enterKhugepaged(mm, space, merged)
      return start
    }
  }
  const fresh = vmas.reserve(space, 1) ? vmas.allocateVma() : NULL
  if (fresh === NULL) return -ENOMEM
  if (object !== NULL || special !== 0) showObject(mm, fresh, object, file, special)
  vmas.insertNew(space, fresh, start, end, pageOffset, flags, below, above)
  if (object !== NULL) mm.objects.attachVma(object, fresh)
  if (space.mergesAll) markNew(mm, fresh)
  countMapping(mm, space, flags, pages)
  return start
}

/** A new mapping is not of anonymous memory. */
function showObject(mm: SpaceEnv, fresh: Ptr, object: Ptr, file: number, special: number): void {
  const vma = new Vma(mm.memory, fresh)
  vma.object = object
  vma.file = file
  vma.special = special
}

/** Something is in the range, and goes; `first` is the first mapping of it. */
function mapOver(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  request: MapRequest,
  wished: number,
  first: Ptr,
): Vpn | number {
  const { pages, object, file = 0, special = 0 } = request
  const end = (start + pages) as Vpn
  const sealed = checkSeals(mm, space, start, end)
  if (sealed < 0) return sealed
  const misplaced = checkCuts(mm, space, mm.vmas.find(space, start), start, end)
  if (misplaced < 0) return misplaced
  const replaced = countReplaced(mm, first, start, end)
  const flags = grantedFlags(mm, space, wished, pages - replaced.all, pages - replaced.promised)
  if (flags < 0) {
    if (!isInside(mm, first, start, end) || space.vmaCount < mapCountMax(mm)) cutEnds(mm, space, start, end)
    return flags
  }
  const fresh = replace(mm, space, first, start, end)
  if (fresh < 0) return fresh
  const pageOffset = object === NULL && special === 0 ? start : request.pageOffset
  const extent = newExtent(start, end, pageOffset, flags, object, file)
  if (!mayJoin(wished, flags, special) || mergeNew(mm, space, extent) === NULL)
    insert(mm, space, extent, fresh as Ptr, special)
  else mm.vmas.freeVma(fresh as Ptr)
  countMapping(mm, space, flags, pages)
  return start
}

/** A mapping whose lock was taken from it is compared with its neighbours as if it were locked (mmap_region): it fits none. */
function mayJoin(wished: number, flags: number, special: number): boolean {
  return special === 0 && ((wished ^ flags) & VM_LOCKED) === 0
}

/** A mapping that is new has no pages, name, policy or context. */
function newExtent(
  start: Vpn,
  end: Vpn,
  pageOffset: number,
  flags: number,
  object: Ptr,
  file: number,
): Extent {
  return { start, end, pageOffset, flags, object, file, family: NULL, name: NULL, policy: 0, userfault: NULL }
}

/**
 * The flags that the mapping really gets; -ENOMEM beyond the process's limits, which it comes nearer to by `added` pages, or
 * the machine's, by `promised` ones.
 */
function grantedFlags(
  mm: SpaceEnv,
  space: AddressSpace,
  wished: number,
  added: number,
  promised: number,
): number {
  if (!mayExpand(space, wished, added)) return -ENOMEM
  const flags = (wished & NEVER_LOCKED) !== 0 ? wished & ~VM_LOCKED_MASK : wished
  if (!isAccountable(flags)) return flags
  return isEnoughMemory(mm, space, promised) ? flags | VM_ACCOUNT : -ENOMEM
}

/** Pages of the range that are mapped now and will be replaced, and how many of them are promised. */
function countReplaced(mm: SpaceEnv, first: Ptr, start: Vpn, end: Vpn) {
  const replaced = { all: 0, promised: 0 }
  const vma = new Vma(mm.memory, first)
  while (vma.ptr !== NULL && vma.start < end) {
    const pages = Math.min(vma.end, end) - Math.max(vma.start, start)
    replaced.all += pages
    if ((vma.flags & VM_ACCOUNT) !== 0) replaced.promised += pages
    vma.at(mm.vmas.next(vma.ptr))
  }
  return replaced
}

/** Frees the range, and returns a record for the new mapping with a node for it; or -ENOMEM. The last step that can fail. */
function replace(mm: SpaceEnv, space: AddressSpace, first: Ptr, start: Vpn, end: Vpn): Ptr | number {
  const cut = prepareCut(mm, space, first, start, end)
  if (cut < 0) return cut
  const fresh = mm.vmas.allocateVma()
  if (fresh === NULL || !mm.vmas.reserve(space, 2) || !announceUnmap(mm, space, start, end)) {
    mm.vmas.freeVma(fresh)
    mm.vmas.freeVma(cut as Ptr)
    return -ENOMEM
  }
  const batch = mm.flusher.batch(space.root)
  clearRange(mm, space, first, start, end, cut as Ptr, batch)
  batch.finish()
  return fresh
}

function insert(
  mm: SpaceEnv,
  space: AddressSpace,
  extent: Extent,
  fresh: Ptr,
  special: number,
  above = mm.vmas.find(space, extent.end),
): void {
  const vma = new Vma(mm.memory, fresh)
  vma.special = special
  insertVma(mm, space, vma, extent, above)
  if (space.mergesAll) markNew(mm, fresh)
}
