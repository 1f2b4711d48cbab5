/**
 * Reverse mapping (mm/rmap.c): from a frame of user memory to the page-table entries that map it. The frame's owner leads to
 * the mappings that may show it: the relatives of its family, or the mappings of its object; its index says at which page
 * each would.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { LockRank } from '../state/atomics.js'
import { AddressSpace } from './address-space.js'
import type { ObjectSpacesEnv } from './object-spaces.js'
import type { SpaceEnv } from './space-env.js'
import { Vma } from './vma.js'

/** Where a frame may be mapped. */
export interface Place {
  readonly space: Ptr
  readonly vpn: Vpn
}

/** What may be done to an entry that maps the frame; its space's lock is held. */
export type VisitMapper = (space: AddressSpace, vma: Vma, vpn: Vpn, mapper: UserMapper, entry: Ptr) => void

/**
 * Visits every entry that maps a frame of anonymous memory or of a page cache (rmap_walk). Takes the locks of the spaces one
 * after another: the caller holds none. A mapping made meanwhile may be missed, so whoever wants the frame to be mapped
 * by nobody looks at its reference count afterwards.
 */
export function forEachMapper(mm: ObjectSpacesEnv, pfn: Pfn, visit: VisitMapper): void {
  const places = placesOf(mm, pfn)
  for (const { space } of places) mm.spaces.retain(space)
  for (const { space, vpn } of places) {
    const view = new AddressSpace(mm.memory, space)
    mm.atomics.lock(view.lock, LockRank.space)
    visitPlace(mm, view, vpn, pfn, visit)
    mm.atomics.unlock(view.lock, LockRank.space)
    mm.spaces.release(space)
  }
}

function visitPlace(mm: SpaceEnv, space: AddressSpace, vpn: Vpn, pfn: Pfn, visit: VisitMapper): void {
  const mapper = mm.userMappers.of(space.root)
  splitHuge(mm, space, mapper, vpn, pfn)
  const entry = mapper.leaf(vpn)
  if (entry === 0 || !mapper.isPresent(entry) || mapper.pfn(entry) !== pfn) return
  if ((mapper.flags(entry) & EntryFlag.special) !== 0) return
  visit(space, new Vma(mm.memory, mm.vmas.findHolding(space, vpn)), vpn, mapper, entry)
}

/** A huge leaf that maps the frame becomes small ones, so that the entry which is visited is of one page. */
function splitHuge(mm: SpaceEnv, space: AddressSpace, mapper: UserMapper, vpn: Vpn, pfn: Pfn): void {
  const leaf = mapper.hugeLeaf(vpn)
  if (leaf === NULL || mapper.pfnAt(leaf, vpn) !== pfn) return
  const batch = mm.flusher.batch(space.root)
  mapper.split(leaf, vpn, batch)
  batch.finish()
}

/** The places where mappings would show the frame, in a fixed order. */
export function placesOf(mm: SpaceEnv, pfn: Pfn): Place[] {
  const { frames, families, objects } = mm
  const owner = frames.owner(pfn) as Ptr
  const index = frames.index(pfn)
  const places: Place[] = []
  const collect = (vma: Vma) => {
    const vpn = vma.start + index - vma.pageOffset
    if (vpn >= vma.start && vpn < vma.end) places.push({ space: vma.space, vpn: vpn as Vpn })
  }
  if ((frames.flags(pfn) & FrameFlag.anonymous) !== 0) families.forEachRelative(owner, collect)
  else objects.forEachMapping(owner, collect)
  return places
}
