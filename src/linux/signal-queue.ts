/**
 * Pending signals. A set of 64 bits in a thread or a process says which; records in the slab cache "signal" hold each one's
 * siginfo_t as the program will see it. Those of one target are a ring: the target knows the newest, which knows the oldest.
 *
 *     0    u32  next record
 *     4    u32  signal
 *     8    u32  the timer that keeps the record for its signal (timers.ts), NULL = nobody does
 *     12   u32  1 while it is queued
 *     16   128 bytes: siginfo_t (include/uapi/asm-generic/siginfo.h)
 *
 * Records are limited (RLIMIT_SIGPENDING). When none can be had the signal is still pending, with less to tell, as in
 * Linux; only one of real time with something to tell is refused.
 */
import { EAGAIN } from '../base/errno.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { Memory } from '../state/memory.js'
import { FIRST_REALTIME, Signal, SignalCode } from './signal-numbers.js'

export const SIGINFO_BYTES = 128
/** Fields, in words. */
const SIGNAL = 1
const TIMER = 2
const QUEUED = 3
const INFO = 16
const RECORD_BYTES = INFO + SIGINFO_BYTES
/** Offset of si_code in a siginfo_t. */
export const INFO_CODE = 8

/** A set of those that are delivered before all others: they belong to the instruction that has just failed. */
const SYNCHRONOUS = [Signal.SEGV, Signal.BUS, Signal.ILL, Signal.TRAP, Signal.FPE, Signal.SYS].reduce(
  (bits, signal) => bits | (1 << (signal - 1)),
  0,
)

/** Something with a set of pending signals and a queue: a thread or a process. */
export interface SignalTarget {
  readonly ptr: Ptr
  queue: Ptr
}

/** What the kernel tells about a signal; fields that a kind of signal does not have are 0. */
export interface SignalInfo {
  readonly signal: number
  readonly code: number
  /** Sender, for signals that somebody sent, and its user. */
  readonly processId?: number
  readonly userId?: number
  /** Fault address as two halves. */
  readonly addressLow?: number
  readonly addressHigh?: number
  /** Exit status of a child, and the processor time that it used, in nanoseconds. */
  readonly status?: number
  readonly userTime?: number
  readonly systemTime?: number
}

/** Unit of times in a siginfo_t: 10 ms. */
const CLOCK_TICK = 10_000_000

/** Writes the siginfo_t of a signal that the kernel raises. */
export function encodeSignalInfo(view: DataView, at: number, info: SignalInfo): void {
  view.setInt32(at, info.signal, true)
  view.setInt32(at + 8, info.code, true)
  if (info.addressLow !== undefined) {
    view.setUint32(at + 16, info.addressLow, true)
    view.setUint32(at + 20, info.addressHigh ?? 0, true)
    return
  }
  view.setInt32(at + 16, info.processId ?? 0, true)
  view.setUint32(at + 20, info.userId ?? 0, true)
  view.setInt32(at + 24, info.status ?? 0, true)
  view.setUint32(at + 32, Math.floor((info.userTime ?? 0) / CLOCK_TICK), true)
  view.setUint32(at + 40, Math.floor((info.systemTime ?? 0) / CLOCK_TICK), true)
}

/** Word index of a signal's bit in a set that starts at a word, and the bit. */
const wordOf = (set: Ptr, signal: number) => (set >>> 2) + ((signal - 1) >>> 5)
const bitOf = (signal: number) => 1 << ((signal - 1) & 31)

export function hasBit(memory: Memory, set: Ptr, signal: number): boolean {
  return (memory.u32[wordOf(set, signal)]! & bitOf(signal)) !== 0
}

export function setBit(memory: Memory, set: Ptr, signal: number): void {
  memory.u32[wordOf(set, signal)]! |= bitOf(signal)
}

export function clearBit(memory: Memory, set: Ptr, signal: number): void {
  memory.u32[wordOf(set, signal)]! &= ~bitOf(signal)
}

export class SignalQueues {
  readonly #memory: Memory
  readonly #cache: SlabCache

  constructor(memory: Memory, slab: SlabAllocator) {
    this.#memory = memory
    this.#cache = slab.createCache('signal', RECORD_BYTES)
  }

  /** Records in use: all users' together, as all programs run as root. */
  get used(): number {
    return this.#cache.used
  }

  /** A record that a timer keeps for its signal; NULL without memory or beyond the limit. */
  createFor(timer: Ptr, limit: number): Ptr {
    const record = this.used < limit ? this.#cache.allocateZeroed() : NULL
    if (record !== NULL) this.#memory.u32[(record >>> 2) + TIMER] = timer
    return record
  }

  /** The timer is gone; its signal, if it is pending, is not. */
  disown(record: Ptr): void {
    this.#memory.u32[(record >>> 2) + TIMER] = NULL
    if (!this.isQueued(record)) this.#cache.free(record)
  }

  isQueued(record: Ptr): boolean {
    return this.#memory.u32[(record >>> 2) + QUEUED] !== 0
  }

  /** The siginfo_t of a record. */
  infoOf(record: Ptr): Uint8Array {
    return this.#memory.u8.subarray(record + INFO, record + INFO + SIGINFO_BYTES)
  }

