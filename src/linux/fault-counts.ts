/**
 * Whose the faults are: the thread's that runs, whosever memory they are in (mm_account_fault of mm/memory.c). The hart counts them;
 * the thread is given what was counted since the last time when somebody asks, and when another one gets the hart.
 */

import { Counter, countedHere } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { ThreadRecord } from './thread-record.js'

/** In the buffer: what has been given to threads. */
const MINOR = wordIndex(Word.chargedFaults) >>> 1
const MAJOR = MINOR + 1

export class FaultCounts {
  readonly #memory: Memory

  constructor(memory: Memory) {
    this.#memory = memory
    memory.f64[MINOR] = countedHere(memory, Counter.resolvedMinor)
    memory.f64[MAJOR] = countedHere(memory, Counter.resolvedMajor)
  }

  /** The faults since the last time are the thread's. Without one they are those of the next. */
  charge(thread: ThreadRecord | undefined): void {
    if (thread === undefined) return
    const { f64 } = this.#memory
    const minor = countedHere(this.#memory, Counter.resolvedMinor)
    const major = countedHere(this.#memory, Counter.resolvedMajor)
    thread.minorFaults += minor - f64[MINOR]!
    thread.majorFaults += major - f64[MAJOR]!
    f64[MINOR] = minor
    f64[MAJOR] = major
  }
}
