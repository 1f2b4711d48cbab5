/**
 * The contents of [vvar]: what the functions of [vdso] know of the clocks. A record of 32 bytes for each of the 12 that
 * clock_gettime(2) numbers:
 *
 *     0    u64   nanoseconds of a tick of the `time` register; 0 = only the system call knows this clock
 *     8    u64   seconds to add: when the machine was started, for clocks that tell the time of day
 *     16   u64   resolution in nanoseconds; 0 = only the system call knows
 *
 * Nothing of it changes while the machine runs, so reading needs no sequence number.
 */
import type { Clock } from './clock.js'
import { TICK_NANOSECONDS } from './clock.js'

const CLOCKS = 12
const RECORD_BYTES = 32
/** As on a kernel of 250 Hz. */
export const COARSE_RESOLUTION = 4_000_000
/** Clocks that tell the time of day: realtime, its coarse twin, TAI. */
export const WALL_CLOCKS: ReadonlySet<number> = new Set([0, 5, 11])
/** Clocks since the start: monotonic, raw, coarse, boottime. */
export const STEADY_CLOCKS: ReadonlySet<number> = new Set([1, 4, 6, 7])
export const COARSE_CLOCKS: ReadonlySet<number> = new Set([5, 6])

/** The table for a machine's clock. With real time the hart has no register that is fine enough: all ticks are 0. */
export function buildVvar(clock: Clock): Uint8Array {
  const bytes = new Uint8Array(CLOCKS * RECORD_BYTES)
  const view = new DataView(bytes.buffer)
  const tick = clock.mode === 'virtual' ? TICK_NANOSECONDS : 0
  for (let id = 0; id < CLOCKS; id++) {
    const isWall = WALL_CLOCKS.has(id)
    if (!isWall && !STEADY_CLOCKS.has(id)) continue
    const at = id * RECORD_BYTES
    view.setUint32(at, tick, true)
    view.setUint32(at + 8, isWall ? clock.epochSeconds : 0, true)
    view.setUint32(at + 16, COARSE_CLOCKS.has(id) ? COARSE_RESOLUTION : 1, true)
  }
  return bytes
}
