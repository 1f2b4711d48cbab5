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
    return this.#locks.get(inode)?.find((other) => excludes(other, lock))
  }

  /** Takes a lock, changing what its owner had of the range: 0, or -EAGAIN. */
  take(inode: Inode, lock: RecordLock): number {
    if (this.conflict(inode, lock) !== undefined) return -EAGAIN
    const joined = this.#joined(inode, lock)
    this.#replace(inode, joined, [joined])
    return 0
  }

  /**
   * The lock with those of its owner and type that it touches: the first of them is what grows, unless a lock of the other
   * type has given it its place before (posix_lock_inode).
   */
  #joined(inode: Inode, lock: RecordLock): RecordLock {
    const touches = ({ owner, type, start, end }: RecordLock) =>
      owner === lock.owner && type === lock.type && start <= lock.end + 1 && lock.start <= end + 1
    const list = this.#locks.get(inode) ?? []
    const touched = list.filter(touches)
    const first = touched[0]
    if (first === undefined) return { ...lock, order: this.#nextOrder() }
    const isTaken = ({ owner, type, start, end }: RecordLock) =>
      owner === lock.owner &&
      type !== lock.type &&
      lock.start <= start &&
      end <= lock.end &&
      start < first.start
    const grown = list.some(isTaken) ? { ...lock, order: this.#nextOrder() } : first
    const end = Math.max(lock.end, touched.at(-1)!.end)
    return { ...grown, start: Math.min(lock.start, first.start), end }
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

  /** The locks, those of one file in the order in which they are looked at. */
  all(): Iterable<[Inode, readonly RecordLock[]]> {
    return this.#locks
  }

  /** What is waited for of a file, in the order in which it was asked for. */
  waitersFor(inode: Inode): RecordLock[] {
    return [...this.#waiters.values()].filter((waiter) => waiter.inode === inode).map(({ lock }) => lock)
  }

  /** All locks there are: for checks. */
  get count(): number {
    return [...this.#locks.values()].reduce((sum, list) => sum + list.length, 0)
  }

  /** In the range, the owner has only `added` from now on. */
  #replace(inode: Inode, range: RecordLock, added: RecordLock[]): void {
    const list = this.#locks.get(inode) ?? []
    const first = list.findIndex(({ owner }) => owner === range.owner)
    const others = list.filter(({ owner }) => owner !== range.owner)
    const kept = list
      .filter(({ owner }) => owner === range.owner)
      .flatMap((lock) => without(lock, range, this.#nextOrder))
    const own = [...kept, ...added].sort((a, b) => a.start - b.start)
    others.splice(first < 0 ? others.length : first, 0, ...own)
    if (others.length > 0) this.#locks.set(inode, others)
    else this.#locks.delete(inode)
    this.#changed()
  }
}

export function excludes(one: RecordLock, other: RecordLock): boolean {
  if (one.owner === other.owner) return false
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
