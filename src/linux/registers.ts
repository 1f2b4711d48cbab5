/** The registers of the thread that is on the hart, as the calling convention of system calls names them. */
import type { Ptr } from '../base/numbers.js'
import { HartField } from '../hart/hart-state.js'

/** The result of a call goes to a0, and the thread goes on after the ecall. */
export function finishCall(u32: Uint32Array, hart: Ptr, result: number): void {
  setX(u32, hart, 10, result)
  const pc = (hart + HartField.pc) >>> 2
  const low = u32[pc]! + 4
  u32[pc] = low
  if (low > 0xffff_ffff) u32[pc + 1]!++
}

/** Writes a register; exact for |value| < 2^53. */
export function setX(u32: Uint32Array, hart: Ptr, register: number, value: number): void {
  const at = (hart + HartField.x + register * 8) >>> 2
  u32[at] = value >>> 0
  u32[at + 1] = Math.floor(value / 0x1_0000_0000) >>> 0
}

/** sp as an unsigned number. */
export function stackPointer(u32: Uint32Array, hart: Ptr): number {
  const at = (hart + HartField.x + 16) >>> 2
  return u32[at + 1]! * 0x1_0000_0000 + u32[at]!
}
