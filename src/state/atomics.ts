/**
 * All atomic operations and all locks of the memory manager. On a plain (unshared) memory one thread runs, so
 * locks are ordinary words there: taken and checked, but without the 10 ns of an atomic.
 */
import { assert } from '../base/assert.js'
import type { Ptr } from '../base/numbers.js'
import type { Memory } from './memory.js'
import { SharedHolds } from './shared-holds.js'

/**
 * Locks are taken in rising rank only. Two of one rank are never held, but for two spaces during fork (the
 * child's is new and uncontended: it has the higher rank).
 */
export const LockRank = {
  threads: 10,
  spaces: 20,
  writeBack: 25,
  space: 30,
  childSpace: 31,
  userfaults: 33,
  khugepaged: 34,
  family: 35,
  objects: 40,
  object: 45,
  hugeZero: 48,
  tables: 50,
  /** Of a space: the tables above those of 4 KiB leaves; and one of those. Only for who holds the space's lock together with others. */
  upperTables: 51,
  leafTable: 52,
  shootdown: 55,
  magazines: 58,
  slab: 60,
  frameCache: 65,
  frames: 70,
} as const
export type LockRank = (typeof LockRank)[keyof typeof LockRank]

/** What a thread is about to do with a word. `spin`: it found the word as it must not be, and looks again. */
export type AtomicStep = 'load' | 'store' | 'exchange' | 'add' | 'lock' | 'unlock' | 'spin'

export interface AtomicsOptions {
  /** Who takes locks here: hart number + 1. It stands in the lock word while the lock is held. */
  readonly owner: number
  /** Check ranks and double release (tests; about 20 ns a lock). */
  readonly debug?: boolean
  /** Called before every atomic step: a debug scheduler may switch harts here. */
  readonly onStep?: (operation: AtomicStep, ptr: Ptr) => void
  /** Called while spinning, after the hart's mailbox was served. */
  readonly onSpin?: () => void
}

export class AtomicWords {
  readonly #memory: Memory
  readonly #i32: Int32Array
  readonly #shared: boolean
  /** Nothing but the word itself: one thread, and nobody who checks or watches. */
  readonly isPlain: boolean
  readonly #owner: number
  readonly #debug: boolean
  readonly #onStep: AtomicsOptions['onStep']
  readonly #onSpin: AtomicsOptions['onSpin']
  #serve: (() => void) | undefined
  /** Ranks that this thread holds, lowest first; only in debug builds. */
  readonly #held: LockRank[] = []
  /** Those of them that were taken without waiting. */
  readonly #tried = new Set<LockRank>()
  #holds: SharedHolds | undefined

  constructor(memory: Memory, options: AtomicsOptions) {
    this.#memory = memory
    this.#shared = memory.shared
    this.#owner = options.owner
    this.#debug = options.debug ?? false
    this.#onStep = options.onStep
    this.#onSpin = options.onSpin
    this.#i32 = memory.i32
    this.isPlain = !this.#shared && !this.#debug && this.#onStep === undefined
    this.findHolds()
  }

  /** The machine has a place for shared holds from now on: at boot it is made when locks are there already. */
  findHolds(): void {
    this.#holds = this.#shared ? SharedHolds.attach(this.#memory) : undefined
  }

