/** Advice about pages that are there: given up (MADV_FREE), not needed soon (MADV_COLD), not needed now (MADV_PAGEOUT). */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import { mappingsOf } from './page-usage.js'
import type { SpaceEnv } from './space-env.js'
import { splitFolio } from './split-folio.js'
import { HUGE_PAGES } from './vm-flags.js'
import type { Vma } from './vma.js'

const USED = EntryFlag.accessed | EntryFlag.dirty

/** A part of a mapping that advice is about. */
interface Advised {
  readonly mm: SpaceEnv
  readonly space: AddressSpace
  readonly vma: Vma
  readonly mapper: UserMapper
  readonly batch: FlushBatch
}

/** What is done to a page, by its entry; to a huge page as a whole, by its leaf. */
interface Visitor {
  readonly page: (vpn: Vpn, entry: Ptr) => void
  readonly hugePage: (vpn: Vpn, leaf: Ptr) => void
}

/** Visits the counted pages of a range. A huge page that the range has a part of is split first. */
function eachPage(advised: Advised, start: Vpn, end: Vpn, visitor: Visitor): void {
  const { mapper } = advised
  for (let at = start; at < end; ) {
    const next = Math.min(end, at - (at % HUGE_PAGES) + HUGE_PAGES) as Vpn
    const leaf = mapper.hugeLeaf(at)
    if (leaf === NULL) eachSmall(mapper, at, next, visitor)
    else if (isOwn(advised, leaf)) {
      if (next - at === HUGE_PAGES) visitor.hugePage(at, leaf)
      else {
        splitFolio(advised.mm, advised.space, advised.vma, leaf, at, advised.batch)
        eachSmall(mapper, at, next, visitor)
      }
    }
    at = next
  }
}

function eachSmall(mapper: UserMapper, start: Vpn, end: Vpn, { page }: Visitor): void {
  mapper.walk(start, end, (vpn, entry) => {
    if ((mapper.flags(entry) & EntryFlag.special) === 0) page(vpn, entry)
  })
}

/** Huge pages that somebody else has a page of are left alone (folio_likely_mapped_shared), and so is that of zeroes. */
function isOwn({ mm, mapper }: Advised, leaf: Ptr): boolean {
  if ((mapper.flags(leaf) & EntryFlag.special) !== 0) return false
  return mm.buddy.isRunAlone(mapper.pfn(leaf), mapper.hugeOrder)
}

function advise(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  visitorOf: (advised: Advised) => Visitor,
): void {
  const batch = mm.flusher.batch(space.root)
  const advised = { mm, space, vma, mapper: mm.userMappers.of(space.root), batch }
  eachPage(advised, start, end, visitorOf(advised))
  batch.finish()
}

/**
 * MADV_FREE: private pages may be dropped when memory runs out, unless they are written to before: their entries are clean
 * from now on, and a store makes them dirty again (madvise_free_pte_range).
 */
export function freeLazily(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): void {
  const { frames } = mm
  const giveUp = (pfn: Pfn) => {
    mm.atomics.or(frames.flagsPtr(pfn), FrameFlag.lazyFree)
  }
  advise(mm, space, vma, start, end, ({ mapper, batch }) => ({
    page: (vpn, entry) => {
      const pfn = mapper.pfn(entry)
      if ((frames.flags(pfn) & FrameFlag.anonymous) === 0) return
      giveUp(pfn)
      mapper.changeFlags(entry, vpn, USED, 0, batch)
    },
    hugePage: (vpn, leaf) => {
      const first = mapper.pfn(leaf)
      for (let i = 0; i < HUGE_PAGES; i++) giveUp((first + i) as Pfn)
      mapper.changeHuge(leaf, vpn, USED, 0, batch)
    },
  }))
}

/** MADV_COLD: pages that nobody else maps count as not accessed (madvise_cold_or_pageout_pte_range). */
export function coolDown(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): void {
  advise(mm, space, vma, start, end, ({ mapper, batch }) => ({
    page: (vpn, entry) => {
      if (mappingsOf(mm, mapper.pfn(entry)) === 1)
        mapper.changeFlags(entry, vpn, EntryFlag.accessed, 0, batch)
    },
    hugePage: (vpn, leaf) => mapper.changeHuge(leaf, vpn, EntryFlag.accessed, 0, batch),
  }))
}

/**
 * The first half of MADV_PAGEOUT: the frames that nobody else maps, whose pages count as not accessed. A huge page is split; without
 * swap it stays for the rest, unless it was given up.
 */
export function takeOut(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): Pfn[] {
  const found: Pfn[] = []
  advise(mm, space, vma, start, end, ({ mapper, batch }) => {
    const page = (vpn: Vpn, entry: Ptr) => {
      const pfn = mapper.pfn(entry)
      if (mappingsOf(mm, pfn) !== 1) return
      mapper.changeFlags(entry, vpn, EntryFlag.accessed, 0, batch)
      found.push(pfn)
    }
    const hugePage = (vpn: Vpn, leaf: Ptr) => {
      const isGivenUp = (mm.frames.flags(mapper.pfn(leaf)) & FrameFlag.lazyFree) !== 0
      if (isGivenUp) mapper.split(leaf, vpn, batch)
      else splitFolio(mm, space, vma, leaf, vpn, batch)
      eachSmall(mapper, vpn, (vpn + HUGE_PAGES) as Vpn, { page, hugePage })
    }
    return { page, hugePage }
  })
  return found
}
