/**
 * struct rt_sigframe of riscv64 (arch/riscv/kernel/signal.c, include/uapi/asm/{ucontext,sigcontext,ptrace}.h):
 *
 *     0     128 bytes  siginfo_t
 *     128   u64        uc_flags, 0
 *     136   u64        uc_link, 0
 *     144   24 bytes   uc_stack: ss_sp, ss_flags (i32), ss_size
 *     168   128 bytes  uc_sigmask: the set that comes back, then room for more signals
 *     304   u64 × 32   pc, x1 … x31
 *     560   u64 × 32   f0 … f31
 *     816   u32        fcsr
 *     1076  u32        reserved, 0
 *     1080  u32 × 2    end of the list of extension contexts: magic 0, size 0
 *     1088
 */
import type { Ptr } from '../base/numbers.js'
import { HartField } from '../hart/hart-state.js'
import type { Memory } from '../state/memory.js'
import { SIGINFO_BYTES } from './signal-queue.js'

export const SIGNAL_FRAME_BYTES = 1088
/** Of siginfo_t and ucontext_t within the frame: what a handler gets in a1 and a2. */
export const FRAME_INFO = 0
export const FRAME_CONTEXT = 128
const STACK = 144
const MASK = 168
const PC = 304
const X1 = 312
const F0 = 560
const FCSR = 816
const RESERVED = 1076
const END_MAGIC = 1080
const END_SIZE = 1084

export interface AlternateStack {
  base: number
  flags: number
  size: number
}

const u64ToView = (view: DataView, at: number, value: number) => {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000) >>> 0, true)
}

/** A frame on its way to or from the program's stack. */
export class SignalFrame {
  readonly bytes = new Uint8Array(SIGNAL_FRAME_BYTES)
  readonly #view = new DataView(this.bytes.buffer)
  readonly #memory: Memory

  constructor(memory: Memory) {
    this.#memory = memory
  }

  /** The siginfo_t within. */
  readonly info = this.bytes.subarray(FRAME_INFO, SIGINFO_BYTES)

  clear(): void {
    this.bytes.fill(0)
  }

  /** Copies registers from the hart's record. */
  saveRegisters(hart: Ptr): void {
    const { u8 } = this.#memory
    this.bytes.set(u8.subarray(hart + HartField.pc, hart + HartField.pc + 8), PC)
    this.bytes.set(u8.subarray(hart + HartField.x + 8, hart + HartField.x + 256), X1)
    this.bytes.set(u8.subarray(hart + HartField.f, hart + HartField.f + 256), F0)
    this.bytes.set(u8.subarray(hart + HartField.fcsr, hart + HartField.fcsr + 4), FCSR)
  }

  /** Copies registers into the hart's record. */
  restoreRegisters(hart: Ptr): void {
    const { u8, u32 } = this.#memory
    u8.set(this.bytes.subarray(PC, PC + 8), hart + HartField.pc)
    u8.set(this.bytes.subarray(X1, X1 + 248), hart + HartField.x + 8)
    u8.set(this.bytes.subarray(F0, F0 + 256), hart + HartField.f)
    u32[(hart + HartField.fcsr) >>> 2] = this.#view.getUint32(FCSR, true) & 0xff
    u32[(hart + HartField.isReserved) >>> 2] = 0
  }

  /** Whether the list of extension contexts is the empty one that we wrote. */
  get isWellFormed(): boolean {
    const view = this.#view
    return (
      (view.getUint32(RESERVED, true) | view.getUint32(END_MAGIC, true) | view.getUint32(END_SIZE, true)) ===
      0
    )
  }

  get maskLow(): number {
    return this.#view.getUint32(MASK, true)
  }

  get maskHigh(): number {
    return this.#view.getUint32(MASK + 4, true)
  }

  setMask(low: number, high: number): void {
    this.#view.setUint32(MASK, low, true)
    this.#view.setUint32(MASK + 4, high, true)
  }

  setStack(stack: AlternateStack): void {
    encodeStack(this.#view, STACK, stack)
  }

  get stack(): AlternateStack {
    return decodeStack(this.#view, STACK)
  }
}

/** stack_t, 24 bytes. */
export function encodeStack(view: DataView, at: number, stack: AlternateStack): void {
  u64ToView(view, at, stack.base)
  view.setUint32(at + 8, stack.flags, true)
  view.setUint32(at + 12, 0, true)
  u64ToView(view, at + 16, stack.size)
}

export function decodeStack(view: DataView, at: number): AlternateStack {
  return {
    base: view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true),
    flags: view.getUint32(at + 8, true),
    size: view.getUint32(at + 20, true) * 0x1_0000_0000 + view.getUint32(at + 16, true),
  }
}
