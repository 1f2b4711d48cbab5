/**
 * Reverse mapping (mm/rmap.c): from a frame of user memory to the page-table entries that map it. The frame's owner leads to
 * the mappings that may show it: the relatives of its family, or the mappings of its object; its index says at which page
 * each would.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { LockRank } from '../state/atomics.js'
import { AddressSpace } from './address-space.js'
import type { ObjectSpacesEnv } from './object-spaces.js'
import type { SpaceEnv } from './space-env.js'
import { Vma } from './vma.js'

/**
 * A frame of user memory as it was found. Who does not hold it reads this without a lock: all of it may be another's meanwhile, and it is looked at again
 * once an entry is locked that maps the frame.
 */
export interface FoundFrame {
  readonly pfn: Pfn
  readonly isAnonymous: boolean
  /** Root of a family, or page object. */
  readonly owner: number
  readonly index: number
}

export function foundFrame({ atomics, frames }: SpaceEnv, pfn: Pfn): FoundFrame {
  const isAnonymous = (atomics.load(frames.flagsPtr(pfn)) & FrameFlag.anonymous) !== 0
  return { pfn, isAnonymous, owner: frames.owner(pfn), index: frames.index(pfn) }
}

/** The same of one of anonymous memory, whose family need not be held to look for its mappers; undefined when it is none any more. */
export function foundAnonymous(mm: SpaceEnv, pfn: Pfn): FoundFrame | undefined {
  const found = foundFrame(mm, pfn)
  return found.isAnonymous ? found : undefined
}

/** What it says holds as long as an entry maps the frame, unless the page leaves its object's cache. */
function isAsFound({ frames }: SpaceEnv, { pfn, isAnonymous, owner, index }: FoundFrame): boolean {
  const flag = isAnonymous ? FrameFlag.anonymous : FrameFlag.file
  return (frames.flags(pfn) & flag) !== 0 && frames.owner(pfn) === owner && frames.index(pfn) === index
}

/** Where a frame may be mapped. */
export interface Place {
  readonly space: Ptr
  readonly vpn: Vpn
}

/** What may be done to an entry that maps the frame; its space's lock is held. */
export type VisitMapper = (space: AddressSpace, vma: Vma, vpn: Vpn, mapper: UserMapper, entry: Ptr) => void

/**
 * Visits every entry that maps a frame of anonymous memory or of a page cache (rmap_walk). Takes the locks of the spaces one
 * after another: the caller holds none, but a reference to the object, if there is one. A mapping made meanwhile may be missed, and that
 * of a space which is going, so whoever wants the frame to be mapped by nobody looks at its reference count afterwards.
 */
export function forEachMapper(mm: ObjectSpacesEnv, found: FoundFrame, visit: VisitMapper): void {
  const places = placesOf(mm, found, (space) => mm.spaces.tryRetain(space))
  for (const { space, vpn } of places) {
    const view = new AddressSpace(mm.memory, space)
    mm.atomics.lock(view.lock, LockRank.space)
    visitPlace(mm, view, vpn, found, visit)
    mm.atomics.unlock(view.lock, LockRank.space)
    mm.spaces.release(space)
  }
}

function visitPlace(
  mm: SpaceEnv,
  space: AddressSpace,
  vpn: Vpn,
  found: FoundFrame,
  visit: VisitMapper,
): void {
  const { pfn } = found
  const mapper = mm.userMappers.of(space.root)
  if (!mapper.translate(vpn) || mapper.lastPfn !== pfn || !isAsFound(mm, found)) return
  splitHuge(mm, space, mapper, vpn, pfn)
  const entry = mapper.leaf(vpn)
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

/**
 * The places where mappings would show the frame, in a fixed order, in the spaces that are `wanted`: asked while the mapping keeps the space's
 * record, maybe not the space.
 */
export function placesOf(
  mm: SpaceEnv,
  { isAnonymous, owner, index }: FoundFrame,
  wanted: (space: Ptr) => boolean,
): Place[] {
  const places: Place[] = []
  const collect = (vma: Vma) => {
    const { start, end, space } = vma
    const vpn = (start + index - vma.pageOffset) as Vpn
    if (vpn >= start && vpn < end && wanted(space)) places.push({ space, vpn })
  }
  if (isAnonymous) mm.families.visitIfLive(owner, collect)
  else {
    assert(mm.objects.references(owner as Ptr) > 0, 'the object whose mappings are visited is held')
    mm.objects.forEachMapping(owner as Ptr, collect)
  }
  return places
}
