/**
 * fcntl(2)'s locks on ranges of a file, in the order in which fs/locks.c keeps them: an owner's locks together and by their
 * start. The owner is a table of open files (F_SETLK) or an open file (F_OFD_SETLK): locks of one owner never conflict.
 */
import { EAGAIN, EDEADLK } from '../../base/errno.js'
import type { Inode } from './nodes.js'

export const LockType = { read: 0, write: 1, unlock: 2 } as const
/** The last byte of a lock that has no end. */
export const LOCK_END = Number.POSITIVE_INFINITY

/** A chain of owners that wait for one another is followed so far. */
const CHAIN_MAX = 10

export interface RecordLock {
  readonly owner: object
  /** The open file by which it was taken. */
  readonly file: object
  /** LockType.read or .write. */
  readonly type: number
  /** First and last byte. */
  readonly start: number
  readonly end: number
  /** The process, for F_GETLK; -1 for an open file's lock. */
  readonly pid: number
  /** Rises from lock to lock; 0 of one that is only asked for. */
  readonly order: number
}

interface Waiter {
  readonly inode: Inode
  readonly lock: RecordLock
}

export class RecordLocks {
  readonly #locks = new Map<Inode, RecordLock[]>()
  /** What threads wait for, by their number. */
  readonly #waiters = new Map<number, Waiter>()
  readonly #changed: () => void

  readonly #nextOrder: () => number

  /** `changed`: some lock may be free now; `nextOrder` numbers them. */
  constructor(changed: () => void, nextOrder: () => number) {
    this.#changed = changed
    this.#nextOrder = nextOrder
  }

  /** The first lock of another owner that is in the way. */
  conflict(inode: Inode, lock: RecordLock): RecordLock | undefined {
    return this.#locks.get(inode)?.find((other) => other.owner !== lock.owner && excludes(other, lock))
  }

  /** Takes a lock, changing what its owner had of the range: 0, or -EAGAIN. */
  take(inode: Inode, lock: RecordLock): number {
    if (this.conflict(inode, lock) !== undefined) return -EAGAIN
    this.#replace(inode, lock, [{ ...lock, order: this.#nextOrder() }])
    return 0
  }

  /** Gives back what the owner has of a range. */
  release(inode: Inode, range: RecordLock): void {
    if (this.#locks.get(inode)?.some(({ owner }) => owner === range.owner)) this.#replace(inode, range, [])
  }

  releaseAll(inode: Inode, owner: object): void {
    this.release(inode, {
      owner,
      file: owner,
      type: LockType.read,
      start: 0,
      end: LOCK_END,
      pid: 0,
      order: 0,
    })
  }

  /** A thread is about to wait for a lock: 0, or -EDEADLK when the holder waits for the thread's own locks. */
  wait(threadId: number, inode: Inode, lock: RecordLock): number {
    let blocker = this.conflict(inode, lock)
    for (let i = 0; blocker !== undefined && i < CHAIN_MAX; i++) {
      const { owner } = blocker
      if (owner === lock.owner) return -EDEADLK
      const waiter = [...this.#waiters.values()].find((other) => other.lock.owner === owner)
      blocker = waiter && this.conflict(waiter.inode, waiter.lock)
    }
    this.#waiters.set(threadId, { inode, lock })
    return 0
  }

  /** The thread runs again, or is gone. */
  endWait(threadId: number): void {
    this.#waiters.delete(threadId)
  }

  /** An owner is gone: none of its threads waits any more. */
  forget(owner: object): void {
    for (const [thread, { lock }] of this.#waiters) if (lock.owner === owner) this.#waiters.delete(thread)
  }

  *all(): Generator<[Inode, RecordLock]> {
    for (const [inode, list] of this.#locks) for (const lock of list) yield [inode, lock]
  }

  /** What is waited for and not to be had because of a lock, if that is the first one in the way. */
  waitersFor(inode: Inode, lock: RecordLock): RecordLock[] {
    const waiters = [...this.#waiters.values()].filter((waiter) => waiter.inode === inode)
    return waiters.filter((waiter) => this.conflict(inode, waiter.lock) === lock).map((waiter) => waiter.lock)
  }

  /** All locks there are: for checks. */
  get count(): number {
    return [...this.#locks.values()].reduce((sum, list) => sum + list.length, 0)
  }

  /** In the range, the owner has only `added` from now on. */
  #replace(inode: Inode, range: RecordLock, added: RecordLock[]): void {
    const list = this.#locks.get(inode) ?? []
    const first = list.findIndex(({ owner }) => owner === range.owner)
    const own = list.filter(({ owner }) => owner === range.owner)
    const others = list.filter(({ owner }) => owner !== range.owner)
    const kept = own.flatMap((lock) => without(lock, range, this.#nextOrder))
    others.splice(first < 0 ? others.length : first, 0, ...joined([...kept, ...added]))
    if (others.length > 0) this.#locks.set(inode, others)
    else this.#locks.delete(inode)
    this.#changed()
  }
}

function excludes(one: RecordLock, other: RecordLock): boolean {
  const overlap = one.start <= other.end && other.start <= one.end
  return overlap && (one.type === LockType.write || other.type === LockType.write)
}

/** What is left of a lock outside of a range; when there is something on both sides, the left part is a new lock. */
function without(lock: RecordLock, { start, end }: RecordLock, nextOrder: () => number): RecordLock[] {
  if (lock.end < start || end < lock.start) return [lock]
  const right = lock.end > end ? [{ ...lock, start: end + 1 }] : []
  if (lock.start >= start) return right
  return [{ ...lock, end: start - 1, order: right.length > 0 ? nextOrder() : lock.order }, ...right]
}

/** Sorted, neighbours of one type made one. */
function joined(locks: RecordLock[]): RecordLock[] {
  const result: RecordLock[] = []
  for (const lock of locks.sort((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last?.type === lock.type && last.end + 1 >= lock.start)
      result[result.length - 1] = { ...last, end: lock.end }
    else result.push(lock)
  }
  return result
}
