/** Scenarios of two threads and a few words, of which all outcomes are known. */
import type { Ptr } from '../../base/numbers.js'
import { AtomicWords, LockRank } from '../atomics.js'
import { Memory } from '../memory.js'
import type { Scenario, ThreadBody } from './scenario.js'

export const COUNTER = 4096 as Ptr
const OTHER = 4104 as Ptr
const [FIRST, SECOND] = [4112 as Ptr, 4120 as Ptr]

const thread =
  (owner: number, body: (words: AtomicWords) => void): ThreadBody =>
  (memory, onStep) =>
    body(new AtomicWords(memory, { owner, onStep }))

const setUp = () => Memory.allocate(8 * 2 ** 20, true)

function twoThreads(name: string, bodies: readonly ((words: AtomicWords) => void)[]): Scenario {
  return { name, setUp, check: () => {}, threads: bodies.map((body, index) => thread(index + 1, body)) }
}

/** In two steps: another's addition between them is lost. */
function addBadly(words: AtomicWords): void {
  words.store(COUNTER, words.load(COUNTER) + 1)
}

function addUnderLock(words: AtomicWords): void {
  words.lock(FIRST, LockRank.space)
  addBadly(words)
  words.unlock(FIRST, LockRank.space)
}

function lockBoth(first: Ptr, second: Ptr): (words: AtomicWords) => void {
  return (words) => {
    words.lock(first, LockRank.space)
    words.lock(second, LockRank.childSpace)
    words.unlock(second, LockRank.childSpace)
    words.unlock(first, LockRank.space)
  }
}

/** The second thread waits for a word that the first one sets. */
function waitFor(words: AtomicWords): void {
  while (words.load(OTHER) === 0) words.spin(OTHER)
  words.add(COUNTER, 1)
}

export const LOST_UPDATE = twoThreads('additions in two steps', [addBadly, addBadly])
export const LOCKED = twoThreads('additions under a lock', [addUnderLock, addUnderLock])
export const CROSSED_LOCKS = twoThreads('locks taken in different orders', [
  lockBoth(FIRST, SECOND),
  lockBoth(SECOND, FIRST),
])
export const HAND_OVER = twoThreads('one waits for the other', [(words) => words.store(OTHER, 1), waitFor])
export const FAILING = twoThreads('one throws', [
  addBadly,
  (words) => {
    if (words.load(COUNTER) === 0) throw new Error('seen too early')
  },
])

export const COUNTER_SCENARIOS = [LOST_UPDATE, LOCKED, CROSSED_LOCKS, HAND_OVER, FAILING]
