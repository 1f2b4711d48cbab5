/**
 * A number that grows with every run of the hart, and in a run when a store has changed code. While it stays the same, nobody has
 * changed a page-table entry that said anything, made the TLB forget or taken a stamp away (empty entries may be filled meanwhile: Hart.answerFaults), so a
 * translated function that has found its pages where they were need not look again.
 *
 *     EPOCH            in the hart's table of translated code (entry-table.ts): i32, the number
 *     EPOCHS_OFFSET    behind its spans: for each place of the function table an i32, the number when its function looked last. Where other threads may change code
 *                      at any time, all functions look whenever they begin.
 *
 * Both are in the buffer and no part of a snapshot (state/snapshot.ts), which makes both zero when it is put back: the next run has a number that none of these is. (As global variables of the modules
 * they took five loads at the start of each function instead of two; sqlite3 comes to one every twelve instructions.)
 */
import type { Ptr } from '../../base/numbers.js'
import type { Code } from '../../base/wasm/code.js'
import { i32, loadRaw, op, storeRaw, type Value } from '../../base/wasm/value.js'
import type { Memory } from '../../state/memory.js'
import type { HartLayout } from '../hart-layout.js'
import { INTERPRETED } from './entry-table.js'
import { SPANS_END } from './page-spans.js'

/** Places in the function table; the first is none. */
export const PLACES_MAX = 8192
export const EPOCH = INTERPRETED + 16
export const EPOCHS_OFFSET = SPANS_END
const EPOCHS_BYTES = PLACES_MAX * 4
export const EPOCHS_END = EPOCHS_OFFSET + EPOCHS_BYTES

type EpochLayout = Pick<HartLayout, 'codeEntries'>

/** The number, i32. */
export function codeEpoch({ codeEntries }: EpochLayout): Value {
  return loadRaw('i32_load', i32(codeEntries), EPOCH)
}

export function growEpoch(code: Code, layout: EpochLayout): void {
  storeRaw('i32_store', i32(layout.codeEntries), op('i32_add', codeEpoch(layout), i32(1)), EPOCH)(code)
}

/** The number when the function at a place looked last, i32. */
export function lastEpoch({ codeEntries }: EpochLayout, place: number): Value {
  return loadRaw('i32_load', i32(codeEntries), EPOCHS_OFFSET + place * 4)
}

export function noteEpoch(code: Code, layout: EpochLayout, place: number): void {
  storeRaw('i32_store', i32(layout.codeEntries), codeEpoch(layout), EPOCHS_OFFSET + place * 4)(code)
}

/** To be called between runs, which all make the number grow by less than 2^31: long before it would come to one that it had, all functions are to look again. */
export function keepEpochSmall(memory: Memory, { codeEntries }: EpochLayout): void {
  const word = (codeEntries + EPOCH) >>> 2
  if (memory.i32[word]! >= 0) return
  memory.fill((codeEntries + EPOCHS_OFFSET) as Ptr, 0, EPOCHS_BYTES)
  memory.i32[word] = 0
}
