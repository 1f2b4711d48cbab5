/**
 * Pending signals. A set of 64 bits in a thread or a process says which; records in the slab cache "signal", oldest first,
 * hold each one's siginfo_t as the program will see it:
 *
 *     0    u32  next record
 *     4    u32  signal
 *     8    128 bytes: siginfo_t (include/uapi/asm-generic/siginfo.h)
 *
 * When no record can be had the signal is still pending, with less to tell, as in Linux.
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { CacheId } from '../slab/cache-table.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { Memory } from '../state/memory.js'
import { FIRST_REALTIME, Signal } from './signal-numbers.js'

export const SIGINFO_BYTES = 128
const RECORD_BYTES = 8 + SIGINFO_BYTES
const INFO = 8

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
  /** Sender, for signals that somebody sent. */
  readonly processId?: number
  /** Fault address as two halves. */
  readonly addressLow?: number
  readonly addressHigh?: number
  /** Exit status of a child. */
  readonly status?: number
}

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
  view.setInt32(at + 24, info.status ?? 0, true)
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
  readonly #slab: SlabAllocator
  readonly #cache: CacheId

  constructor(memory: Memory, slab: SlabAllocator) {
    this.#memory = memory
    this.#slab = slab
    this.#cache = slab.createCache('signal', RECORD_BYTES)
  }

  /** Makes a signal pending. `set` is where the target's pending set stands. An ordinary one that is pending already is lost. */
  add(target: SignalTarget, set: Ptr, signal: number, info: Uint8Array): void {
    const already = hasBit(this.#memory, set, signal)
    setBit(this.#memory, set, signal)
    if (already && signal < FIRST_REALTIME) return
    const record = this.#slab.allocate(this.#cache)
    if (record === NULL) return
    this.#memory.u32[record >>> 2] = NULL
    this.#memory.u32[(record >>> 2) + 1] = signal
    this.#memory.u8.set(info, record + INFO)
    this.#append(target, record)
  }

  #append(target: SignalTarget, record: Ptr): void {
    let last = target.queue
    if (last === NULL) {
      target.queue = record
      return
    }
    while (this.#next(last) !== NULL) last = this.#next(last)
    this.#memory.u32[last >>> 2] = record
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

  /** Takes the oldest record of a signal; its siginfo_t goes to `info`. The signal stays pending if more are queued. */
  take(target: SignalTarget, set: Ptr, signal: number, info: Uint8Array): void {
    const record = this.#unlink(target, signal)
    info.fill(0)
    if (record === NULL) new DataView(info.buffer, info.byteOffset).setInt32(0, signal, true)
    else {
      info.set(this.#memory.u8.subarray(record + INFO, record + INFO + SIGINFO_BYTES))
      this.#slab.free(this.#cache, record)
    }
    if (!this.#isQueued(target, signal)) clearBit(this.#memory, set, signal)
  }

  /** Forgets a pending signal altogether. */
  drop(target: SignalTarget, set: Ptr, signal: number): void {
    for (let record = this.#unlink(target, signal); record !== NULL; record = this.#unlink(target, signal)) {
      this.#slab.free(this.#cache, record)
    }
    clearBit(this.#memory, set, signal)
  }

  /** Forgets everything: the target goes away. */
  clear(target: SignalTarget, set: Ptr): void {
    for (let record = target.queue; record !== NULL; ) {
      const next = this.#next(record)
      this.#slab.free(this.#cache, record)
      record = next
    }
    target.queue = NULL
    this.#memory.u32[set >>> 2] = 0
    this.#memory.u32[(set >>> 2) + 1] = 0
  }

  #isQueued(target: SignalTarget, signal: number): boolean {
    for (let record = target.queue; record !== NULL; record = this.#next(record)) {
      if (this.#memory.u32[(record >>> 2) + 1] === signal) return true
    }
    return false
  }

  #unlink(target: SignalTarget, signal: number): Ptr {
    let previous = NULL
    for (let record = target.queue; record !== NULL; record = this.#next(record)) {
      if (this.#memory.u32[(record >>> 2) + 1] === signal) {
        if (previous === NULL) target.queue = this.#next(record)
        else this.#memory.u32[previous >>> 2] = this.#next(record)
        return record
      }
      previous = record
    }
    return NULL
  }
}
