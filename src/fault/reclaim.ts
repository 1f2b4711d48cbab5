/**
 * What happens when a frame is asked for and there is none (mm/vmscan.c and the slow path of mm/page_alloc.c): empty slabs,
 * the huge zero page, clean pages of files, changed ones once they are written to their provider, and anonymous memory
 * that its program gave up (MADV_FREE, MAP_DROPPABLE) make room; then the machine may end a program. Only the edges come
 * here, where a fault or a call begins and no lock is held: they make room and start again. Pages of tmpfs and of shared
 * memory stay.
 *
 * There are no lists of pages by age: a hand goes round over the frames, as in old Unix. What was accessed since it last came by
 * gets a second chance.
 *
 * Several harts may do it at once, and while others map, unmap and free: the hand is on a frame that nobody holds. So what the frame says of its
 * owner is only a hint (FoundFrame). The owner is locked or held in a way that finds out whether it is one still (visitIfLive, tryRetainOf), its
 * spaces are held unless they are going, and what is done to an entry is decided anew under the space's lock.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { Reach } from '../frame/reach.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import { type FoundFrame, forEachMapper, foundAnonymous, foundFrame } from '../space/mappers.js'
import { ObjectKind } from '../space/object-records.js'
import { isDirtyFrame } from '../space/page-usage.js'
import { HUGE_PAGES, VM_DROPPABLE, VM_LOCKED } from '../space/vm-flags.js'
import type { Vma } from '../space/vma.js'
import { writeBackObject } from '../space/write-back.js'
import { countZapped, zapRange } from '../space/zap-range.js'
import { Counter, count, countedHere } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { FaultEnv } from './fault.js'
import { dropHugeZeroPage } from './huge-zero-page.js'

/** Frames that one call tries to free (SWAP_CLUSTER_MAX). */
const ENOUGH = 32
/** Changed pages that are written together. */
const CLUSTER = 16
const HAND = (wordIndex(Word.reclaimHand) * 4) as Ptr
const LAZY = FrameFlag.anonymous | FrameFlag.lazyFree

/**
 * So often what could be reclaimed is tried before somebody has to end (MAX_RECLAIM_RETRIES of Linux). A caller that needs two frames
 * can take the one that was reclaimed and give it back when it misses the other: then there is always one to be found.
 */
const RECLAIMS_MAX = 16

/** Calls an operation again as long as it fails for want of memory and some can be found. No lock is held. */
export function withRoom<T>(mm: FaultEnv, failed: (result: T) => boolean, operation: () => T): T {
  for (let attempt = 0; ; attempt++) {
    const before = countedHere(mm.memory, Counter.allocationFailed)
    const result = operation()
    if (!failed(result) || !ranOut(mm, before) || !makeRoom(mm, attempt)) return result
  }
}

/** Whether the allocator has refused this thread anything since its counter (countedHere) stood at `before`. */
export function ranOut(mm: FaultEnv, before: number): boolean {
  return countedHere(mm.memory, Counter.allocationFailed) !== before
}

/**
 * Whether there may be memory now. `attempt` counts the caller's failures from 0. `user` is a space that it will go on to
 * use: it must not end meanwhile.
 */
export function makeRoom(mm: FaultEnv, attempt: number, user?: Ptr): boolean {
  const mayReclaim = attempt % (RECLAIMS_MAX + 1) < RECLAIMS_MAX
  if (mayReclaim) count(mm.memory, user === undefined ? Counter.callStalled : Counter.faultStalled)
  return (mayReclaim && reclaim(mm) > 0) || (mm.outOfMemory?.(user) ?? false)
}

/** Frees frames for somebody who waits for them (direct reclaim): until allocations may go on, and some more. Returns how many. */
export function reclaim(mm: FaultEnv): number {
  const { buddy } = mm
  const goal = Math.max(buddy.freeFrames(), buddy.zones.minimum) + ENOUGH
  return sweep(mm, DIRECT, () => buddy.freeFrames() >= goal)
}

/** Where the work of a sweep is counted. */
export interface SweepCounters {
  readonly scanned: Counter
  readonly stolen: Counter
}
const DIRECT: SweepCounters = { scanned: Counter.scannedDirectly, stolen: Counter.stolenDirectly }

/**
 * Frees what can be freed until that is enough, twice round at most. It may use the last frames itself. Returns how many there are more, or how
 * many it has freed if others have taken them already.
 */
export function sweep(mm: FaultEnv, counters: SweepCounters, isEnough: () => boolean): number {
  const { buddy, memory } = mm
  const before = buddy.freeFrames()
  const { reach } = buddy
  buddy.reach = Reach.all
  mm.slab.shrink()
  dropHugeZeroPage(mm)
  const { frameCount } = mm.frames
  let stolen = 0
  for (let looked = 0; looked < 2 * frameCount && !isEnough(); looked++) {
    if (tryFrame(mm, moveHand(mm), looked < frameCount, counters)) stolen++
  }
  buddy.reach = reach
  const freed = Math.max(stolen, buddy.freeFrames() - before)
  if (freed > 0) memory.u32[wordIndex(Word.reclaimFailures)] = 0
  return freed
}

