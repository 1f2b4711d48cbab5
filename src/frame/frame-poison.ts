/** Debug builds fill what is freed (PAGE_POISON of Linux) and look at it again before it is given out: nobody may have written to it. */
import { assert } from '../base/assert.js'
import { frameToPtr, PAGE_SIZE, type Pfn } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { FrameFlag, type FrameTable } from './frame-table.js'

const BYTE = 0xaa
const WORD = 0xaaaaaaaa
const WORDS = PAGE_SIZE / 4

export function poisonFrames(memory: Memory, pfn: Pfn, frames: number): void {
  memory.fill(frameToPtr(pfn), BYTE, frames * PAGE_SIZE)
}

/** Asserts that frames which were just taken, and whose flags still say so, have the bytes that they had when they became free. */
export function checkUnwritten(memory: Memory, frames: FrameTable, first: Pfn, count: number): void {
  for (let pfn = first; pfn < first + count; pfn++) {
    const flags = frames.flags(pfn)
    if ((flags & FrameFlag.poisoned) !== 0)
      assert(isFilled(memory, pfn, WORD), 'frames: a freed frame was written to')
    else if ((flags & FrameFlag.dirtyMemory) === 0)
      assert(isFilled(memory, pfn, 0), 'frames: a frame was written to before anybody had it')
  }
}

function isFilled({ u32 }: Memory, pfn: Pfn, word: number): boolean {
  const end = (pfn + 1) * WORDS
  for (let at = pfn * WORDS; at < end; at++) if (u32[at] !== word) return false
  return true
}
