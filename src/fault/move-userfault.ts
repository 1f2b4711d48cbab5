/**
 * UFFDIO_MOVE: anonymous pages change their place without being copied (move_pages of mm/userfaultfd.c). A huge page goes as a whole
 * where it fits, and is split where it does not.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { EAGAIN, EBUSY, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM } from '../base/errno.js'
import { NO_FRAME, NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { AddressSpace } from '../space/address-space.js'
import { folioStart, isOfFolio } from '../space/large-folio.js'
import { isPoison } from '../space/poisoned-entry.js'
import { splitFolio } from '../space/split-folio.js'
import {
  VM_ACCESS_FLAGS,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_SHARED,
  VM_WRITE,
} from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { Word, wordIndex } from '../state/layout.js'
import type { FaultEnv } from './fault.js'
import { readOnlyFlags } from './page-flags.js'

export interface MoveRequest {
  readonly context: Ptr
  readonly start: Vpn
  readonly pages: number
  readonly source: Vpn
  /** UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES: where there is no page, nothing is moved. */
  readonly allowsHoles: boolean
}

const IMMOVABLE = VM_PFNMAP | VM_IO | VM_HUGETLB | VM_MIXEDMAP

/**
 * How many pages were moved, or the negative errno of the first: -ENOENT (nothing there to move, or no mapping), -EEXIST (there is a
 * page already), -EBUSY (somebody else has the page too), -EAGAIN (the space is changing), -EINVAL, -EFAULT, -ENOMEM.
 */
export function moveUserfault(mm: FaultEnv, request: MoveRequest): number {
  const progress: Progress = { done: 0, folio: NO_FRAME }
  while (true) {
    progress.folio = NO_FRAME
    const result = moveRest(mm, request, progress)
    if (progress.folio === NO_FRAME) return progress.done > 0 ? progress.done : result
    splitFolio(mm, progress.folio, NONE_GIVEN_UP)
  }
}

/** How many pages were moved, and the folio that a page must leave first, which needs the space's lock to be given back. */
interface Progress {
  done: number
  folio: Pfn
}

const NONE_GIVEN_UP: ReadonlyMap<Pfn, boolean> = new Map()

