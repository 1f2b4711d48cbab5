/** The threads of a machine: slab records in a list that starts in the header, and their views. */
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { CacheId } from '../slab/cache-table.js'
import { Word, wordIndex } from '../state/layout.js'
import { THREAD_BYTES, Thread, ThreadState } from './thread.js'
import type { WaitKind } from './wait.js'

export class ThreadList {
  readonly #mm: MemoryManager
  readonly #cache: CacheId
  readonly #views = new Map<Ptr, Thread>()

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#cache = mm.slab.createCache('thread', THREAD_BYTES)
  }

  /** A new thread, ready, with all registers zero; undefined without memory. */
  create(id: number, process: Ptr): Thread | undefined {
    const record = this.#mm.slab.allocate(this.#cache)
    if (record === NULL) return undefined
    const thread = new Thread(this.#mm.memory, record)
    thread.id = id
    thread.state = ThreadState.ready
    thread.process = process
    thread.next = this.first
    this.first = record
    this.#views.set(record, thread)
    return thread
  }

  remove(thread: Thread): void {
    if (this.first === thread.ptr) this.first = thread.next
    else {
      for (const other of this) if (other.next === thread.ptr) other.next = thread.next
    }
    this.#views.delete(thread.ptr)
    this.#mm.slab.free(this.#cache, thread.ptr)
  }

  get first(): Ptr {
    return this.#mm.memory.u32[wordIndex(Word.threadList)]! as Ptr
  }
  set first(record: Ptr) {
    this.#mm.memory.u32[wordIndex(Word.threadList)] = record
  }

  *[Symbol.iterator](): Generator<Thread> {
    for (let record = this.first; record !== NULL; ) {
      const thread = this.#views.get(record)!
      yield thread
      record = thread.next
    }
  }

  /** A thread of a process. */
  of(process: Ptr): Thread | undefined {
    for (const thread of this) if (thread.process === process) return thread
    return undefined
  }

  /** The next that can run, in turns, beginning after `last`. */
  nextReady(last: Thread | undefined): Thread | undefined {
    const all = [...this]
    const from = last === undefined ? 0 : all.indexOf(last) + 1
    return [...all.slice(from), ...all.slice(0, from)].find((thread) => thread.state === ThreadState.ready)
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

  /** When the first parked thread's time has come, Infinity when none has one. */
  firstDeadline(): number {
    let first = Number.POSITIVE_INFINITY
    for (const thread of this) {
      if (thread.state === ThreadState.parked) first = Math.min(first, thread.wakeTime)
    }
    return first
  }

  /** Wakes the threads whose deadline has passed. */
  wakeOverdue(now: number): void {
    for (const thread of this) {
      if (thread.state === ThreadState.parked && thread.wakeTime <= now) thread.wake()
    }
  }
}
