/**
 * Timers that are set: those of the monotonic clock in one list, by their moments; those that count processor time in a list
 * of their process.
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { Word, wordIndex } from '../state/layout.js'
import { PROCESS_CPU_TIMERS, PROCESS_TIMERS } from './process.js'
import { RecordLists } from './record-lists.js'
import { ARMED_LINK, OWNER_LINK, TIMER_BYTES, Timer, TimerScale } from './timer-record.js'

const ARMED = (wordIndex(Word.armedTimers) * 4) as Ptr
const FILE_TIMERS = (wordIndex(Word.fileTimers) * 4) as Ptr
const owned = (process: Ptr) => (process === NULL ? FILE_TIMERS : process + PROCESS_TIMERS) as Ptr

function cpuTimers(process: Ptr): Ptr {
  return (process + PROCESS_CPU_TIMERS) as Ptr
}

export class TimerQueue {
  readonly #mm: MemoryManager
  readonly #cache: SlabCache
  readonly #armed: RecordLists
  readonly #owned: RecordLists

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#cache = mm.slab.createCache('timer', TIMER_BYTES)
    this.#armed = new RecordLists(mm.memory, ARMED_LINK)
    this.#owned = new RecordLists(mm.memory, OWNER_LINK)
  }

  at(record: Ptr): Timer {
    return new Timer(this.#mm.memory, record)
  }

  /** A timer that is not set, of a process, or of a file (NULL); undefined without memory. */
  create(process: Ptr): Timer | undefined {
    const record = this.#cache.allocateZeroed()
    if (record === NULL) return undefined
    const timer = this.at(record)
    timer.process = process
    this.#owned.append(owned(process), record)
    return timer
  }

  *ofProcess(process: Ptr): Generator<Timer> {
    for (const record of this.#owned.of(owned(process))) yield this.at(record)
  }

  /** Gives a record of `create` back. */
  free(timer: Timer): void {
    this.disarm(timer)
    this.#owned.remove(owned(timer.process), timer.ptr)
    this.#cache.free(timer.ptr)
  }

  /** It will expire at its moment. Of two with the same moment the first to be armed expires first. */
  arm(timer: Timer): void {
    this.disarm(timer)
    timer.isArmed = true
    if (timer.scale !== TimerScale.monotonic) {
      this.#armed.append(cpuTimers(timer.process), timer.ptr)
      return
    }
    let next = NULL
    for (let last = this.#armed.last(ARMED); last !== NULL && this.at(last).moment > timer.moment; ) {
      next = last
      last = this.#armed.previous(last)
    }
    this.#armed.insertBefore(ARMED, timer.ptr, next)
  }

  disarm(timer: Timer): void {
    if (!timer.isArmed) return
    timer.isArmed = false
    const head = timer.scale === TimerScale.monotonic ? ARMED : cpuTimers(timer.process)
    this.#armed.remove(head, timer.ptr)
  }

  /** When the first of the monotonic ones expires; Infinity without one. */
  get firstMoment(): number {
    const first = this.#armed.first(ARMED)
    return first === NULL ? Number.POSITIVE_INFINITY : this.at(first).moment
  }

  /** The first of the monotonic ones, disarmed, if it has expired. */
  takeDue(now: number): Timer | undefined {
    if (this.firstMoment > now) return undefined
    const timer = this.at(this.#armed.first(ARMED))
    this.disarm(timer)
    return timer
  }

  hasCpuTimers(process: Ptr): boolean {
    return this.#armed.first(cpuTimers(process)) !== NULL
  }

  /** Those of a process that count processor time; the one that was given may be disarmed. */
  *cpuTimers(process: Ptr): Generator<Timer> {
    for (const record of this.#armed.of(cpuTimers(process))) yield this.at(record)
  }

  /** Asserts that the list is in order, and that every record of the cache belongs to one of the owners. */
  check(owners: Iterable<Ptr>): void {
    let last = Number.NEGATIVE_INFINITY
    for (const record of this.#armed.of(ARMED)) {
      assert(
        this.at(record).isArmed && this.at(record).moment >= last,
        'the first timer to expire is the first armed',
      )
      last = this.at(record).moment
    }
    let count = 0
    for (const process of owners) {
      for (const timer of this.ofProcess(process)) {
        assert(timer.process === process, 'a timer knows its process')
        count++
      }
    }
    assert(this.#cache.used === count, 'every timer belongs to somebody')
  }
}
