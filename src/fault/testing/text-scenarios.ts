/** Scenarios of the kernel that reads a string of the program while the program's pages come and go. */
import { assert } from '../../base/assert.js'
import { EFAULT } from '../../base/errno.js'
import { frameToPtr, PAGE_SIZE, type Ptr } from '../../base/numbers.js'
import type { MemoryManager } from '../../mm.js'
import { LockRank } from '../../state/atomics.js'
import type { Scenario, SeededBug } from '../../state/testing/scenario.js'
import type { Program } from '../testing.js'
import { copyToUser, readUserString } from '../user-copy.js'
import { UserText } from '../user-text.js'
import { impatientWriter, withoutLock } from './fault-bugs.js'
import { ADDRESS, dropping, KEPT, type Play, scenario, storing } from './fault-scenario.js'

/** A string of the program, on its first page, and across the first two. */
const TEXT = 'abcdef'
const TEXT_ADDRESS = ADDRESS + 16
const CROSSING_ADDRESS = ADDRESS + PAGE_SIZE - 4
const OTHER_TEXT = 0x787878

/** The string is in both places, on pages that nobody else has. */
const writeTexts = ({ mm, space }: Program) => {
  const bytes = Uint8Array.from(`${TEXT}\0`, (character) => character.charCodeAt(0))
  for (const address of [TEXT_ADDRESS, CROSSING_ADDRESS]) copyToUser(mm, space, address, bytes)
}

const readBytes = UserText.prototype.read

/** The kernel reads a string of the program. Each page's part of it is a step for the scheduler. */
const readingText =
  (address: number, ...allowed: readonly (string | number)[]): Play =>
  ({ mm, space }) => {
    UserText.prototype.read = function (from, length) {
      mm.atomics.load((from & ~3) as Ptr)
      readBytes.call(this, from, length)
    }
    const text = readUserString(mm, space, address, 2 * TEXT.length)
    assert(text === TEXT || allowed.includes(text), 'a string is read that the program does not have')
  }

/** Frames of pages that are gone are somebody else's next, who stores to them where the strings were. */
const refill = ({ buddy, atomics, memory }: MemoryManager) => {
  memory.u32[KEPT]! += 2
  for (let page = 0; page < 2; page++) {
    const frame = frameToPtr(buddy.allocate(0))
    for (const address of [TEXT_ADDRESS, CROSSING_ADDRESS, CROSSING_ADDRESS + 4]) {
      atomics.store((frame + (address % PAGE_SIZE)) as Ptr, OTHER_TEXT)
    }
  }
}
const droppingTexts: Play = (hart) => {
  dropping(hart)
  refill(hart.mm)
}
const unmappingTexts: Play = (hart) => {
  hart.program.call('munmap', ADDRESS, 2 * PAGE_SIZE)
  refill(hart.mm)
}

export const TEXT_SCENARIOS: readonly Scenario[] = [
  scenario('a string is read while its page is dropped', [readingText(TEXT_ADDRESS, ''), droppingTexts], {
    before: writeTexts,
  }),
  scenario(
    'a string across two pages is read while they are dropped',
    [readingText(CROSSING_ADDRESS, '', TEXT.slice(0, 4)), droppingTexts],
    { before: writeTexts },
  ),
  scenario(
    'a string across two pages is read while they are unmapped',
    [readingText(CROSSING_ADDRESS, -EFAULT), unmappingTexts],
    { before: writeTexts },
  ),
  scenario('a string is read while its page is copied', [readingText(TEXT_ADDRESS), storing], {
    before: (program) => {
      writeTexts(program)
      program.fork()
    },
    stores: 1,
  }),
]

export const TEXT_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario(
      'a string is read without the lock of its table',
      [readingText(TEXT_ADDRESS, ''), droppingTexts],
      { before: writeTexts, bug: withoutLock(LockRank.leafTable) },
    ),
    shows: /a string is read/,
  },
  {
    scenario: scenario(
      'nobody waits for who reads a string',
      [readingText(CROSSING_ADDRESS, -EFAULT), unmappingTexts],
      { before: writeTexts, bug: impatientWriter },
    ),
    shows: /a string is read/,
  },
]
