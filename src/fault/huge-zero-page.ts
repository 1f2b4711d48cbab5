/**
 * The huge zero page: one block of zeroes that every read of an untouched huge range maps. It is made by the first of
 * them, has one reference for itself and one for every leaf, and goes when memory is short and no leaf maps it
 * (get_huge_zero_page and its shrinker in mm/huge_memory.c).
 */
import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import type { SpaceEnv } from '../space/space-env.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'

const WORD = wordIndex(Word.hugeZeroFrame)
const AT = (WORD * 4) as Ptr

/** The block's first frame; NO_FRAME without memory. The caller takes a reference of its own. */
export function hugeZeroFrame(mm: SpaceEnv, order: number): Pfn {
  const known = mm.memory.u32[WORD]! as Pfn
  if (known !== NO_FRAME) return known
  const pfn = mm.buddy.allocateZeroed(order)
  if (pfn === NO_FRAME) {
    count(mm.memory, Counter.hugeZeroFailed)
    return pfn
  }
  const other = mm.atomics.compareExchange(AT, NO_FRAME, pfn) as Pfn
  if (other === NO_FRAME) {
    count(mm.memory, Counter.hugeZeroAlloc)
    return pfn
  }
  mm.buddy.free(pfn, order)
  return other
}

/** Gives the block back when nobody maps it: how many frames that were. For when memory is short. */
export function dropHugeZeroPage(mm: SpaceEnv): number {
  const pfn = mm.memory.u32[WORD]! as Pfn
  if (pfn === NO_FRAME || mm.frames.refCount(pfn) !== 1) return 0
  mm.memory.u32[WORD] = NO_FRAME
  const frames = 1 << mm.frames.order(pfn)
  mm.buddy.release(pfn)
  return frames
}
