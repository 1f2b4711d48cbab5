/**
 * A huge page that small entries map (since an munmap, mprotect, mremap or fork of a part) is still one folio to Linux, and advice
 * about a part of it goes by the whole (folio_test_large in mm/madvise.c). Its frames have the flag `folio` as long: until it is
 * split for good, or a frame is freed, which in Linux only stays mapped by nobody. They are an aligned block, so that one frame leads
 * to the others.
 */
import type { Pfn, Ptr } from '../base/numbers.js'
import { FrameFlag, type FrameTable } from '../frame/frame-table.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { HUGE_PAGES } from './vm-flags.js'

/** The first frame of the folio that a frame of anonymous memory would be part of. */
export function folioStart(pfn: Pfn): Pfn {
  return (pfn - (pfn % HUGE_PAGES)) as Pfn
}

export function isOfFolio(frames: FrameTable, pfn: Pfn): boolean {
  const own = FrameFlag.anonymous | FrameFlag.folio
  return (frames.flags(pfn) & own) === own
}

/** The same of one that is in a page cache (object-folios.ts). */
export function isOfObjectsFolio(frames: FrameTable, pfn: Pfn): boolean {
  const own = FrameFlag.file | FrameFlag.folio
  return (frames.flags(pfn) & own) === own
}

/** How many of the `left` entries from `entry` on map the folio's frames one by one, from this entry's on (folio_pte_batch). */
export function foliosRun(mapper: UserMapper, entry: Ptr, left: number): number {
  const pfn = mapper.pfn(entry)
  const most = Math.min(left, folioStart(pfn) + HUGE_PAGES - pfn)
  let pages = 1
  for (; pages < most; pages++) {
    const at = mapper.neighbour(entry, pages)
    if (!mapper.isPresent(at) || mapper.pfn(at) !== pfn + pages) break
  }
  return pages
}

/**
 * Whether Linux takes it that others map the folio, too: a page of it is mapped more often than its number of pages, or the first one
 * more than once (folio_likely_mapped_shared). For a folio that an entry of one page is known to map: then a huge leaf elsewhere makes
 * the sum too large by itself.
 */
export function isLikelyShared(frames: FrameTable, first: Pfn): boolean {
  let mappings = 0
  for (let i = 0; i < HUGE_PAGES; i++) {
    const pfn = (first + i) as Pfn
    if (isOfFolio(frames, pfn)) mappings += frames.refCount(pfn)
  }
  return mappings > HUGE_PAGES || (isOfFolio(frames, first) && frames.refCount(first) > 1)
}

/** How often pages of an object's folio are mapped, all in all; who else holds one counts, too. The page cache has a reference to each. */
export function mappingsOfObjectsFolio(frames: FrameTable, first: Pfn): number {
  let references = 0
  for (let i = 0; i < HUGE_PAGES; i++) references += frames.refCount((first + i) as Pfn)
  return references - HUGE_PAGES
}

/** isLikelyShared of an object's folio, by that number. */
export function isLikelySharedObjects(frames: FrameTable, first: Pfn, mappings: number): boolean {
  return mappings > HUGE_PAGES || frames.refCount(first) > 2
}
