/**
 * What a controlled scheduler and its threads share: whose turn it is, what each thread is about to do, the schedule to
 * follow, and the trace of what was done. Words of a SharedArrayBuffer of its own, beside the machine's memory.
 *
 *     0    Field: status, number of the run, …
 *     16   THREADS_MAX × 32   a thread's record (ThreadField)
 *     144  STEPS_MAX          the schedule: which thread makes each step
 *     …    STEPS_MAX × 4      the trace (TraceField)
 *     …    text of the error that ended the run
 */
import type { AtomicStep } from '../atomics.js'

export const THREADS_MAX = 4
export const STEPS_MAX = 16_000
/** 'start' stands before the first step of a thread. */
export const OPERATIONS: readonly (AtomicStep | 'start')[] = [
  'start',
  'load',
  'store',
  'exchange',
  'add',
  'lock',
  'unlock',
  'spin',
]
export type Operation = (typeof OPERATIONS)[number]
export const SPIN = OPERATIONS.indexOf('spin')

/** How a run ended, or that it goes on. */
export const Status = {
  running: 0,
  complete: 1,
  /** Somebody waits for what nobody will do. */
  deadlock: 2,
  /** More than STEPS_MAX steps. */
  endless: 3,
  /** A thread has thrown. */
  failed: 4,
  /** A thread of the schedule could not go on: the scenario does not do the same each time. */
  diverged: 5,
} as const
export type Status = (typeof Status)[keyof typeof Status]

export const Field = {
  status: 0,
  /** Grows by one to start a run; -1 ends the threads. */
  run: 1,
  /** Threads that are at their first step; threads that are through. */
  ready: 2,
  ended: 3,
  steps: 4,
  scheduleLength: 5,
  /** Seed for the choices after the schedule's end; 0: the thread that runs goes on. */
  random: 6,
  threads: 7,
  textLength: 8,
} as const

export const ThreadField = {
  wake: 0,
  finished: 1,
  /** What it does when its turn comes. */
  operation: 2,
  pointer: 3,
  /** Of a spin: how many words it looked at the last time, in vain; the words, and what was in them. */
  watched: 4,
  words: 5,
} as const
export const WATCHED_MAX = 12

export const TraceField = { thread: 0, operation: 1, pointer: 2, enabled: 3 } as const
/** In TraceField.enabled, beside a bit for each thread that could have gone on: the step changed its word. */
export const CHANGED = 1 << 8

const THREADS = 16
const THREAD_WORDS = 32
const SCHEDULE = THREADS + THREADS_MAX * THREAD_WORDS
const TRACE = SCHEDULE + STEPS_MAX
const TEXT = TRACE + STEPS_MAX * 4
const TEXT_BYTES = 4096
const WORDS = TEXT + TEXT_BYTES / 4

export class ControlBlock {
  readonly words: Int32Array

  constructor(buffer = new SharedArrayBuffer(WORDS * 4)) {
    this.words = new Int32Array(buffer)
  }

  get(field: number): number {
    return Atomics.load(this.words, field)
  }

  set(field: number, value: number): void {
    Atomics.store(this.words, field, value)
  }

  /** Adds 1 and wakes who waits for the field. */
  signal(field: number): void {
    Atomics.add(this.words, field, 1)
    Atomics.notify(this.words, field)
  }

  /** Sleeps until a field has another value than `value`. */
  waitWhile(field: number, value: number): void {
    while (this.get(field) === value) Atomics.wait(this.words, field, value)
  }

  thread(index: number, field: number): number {
    return THREADS + index * THREAD_WORDS + field
  }

  schedule(step: number): number {
    return SCHEDULE + step
  }

  trace(step: number, field: number): number {
    return TRACE + step * 4 + field
  }

  set text(text: string) {
    const bytes = new TextEncoder().encode(text).subarray(0, TEXT_BYTES)
    new Uint8Array(this.words.buffer, TEXT * 4).set(bytes)
    this.set(Field.textLength, bytes.length)
  }

  get text(): string {
    const bytes = new Uint8Array(this.words.buffer, TEXT * 4).slice(0, this.get(Field.textLength))
    return new TextDecoder().decode(bytes)
  }
}
