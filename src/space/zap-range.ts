import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { AddressSpace } from './address-space.js'
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
  const tally = { anonymous: 0, others: 0 }
  if (space.rssPages > space.peakRss) space.peakRss = space.rssPages
  mapper.clearRange(start, end, batch, tally, mm.objects)
  if (tally.anonymous > 0) space.rssAnonymous -= tally.anonymous
  if (tally.others > 0) countOthers(mm, space, vma.object, -tally.others)
}

/** Adds to the count of resident pages that a frame belongs to (MM_ANONPAGES, MM_SHMEMPAGES, MM_FILEPAGES). */
export function countResident(mm: SpaceEnv, space: AddressSpace, object: Ptr, pfn: Pfn, pages: number): void {
  if ((mm.frames.flags(pfn) & FrameFlag.anonymous) !== 0) space.rssAnonymous += pages
  else countOthers(mm, space, object, pages)
}

/** The same for frames of objects. */
export function countOthers(mm: SpaceEnv, space: AddressSpace, object: Ptr, pages: number): void {
  if (mm.objects.isShmem(object)) space.rssShared += pages
  else space.rssFile += pages
}
