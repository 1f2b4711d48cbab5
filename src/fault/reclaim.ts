/**
 * What happens when a frame is asked for and there is none (mm/vmscan.c and the slow path of mm/page_alloc.c): empty slabs,
 * the huge zero page, clean pages of files, changed ones once they are written to their provider, and anonymous memory
 * that its program gave up (MADV_FREE, MAP_DROPPABLE) make room; then the machine may end a program. Only the edges come
 * here, where a fault or a call begins and no lock is held: they make room and start again. Pages of tmpfs and of shared
 * memory stay.
 *
 * There are no lists of pages by age: a hand goes round over the frames, as in old Unix. What was accessed since it last came by
 * gets a second chance.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { Reach } from '../frame/reach.js'
import { forEachMapper } from '../space/mappers.js'
import { ObjectKind } from '../space/object-records.js'
import { VM_DROPPABLE, VM_LOCKED } from '../space/vm-flags.js'
import { writeBackObject } from '../space/write-back.js'
import { zapRange } from '../space/zap-range.js'
import { Counter, count, countedHere } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { FaultEnv } from './fault.js'
import { dropHugeZeroPage } from './huge-zero-page.js'

/** Frames that one call tries to free (SWAP_CLUSTER_MAX). */
const ENOUGH = 32
/** Changed pages that are written together. */
const CLUSTER = 16
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

/** Frees what can be freed until that is enough, twice round at most. It may use the last frames itself. Returns how many there are more. */
export function sweep(mm: FaultEnv, counters: SweepCounters, isEnough: () => boolean): number {
  const { buddy, memory } = mm
  const before = buddy.freeFrames()
  const { reach } = buddy
  buddy.reach = Reach.all
  mm.slab.shrink()
  dropHugeZeroPage(mm)
  const { frameCount } = mm.frames
  for (let looked = 0; looked < 2 * frameCount && !isEnough(); looked++) {
    tryFrame(mm, moveHand(mm), looked < frameCount, counters)
  }
  buddy.reach = reach
  const freed = buddy.freeFrames() - before
  if (freed > 0) memory.u32[wordIndex(Word.reclaimFailures)] = 0
  return freed
}

function tryFrame(mm: FaultEnv, pfn: Pfn, sparesAccessed: boolean, { scanned, stolen }: SweepCounters): void {
  const { frames, memory } = mm
  const isAnonymous = (frames.flags(pfn) & LAZY) === LAZY
  const fate = freeFrame(mm, pfn, sparesAccessed)
  if (fate === Fate.out) return
  count(memory, scanned)
  if (isAnonymous) count(memory, Counter.scannedAnonymous)
  if (fate !== Fate.freed) return
  count(memory, stolen)
  if (isAnonymous) count(memory, Counter.stolenAnonymous)
}

function moveHand({ memory, frames }: FaultEnv): Pfn {
  const word = wordIndex(Word.reclaimHand)
  const pfn = memory.u32[word]!
  memory.u32[word] = pfn + 1 < frames.frameCount ? pfn + 1 : 1
  return pfn as Pfn
}

/** What became of a frame: it is none that reclaim looks for, it stays, or it is free. */
const enum Fate {
  out = 0,
  stays = 1,
  freed = 2,
}

/** Frees a frame if its contents can be had again, or nobody wants them. */
function freeFrame(mm: FaultEnv, pfn: Pfn, sparesAccessed: boolean): Fate {
  const { frames } = mm
  const flags = frames.flags(pfn)
  if ((flags & FrameFlag.free) !== 0 || !isReclaimable(mm, pfn, flags)) return Fate.out
  if ((flags & FrameFlag.file) !== 0) freeCached(mm, pfn, sparesAccessed)
  else freeLazy(mm, pfn, sparesAccessed)
  return frames.refCount(pfn) === 0 ? Fate.freed : Fate.stays
}

/** A page of a file that has another home, or anonymous memory that was given up. */
function isReclaimable({ frames, objects }: FaultEnv, pfn: Pfn, flags: number): boolean {
  if ((flags & FrameFlag.file) === 0) return (flags & LAZY) === LAZY
  return objects.kind(frames.owner(pfn) as Ptr) === ObjectKind.provided
}

