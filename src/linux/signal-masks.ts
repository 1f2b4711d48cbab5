/**
 * Which signals a thread blocks, and whether it has one to deliver: ThreadFlag.signalled, as Linux keeps TIF_SIGPENDING (also where it is to stop for its tracer). A
 * signal for a whole process is pending for each of its threads, but only one of them is told.
 */
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { PROCESS_PENDING } from './process.js'
import { Signal } from './signal-numbers.js'
import { hasBit } from './signal-queue.js'
import { type Thread, ThreadState } from './thread.js'
import type { ThreadList } from './thread-list.js'
import {
  THREAD_BLOCKED,
  THREAD_PENDING,
  THREAD_SAVED_MASK,
  THREAD_WAITED,
  ThreadFlag,
} from './thread-record.js'

/** SIGKILL and SIGSTOP, which cannot be blocked. */
export const UNBLOCKABLE = (1 << (Signal.KILL - 1)) | (1 << (Signal.STOP - 1))

export class SignalMasks {
  readonly #memory: Memory
  readonly #threads: ThreadList

  constructor(memory: Memory, threads: ThreadList) {
    this.#memory = memory
    this.#threads = threads
  }

  /** One half of a set in a thread's record. */
  word(thread: Thread, offset: number, half: 0 | 1): number {
    return this.#memory.u32[((thread.ptr + offset) >>> 2) + half]!
  }

  #set(thread: Thread, offset: number, low: number, high: number): void {
    const at = (thread.ptr + offset) >>> 2
    this.#memory.u32[at] = low
    this.#memory.u32[at + 1] = high
  }

  isBlocked(thread: Thread, signal: number): boolean {
    return hasBit(this.#memory, (thread.ptr + THREAD_BLOCKED) as Ptr, signal)
  }

  /** Whether sigtimedwait(2) waits for it, which blocked it before. */
  isWaitedFor(thread: Thread, signal: number): boolean {
    return hasBit(this.#memory, (thread.ptr + THREAD_WAITED) as Ptr, signal)
  }

  /** Sets the mask. What the thread now leaves of its process's signals is told to others that take it. */
  setBlocked(thread: Thread, low: number, high: number): void {
    const newLow = low & ~this.word(thread, THREAD_BLOCKED, 0) & ~UNBLOCKABLE
    const newHigh = high & ~this.word(thread, THREAD_BLOCKED, 1)
    if (thread.hasSignal && (newLow | newHigh) !== 0) this.#retarget(thread, newLow, newHigh)
    this.#set(thread, THREAD_BLOCKED, low & ~UNBLOCKABLE, high)
    this.recalculate(thread)
  }

  /** Another mask until the call is over (sigsuspend, ppoll, pselect6). */
  swap(thread: Thread, low: number, high: number): void {
    if (!thread.hasFlag(ThreadFlag.restoreMask)) {
      this.#set(
        thread,
        THREAD_SAVED_MASK,
        this.word(thread, THREAD_BLOCKED, 0),
        this.word(thread, THREAD_BLOCKED, 1),
      )
      thread.flags |= ThreadFlag.restoreMask
    }
    this.setBlocked(thread, low, high)
  }

  /** Puts the mask back that `swap` has replaced. */
  restore(thread: Thread): void {
    if (!thread.hasFlag(ThreadFlag.restoreMask)) return
    thread.flags &= ~ThreadFlag.restoreMask
    this.setBlocked(thread, this.word(thread, THREAD_SAVED_MASK, 0), this.word(thread, THREAD_SAVED_MASK, 1))
  }

  /** sigtimedwait(2) begins to wait: signals of the set wake the thread. */
  beginWait(thread: Thread, low: number, high: number): void {
    const blockedLow = this.word(thread, THREAD_BLOCKED, 0)
    const blockedHigh = this.word(thread, THREAD_BLOCKED, 1)
    this.#set(thread, THREAD_WAITED, blockedLow & low, blockedHigh & high)
    this.setBlocked(thread, blockedLow & ~low, blockedHigh & ~high)
  }

  endWait(thread: Thread): void {
    const low = this.word(thread, THREAD_WAITED, 0)
    const high = this.word(thread, THREAD_WAITED, 1)
    this.#set(thread, THREAD_WAITED, 0, 0)
    this.#set(
      thread,
      THREAD_BLOCKED,
      this.word(thread, THREAD_BLOCKED, 0) | low,
      this.word(thread, THREAD_BLOCKED, 1) | high,
    )
    this.recalculate(thread)
  }

  /** After a change: has the thread a signal to deliver? */
  recalculate(thread: Thread): void {
    const shared = (thread.process + PROCESS_PENDING) >>> 2
    const { u32 } = this.#memory
    const low = (this.word(thread, THREAD_PENDING, 0) | u32[shared]!) & ~this.word(thread, THREAD_BLOCKED, 0)
    const high =
      (this.word(thread, THREAD_PENDING, 1) | u32[shared + 1]!) & ~this.word(thread, THREAD_BLOCKED, 1)
    const isToStop = thread.hasFlag(ThreadFlag.trapPending)
    if ((low | high) !== 0 || isToStop || thread.isKilled) thread.flags |= ThreadFlag.signalled
    else thread.flags &= ~ThreadFlag.signalled
  }

  /** The thread takes its process's signals no more: it ends. */
  leave(thread: Thread): void {
    if (!thread.hasSignal) return
    this.#retarget(thread, ~this.word(thread, THREAD_BLOCKED, 0), ~this.word(thread, THREAD_BLOCKED, 1))
  }

  /** Tells other threads of pending signals of their process (retarget_shared_pending). */
  #retarget(thread: Thread, whichLow: number, whichHigh: number): void {
    const shared = (thread.process + PROCESS_PENDING) >>> 2
    let low = this.#memory.u32[shared]! & whichLow
    let high = this.#memory.u32[shared + 1]! & whichHigh
    for (const other of this.#threads.ofProcess(thread.process)) {
      if ((low | high) === 0) return
      if (other === thread || other.state === ThreadState.exited) continue
      const blockedLow = this.word(other, THREAD_BLOCKED, 0)
      const blockedHigh = this.word(other, THREAD_BLOCKED, 1)
      if (((low & ~blockedLow) | (high & ~blockedHigh)) === 0) continue
      low &= blockedLow
      high &= blockedHigh
      this.notify(other)
    }
  }

  /** The thread has a signal to deliver: it stops waiting. */
  notify(thread: Thread): void {
    thread.flags |= ThreadFlag.signalled
    thread.wakeForSignal()
  }
}
