/** Which threads can run, in turns, and which wait until a moment: lists of thread records with heads in the header. */
import { NULL, type Ptr } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { RecordLists } from './record-lists.js'

/** Links and the moment to wake, in a thread's record (thread.ts). */
export const RUN_LINK = 816
export const SLEEP_LINK = 824
export const WAIT_DEADLINE = 744

const RUN_QUEUE = (wordIndex(Word.runQueue) * 4) as Ptr
const SLEEPERS = (wordIndex(Word.sleepers) * 4) as Ptr

export class ThreadQueues {
  readonly #f64: Float64Array
  readonly #run: RecordLists
  readonly #sleep: RecordLists

  constructor(memory: Memory) {
    this.#f64 = memory.f64
    this.#run = new RecordLists(memory, RUN_LINK)
    this.#sleep = new RecordLists(memory, SLEEP_LINK)
  }

  /** The thread whose turn it is, NULL when none can run. */
  get first(): Ptr {
    return this.#run.first(RUN_QUEUE)
  }

  /** It can run, after all others that can. */
  enter(thread: Ptr): void {
    this.#run.append(RUN_QUEUE, thread)
  }

  leave(thread: Ptr): void {
    this.#run.remove(RUN_QUEUE, thread)
  }

  /** It waits until its deadline. Of two with the same one the first to wait wakes first. */
  sleep(thread: Ptr): void {
    const deadline = this.#deadline(thread)
    let next = NULL
    for (let last = this.#sleep.last(SLEEPERS); last !== NULL && this.#deadline(last) > deadline; ) {
      next = last
      last = this.#sleep.previous(last)
    }
    this.#sleep.insertBefore(SLEEPERS, thread, next)
  }

  endSleep(thread: Ptr): void {
    this.#sleep.remove(SLEEPERS, thread)
  }

  get firstSleeper(): Ptr {
    return this.#sleep.first(SLEEPERS)
  }

  /** When the first sleeper wakes; Infinity without one. */
  get firstDeadline(): number {
    const first = this.firstSleeper
    return first === NULL ? Number.POSITIVE_INFINITY : this.#deadline(first)
  }

  /** Those that can run, in the order of their turns. */
  ready(): Iterable<Ptr> {
    return this.#run.of(RUN_QUEUE)
  }

  sleepers(): Iterable<Ptr> {
    return this.#sleep.of(SLEEPERS)
  }

  #deadline(thread: Ptr): number {
    return this.#f64[(thread + WAIT_DEADLINE) >>> 3]!
  }
}
