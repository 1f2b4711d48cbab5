/** Advice about pages that are there: given up (MADV_FREE), not needed soon (MADV_COLD), not needed now (MADV_PAGEOUT). */
import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import { mappingsOf } from './page-usage.js'
import type { SpaceEnv } from './space-env.js'
import { splitHugeAt } from './split-huge.js'
import { HUGE_PAGES } from './vm-flags.js'
import type { Vma } from './vma.js'

const USED = EntryFlag.accessed | EntryFlag.dirty

type VisitFrame = (vpn: Vpn, pfn: Pfn, entry: Ptr, mapper: UserMapper) => void

/** Visits the counted pages of a part of a mapping; a huge page is split first. */
function eachFrame(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  visit: VisitFrame,
): void {
  for (let at = start; at < end; at = (at - (at % HUGE_PAGES) + HUGE_PAGES) as Vpn) {
    splitHugeAt(mm, space, vma, (at % HUGE_PAGES === 0 ? at + 1 : at) as Vpn)
  }
  const mapper = mm.userMappers.of(space.root)
  mapper.walk(start, end, (vpn, entry) => {
    if ((mapper.flags(entry) & EntryFlag.special) === 0) visit(vpn, mapper.pfn(entry), entry, mapper)
  })
}

/**
 * MADV_FREE: private pages may be dropped when memory runs out, unless they are written to before: their entries are clean
 * from now on, and a store makes them dirty again (madvise_free_pte_range).
 */
export function freeLazily(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): void {
  const { frames } = mm
  const batch = mm.flusher.batch(space.root)
  eachFrame(mm, space, vma, start, end, (vpn, pfn, entry, mapper) => {
    if ((frames.flags(pfn) & FrameFlag.anonymous) === 0) return
    frames.setFlags(pfn, frames.flags(pfn) | FrameFlag.lazyFree)
    mapper.changeFlags(entry, vpn, USED, 0, batch)
  })
  batch.finish()
}

/**
 * MADV_COLD, and the first half of MADV_PAGEOUT: pages that nobody else maps count as not accessed. Returns their frames
 * (madvise_cold_or_pageout_pte_range).
 */
export function coolDown(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): Pfn[] {
  const found: Pfn[] = []
  const batch = mm.flusher.batch(space.root)
  eachFrame(mm, space, vma, start, end, (vpn, pfn, entry, mapper) => {
    if (mappingsOf(mm, pfn) !== 1) return
    mapper.changeFlags(entry, vpn, EntryFlag.accessed, 0, batch)
    found.push(pfn)
  })
  batch.finish()
  return found
}
