/** Structures of Linux's user interface, read from and written to a program's memory. */
import { EFAULT, EINVAL } from '../../base/errno.js'
import { copyFromUser, copyToUser } from '../../fault/user-copy.js'
import type { SyscallContext } from '../syscall-context.js'
import { type ClockBase, momentBy } from '../time-offset.js'

export const SECOND = 1_000_000_000

/** Little-endian bytes under construction. */
export class StructWriter {
  readonly bytes: Uint8Array
  readonly view: DataView

  constructor(length: number) {
    this.bytes = new Uint8Array(length)
    this.view = new DataView(this.bytes.buffer)
  }

  u16(at: number, value: number): this {
    this.view.setUint16(at, value, true)
    return this
  }

  u32(at: number, value: number): this {
    this.view.setUint32(at, value, true)
    return this
  }

  /** Exact for |value| < 2^53; Infinity is all ones (RLIM_INFINITY). */
  u64(at: number, value: number): this {
    const low = value === Number.POSITIVE_INFINITY ? 0xffff_ffff : value >>> 0
    const high = value === Number.POSITIVE_INFINITY ? 0xffff_ffff : Math.floor(value / 0x1_0000_0000) >>> 0
    this.view.setUint32(at, low, true)
    this.view.setUint32(at + 4, high, true)
    return this
  }

  /** A string in a field that was zeroed. */
  text(at: number, value: string): this {
    this.bytes.set(new TextEncoder().encode(value), at)
    return this
  }

  /** Two u64: seconds and what is left of them in units of `unit` nanoseconds (timespec, timeval). */
  time(at: number, nanoseconds: number, unit = 1): this {
    this.u64(at, Math.floor(nanoseconds / SECOND))
    return this.u64(at + 8, Math.floor((nanoseconds % SECOND) / unit))
  }

  /** 0 or -EFAULT. */
  copyTo(c: SyscallContext, address: number): number {
    return copyToUser(c.mm, c.space, address, this.bytes)
  }
}

/** A view on `length` bytes of the program, or nothing when they cannot be read. */
export function readStruct(c: SyscallContext, address: number, length: number): DataView | undefined {
  const bytes = new Uint8Array(length)
  if (copyFromUser(c.mm, c.space, address, bytes) < 0) return undefined
  return new DataView(bytes.buffer)
}

/** An unsigned 64-bit field; rounded above 2^53. */
export function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

/** A signed 64-bit field; rounded beyond ±2^53. */
export function i64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

/**
 * A struct timespec (`unit` 1) or timeval (`unit` 1000) in nanoseconds. -EFAULT, or -EINVAL when it is negative or has
 * too many nanoseconds.
 */
export function readTime(c: SyscallContext, address: number, unit = 1): number {
  const view = readStruct(c, address, 16)
  return view === undefined ? -EFAULT : timeAt(view, 0, unit)
}

export function timeAt(view: DataView, at: number, unit = 1): number {
  const seconds = i64(view, at)
  const rest = i64(view, at + 8)
  if (seconds < 0 || rest < 0 || rest >= SECOND / unit) return -EINVAL
  return seconds * SECOND + rest * unit
}

/** A struct timespec that names a moment by a clock as the caller sees it, on the scale of `Clock.now`. */
export function momentAt(
  { linux, process }: SyscallContext,
  base: ClockBase,
  view: DataView,
  at: number,
): number {
  const time = { seconds: i64(view, at), nanoseconds: i64(view, at + 8) }
  return momentBy(linux.clock, base, linux.namespaces.offset(process, base), time)
}

/** Copies a struct out when the program asked for it (NULL means it did not). 0 or -EFAULT. */
export function copyOut(c: SyscallContext, argument: number, writer: StructWriter): number {
  return c.args.isZero(argument) ? 0 : writer.copyTo(c, c.args.address(argument))
}
