/**
 * Pages that the reader of a file of userfaultfd(2) brings (mfill_atomic of mm/userfaultfd.c): bytes of its own, zeroes, what the
 * object has, or a mark that they are lost. A page is never put in place of another.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { EAGAIN, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM } from '../base/errno.js'
import {
  frameToPtr,
  NO_FRAME,
  NULL,
  PAGE_SIZE,
  type Pfn,
  type Ptr,
  pagesFor,
  type Vpn,
} from '../base/numbers.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { AddressSpace } from '../space/address-space.js'
import { unitOf } from '../space/huge-pool.js'
import { isPoison, POISON_FLAGS } from '../space/poisoned-entry.js'
import { VM_HUGETLB, VM_SHARED, VM_WRITE } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { countAnonymous, countOthers } from '../space/zap-range.js'
import { LockRank } from '../state/atomics.js'
import { Word, wordIndex } from '../state/layout.js'
import type { FaultEnv } from './fault.js'
import { ownFrameFlags, readOnlyFlags } from './page-flags.js'

/** UFFDIO_COPY, ZEROPAGE, CONTINUE, POISON. */
export type FillMode = 'copy' | 'zero' | 'continue' | 'poison'

export interface FillRequest {
  readonly context: Ptr
  readonly start: Vpn
  readonly pages: number
  readonly mode: FillMode
  /** The page is to be write-protected, for which nothing can be registered here: -EINVAL. */
  readonly isProtected?: boolean
  /** Brings the bytes of page `index` of the request: 0 or a negative errno. Called without any lock. */
  readonly bring?: (index: number, target: Uint8Array) => number
}

/**
 * Fills the pages from number `done` on, one after the other. How many of the request's pages are there then, or the negative errno of the
 * first: -ENOENT (no mapping that is registered, or the range reaches beyond it), -EAGAIN (the space is changing), -EEXIST (there is a page),
 * -EFAULT (past the end of the object; nothing to continue with), -EINVAL, -ENOMEM, and what `bring` says.
 */
export function fillPages(mm: FaultEnv, request: FillRequest, done = 0): number {
  for (let index = done; index < request.pages; index++) {
    const result = fillPage(mm, request, index)
    if (result < 0) return index > 0 ? index : result
  }
  return request.pages
}

/** The bytes come while no lock is held, so what was found before is looked at again afterwards. */
function fillPage(mm: FaultEnv, request: FillRequest, index: number): number {
  const { bring } = request
  const early = inSpace(mm, request, index, () => 0)
  if (early < 0 || bring === undefined) return early < 0 ? early : inSpace(mm, request, index, install)
  const frame = mm.buddy.allocate(0)
  if (frame === NO_FRAME) return -ENOMEM
  const start = frameToPtr(frame)
  const brought = bring(index, mm.memory.u8.subarray(start, start + PAGE_SIZE))
  const result = brought < 0 ? brought : inSpace(mm, request, index, (mm, page) => install(mm, page, frame))
  mm.buddy.release(frame)
  return result
}

/** One page on its way: where it goes. */
interface Page {
  readonly mode: FillMode
  readonly space: AddressSpace
  readonly vma: Vma
  readonly vpn: Vpn
  readonly mapper: UserMapper
  readonly entry: Ptr
  readonly batch: FlushBatch
}

type PlacePage = (mm: FaultEnv, page: Page) => number

