/** Who is traced, and by whom: records of threads in lists of their tracers'. */
import { assert } from '../../base/assert.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import type { MemoryManager } from '../../mm.js'
import type { SlabCache } from '../../slab/slab-cache.js'
import { RecordLists } from '../record-lists.js'
import type { Thread } from '../thread.js'
import { THREAD_TRACEES, ThreadFlag } from '../thread-record.js'
import { TRACEE_BYTES, TRACEE_LINK, Tracee, TraceeFlag } from './tracee.js'

const traceesOf = (tracer: Ptr) => (tracer + THREAD_TRACEES) as Ptr

export class Tracees {
  readonly #mm: MemoryManager
  readonly #cache: SlabCache
  readonly #lists: RecordLists

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#cache = mm.slab.createCache('tracee', TRACEE_BYTES)
    this.#lists = new RecordLists(mm.memory, TRACEE_LINK)
  }

  at(record: Ptr): Tracee {
    return new Tracee(this.#mm.memory, record)
  }

  /** What is kept of a thread that is traced, or was and has not gone on since. */
  of(thread: Thread): Tracee | undefined {
    const { tracee } = thread
    return tracee === NULL ? undefined : this.at(tracee)
  }

  /** The thread is traced from now on, and was not; false without memory. */
  add(thread: Thread, tracer: Ptr, flags: number, options: number): Tracee | undefined {
    const record = thread.tracee || this.#cache.allocateZeroed()
    if (record === NULL) return undefined
    const tracee = this.at(record)
    tracee.thread = thread.ptr
    tracee.process = thread.process
    tracee.id = thread.id
    tracee.tracer = tracer
    tracee.flags = flags | (tracee.flags & TraceeFlag.restartCall)
    tracee.options = options
    thread.tracee = record
    thread.flags |= ThreadFlag.traced
    const list = traceesOf(tracer)
    this.#lists.insertBefore(list, record, this.#lists.first(list))
    return tracee
  }

  /** Nobody traces it any more; its thread, if it lives, may have to go on from a stop with what stands here. */
  unlink(tracee: Tracee, thread: Thread | undefined): void {
    this.#lists.remove(traceesOf(tracee.tracer), tracee.ptr)
    tracee.tracer = NULL
    if (thread !== undefined) thread.flags &= ~(ThreadFlag.traced | ThreadFlag.trapPending)
  }

  /** The thread needs the record no more. */
  free(tracee: Tracee, thread: Thread | undefined): void {
    if (tracee.tracer !== NULL) this.unlink(tracee, thread)
    if (thread !== undefined) thread.tracee = NULL
    this.#cache.free(tracee.ptr)
  }

  /** The last that came is the first. Those that were given may go meanwhile. */
  *ofTracer(tracer: Thread): Generator<Tracee> {
    for (const record of this.#lists.of(traceesOf(tracer.ptr))) yield this.at(record)
  }

  hasTracees(tracer: Thread): boolean {
    return this.#lists.first(traceesOf(tracer.ptr)) !== NULL
  }

  /** Asserts that tracers and threads know the same tracees. */
  check(threads: Iterable<Thread>): void {
    let known = 0
    for (const thread of threads) {
      const own = this.of(thread)
      const isTraced = thread.hasFlag(ThreadFlag.traced)
      assert(isTraced === (own !== undefined && own.tracer !== NULL), 'a traced thread has a tracer')
      assert(own === undefined || own.thread === thread.ptr, 'a record knows its thread')
      if (own !== undefined && !isTraced) known++
      for (const tracee of this.ofTracer(thread)) {
        known++
        assert(tracee.tracer === thread.ptr, 'a tracee is in the list of its tracer')
      }
    }
    assert(this.#cache.used === known, 'every record of a tracee is some thread’s')
  }
}