function moveRest(mm: FaultEnv, request: MoveRequest, progress: Progress): number {
  const space = new AddressSpace(mm.memory, mm.userfaults.space(request.context))
  mm.atomics.lock(space.lock, LockRank.space)
  const batch = mm.flusher.batch(space.root)
  const result = moveLocked(mm, space, request, batch, progress)
  batch.finish()
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function moveLocked(
  mm: FaultEnv,
  space: AddressSpace,
  request: MoveRequest,
  batch: FlushBatch,
  progress: Progress,
): number {
  const { start, pages, source } = request
  const to = new Vma(mm.memory, mm.vmas.findHolding(space, start))
  if (to.ptr === NULL) return -ENOENT
  if ((to.flags & VM_SHARED) === 0 && !mm.families.prepare(to)) return -ENOMEM
  const from = new Vma(mm.memory, mm.vmas.findHolding(space, source))
  if (from.ptr === NULL) return -ENOENT
  if (mm.userfaults.isChanging(request.context)) return -EAGAIN
  if (((from.flags | to.flags) & VM_SHARED) !== 0) return -EINVAL
  if (source + pages > from.end || start + pages > to.end) return -EINVAL
  if (!mayMove(request, from, to)) return -EINVAL
  return movePages({ mm, from, to, request, batch, progress, mapper: mm.userMappers.of(space.root) })
}

/** validate_move_areas: both are writable, alike, and of anonymous memory; where the pages go is registered with this file. */
function mayMove({ context }: MoveRequest, from: Vma, to: Vma): boolean {
  const alike = VM_ACCESS_FLAGS | VM_LOCKED
  if (((from.flags ^ to.flags) & alike) !== 0 || (from.flags & VM_WRITE) === 0) return false
  if (((from.flags | to.flags) & IMMOVABLE) !== 0 || to.userfault !== context) return false
  return from.isAnonymous && to.isAnonymous
}

interface Move {
  readonly mm: FaultEnv
  readonly from: Vma
  readonly to: Vma
  readonly request: MoveRequest
  readonly mapper: UserMapper
  readonly batch: FlushBatch
  readonly progress: Progress
}

/** 0, or what keeps the next page from being moved. */
function movePages(move: Move): number {
  const { start, source, pages } = move.request
  const { progress } = move
  while (progress.done < pages) {
    const { done } = progress
    const moved = moveNext(move, (source + done) as Vpn, (start + done) as Vpn, pages - done)
    if (moved < 0) return moved
    progress.done += moved
  }
  return 0
}

/** One page, or a huge one: how many pages. */
function moveNext(move: Move, source: Vpn, target: Vpn, left: number): number {
  const { mapper, request, batch } = move
  if (mapper.hugeLeaf(target) !== NULL) return -EEXIST
  const huge = mapper.hugeLeaf(source)
  if (huge !== NULL) {
    const unit = mapper.hugePages
    const fits = source % unit === 0 && target % unit === 0 && left >= unit && mapper.leaf(target) === NULL
    if (!isMovable(move, huge)) return -EBUSY
    if (fits) return moveHuge(move, huge, source, target)
    mapper.split(huge, source, batch)
  }
  const entry = request.allowsHoles ? mapper.makeLeaf(source) : mapper.leaf(source)
  if (entry === NULL) return request.allowsHoles ? -ENOMEM : -ENOENT
  const place = mapper.makeLeaf(target)
  return place === NULL ? -ENOMEM : moveSmall(move, entry, place, source, target)
}

/** A page of zeroes is nobody's; another one must be the space's alone (PageAnonExclusive). */
function isMovable({ mm, mapper }: Move, entry: Ptr): boolean {
  if ((mapper.flags(entry) & EntryFlag.special) !== 0) return true
  const own = FrameFlag.anonymous | FrameFlag.exclusive
  return (mm.frames.flags(mapper.pfn(entry)) & own) === own
}

function moveHuge(move: Move, leaf: Ptr, source: Vpn, target: Vpn): number {
  const { mapper, batch } = move
  const slot = mapper.makeSlot(target)
  if (slot === NULL) return -ENOMEM
  const isZero = (mapper.flags(leaf) & EntryFlag.special) !== 0
  const first = mapper.pfn(leaf)
  mapper.moveHuge(leaf, source, slot, batch)
  const count = isZero ? 0 : mapper.hugePages
  for (let i = 0; i < count; i++) giveOwner(move, (first + i) as Pfn, target + i)
  return mapper.hugePages
}

function moveSmall(move: Move, entry: Ptr, place: Ptr, source: Vpn, target: Vpn): number {
  const { mm, mapper, to, batch, request } = move
  if (mapper.isPresent(place)) return -EEXIST
  if (!mapper.isPresent(entry)) return request.allowsHoles ? 1 : -ENOENT
  if (isPoison(mapper.flags(entry))) return -EFAULT
  if (!isMovable(move, entry)) return -EBUSY
  const pfn = mapper.pfn(entry)
  if (isOfFolio(mm.frames, pfn)) return leaveFolio(move, folioStart(pfn))
  const had = mapper.clear(entry, source, batch)
  if (pfn === mm.memory.u32[wordIndex(Word.zeroFrame)]) {
    mapper.set(place, target, pfn, readOnlyFlags(to.flags) | EntryFlag.special, batch)
    return 1
  }
  giveOwner(move, pfn, target)
  mapper.set(place, target, pfn, readOnlyFlags(to.flags) | EntryFlag.write | (had & EntryFlag.dirty), batch)
  return 1
}

/** The folio is split for good, and then the page moved (split_folio); not when its first page is shared. */
function leaveFolio({ mm, progress }: Move, first: Pfn): number {
  const isShared = isOfFolio(mm.frames, first) && (mm.frames.flags(first) & FrameFlag.exclusive) === 0
  if (!isShared) progress.folio = first
  return -EBUSY
}

/** The frame leads to its new mapping from now on. */
function giveOwner({ mm, to }: Move, pfn: Pfn, vpn: number): void {
  mm.frames.setOwner(pfn, mm.families.rootOf(to.family))
  mm.frames.setIndex(pfn, to.offsetOf(vpn))
}