/** MADV_PAGEOUT: a frame is freed if it can be (reclaim_pages). */
export function pageOut(mm: FaultEnv, pfn: Pfn): void {
  const isCached = (mm.frames.flags(pfn) & FrameFlag.file) !== 0
  if (isCached && mm.objects.isShmem(mm.frames.owner(pfn) as Ptr)) pageOutShared(mm, pfn)
  else freeFrame(mm, pfn, false)
}

/** One of shared memory is mapped by nobody afterwards. Without swap it stays in its object, unless it was never written to. */
function pageOutShared(mm: FaultEnv, pfn: Pfn): void {
  const { objects } = mm
  const object = mm.frames.owner(pfn) as Ptr
  const index = mm.frames.index(pfn)
  if (objects.isUnevictable(object)) return
  objects.retain(object)
  unmapEverywhere(mm, pfn)
  objects.dropUnused(object, index)
  objects.release(object)
}

function freeCached(mm: FaultEnv, pfn: Pfn, sparesAccessed: boolean): void {
  const { frames, objects } = mm
  const object = frames.owner(pfn) as Ptr
  const index = frames.index(pfn)
  const usage = usageOf(mm, pfn, sparesAccessed)
  if (usage.isSpared || frames.refCount(pfn) !== usage.mappers + 1) return
  const isDirty = usage.isDirty || (frames.flags(pfn) & FrameFlag.dirtyPage) !== 0
  if (isDirty && !objects.takesWrites(object)) return
  objects.retain(object)
  unmapEverywhere(mm, pfn)
  const first = index - (index % CLUSTER)
  if (isDirty) writeBackObject(mm, object, first, first + CLUSTER)
  objects.dropUnused(object, index)
  objects.release(object)
}

/** Unless it was written to since (try_to_unmap_one): then it is wanted again. */
function freeLazy(mm: FaultEnv, pfn: Pfn, sparesAccessed: boolean): void {
  const { frames } = mm
  const usage = usageOf(mm, pfn, sparesAccessed)
  if (usage.isDirty && !usage.isDroppable) {
    mm.atomics.and(frames.flagsPtr(pfn), ~FrameFlag.lazyFree)
    return
  }
  if (!usage.isSpared && frames.refCount(pfn) === usage.mappers) unmapEverywhere(mm, pfn)
}

interface FrameUsage {
  mappers: number
  isDirty: boolean
  isDroppable: boolean
  /** It is locked in memory, or was accessed and gets its second chance. */
  isSpared: boolean
}

/** What the entries that map a frame say of it. With `sparesAccessed` they are marked as not accessed (folio_referenced). */
function usageOf(mm: FaultEnv, pfn: Pfn, sparesAccessed: boolean): FrameUsage {
  const usage = { mappers: 0, isDirty: false, isDroppable: false, isSpared: false }
  forEachMapper(mm, pfn, (space, vma, vpn, mapper, entry) => {
    const flags = mapper.flags(entry)
    usage.mappers++
    if ((flags & EntryFlag.dirty) !== 0) usage.isDirty = true
    if ((vma.flags & VM_DROPPABLE) !== 0) usage.isDroppable = true
    if ((vma.flags & VM_LOCKED) !== 0) usage.isSpared = true
    if (!sparesAccessed || (flags & EntryFlag.accessed) === 0) return
    const batch = mm.flusher.batch(space.root)
    mapper.changeFlags(entry, vpn, EntryFlag.accessed, 0, batch)
    batch.finish()
    usage.isSpared = true
  })
  return usage
}

/** Takes a frame out of every address space; changes that entries know of are kept in the frame's mark. */
export function unmapEverywhere(mm: FaultEnv, pfn: Pfn): void {
  forEachMapper(mm, pfn, (space, vma, vpn) => {
    const batch = mm.flusher.batch(space.root)
    zapRange(mm, space, vma, vpn, (vpn + 1) as Vpn, batch)
    batch.finish()
  })
}
