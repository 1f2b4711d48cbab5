/**
 * Which frames anonymous memory gets: those in the order of its pages, so that translated code, which remembers where a run of pages
 * lies in the buffer (hart/translator/page-spans.ts), has long ones, in whatever order a program touches them.
 *
 * A mapping has a *bias*: page n should get frame n + bias. It is chosen where there is room for twice the mapping, which may
 * grow at either end; nothing is reserved there. What is not free, or is not worth it, comes from wherever is best: frames that were used
 * just before come first, and when memory is half full no more room is looked for.
 */
import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import { orderFor } from '../frame/frame-allocator.js'
import type { Vma } from '../space/vma.js'
import type { FaultEnv } from './fault.js'

/** Smaller mappings have whatever comes. */
export const PLACED_PAGES_MIN = 16
/** Orders from which on pages keep their place in a huge page. */
const HUGE_ROOM = 11
const HUGE_PAGES = 512
/** Frames that are looked at around one that is not free. */
export const AROUND = 16

type PlacedEnv = Pick<FaultEnv, 'buddy' | 'frames' | 'families'>

/** A block of zeroes for the pages from `vpn` on, as BuddyAllocator.allocateZeroed gives it. The mapping has a family. */
export function allocatePlaced(mm: PlacedEnv, vma: Vma, vpn: number, order: number): Pfn {
  if (vma.pages >= PLACED_PAGES_MIN && mm.buddy.isChoosy) {
    const pfn = ((vpn + vma.bias) >>> 0) as Pfn
    if (vma.bias !== 0 && mm.buddy.allocateZeroedAt(pfn, order) !== NO_FRAME) return pfn
    if (vma.bias === 0 || isOthers(mm, pfn, vma.family)) {
      const other = ((vpn + chooseBias(mm, vma)) >>> 0) as Pfn
      if (vma.bias !== 0 && mm.buddy.allocateZeroedAt(other, order) !== NO_FRAME) return other
    }
  }
  return mm.buddy.allocateZeroed(order)
}

/** Whether most frames around a frame are somebody else's: a single one may just have been in the way. */
function isOthers({ frames, families }: PlacedEnv, pfn: Pfn, family: Ptr): boolean {
  if (pfn >= frames.frameCount) return true
  const root = families.rootOf(family)
  const first = pfn - (pfn % AROUND)
  let others = 0
  for (let i = 0; i < AROUND; i++) {
    const frame = (first + i) as Pfn
    if (frames.refCount(frame) > 0 && frames.owner(frame) !== root) others++
  }
  return others > AROUND / 2
}

/** Gives the mapping the bias that it has then; 0 = there is no room. */
function chooseBias({ buddy }: PlacedEnv, vma: Vma): number {
  const order = orderFor(2 * vma.pages)
  const room = buddy.room(order)
  const place = order < HUGE_ROOM ? 0 : vma.start % HUGE_PAGES
  vma.bias = room === NO_FRAME ? 0 : (room + (1 << (order - 2)) + place - vma.start) >>> 0
  return vma.bias
}
