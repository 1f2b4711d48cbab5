/** The threads of a machine: slab records in a list that starts in the header, and their views. */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { Word, wordIndex } from '../state/layout.js'
import { PROCESS_THREADS } from './process.js'
import { RecordLists } from './record-lists.js'
import { Thread, ThreadState } from './thread.js'
import { ThreadQueues } from './thread-queues.js'
import { ALL_LINK, MATE_LINK, THREAD_BYTES } from './thread-record.js'
import { WaitKind } from './wait.js'

const ALL = (wordIndex(Word.threads) * 4) as Ptr
const mates = (process: Ptr) => (process + PROCESS_THREADS) as Ptr

export class ThreadList {
  readonly #mm: MemoryManager
  readonly #cache: SlabCache
  readonly #queues: ThreadQueues
  readonly #all: RecordLists
  readonly #mates: RecordLists
  readonly #views = new Map<Ptr, Thread>()
  readonly #byId = new Map<number, Thread>()

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#cache = mm.slab.createCache('thread', THREAD_BYTES)
    this.#queues = new ThreadQueues(mm.memory)
    this.#all = new RecordLists(mm.memory, ALL_LINK)
    this.#mates = new RecordLists(mm.memory, MATE_LINK)
  }

  /** A new thread of a process with all registers zero; it runs when `start` was called. Undefined without memory. */
  create(id: number, process: Ptr): Thread | undefined {
    const record = this.#cache.allocateZeroed()
    if (record === NULL) return undefined
    const thread = new Thread(this.#mm.memory, record, this.#queues)
    thread.id = id
    thread.process = process
    this.#all.append(ALL, record)
    this.#mates.append(mates(process), record)
    this.#views.set(record, thread)
    this.#byId.set(id, thread)
    return thread
  }

  /** Gives the record back. */
  remove(thread: Thread): void {
    thread.exit()
    this.#all.remove(ALL, thread.ptr)
    this.#mates.remove(mates(thread.process), thread.ptr)
    this.#views.delete(thread.ptr)
    if (this.#byId.get(thread.id) === thread) this.#byId.delete(thread.id)
    this.#cache.free(thread.ptr)
  }

  /** execve(2) by a thread that is not the first: it takes over the number of its process, which nobody has any more. */
  renumber(thread: Thread, id: number): void {
    this.#byId.delete(thread.id)
    thread.id = id
    this.#byId.set(id, thread)
  }

  get isEmpty(): boolean {
    return this.#views.size === 0
  }

  get count(): number {
    return this.#views.size
  }

  /** The thread with a number, one that has exited too while its process still keeps it. */
  byId(id: number): Thread | undefined {
    return this.#byId.get(id)
  }

  /** Whether a thread is still there. */
  has(thread: Thread): boolean {
    return this.#views.get(thread.ptr) === thread
  }

  /** The view on a record. */
  at(record: Ptr): Thread {
    return this.#views.get(record)!
  }

  *[Symbol.iterator](): Generator<Thread> {
    for (const record of this.#all.of(ALL)) yield this.at(record)
  }

  /** The threads of a process, the oldest first. */
  *ofProcess(process: Ptr): Generator<Thread> {
    for (const record of this.#mates.of(mates(process))) yield this.at(record)
  }

  /** The oldest thread of a process. */
  of(process: Ptr): Thread | undefined {
    const record = this.#mates.first(mates(process))
    return record === NULL ? undefined : this.at(record)
  }

  /** The thread whose turn it is. */
  nextReady(): Thread | undefined {
    const record = this.#queues.first
    return record === NULL ? undefined : this.at(record)
  }

  /** Wakes those that wait for an event, `most` of them at most; how many there were. */
  wake(kind: WaitKind, argument: number | undefined, most: number): number {
    let woken = 0
    for (const thread of this) {
      const waits = thread.state === ThreadState.parked && thread.waitKind === kind
      if (!waits || woken >= most || (argument !== undefined && thread.waitArgument !== argument)) continue
      thread.wakeForEvent()
      woken++
    }
    return woken
  }

  /** Wakes those that wait for files, by the bits of their masks (fs/ipc/event-source.ts). */
  wakeFiles(mask: number): void {
    for (const thread of this) {
      const waits = thread.state === ThreadState.parked && thread.waitKind === WaitKind.file
      if (waits && (thread.waitArgument & mask) !== 0) thread.wakeForEvent()
    }
  }

  /** When the first parked thread's time has come, Infinity when none has one. */
  firstDeadline(): number {
    return this.#queues.firstDeadline
  }

  /** Wakes the threads whose deadline has passed. */
  wakeOverdue(now: number): void {
    while (this.#queues.firstDeadline <= now) this.at(this.#queues.firstSleeper).wake()
  }

  /** Asserts that every thread is in the queues that its state says, and only there. */
  check(): void {
    const ready = new Set(this.#queues.ready())
    const sleeping = new Set(this.#queues.sleepers())
    let last = Number.NEGATIVE_INFINITY
    for (const record of sleeping) {
      assert(this.at(record).wakeTime >= last, 'the first to wake is the first sleeper')
      last = this.at(record).wakeTime
    }
    let threads = 0
    for (const thread of this) {
      threads++
      const sleeps = thread.state === ThreadState.parked && thread.wakeTime !== Number.POSITIVE_INFINITY
      assert(
        ready.delete(thread.ptr) === (thread.state === ThreadState.ready),
        'the run queue has who can run',
      )
      assert(sleeping.delete(thread.ptr) === sleeps, 'the sleepers are those that have a deadline')
      assert([...this.ofProcess(thread.process)].includes(thread), 'a process knows its threads')
    }
    assert(ready.size === 0 && sleeping.size === 0, 'the queues hold threads')
    assert(threads === this.#views.size, 'the list of threads is complete')
    assert(this.#cache.used === threads, 'every thread is in the list')
  }
}