  /**
   * Makes a signal pending. `set` is where the target's pending set stands; `limit` is how many records there may be.
   * An ordinary signal that is pending already is lost. 0, or -EAGAIN when one of real time finds no record.
   */
  add(target: SignalTarget, set: Ptr, signal: number, info: Uint8Array, limit: number): number {
    if (hasBit(this.#memory, set, signal) && signal < FIRST_REALTIME) return 0
    const code = new DataView(info.buffer, info.byteOffset).getInt32(INFO_CODE, true)
    const record = signal === Signal.KILL ? NULL : this.#allocate(signal, code, limit)
    if (record !== NULL) this.addRecord(target, set, record, signal, info)
    else if (signal >= FIRST_REALTIME && code !== SignalCode.user) return -EAGAIN
    setBit(this.#memory, set, signal)
    return 0
  }

  /** What the kernel or kill(2) sends of the ordinary ones is not refused a record for being one too many. */
  #allocate(signal: number, code: number, limit: number): Ptr {
    const isFree = signal < FIRST_REALTIME && code >= 0
    return isFree || this.used < limit ? this.#cache.allocateZeroed() : NULL
  }

  /** Makes a signal pending with a record that is there already. */
  addRecord(target: SignalTarget, set: Ptr, record: Ptr, signal: number, info: Uint8Array): void {
    const { u32 } = this.#memory
    u32[(record >>> 2) + SIGNAL] = signal
    u32[(record >>> 2) + QUEUED] = 1
    this.#memory.u8.set(info, record + INFO)
    const newest = target.queue
    u32[record >>> 2] = newest === NULL ? record : u32[newest >>> 2]!
    if (newest !== NULL) u32[newest >>> 2] = record
    target.queue = record
    setBit(this.#memory, set, signal)
  }

  #next(record: Ptr): Ptr {
    return this.#memory.u32[record >>> 2]! as Ptr
  }

  /** The pending signal to deliver next of those in a mask (two halves), 0 when there is none. */
  first(set: Ptr, maskLow: number, maskHigh: number): number {
    const { u32 } = this.#memory
    const pending = u32[set >>> 2]! & maskLow
    const low = (pending & SYNCHRONOUS) !== 0 ? pending & SYNCHRONOUS : pending
    if (low !== 0) return 32 - Math.clz32(low & -low)
    const high = u32[(set >>> 2) + 1]! & maskHigh
    return high === 0 ? 0 : 64 - Math.clz32(high & -high)
  }

  /**
   * Takes the oldest record of a signal; its siginfo_t goes to `info`. The signal stays pending if more are queued. Returns
   * the timer whose signal it was, or NULL.
   */
  take(target: SignalTarget, set: Ptr, signal: number, info: Uint8Array): Ptr {
    const record = this.#unlink(target, signal)
    info.fill(0)
    let timer = NULL
    if (record === NULL) new DataView(info.buffer, info.byteOffset).setInt32(0, signal, true)
    else {
      info.set(this.infoOf(record))
      timer = this.#release(record)
    }
    if (!this.#isListed(target, signal)) clearBit(this.#memory, set, signal)
    return timer
  }

  /** Forgets a pending signal altogether. */
  drop(target: SignalTarget, set: Ptr, signal: number): void {
    if (!hasBit(this.#memory, set, signal)) return
    for (let record = this.#unlink(target, signal); record !== NULL; record = this.#unlink(target, signal)) {
      this.#release(record)
    }
    clearBit(this.#memory, set, signal)
  }

  /** Forgets everything: the target goes away. */
  clear(target: SignalTarget, set: Ptr): void {
    for (const record of [...this.#recordsOf(target)]) this.#release(record)
    target.queue = NULL
    this.#memory.u32[set >>> 2] = 0
    this.#memory.u32[(set >>> 2) + 1] = 0
  }

  /** A record that left its queue is free again, or its timer's. */
  #release(record: Ptr): Ptr {
    const { u32 } = this.#memory
    const timer = u32[(record >>> 2) + TIMER]! as Ptr
    u32[(record >>> 2) + QUEUED] = 0
    if (timer === NULL) this.#cache.free(record)
    return timer
  }

  /** The oldest first. */
  *#recordsOf(target: SignalTarget): Generator<Ptr> {
    const newest = target.queue
    if (newest === NULL) return
    for (let record = this.#next(newest); ; record = this.#next(record)) {
      yield record
      if (record === newest) return
    }
  }

  /** siginfo_t of the record at a position in a queue, the oldest being 0; undefined beyond its end. */
  infoAt(target: SignalTarget, position: number): Uint8Array | undefined {
    let left = position
    for (const record of this.#recordsOf(target)) if (left-- === 0) return this.infoOf(record)
    return undefined
  }

  #isListed(target: SignalTarget, signal: number): boolean {
    for (const record of this.#recordsOf(target)) {
      if (this.#memory.u32[(record >>> 2) + SIGNAL] === signal) return true
    }
    return false
  }

  #unlink(target: SignalTarget, signal: number): Ptr {
    let previous = target.queue
    for (const record of this.#recordsOf(target)) {
      if (this.#memory.u32[(record >>> 2) + SIGNAL] === signal) {
        const isAlone = previous === record
        this.#memory.u32[previous >>> 2] = this.#next(record)
        if (target.queue === record) target.queue = isAlone ? NULL : previous
        return record
      }
      previous = record
    }
    return NULL
  }
}
