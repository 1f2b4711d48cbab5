/**
 * The invariants of the buddy allocator. The frame table is walked block by block and, with the zones' spares, must account for
 * every frame exactly once; the lists are walked on their own, and both must agree.
 */
import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { ORDER_MAX } from './frame-allocator.js'
import { checkFrameCaches, type FrameCaches } from './frame-caches.js'
import { FrameFlag, FrameMask, type FrameTable, ORDER_MASK } from './frame-table.js'
import type { Zone } from './zone.js'
import type { Zones } from './zones.js'

interface Census {
  free: number
  allocated: number
  reserved: number
  cached: number
  readonly perOrder: number[]
}

/** Throws an InvariantError on the first contradiction. The caller holds the frames lock. */
export function checkBuddy(frames: FrameTable, zones: Zones, caches: FrameCaches): void {
  let cachedFrames = 0
  for (const zone of zones.all) {
    const census = takeCensus(frames, zone)
    cachedFrames += census.cached
    assert(census.free === zone.freeFrames, 'buddy: the count of free frames is wrong')
    assert(
      census.free + census.cached + census.allocated === zone.managedFrames,
      'buddy: the count of managed frames is wrong',
    )
    assert(census.reserved === zone.reservedFrames, 'buddy: the count of reserved frames is wrong')
    for (let order = 0; order <= ORDER_MAX; order++) checkList(frames, zone, order, census.perOrder[order]!)
  }
  checkFrameCaches(frames, caches, cachedFrames)
}

function takeCensus(frames: FrameTable, zone: Zone): Census {
  const census = { free: 0, allocated: 0, reserved: 0, cached: 0, perOrder: new Array(ORDER_MAX + 1).fill(0) }
  const spares = sparesOf(zone)
  let pfn = zone.start
  while (pfn < zone.end) {
    const spare = spares.get(pfn)
    const length =
      spare === undefined
        ? visitBlock(frames, zone, pfn, census)
        : visitSpare(frames, zone, pfn, spare, census)
    pfn = (pfn + length) as Pfn
  }
  return census
}

function sparesOf(zone: Zone): Map<Pfn, number> {
  const spares = new Map<Pfn, number>()
  for (let order = 0; order <= ORDER_MAX; order++) {
    const pfn = zone.spare(order)
    if (pfn !== NO_FRAME) spares.set(pfn, order)
  }
  return spares
}

/** Its entry is one inside a block. */
function visitSpare(frames: FrameTable, zone: Zone, pfn: Pfn, order: number, census: Census): number {
  const isQuiet = (frames.flags(pfn) & ~FrameMask.contents) === 0 && frames.refCount(pfn) === 0
  assert(isQuiet, 'buddy: a spare claims to be in use')
  const length = checkShape(frames, zone, pfn, order)
  countBlock(zone, pfn, order, census)
  return length
}

/** Counts the block, reserved frame or hole at `pfn`; returns its length. */
function visitBlock(frames: FrameTable, zone: Zone, pfn: Pfn, census: Census): number {
  const flags = frames.flags(pfn)
  if ((flags & FrameFlag.reserved) !== 0) {
    assert(
      (flags & ~FrameFlag.noMap) === FrameFlag.reserved && frames.refCount(pfn) >= 1,
      'buddy: a reserved entry is odd',
    )
    census.reserved++
    return 1
  }
  if ((flags & FrameFlag.free) === 0 && frames.refCount(pfn) === 0) {
    assert(flags === 0, 'buddy: a frame is in no block')
    return 1
  }
  const length = checkShape(frames, zone, pfn, flags & ORDER_MASK)
  if ((flags & FrameFlag.free) !== 0) countFree(frames, zone, pfn, census)
  else census.allocated += length
  return length
}

/** Every block is aligned, within its zone, and its further frames claim nothing. */
function checkShape(frames: FrameTable, zone: Zone, pfn: Pfn, order: number): number {
  const length = 1 << order
  assert(order <= ORDER_MAX && pfn % length === 0, 'buddy: a block is not aligned to its size')
  assert(pfn + length <= zone.end, 'buddy: a block reaches beyond its zone')
  for (let inside = (pfn + 1) as Pfn; inside < pfn + length; inside++) {
    const quiet = (frames.flags(inside) & ~FrameMask.contents) === 0 && frames.refCount(inside) === 0
    assert(quiet, 'buddy: a frame inside a block claims to be in use')
  }
  return length
}

function countFree(frames: FrameTable, zone: Zone, pfn: Pfn, census: Census): void {
  const flags = frames.flags(pfn)
  const order = flags & ORDER_MASK
  assert(frames.refCount(pfn) === 0, 'buddy: a free block has references')
  assert(
    (flags & ~(FrameFlag.free | FrameFlag.cached | FrameMask.contents | ORDER_MASK)) === 0,
    'buddy: a free block says what it is used for',
  )
  if ((flags & FrameFlag.cached) !== 0) {
    assert(order === 0, 'buddy: a cached block is larger than a frame')
    census.cached++
    return
  }
  countBlock(zone, pfn, order, census)
}

function countBlock(zone: Zone, pfn: Pfn, order: number, census: Census): void {
  census.free += 1 << order
  census.perOrder[order]!++
  const buddy = (pfn ^ (1 << order)) as Pfn
  assert(order === ORDER_MAX || !zone.holds(buddy, order), 'buddy: two free buddies are not merged')
}

function checkList(frames: FrameTable, zone: Zone, order: number, expected: number): void {
  const listed = expected - (zone.spare(order) === NO_FRAME ? 0 : 1)
  let length = 0
  let previous = NO_FRAME
  for (let pfn = zone.lists.head(order); pfn !== NO_FRAME; pfn = zone.lists.next(pfn)) {
    assert(pfn < zone.end && zone.lists.has(pfn, order), 'buddy: a list holds what is not a free block')
    assert(frames.owner(pfn) === previous, 'buddy: a backward link is wrong')
    assert(++length <= listed, 'buddy: a list is longer than there are blocks')
    previous = pfn
  }
  assert(length === listed && zone.lists.count(order) === listed, 'buddy: a free block is on no list')
  assert((zone.lists.mask >>> order) % 2 === (length > 0 ? 1 : 0), 'buddy: the mask of lists is wrong')
}
