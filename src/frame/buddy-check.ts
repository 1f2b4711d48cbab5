/**
 * The invariants of the buddy allocator. The frame table is walked block by block and must account for every
 * frame exactly once; the lists are walked on their own, and both must agree.
 */
import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { ORDER_MAX } from './frame-allocator.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from './frame-table.js'
import type { FreeLists } from './free-lists.js'

const { free, reserved, hot, dirtyMemory, noMap } = FrameFlag

interface Census {
  free: number
  allocated: number
  reserved: number
  hot: number
  readonly perOrder: number[]
}

/** Throws an InvariantError on the first contradiction. The caller holds the frames lock. */
export function checkBuddy(frames: FrameTable, lists: FreeLists): void {
  const census = takeCensus(frames, lists)
  assert(census.free === lists.freeFrames, 'buddy: the count of free frames is wrong')
  assert(
    census.free + census.allocated === lists.managedFrames,
    'buddy: the count of managed frames is wrong',
  )
  assert(census.reserved === lists.reservedFrames, 'buddy: the count of reserved frames is wrong')
  for (let order = 0; order <= ORDER_MAX; order++) checkList(frames, lists, order, census.perOrder[order]!)
  checkHotList(frames, lists, census.hot)
}

function takeCensus(frames: FrameTable, lists: FreeLists): Census {
  const census = { free: 0, allocated: 0, reserved: 0, hot: 0, perOrder: new Array(ORDER_MAX + 1).fill(0) }
  let pfn = 0 as Pfn
  while (pfn < frames.frameCount) pfn = (pfn + visitBlock(frames, lists, pfn, census)) as Pfn
  return census
}

/** Counts the block, reserved frame or hole at `pfn`; returns its length. */
function visitBlock(frames: FrameTable, lists: FreeLists, pfn: Pfn, census: Census): number {
  const flags = frames.flags(pfn)
  if ((flags & reserved) !== 0) {
    assert((flags & ~noMap) === reserved && frames.refCount(pfn) >= 1, 'buddy: a reserved entry is odd')
    census.reserved++
    return 1
  }
  if ((flags & free) === 0 && frames.refCount(pfn) === 0) {
    assert(flags === 0, 'buddy: a frame is in no block')
    return 1
  }
  const length = checkShape(frames, pfn, flags & ORDER_MASK)
  if ((flags & free) !== 0) countFree(frames, lists, pfn, census)
  else census.allocated += length
  return length
}

/** Every block is aligned, within RAM, and its further frames claim nothing. */
function checkShape(frames: FrameTable, pfn: Pfn, order: number): number {
  const length = 1 << order
  assert(order <= ORDER_MAX && pfn % length === 0, 'buddy: a block is not aligned to its size')
  assert(pfn + length <= frames.frameCount, 'buddy: a block reaches beyond RAM')
  for (let inside = (pfn + 1) as Pfn; inside < pfn + length; inside++) {
    const quiet = (frames.flags(inside) & ~dirtyMemory) === 0 && frames.refCount(inside) === 0
    assert(quiet, 'buddy: a frame inside a block claims to be in use')
  }
  return length
}

function countFree(frames: FrameTable, lists: FreeLists, pfn: Pfn, census: Census): void {
  const flags = frames.flags(pfn)
  const order = flags & ORDER_MASK
  assert(frames.refCount(pfn) === 0, 'buddy: a free block has references')
  assert(
    (flags & ~(free | hot | dirtyMemory | ORDER_MASK)) === 0,
    'buddy: a free block says what it is used for',
  )
  census.free += 1 << order
  if ((flags & hot) !== 0) {
    assert(order === 0, 'buddy: a hot block is larger than a frame')
    census.hot++
    return
  }
  census.perOrder[order]!++
  const buddy = (pfn ^ (1 << order)) as Pfn
  const mergeable = order < ORDER_MAX && buddy < frames.frameCount && lists.holds(buddy, order)
  assert(!mergeable, 'buddy: two free buddies are not merged')
}

function checkList(frames: FrameTable, lists: FreeLists, order: number, expected: number): void {
  let length = 0
  let previous = NO_FRAME
  for (let pfn = lists.head(order); pfn !== NO_FRAME; pfn = frames.index(pfn) as Pfn) {
    assert(pfn < frames.frameCount && lists.holds(pfn, order), 'buddy: a list holds what is not a free block')
    assert(frames.owner(pfn) === previous, 'buddy: a backward link is wrong')
    assert(++length <= expected, 'buddy: a list is longer than there are blocks')
    previous = pfn
  }
  assert(length === expected && lists.count(order) === expected, 'buddy: a free block is on no list')
  assert((lists.nonEmpty >>> order) % 2 === (length > 0 ? 1 : 0), 'buddy: the mask of lists is wrong')
}

function checkHotList(frames: FrameTable, lists: FreeLists, expected: number): void {
  let length = 0
  for (let pfn = lists.hotHead; pfn !== NO_FRAME; pfn = frames.index(pfn) as Pfn) {
    assert(
      pfn < frames.frameCount && (frames.flags(pfn) & hot) !== 0,
      'buddy: the hot list holds a cold frame',
    )
    assert(++length <= expected, 'buddy: the hot list is longer than there are hot frames')
  }
  assert(length === expected && lists.hotCount === expected, 'buddy: a hot frame is on no list')
}