  load(ptr: Ptr): number {
    this.#onStep?.('load', ptr)
    return Atomics.load(this.#memory.i32, ptr >>> 2)
  }

  store(ptr: Ptr, value: number): void {
    this.#onStep?.('store', ptr)
    Atomics.store(this.#memory.i32, ptr >>> 2, value)
  }

  /** Returns what was there before. */
  add(ptr: Ptr, value: number): number {
    if (!this.isPlain) return this.#addWatched(ptr, value)
    const old = this.#i32[ptr >>> 2]!
    this.#i32[ptr >>> 2] = old + value
    return old
  }

  #addWatched(ptr: Ptr, value: number): number {
    this.#onStep?.('add', ptr)
    return Atomics.add(this.#i32, ptr >>> 2, value)
  }

  /** Returns what was there before. */
  exchange(ptr: Ptr, value: number): number {
    if (!this.isPlain) return this.#exchangeWatched(ptr, value)
    const old = this.#i32[ptr >>> 2]!
    this.#i32[ptr >>> 2] = value
    return old
  }

  #exchangeWatched(ptr: Ptr, value: number): number {
    this.#onStep?.('exchange', ptr)
    return Atomics.exchange(this.#i32, ptr >>> 2, value)
  }

  /** Returns what was there; it was replaced when that equals `expected`. */
  compareExchange(ptr: Ptr, expected: number, replacement: number): number {
    this.#onStep?.('exchange', ptr)
    return Atomics.compareExchange(this.#memory.i32, ptr >>> 2, expected, replacement)
  }

  /** One more, unless it is 0: says whether it is one more (a reference to what may be going). */
  addUnlessZero(ptr: Ptr): boolean {
    for (let seen = this.load(ptr); seen !== 0; ) {
      const found = this.compareExchange(ptr, seen, seen + 1)
      if (found === seen) return true
      seen = found
    }
    return false
  }

  /** Returns what was there before the bits were set. */
  or(ptr: Ptr, bits: number): number {
    if (!this.isPlain) return this.#orWatched(ptr, bits)
    const old = this.#i32[ptr >>> 2]!
    this.#i32[ptr >>> 2] = old | bits
    return old
  }

  #orWatched(ptr: Ptr, bits: number): number {
    this.#onStep?.('add', ptr)
    return Atomics.or(this.#i32, ptr >>> 2, bits)
  }

  /** Returns what was there before all other bits were cleared. */
  and(ptr: Ptr, bits: number): number {
    if (!this.isPlain) return this.#andWatched(ptr, bits)
    const old = this.#i32[ptr >>> 2]!
    this.#i32[ptr >>> 2] = old & bits
    return old
  }

  #andWatched(ptr: Ptr, bits: number): number {
    this.#onStep?.('add', ptr)
    return Atomics.and(this.#i32, ptr >>> 2, bits)
  }

  /** To be called each time that a word which another thread changes is not yet as it must be. */
  spin(ptr: Ptr): void {
    this.#onStep?.('spin', ptr)
    this.#serve?.()
    this.#onSpin?.()
  }

  /** Serves the mailbox of this thread's hart: done whenever it spins, for a lock too. It takes no lock. */
  set serve(serve: () => void) {
    this.#serve = serve
  }

  /** Spins until the lock is ours. Not recursive. */
  lock(ptr: Ptr, rank: LockRank): void {
    if (!this.isPlain) {
      this.#lockWatched(ptr, rank)
      return
    }
    assert(this.#i32[ptr >>> 2] === 0, 'the lock is held already')
    this.#i32[ptr >>> 2] = this.#owner
  }

  #lockWatched(ptr: Ptr, rank: LockRank): void {
    if (this.#debug) this.#pushRank(rank)
    this.#onStep?.('lock', ptr)
    if (!this.#shared) {
      assert(this.#i32[ptr >>> 2] === 0, 'the lock is held already')
      this.#i32[ptr >>> 2] = this.#owner
      return
    }
    while (Atomics.compareExchange(this.#i32, ptr >>> 2, 0, this.#owner) !== 0) {
      this.spin(ptr)
      this.#onStep?.('lock', ptr)
    }
    if (rank === LockRank.space && this.#holds !== undefined) this.awaitSharers(this.#holds, ptr)
  }

  /**
   * Takes the lock if nobody has it; says whether it did. Never waits, so it may be called with locks of higher rank held; it then counts
   * as taken before them, but may go back while they are held. Not of rank `space`.
   */
  tryLock(ptr: Ptr, rank: LockRank): boolean {
    if (this.isPlain) {
      if (this.#i32[ptr >>> 2] !== 0) return false
      this.#i32[ptr >>> 2] = this.#owner
      return true
    }
    if (this.compareExchange(ptr, 0, this.#owner) !== 0) return false
    if (!this.#debug) return true
    this.#insertRank(rank)
    this.#tried.add(rank)
    return true
  }

  #insertRank(rank: LockRank): void {
    const above = this.#held.findIndex((held) => held >= rank)
    assert(above < 0 || this.#held[above] !== rank, 'two locks of one rank are never held')
    this.#held.splice(above < 0 ? this.#held.length : above, 0, rank)
  }

  #dropRank(rank: LockRank): void {
    const place = this.#held.lastIndexOf(rank)
    const isOnTop = this.#held.every((held, i) => i <= place || this.#tried.has(held))
    assert(place >= 0 && (this.#tried.delete(rank) || isOnTop), 'locks are released in falling rank')
    this.#held.splice(place, 1)
  }

  /** The lock's word is ours: no hart begins to hold it with others any more. Spins until none does. */
  protected awaitSharers(holds: SharedHolds, lock: Ptr): void {
    for (let hart = 0; hart < holds.harts; hart++) {
      const hold = holds.ptr(hart)
      while (this.load(hold) === (lock | 0)) this.spin(hold)
    }
  }

  /** The hart that this thread runs; it may have a number above those of the machine, and then runs none. */
  get hart(): number {
    return this.#owner - 1
  }

  /** Whether this thread can hold the lock of a space together with others: it runs a hart, on a memory that is shared. */
  get canShare(): boolean {
    return this.#holds !== undefined && this.#owner <= this.#holds.harts
  }

  /** Spins until nobody holds the lock alone, and holds it together with others. Of rank `space` only, and one at a time. */
  lockShared(ptr: Ptr, rank: LockRank): void {
    if (this.#debug) this.#pushRank(rank)
    const hold = this.#ownHold
    for (;;) {
      this.store(hold, ptr)
      if (this.load(ptr) === 0) return
      this.store(hold, 0)
      while (this.load(ptr) !== 0) this.spin(ptr)
    }
  }

  unlockShared(ptr: Ptr, rank: LockRank): void {
    if (this.#debug) this.#dropRank(rank)
    const hold = this.#ownHold
    assert(this.#i32[hold >>> 2] === (ptr | 0), 'the lock is not ours')
    this.store(hold, 0)
  }

  get #ownHold(): Ptr {
    assert(this.#holds !== undefined && this.#owner <= this.#holds.harts, 'a lock is shared among harts')
    return this.#holds!.ptr(this.#owner - 1)
  }

  #pushRank(rank: LockRank): void {
    const top = this.#held[this.#held.length - 1]
    assert(top === undefined || top < rank, 'locks are taken in rising rank')
    this.#held.push(rank)
  }

  unlock(ptr: Ptr, rank: LockRank): void {
    if (!this.isPlain) {
      this.#unlockWatched(ptr, rank)
      return
    }
    assert(this.#i32[ptr >>> 2] === this.#owner, 'the lock is not ours')
    this.#i32[ptr >>> 2] = 0
  }

  #unlockWatched(ptr: Ptr, rank: LockRank): void {
    this.#onStep?.('unlock', ptr)
    if (this.#debug) this.#dropRank(rank)
    const { i32 } = this.#memory
    if (!this.#shared) {
      assert(i32[ptr >>> 2] === this.#owner, 'the lock is not ours')
      i32[ptr >>> 2] = 0
      return
    }
    assert(Atomics.exchange(i32, ptr >>> 2, 0) === this.#owner, 'the lock is not ours')
  }

  /** Whether this thread holds no lock at all (a safe point); always true without `debug`. */
  get holdsNone(): boolean {
    return this.#held.length === 0
  }
}
