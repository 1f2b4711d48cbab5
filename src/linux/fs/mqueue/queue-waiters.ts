/**
 * Threads that wait at message queues (ext_wait_queue of ipc/mqueue.c): slab cache "mqueue_waiter". A message goes straight from who
 * sends to who waits, so that nobody else can take it in between.
 *
 *     0   Ptr  next and previous in the list of its queue and role
 *     8   Ptr  thread
 *     12  Ptr  message: a sender's until there is room, a receiver's once it has come; NULL = none
 *     16  Ptr  queue
 *     20  u32  role
 *     24  i32  rank: who has the lowest is served first
 *     28  u32  1: it has been served, and is in no list
 */
import { NULL, type Ptr } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import type { SlabCache } from '../../../slab/slab-cache.js'
import { RecordLists } from '../../record-lists.js'
import type { Thread } from '../../thread.js'
import type { MessageQueue, Role } from './queue-record.js'

const WAITER_BYTES = 32
const LINK = 0

/** Threads of the real-time policies come before all others, the most important first; of the others the nice value counts. */
const REALTIME: ReadonlySet<number> = new Set([1, 2])
const RESET_ON_FORK = 0x4000_0000

function rankOf({ policy, priority, nice }: Thread): number {
  return REALTIME.has(policy & ~RESET_ON_FORK) ? -100 - priority : nice
}

/** As of queues. */
export function createWaiterCache({ slab }: MemoryManager): SlabCache {
  return slab.createCache('mqueue_waiter', WAITER_BYTES, 8)
}

export class QueueWaiters {
  readonly #mm: MemoryManager
  readonly #lists: RecordLists
  readonly #cache: SlabCache

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#lists = new RecordLists(mm.memory, LINK)
    this.#cache = createWaiterCache(mm)
  }

  #word(waiter: Ptr, offset: number): number {
    return this.#mm.memory.u32[(waiter + offset) >>> 2]!
  }
  #setWord(waiter: Ptr, offset: number, value: number): void {
    this.#mm.memory.u32[(waiter + offset) >>> 2] = value
  }

  get used(): number {
    return this.#cache.used
  }

  thread(waiter: Ptr): Ptr {
    return this.#word(waiter, 8) as Ptr
  }

  message(waiter: Ptr): Ptr {
    return this.#word(waiter, 12) as Ptr
  }

  isServed(waiter: Ptr): boolean {
    return this.#word(waiter, 28) !== 0
  }

  /** Puts a thread behind those that are as important; NULL without memory. */
  add(queue: MessageQueue, role: Role, thread: Thread, message: Ptr): Ptr {
    const waiter = this.#cache.allocateZeroed()
    if (waiter === NULL) return NULL
    const rank = rankOf(thread)
    this.#setWord(waiter, 8, thread.ptr)
    this.#setWord(waiter, 12, message)
    this.#setWord(waiter, 16, queue.ptr)
    this.#setWord(waiter, 20, role)
    this.#setWord(waiter, 24, rank)
    let next: Ptr = NULL
    for (const other of this.#lists.of(queue.waiting(role))) {
      if (next === NULL && (this.#word(other, 24) | 0) > rank) next = other
    }
    this.#lists.insertBefore(queue.waiting(role), waiter, next)
    return waiter
  }

  /** Whose turn it is, NULL when nobody waits. */
  first(queue: MessageQueue, role: Role): Ptr {
    return this.#lists.first(queue.waiting(role))
  }

  count(queue: MessageQueue, role: Role): number {
    return [...this.#lists.of(queue.waiting(role))].length
  }

  /** It has got what it waited for, and has this message now. */
  serve(waiter: Ptr, message: Ptr): void {
    this.#unlist(waiter)
    this.#setWord(waiter, 28, 1)
    this.#setWord(waiter, 12, message)
  }

  /** It waits no more: the message that it had, which is the caller's now. */
  remove(waiter: Ptr): Ptr {
    if (!this.isServed(waiter)) this.#unlist(waiter)
    const message = this.message(waiter)
    this.#cache.free(waiter)
    return message
  }

  #unlist(waiter: Ptr): void {
    this.#lists.remove((this.#word(waiter, 16) + this.#word(waiter, 20)) as Ptr, waiter)
  }
}
