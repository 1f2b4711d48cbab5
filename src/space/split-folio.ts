import { EntryFlag } from '../arch/memory-management-arch.js'
import { frameToPtr, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import { Word, wordIndex } from '../state/layout.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES, VM_LOCKED } from './vm-flags.js'
import type { Vma } from './vma.js'
import { countAnonymous } from './zap-range.js'

/**
 * Splits a huge page that nobody else has for good: pages of it in which there is nothing but zeroes become the zero page, and their
 * frames are free (split_folio and try_to_map_unused_to_zeropage of Linux 6.12). Locked memory keeps its frames.
 */
export function splitFolio(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  leaf: Ptr,
  vpn: Vpn,
  batch: FlushBatch,
): void {
  const mapper = mm.userMappers.of(space.root)
  if ((vma.flags & VM_LOCKED) !== 0) {
    mapper.split(leaf, vpn, batch)
    return
  }
  if (space.rssPages > space.peakRss) space.peakRss = space.rssPages
  // Nobody stores to a page while it is looked at.
  const writable = mapper.changeHuge(leaf, vpn, EntryFlag.write, 0, batch) & EntryFlag.write
  batch.flush()
  mapper.split(leaf, vpn, batch)
  const freed = shareZeroes(mm, space, mapper.hugeStart(vpn), writable, batch)
  countAnonymous(mm, space, -freed)
}

/** Pages of zeroes become the zero page, the others are `writable` again. How many have gone. */
function shareZeroes(
  mm: SpaceEnv,
  space: AddressSpace,
  first: Vpn,
  writable: number,
  batch: FlushBatch,
): number {
  const mapper = mm.userMappers.of(space.root)
  let freed = 0
  mapper.walk(first, (first + HUGE_PAGES) as Vpn, (page, entry) => {
    const pfn = mapper.pfn(entry)
    if (isZeroes(mm, pfn)) {
      mapZeroes(mm, space, page, entry, batch)
      batch.releaseFrame(pfn)
      freed++
    } else mapper.changeFlags(entry, page, 0, writable, batch)
  })
  return freed
}

function isZeroes(mm: SpaceEnv, pfn: Pfn): boolean {
  const { u32 } = mm.memory
  const start = frameToPtr(pfn) >>> 2
  const end = start + PAGE_SIZE / 4
  for (let at = start; at < end; at++) if (u32[at] !== 0) return false
  return true
}

/** Entries of the zero page are read-only and clean. */
function mapZeroes(mm: SpaceEnv, space: AddressSpace, vpn: Vpn, entry: Ptr, batch: FlushBatch): void {
  const mapper = mm.userMappers.of(space.root)
  const flags = mapper.flags(entry) & ~(EntryFlag.write | EntryFlag.dirty)
  const zeroFrame = mm.memory.u32[wordIndex(Word.zeroFrame)]! as Pfn
  mapper.clear(entry, vpn, batch)
  mapper.set(entry, vpn, zeroFrame, flags | EntryFlag.accessed | EntryFlag.special, batch)
}
