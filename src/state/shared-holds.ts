/**
 * Who holds an address space's lock together with others, in Region.sharedHolds (used on a shared memory only):
 *
 *     hart 0 | hart 1 | …    64 bytes each: +0  u32  the lock that the hart holds so, 0 = none
 *
 * A hart writes its own word and reads the lock's: two harts that take one lock together write no common cache line, as they
 * would to count themselves in the lock (percpu-rwsem of Linux). Who wants the lock alone writes the lock's word and then waits until no
 * hart's word names it. Each side writes before it reads, so at least one of two that come at once sees the other.
 */
import type { Ptr } from '../base/numbers.js'
import { Region, regionBytes, regionPtr, setRegion } from './layout.js'
import type { Memory } from './memory.js'

const HOLD_BYTES = 64

export class SharedHolds {
  readonly harts: number
  readonly #region: Ptr

  private constructor(region: Ptr, harts: number) {
    this.#region = region
    this.harts = harts
  }

  static boot(memory: Memory, allocateBytes: (bytes: number) => Ptr, harts: number): void {
    setRegion(memory, Region.sharedHolds, allocateBytes(harts * HOLD_BYTES), harts * HOLD_BYTES)
  }

  /** None of a machine that made no region for them. */
  static attach(memory: Memory): SharedHolds | undefined {
    const bytes = regionBytes(memory, Region.sharedHolds)
    return bytes === 0
      ? undefined
      : new SharedHolds(regionPtr(memory, Region.sharedHolds), bytes / HOLD_BYTES)
  }

  /** The word of a hart. */
  ptr(hart: number): Ptr {
    return (this.#region + hart * HOLD_BYTES) as Ptr
  }
}
