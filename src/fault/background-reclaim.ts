/**
 * Reclaim before anybody has to wait for it (balance_pgdat of Linux, which is kswapd's work). An allocation that leaves less than the
 * low watermarks asks for it; it goes on until some zone has reached its high one. There is no kernel thread that it could be: it runs where
 * one that was woken could run at the earliest, at the edge where a thread leaves the kernel, and no lock is held.
 */
import type { Ptr } from '../base/numbers.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { FaultEnv } from './fault.js'
import { type SweepCounters, sweep } from './reclaim.js'

/** Vain passes after which only who waits for memory reclaims (MAX_RECLAIM_RETRIES): there is nothing to be found. */
const FAILURES_MAX = 16
const BACKGROUND: SweepCounters = {
  scanned: Counter.scannedInBackground,
  stolen: Counter.stolenInBackground,
}
const REQUEST = wordIndex(Word.reclaimRequest)
const FAILURES = wordIndex(Word.reclaimFailures)

/** Does what was asked for, if anything was. No lock is held. */
export function reclaimInBackground(mm: FaultEnv): void {
  if (mm.memory.u32[REQUEST] !== 0) balance(mm)
}

function balance(mm: FaultEnv): void {
  const { memory, buddy, atomics } = mm
  // Of several harts that see the word one reclaims.
  if (atomics.exchange((REQUEST * 4) as Ptr, 0) === 0) return
  if (memory.u32[FAILURES]! >= FAILURES_MAX) return
  // As the watermarks count, a frame in a hart's cache is not free; what a sweep frees goes there first.
  buddy.drainCaches()
  const missing = buddy.zones.missingToHigh
  if (missing <= 0) return
  count(memory, Counter.backgroundReclaim)
  const goal = buddy.freeFrames() + missing
  if (sweep(mm, BACKGROUND, () => buddy.freeFrames() >= goal) <= 0) atomics.add((FAILURES * 4) as Ptr, 1)
}
