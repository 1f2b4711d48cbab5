/**
 * The huge zero page: one block of zeroes that every read of an untouched huge range maps. It is made by the first of
 * them, has one reference for itself and one for every leaf, and goes when memory is short and no leaf maps it
 * (get_huge_zero_page and its shrinker in mm/huge_memory.c). References for leaves are taken under a lock, so that it cannot go between
 * the look at it and that; a fork takes those of its copies beside one that is held already.
 */
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import type { SpaceEnv } from '../space/space-env.js'
import { LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'

const WORD = wordIndex(Word.hugeZeroFrame)
const LOCK = lockPtr(LockWord.hugeZero)

/** The block's first frame, with a reference for the caller; NO_FRAME without memory. */
export function retainHugeZeroPage(mm: SpaceEnv, order: number): Pfn {
  mm.atomics.lock(LOCK, LockRank.hugeZero)
  const known = mm.memory.u32[WORD]! as Pfn
  const pfn = known === NO_FRAME ? makeHugeZeroPage(mm, order) : known
  if (pfn !== NO_FRAME) mm.buddy.retain(pfn)
  mm.atomics.unlock(LOCK, LockRank.hugeZero)
  return pfn
}

function makeHugeZeroPage(mm: SpaceEnv, order: number): Pfn {
  const pfn = mm.buddy.allocateZeroed(order)
  count(mm.memory, pfn === NO_FRAME ? Counter.hugeZeroFailed : Counter.hugeZeroAlloc)
  mm.memory.u32[WORD] = pfn
  return pfn
}

/** Gives the block back when nobody maps it: how many frames that were. For when memory is short. */
export function dropHugeZeroPage(mm: SpaceEnv): number {
  mm.atomics.lock(LOCK, LockRank.hugeZero)
  const pfn = mm.memory.u32[WORD]! as Pfn
  const isUnused = pfn !== NO_FRAME && mm.frames.refCount(pfn) === 1
  const frames = isUnused ? 1 << mm.frames.order(pfn) : 0
  if (isUnused) {
    mm.memory.u32[WORD] = NO_FRAME
    mm.buddy.release(pfn)
  }
  mm.atomics.unlock(LOCK, LockRank.hugeZero)
  return frames
}
