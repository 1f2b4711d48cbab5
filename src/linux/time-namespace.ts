/**
 * Namespaces of time (time_namespaces(7); kernel/time/namespace.c of Linux): what their processes see of the clocks that count from the
 * start of the machine is shifted. Slab cache "time_namespace"; NULL stands for the first one, which shifts nothing.
 *
 *     0    u32  who holds it: processes, threads whose children it is for, its file
 *     4    u32  number of its file (namespaces.ts)
 *     8    u32  1: somebody has entered it, and its offsets stay what they are
 *     12   Ptr  the contents of its [vvar], a page object
 *     16   f64 x 2  seconds and nanoseconds that CLOCK_MONOTONIC is ahead
 *     32   f64 x 2  and CLOCK_BOOTTIME
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { RecordView } from '../state/record-view.js'
import type { Clock } from './clock.js'
import { ClockBase, NO_OFFSET, type TimeOffset } from './time-offset.js'
import { createVvar, fillVvar } from './vvar.js'

const RECORD_BYTES = 48
const REFERENCES = 0
const NUMBER = 4
const FROZEN = 8
const VVAR = 12
const MONOTONIC = 16
const BOOTTIME = 32

export class TimeNamespace extends RecordView {
  readonly kind = 'time'

  get references(): number {
    return this.u32(REFERENCES)
  }
  set references(count: number) {
    this.setU32(REFERENCES, count)
  }

  get number(): number {
    return this.u32(NUMBER)
  }
  set number(value: number) {
    this.setU32(NUMBER, value)
  }

  get isFrozen(): boolean {
    return this.u32(FROZEN) !== 0
  }
  set isFrozen(value: boolean) {
    this.setU32(FROZEN, value ? 1 : 0)
  }

  get vvar(): Ptr {
    return this.u32(VVAR) as Ptr
  }
  set vvar(object: Ptr) {
    this.setU32(VVAR, object)
  }

  offset(base: ClockBase): TimeOffset {
    const at = placeOf(base)
    return at === 0 ? NO_OFFSET : { seconds: this.f64(at), nanoseconds: this.f64(at + 8) }
  }

  setOffset(base: ClockBase, { seconds, nanoseconds }: TimeOffset): void {
    const at = placeOf(base)
    this.setF64(at, seconds)
    this.setF64(at + 8, nanoseconds)
  }
}

/** 0: that clock is the same everywhere. */
function placeOf(base: ClockBase): number {
  if (base === ClockBase.monotonic) return MONOTONIC
  return base === ClockBase.boottime ? BOOTTIME : 0
}

export class TimeNamespaces {
  readonly #mm: MemoryManager
  readonly #clock: Clock
  readonly #cache: SlabCache

  constructor(mm: MemoryManager, clock: Clock) {
    this.#mm = mm
    this.#clock = clock
    this.#cache = mm.slab.createCache('time_namespace', RECORD_BYTES)
  }

  /** The view on one that is not the first. */
  at(ptr: Ptr): TimeNamespace {
    return new TimeNamespace(this.#mm.memory, ptr)
  }

  /** A new one with the offsets of another, which the caller holds; NULL without memory. */
  create(from: Ptr, number: number): Ptr {
    const ptr = this.#cache.allocateZeroed()
    if (ptr === NULL) return NULL
    const fresh = this.at(ptr)
    fresh.vvar = createVvar(this.#mm, this.#clock, (base) => this.offset(from, base))
    if (fresh.vvar === NULL) {
      this.#cache.free(ptr)
      return NULL
    }
    fresh.references = 1
    fresh.number = number
    for (const base of [ClockBase.monotonic, ClockBase.boottime]) {
      fresh.setOffset(base, this.offset(from, base))
    }
    return ptr
  }

  /** How many there are besides the first. */
  get used(): number {
    return this.#cache.used
  }

  retain(ptr: Ptr): Ptr {
    if (ptr !== NULL) this.at(ptr).references++
    return ptr
  }

  release(ptr: Ptr): void {
    if (ptr === NULL || --this.at(ptr).references > 0) return
    this.#mm.objects.release(this.at(ptr).vvar)
    this.#cache.free(ptr)
  }

  /** What it adds to a clock. */
  offset(ptr: Ptr, base: ClockBase): TimeOffset {
    return ptr === NULL ? NO_OFFSET : this.at(ptr).offset(base)
  }

  /** The first process comes in: its offsets stay. */
  freeze(ptr: Ptr): void {
    if (ptr === NULL || this.at(ptr).isFrozen) return
    const namespace = this.at(ptr)
    namespace.isFrozen = true
    fillVvar(this.#mm, namespace.vvar, this.#clock, (base) => namespace.offset(base))
  }
}
