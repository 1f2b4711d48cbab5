import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import type { Vma } from './vma.js'

/**
 * Takes the pages `start` to `end` - 1 of a mapping away: their entries are cleared, their frames go to the batch, a
 * changed page of a file is marked. The mapping stays, and tables left empty do until somebody prunes.
 */
export function zapRange(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  batch: FlushBatch,
): void {
  const mapper = new UserMapper(mm, space.root)
  const { object } = vma
  mapper.walk(start, end, (vpn, entry) => {
    const pfn = mapper.pfn(entry)
    const flags = mapper.clear(entry, vpn, batch)
    if ((flags & EntryFlag.special) !== 0) return
    countResident(mm, space, object, pfn, -1)
    if ((flags & EntryFlag.dirty) !== 0) keepDirty(mm, pfn)
    batch.releaseFrame(pfn)
  })
}

/** Adds to the count of resident pages that a frame belongs to (MM_ANONPAGES, MM_SHMEMPAGES, MM_FILEPAGES). */
export function countResident(mm: SpaceEnv, space: AddressSpace, object: Ptr, pfn: Pfn, pages: number): void {
  if ((mm.frames.flags(pfn) & FrameFlag.anonymous) !== 0) space.rssAnonymous += pages
  else if (mm.objects.isShmem(object)) space.rssShared += pages
  else space.rssFile += pages
}

/** What the entry knew of a change to a page of a file, its frame knows from now on. */
function keepDirty(mm: SpaceEnv, pfn: Pfn): void {
  if ((mm.frames.flags(pfn) & FrameFlag.file) !== 0) mm.objects.markDirty(pfn)
}
