/** Who waits for the reader of a file of userfaultfd(2), and what is to be read: plain data, a queue for each context. */
import type { Ptr } from '../base/numbers.js'
import type { SpaceChange } from '../space/userfaults.js'

/** UFFD_EVENT_PAGEFAULT. The address is that of the page, or of the access for who asked for that. */
export interface FaultMessage {
  readonly kind: 'fault'
  readonly address: number
  readonly isWrite: boolean
  readonly isMinor: boolean
  /** gettid(2) of who waits, for who asked for that; else 0. */
  readonly threadId: number
}

export interface UserfaultWaiter {
  /** Record of the thread that waits; NULL when nobody does. */
  readonly thread: Ptr
  readonly message: FaultMessage | SpaceChange
}

export interface UserfaultQueue {
  readonly context: Ptr
  /** Threads whose page nobody has read of yet, the first to come first; those of whose page somebody has. */
  pending: UserfaultWaiter[]
  read: UserfaultWaiter[]
  /** Threads that have changed the space. */
  changes: UserfaultWaiter[]
}

export function makeQueue(context: Ptr): UserfaultQueue {
  return { context, pending: [], read: [], changes: [] }
}

/** What is read next: pages before changes. */
export function firstMessage({ pending, changes }: UserfaultQueue): UserfaultWaiter | undefined {
  return pending[0] ?? changes[0]
}

/** Takes those out whose page lies in a range of bytes, or all. */
export function takeWaiting(
  queue: UserfaultQueue,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): UserfaultWaiter[] {
  const isIn = ({ message }: UserfaultWaiter) =>
    message.kind === 'fault' && message.address >= start && message.address < end
  const taken = [...queue.pending, ...queue.read].filter(isIn)
  queue.pending = queue.pending.filter((waiter) => !isIn(waiter))
  queue.read = queue.read.filter((waiter) => !isIn(waiter))
  return taken
}

/** The waiter is in no list any more. */
export function removeWaiter(queue: UserfaultQueue, waiter: UserfaultWaiter): void {
  const without = (list: UserfaultWaiter[]) => list.filter((other) => other !== waiter)
  queue.pending = without(queue.pending)
  queue.read = without(queue.read)
  queue.changes = without(queue.changes)
}