/** Says whether the frame was freed. */
function tryFrame(mm: FaultEnv, pfn: Pfn, sparesAccessed: boolean, counters: SweepCounters): boolean {
  const { memory, frames } = mm
  const isAnonymous = (frames.flags(pfn) & LAZY) === LAZY
  const fate = freeFrame(mm, pfn, sparesAccessed)
  if (fate === Fate.out) return false
  count(memory, counters.scanned)
  if (isAnonymous) count(memory, Counter.scannedAnonymous)
  if (fate !== Fate.freed) return false
  count(memory, counters.stolen)
  if (isAnonymous) count(memory, Counter.stolenAnonymous)
  return true
}

/** Each frame goes to one hart. */
function moveHand({ atomics, frames }: FaultEnv): Pfn {
  return ((atomics.add(HAND, 1) >>> 0) % frames.frameCount) as Pfn
}

/** What became of a frame: it is none that reclaim looks for, it stays, or it is free. */
const enum Fate {
  out = 0,
  stays = 1,
  freed = 2,
}

/** Frees a frame if its contents can be had again, or nobody wants them. */
function freeFrame(mm: FaultEnv, pfn: Pfn, sparesAccessed: boolean): Fate {
  const flags = mm.frames.flags(pfn)
  if ((flags & FrameFlag.free) !== 0 || !isReclaimable(mm, pfn, flags)) return Fate.out
  const found = foundFrame(mm, pfn)
  const isFreed = found.isAnonymous
    ? freeLazy(mm, found, sparesAccessed)
    : withObject(mm, found, (object) => freeCached(mm, found, object, sparesAccessed))
  return isFreed ? Fate.freed : Fate.stays
}

/** A page of a file that has another home, or anonymous memory that was given up. */
function isReclaimable({ frames, objects }: FaultEnv, pfn: Pfn, flags: number): boolean {
  if ((flags & FrameFlag.file) === 0) return (flags & LAZY) === LAZY
  return objects.kind(frames.owner(pfn) as Ptr) === ObjectKind.provided
}

/** Holds the object whose page the frame is meanwhile; false, and nothing is done, when it is none of its pages any more. */
function withObject(mm: FaultEnv, found: FoundFrame, free: (object: Ptr) => boolean): boolean {
  const { pfn, owner, index } = found
  if (!mm.objects.tryRetainOf(pfn, owner, index)) return false
  const isFreed = free(owner as Ptr)
  mm.objects.release(owner as Ptr)
  return isFreed
}

/** MADV_PAGEOUT: a frame, of which the caller has heard, is freed if it can be (reclaim_pages). */
export function pageOut(mm: FaultEnv, pfn: Pfn): void {
  const found = foundFrame(mm, pfn)
  if (found.isAnonymous) {
    freeFrame(mm, pfn, false)
    return
  }
  withObject(mm, found, (object) =>
    mm.objects.isShmem(object) ? pageOutShared(mm, found, object) : freeCached(mm, found, object, false),
  )
}

/**
 * The same for a huge page that was given up: page by page, as far as none was written to since. With the first one that was, all that is
 * left is wanted again (try_to_unmap_one of a folio).
 */
export function pageOutLazy(mm: FaultEnv, first: Pfn): void {
  for (let i = 0; i < HUGE_PAGES; i++) {
    const pfn = (first + i) as Pfn
    if (freeFrame(mm, pfn, false) !== Fate.stays) continue
    if ((mm.frames.flags(pfn) & FrameFlag.lazyFree) !== 0) continue
    for (let k = i; k < HUGE_PAGES; k++) keepMapped(mm, (first + k) as Pfn)
    return
  }
}

/** One of shared memory is mapped by nobody afterwards. Without swap it stays in its object, unless it was never written to. */
function pageOutShared(mm: FaultEnv, found: FoundFrame, object: Ptr): boolean {
  if (mm.objects.isUnevictable(object)) return false
  unmapEverywhere(mm, found)
  return mm.objects.dropUnused(object, found.index)
}

/** Says whether the frame was freed. */
function freeCached(mm: FaultEnv, found: FoundFrame, object: Ptr, sparesAccessed: boolean): boolean {
  const { frames, objects } = mm
  const { pfn, index } = found
  if (objects.kind(object) !== ObjectKind.provided) return false
  const usage = usageOf(mm, found, sparesAccessed)
  if (usage.isSpared || frames.refCount(pfn) !== usage.mappers + 1) return false
  const isChanged = () => (frames.flags(pfn) & FrameFlag.dirtyPage) !== 0
  if ((usage.isDirty || isChanged()) && !objects.takesWrites(object)) return false
  unmapEverywhere(mm, found)
  const first = index - (index % CLUSTER)
  if (isChanged()) writeBackObject(mm, object, first, first + CLUSTER)
  return objects.dropUnused(object, index)
}

