/**
 * The contents of [vvar]: what the functions of [vdso] know of the clocks. A record of 32 bytes for each of the 12 that
 * clock_gettime(2) numbers:
 *
 *     0    u64   nanoseconds of a tick of the `time` register; 0 = only the system call knows this clock
 *     8    i64   seconds to add: when the machine was started, for clocks that tell the time of day; else what the namespace of time does
 *     16   u64   resolution in nanoseconds; 0 = only the system call knows
 *     24   u64   nanoseconds to add, 0 to 999,999,999
 *
 * Nothing of it changes while somebody sees it, so reading needs no sequence number.
 */
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { ObjectKind } from '../space/page-object.js'
import type { Clock } from './clock.js'
import { TICK_NANOSECONDS } from './clock.js'
import { ClockBase, type TimeOffset } from './time-offset.js'

export const VVAR_PAGES = 2

const CLOCKS = 12
const RECORD_BYTES = 32
/** As on a kernel of 250 Hz. */
export const COARSE_RESOLUTION = 4_000_000
/** Clocks that tell the time of day: realtime, its coarse twin, TAI. */
export const WALL_CLOCKS: ReadonlySet<number> = new Set([0, 5, 11])
/** Clocks since the start: monotonic, raw, coarse, boottime. */
export const STEADY_CLOCKS: ReadonlySet<number> = new Set([1, 4, 6, 7])
const BOOTTIME = 7
export const COARSE_CLOCKS: ReadonlySet<number> = new Set([5, 6])

/** From when a clock counts that has a record. */
export function baseOf(id: number): ClockBase {
  if (WALL_CLOCKS.has(id)) return ClockBase.wall
  return id === BOOTTIME ? ClockBase.boottime : ClockBase.monotonic
}

/** What a namespace of time adds to the clocks of a base. */
type OffsetOf = (base: ClockBase) => TimeOffset

/** A page object with the table; NULL without memory. */
export function createVvar(mm: MemoryManager, clock: Clock, offsetOf: OffsetOf): Ptr {
  const object = mm.objects.create(ObjectKind.kernel, VVAR_PAGES * PAGE_SIZE)
  if (object === NULL || fillVvar(mm, object, clock, offsetOf)) return object
  mm.objects.release(object)
  return NULL
}

/** Whether there was memory for it; there is once it was filled. */
export function fillVvar(mm: MemoryManager, object: Ptr, clock: Clock, offsetOf: OffsetOf): boolean {
  return mm.objects.write(object, 0, buildVvar(clock, offsetOf)) > 0
}

/** The table for a machine's clock. With real time the hart has no register that is fine enough: all ticks are 0. */
export function buildVvar(clock: Clock, offsetOf: OffsetOf): Uint8Array {
  const bytes = new Uint8Array(CLOCKS * RECORD_BYTES)
  const view = new DataView(bytes.buffer)
  const tick = clock.mode === 'virtual' ? TICK_NANOSECONDS : 0
  for (let id = 0; id < CLOCKS; id++) {
    const isWall = WALL_CLOCKS.has(id)
    if (!isWall && !STEADY_CLOCKS.has(id)) continue
    const at = id * RECORD_BYTES
    view.setUint32(at, tick, true)
    const offset = offsetOf(baseOf(id))
    view.setBigInt64(at + 8, BigInt(isWall ? clock.epochSeconds : offset.seconds), true)
    view.setUint32(at + 16, COARSE_CLOCKS.has(id) ? COARSE_RESOLUTION : 1, true)
    view.setUint32(at + 24, offset.nanoseconds, true)
  }
  return bytes
}
