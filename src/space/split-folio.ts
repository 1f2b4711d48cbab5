import { EntryFlag } from '../arch/memory-management-arch.js'
import { frameToPtr, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { Word, wordIndex } from '../state/layout.js'
import type { AddressSpace } from './address-space.js'
import { isOfFolio } from './large-folio.js'
import { type FoundFrame, forEachMapper, foundAnonymous } from './mappers.js'
import type { ObjectSpacesEnv } from './object-spaces.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES, VM_LOCKED } from './vm-flags.js'
import { countAnonymous } from './zap-range.js'

/**
 * Splits a folio for good: pages of it in which there is nothing but zeroes become the zero page wherever they are mapped, and their
 * frames are free (split_folio and try_to_map_unused_to_zeropage of Linux 6.12). Locked memory keeps its frames. The caller holds no
 * space's lock. `givenUp`: pages that MADV_FREE has made clean already, and whether they were; in Linux that comes after the split.
 */
export function splitFolio(mm: ObjectSpacesEnv, first: Pfn, givenUp: ReadonlyMap<Pfn, boolean>): void {
  const isDirty = isAnyDirty(mm, first, givenUp)
  for (let i = 0; i < HUGE_PAGES; i++) {
    const pfn = (first + i) as Pfn
    const found = isOfFolio(mm.frames, pfn) ? foundAnonymous(mm, pfn) : undefined
    if (found !== undefined) splitOff(mm, found, isDirty && !givenUp.has(pfn))
  }
}

/** Whether an entry is dirty: then the folio is, and each of its pages when they are single ones (try_to_migrate_one). */
function isAnyDirty(mm: ObjectSpacesEnv, first: Pfn, givenUp: ReadonlyMap<Pfn, boolean>): boolean {
  let isDirty = false
  for (let i = 0; i < HUGE_PAGES && !isDirty; i++) {
    const pfn = (first + i) as Pfn
    const found = isOfFolio(mm.frames, pfn) ? foundAnonymous(mm, pfn) : undefined
    if (found === undefined) continue
    isDirty = givenUp.get(pfn) === true
    forEachMapper(mm, found, (_space, _vma, _vpn, mapper, entry) => {
      isDirty ||= (mapper.flags(entry) & EntryFlag.dirty) !== 0
    })
  }
  return isDirty
}

/** One page of it. While an entry is visited that maps the frame, nobody gives it to another use. */
function splitOff(mm: ObjectSpacesEnv, found: FoundFrame, isDirty: boolean): void {
  const { pfn } = found
  const { atomics, frames } = mm
  const before = isZeroes(mm, pfn) ? spacesBeforeLocked(mm, found) : undefined
  forEachMapper(mm, found, (space, _vma, vpn, mapper, entry) => {
    atomics.and(frames.flagsPtr(pfn), ~FrameFlag.folio)
    if (isDirty) atomics.or(frames.flagsPtr(pfn), FrameFlag.dirtyPage)
    if (before?.has(space.ptr)) mapZeroes(mm, space, mapper, vpn, entry)
  })
}

/** An entry of a frame of zeroes is one of the zero page instead: read-only and clean. */
function mapZeroes(mm: SpaceEnv, space: AddressSpace, mapper: UserMapper, vpn: Vpn, entry: Ptr): void {
  const pfn = mapper.pfn(entry)
  const batch = mm.flusher.batch(space.root)
  // Nobody stores to the page while it is looked at.
  const had = mapper.changeFlags(entry, vpn, EntryFlag.write, 0, batch)
  batch.flush()
  if (isZeroes(mm, pfn)) {
    space.counts.notePeakRss()
    const flags = had & ~(EntryFlag.write | EntryFlag.dirty)
    mapper.clear(entry, vpn, batch)
    const zeroFrame = mm.memory.u32[wordIndex(Word.zeroFrame)]! as Pfn
    mapper.set(entry, vpn, zeroFrame, flags | EntryFlag.accessed | EntryFlag.special, batch)
    batch.releaseFrame(pfn)
    countAnonymous(mm, space, -1)
  } else mapper.changeFlags(entry, vpn, 0, had & EntryFlag.write, batch)
  batch.finish()
}

/**
 * Linux makes entries anew mapping by mapping, sorted by where they begin in their family, older ones first; with the first one that is
 * locked the frame is locked, and stays for those behind it (remove_migration_pte).
 */
function spacesBeforeLocked(mm: ObjectSpacesEnv, frame: FoundFrame): Set<Ptr> {
  const found: { space: Ptr; start: number; isLocked: boolean }[] = []
  forEachMapper(mm, frame, (space, vma) => {
    found.unshift({ space: space.ptr, start: vma.pageOffset, isLocked: (vma.flags & VM_LOCKED) !== 0 })
  })
  found.sort((one, other) => one.start - other.start)
  const locked = found.findIndex(({ isLocked }) => isLocked)
  return new Set((locked < 0 ? found : found.slice(0, locked)).map(({ space }) => space))
}

function isZeroes(mm: SpaceEnv, pfn: Pfn): boolean {
  const { u32 } = mm.memory
  const start = frameToPtr(pfn) >>> 2
  const end = start + PAGE_SIZE / 4
  for (let at = start; at < end; at++) if (u32[at] !== 0) return false
  return true
}