/** Unless it was written to since (try_to_unmap_one): then it is wanted again. Says whether the frame was freed. */
function freeLazy(mm: FaultEnv, found: FoundFrame, sparesAccessed: boolean): boolean {
  const usage = usageOf(mm, found, sparesAccessed)
  if (usage.isSpared || usage.mappers === 0) return false
  if (usage.isDirty && !usage.isDroppable) return false
  if (mm.frames.refCount(found.pfn) !== usage.mappers) return false
  return dropEverywhere(mm, found) === usage.mappers
}

interface FrameUsage {
  mappers: number
  isDirty: boolean
  isDroppable: boolean
  /** It is locked in memory, or was accessed and gets its second chance. */
  isSpared: boolean
}

/**
 * What the entries that map a frame say of it. With `sparesAccessed` they are marked as not accessed (folio_referenced). Anonymous memory that was
 * written to is given up no more.
 */
function usageOf(mm: FaultEnv, found: FoundFrame, sparesAccessed: boolean): FrameUsage {
  const usage = { mappers: 0, isDirty: false, isDroppable: false, isSpared: false }
  forEachMapper(mm, found, (space, vma, vpn, mapper, entry) => {
    const flags =
      mapper.flags(entry) | (found.isAnonymous && isDirtyFrame(mm, found.pfn) ? EntryFlag.dirty : 0)
    usage.mappers++
    if ((flags & EntryFlag.dirty) !== 0) usage.isDirty = true
    if ((vma.flags & VM_DROPPABLE) !== 0) usage.isDroppable = true
    if ((vma.flags & VM_LOCKED) !== 0) usage.isSpared = true
    if (found.isAnonymous && isWanted(vma, flags)) keep(mm, found.pfn)
    if (!sparesAccessed || (flags & EntryFlag.accessed) === 0) return
    const batch = mm.flusher.batch(space.root)
    mapper.changeFlags(entry, vpn, EntryFlag.accessed, 0, batch)
    batch.finish()
    usage.isSpared = true
  })
  return usage
}

/** Whether memory that was given up was written to since. */
function isWanted(vma: Vma, flags: number): boolean {
  return (flags & EntryFlag.dirty) !== 0 && (vma.flags & VM_DROPPABLE) === 0
}

/** One page that was written to makes the whole folio dirty. */
function keepMapped(mm: FaultEnv, pfn: Pfn): void {
  const found = foundAnonymous(mm, pfn)
  if (found === undefined) return
  forEachMapper(mm, found, () => {
    keep(mm, pfn)
    mm.atomics.or(mm.frames.flagsPtr(pfn), FrameFlag.dirtyPage)
  })
}

/** The caller has the lock of a space that maps the frame. */
function keep({ atomics, frames }: FaultEnv, pfn: Pfn): void {
  atomics.and(frames.flagsPtr(pfn), ~FrameFlag.lazyFree)
}

/** Takes a page of an object out of every address space that has not locked it; changes that entries know of are kept in the frame's mark. */
function unmapEverywhere(mm: FaultEnv, found: FoundFrame): void {
  forEachMapper(mm, found, (space, vma, vpn) => {
    if ((vma.flags & VM_LOCKED) !== 0) return
    const batch = mm.flusher.batch(space.root)
    zapRange(mm, space, vma, vpn, (vpn + 1) as Vpn, batch)
    batch.finish()
  })
}

/** The same for anonymous memory that was given up, unless it is given up no more. Returns how many entries are gone. */
function dropEverywhere(mm: FaultEnv, found: FoundFrame): number {
  let dropped = 0
  forEachMapper(mm, found, (space, vma, vpn, mapper, entry) => {
    const isGivenUp = (mm.frames.flags(found.pfn) & FrameFlag.lazyFree) !== 0
    if (
      isGivenUp &&
      (vma.flags & VM_LOCKED) === 0 &&
      dropEntry(mm, found.pfn, space, vma, vpn, mapper, entry)
    )
      dropped++
  })
  return dropped
}

/** Only when the entry is gone it is known whether a hart has written to the page: then it comes back. */
function dropEntry(
  mm: FaultEnv,
  pfn: Pfn,
  space: AddressSpace,
  vma: Vma,
  vpn: Vpn,
  mapper: UserMapper,
  entry: Ptr,
): boolean {
  const batch = mm.flusher.batch(space.root)
  const had = mapper.clear(entry, vpn, batch)
  const isBack = isWanted(vma, had)
  if (isBack) {
    mapper.set(entry, vpn, pfn, had, batch)
    keep(mm, pfn)
  } else {
    batch.releaseFrame(pfn)
    countZapped(mm, space, vma, { anonymous: 1, others: 0 })
  }
  batch.finish()
  return !isBack
}
