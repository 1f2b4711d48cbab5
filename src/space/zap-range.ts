import { NULL, type Pfn, type Ptr, ptrToFrame, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import { HOLE } from '../paging/page-table.js'
import type { FrameTally } from '../paging/run-mapper.js'
import { TableRuns } from '../paging/table-runs.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { LockRank } from '../state/atomics.js'
import type { AddressSpace } from './address-space.js'
import { Resident } from './space-counts.js'
import type { SpaceEnv } from './space-env.js'
import type { Vma } from './vma.js'

/**
 * Takes the pages `start` to `end` - 1 of a mapping away: their entries are cleared, their frames go to the batch, a
 * changed page of a file is marked. The mapping stays, and tables left empty do until they are unmapped.
 */
export function zapRange(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  batch: FlushBatch,
): void {
  const mapper = mm.userMappers.of(space.root)
  const run = mapper.runOrHole(start, end)
  if (run === HOLE || (run !== NULL && mapper.areAbsent(run, end - start))) return
  const tally = { anonymous: 0, others: 0 }
  if (run !== NULL) mapper.clearRun(run, start, end - start, batch, tally, mm.objects)
  else mapper.clearRange(start, end, batch, tally, mm.objects)
  countZapped(mm, space, vma, tally)
}

/**
 * The same while other harts fault in the space. False, and perhaps a part is done, at a huge page: who holds the space's lock
 * alone takes it away.
 */
export function zapTogether(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  batch: FlushBatch,
): boolean {
  const mapper = mm.userMappers.of(space.root)
  const tally = { anonymous: 0, others: 0 }
  const runs = new TableRuns(mapper, start, end)
  let isDone = true
  while (isDone && runs.next()) {
    if (runs.isHuge) isDone = false
    else clearLocked(mm, mapper, runs, batch, tally)
  }
  countZapped(mm, space, vma, tally)
  return isDone
}

function clearLocked(
  mm: SpaceEnv,
  mapper: UserMapper,
  { entry, vpn, pages }: TableRuns,
  batch: FlushBatch,
  tally: FrameTally,
): void {
  const lock = mm.frames.ownerPtr(ptrToFrame(entry))
  mm.atomics.lock(lock, LockRank.leafTable)
  mapper.clearRun(entry, vpn, pages, batch, tally, mm.objects)
  mm.atomics.unlock(lock, LockRank.leafTable)
}

/** What was unmapped is resident no more. */
export function countZapped(mm: SpaceEnv, space: AddressSpace, vma: Vma, tally: FrameTally): void {
  if (tally.anonymous + tally.others === 0) return
  // What is resident falls now, and not before.
  space.counts.notePeakRss()
  if (tally.anonymous > 0) countAnonymous(mm, space, -tally.anonymous)
  if (tally.others > 0) countOthers(mm, space, vma.object, -tally.others)
}

/** Adds to the count of resident pages that a frame belongs to (MM_ANONPAGES, MM_SHMEMPAGES, MM_FILEPAGES). */
export function countResident(mm: SpaceEnv, space: AddressSpace, object: Ptr, pfn: Pfn, pages: number): void {
  if ((mm.frames.flags(pfn) & FrameFlag.anonymous) !== 0) countAnonymous(mm, space, pages)
  else countOthers(mm, space, object, pages)
}

/** The same for frames of anonymous memory. */
export function countAnonymous(mm: SpaceEnv, space: AddressSpace, pages: number): void {
  space.counts.addResident(mm.atomics.hart, Resident.anonymous, pages)
}

/** The same for frames of objects. */
export function countOthers(mm: SpaceEnv, space: AddressSpace, object: Ptr, pages: number): void {
  const kind = mm.objects.isSwapBacked(object) ? Resident.shared : Resident.file
  space.counts.addResident(mm.atomics.hart, kind, pages)
}