function inSpace(mm: FaultEnv, request: FillRequest, index: number, place: PlacePage): number {
  const space = new AddressSpace(mm.memory, mm.userfaults.space(request.context))
  mm.atomics.lock(space.lock, LockRank.space)
  const result = placeIn(mm, space, request, index, place)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function placeIn(
  mm: FaultEnv,
  space: AddressSpace,
  request: FillRequest,
  index: number,
  place: PlacePage,
): number {
  const { start, pages, mode } = request
  const holding = mm.vmas.findHolding(space, start)
  if (holding === NULL) return -ENOENT
  const vma = new Vma(mm.memory, holding)
  if ((vma.flags & VM_SHARED) === 0 && !mm.families.prepare(vma)) return -ENOMEM
  if (start + pages > vma.end || vma.userfault === NULL) return -ENOENT
  if (mm.userfaults.isChanging(request.context)) return -EAGAIN
  if (request.isProtected === true) return -EINVAL
  if ((vma.flags & VM_HUGETLB) !== 0) return placeHuge(mm, vma, request)
  if (mode === 'continue' && vma.object === NULL) return -EINVAL
  const vpn = (start + index) as Vpn
  const mapper = mm.userMappers.of(space.root)
  if (mapper.hugeLeaf(vpn) !== NULL) return -EEXIST
  const entry = mapper.makeLeaf(vpn)
  if (entry === NULL) return -ENOMEM
  const batch = mm.flusher.batch(space.root)
  const result = place(mm, { mode, space, vma, vpn, mapper, entry, batch })
  batch.finish()
  return result
}

/** Of a pool, which is empty: there is no page to copy to, and none to continue with. */
function placeHuge(mm: FaultEnv, vma: Vma, { start, pages, mode }: FillRequest): number {
  const unit = unitOf(mm, vma)
  if (mode === 'zero' || start % unit !== 0 || pages % unit !== 0) return -EINVAL
  return mode === 'continue' ? -EFAULT : -ENOMEM
}

/** Maps the page, unless there is one. `frame` has the bytes that were brought. */
function install(mm: FaultEnv, page: Page, frame: Pfn = NO_FRAME): number {
  const { mode, vma, entry, mapper } = page
  if (mode === 'continue') return continueWith(mm, page)
  if (mode !== 'poison' && (vma.flags & VM_SHARED) !== 0) return addToObject(mm, page, frame)
  if (isBeyondEnd(mm, page)) return -EFAULT
  if (mapper.isPresent(entry) && !(mode === 'copy' && isPoison(mapper.flags(entry)))) return -EEXIST
  if (mode === 'copy') mapOwn(mm, page, frame)
  else mapZeroFrame(mm, page)
  return 0
}

function isBeyondEnd({ objects }: FaultEnv, { vma, vpn }: Page): boolean {
  return vma.object !== NULL && vma.offsetOf(vpn) >= pagesFor(objects.size(vma.object))
}

/** The brought frame becomes the space's own memory. */
function mapOwn(mm: FaultEnv, { space, vma, vpn, entry, mapper, batch }: Page, frame: Pfn): void {
  mm.buddy.retain(frame)
  const root = mm.families.rootOf(vma.family)
  mm.frames.setFlags(frame, mm.frames.flags(frame) | ownFrameFlags(vma))
  mm.frames.setOwner(frame, root)
  mm.frames.setIndex(frame, vma.offsetOf(vpn))
  mapper.set(entry, vpn, frame, filledFlags(vma, true), batch)
  countAnonymous(mm, space, 1)
}

/** A page is changed from the start, and writable where the mapping is. */
function filledFlags({ flags }: Vma, isWritable: boolean): number {
  const write = isWritable && (flags & VM_WRITE) !== 0 ? EntryFlag.write : 0
  return readOnlyFlags(flags) | EntryFlag.dirty | write
}

/** A page of zeroes, which counts for nothing; or the mark of one that is lost. */
function mapZeroFrame(mm: FaultEnv, { mode, vma, vpn, entry, mapper, batch }: Page): void {
  const zero = mm.memory.u32[wordIndex(Word.zeroFrame)]! as Pfn
  const flags = mode === 'poison' ? POISON_FLAGS : readOnlyFlags(vma.flags) | EntryFlag.special
  mapper.set(entry, vpn, zero, flags, batch)
}

/** A page of shared memory is the object's (shmem_mfill_atomic_pte). */
function addToObject(mm: FaultEnv, page: Page, frame: Pfn): number {
  const { vma, vpn, entry, mapper } = page
  const index = vma.offsetOf(vpn)
  if (isBeyondEnd(mm, page)) return -EFAULT
  if (mm.objects.find(vma.object, index) !== NO_FRAME) return -EEXIST
  if (mapper.isPresent(entry) && !isPoison(mapper.flags(entry))) return -EEXIST
  const made = mm.objects.getRetained(vma.object, index)
  if (made < 0) return -ENOMEM
  if (frame !== NO_FRAME) mm.memory.copy(frameToPtr(made as Pfn), frameToPtr(frame), PAGE_SIZE)
  mapShared(mm, page, made as Pfn, true)
  return 0
}

/** Keeps the reference that the caller has taken. */
function mapShared(
  mm: FaultEnv,
  { space, vma, vpn, entry, mapper, batch }: Page,
  frame: Pfn,
  isWritable: boolean,
): void {
  mapper.set(entry, vpn, frame, filledFlags(vma, isWritable), batch)
  countOthers(mm, space, vma.object, 1)
}

/** The page that the object has (mfill_atomic_pte_continue). A private mapping does not write to it. */
function continueWith(mm: FaultEnv, page: Page): number {
  const { vma, vpn, entry, mapper } = page
  if (isBeyondEnd(mm, page)) return -EINVAL
  const found = mm.objects.find(vma.object, vma.offsetOf(vpn))
  if (found === NO_FRAME) return -EFAULT
  if (mapper.isPresent(entry) && !isPoison(mapper.flags(entry))) return -EEXIST
  mm.objects.markFilled(found)
  mm.buddy.retain(found)
  mapShared(mm, page, found, (vma.flags & VM_SHARED) !== 0)
  return 0
}
