/** Entering a signal's handler, and coming back from it by rt_sigreturn(2) (arch/riscv/kernel/signal.c). */
import type { Ptr } from '../base/numbers.js'
import { copyFromUser, copyToUser } from '../fault/user-copy.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import { isOnStack, resetStack, SS_AUTODISARM, setStack, stackFlags } from './alternate-stack.js'
import type { Process } from './process.js'
import { setX, stackPointer } from './registers.js'
import { FRAME_CONTEXT, FRAME_INFO, SIGNAL_FRAME_BYTES, SignalFrame } from './signal-frame.js'
import type { SignalMasks } from './signal-masks.js'
import { SA_NODEFER, SA_ONSTACK, SA_RESETHAND } from './signal-numbers.js'
import type { Thread } from './thread.js'
import { THREAD_BLOCKED, THREAD_SAVED_MASK, ThreadFlag } from './thread-record.js'

/** Fields of a signal's action. */
const HANDLER = 0
const FLAGS = 8
const MASK = 16

export interface HandlerEnv {
  readonly mm: MemoryManager
  /** Address of the trampoline in the process's [vdso]. */
  trampoline(process: Process): number
}

export class HandlerEntry {
  readonly #env: HandlerEnv
  readonly #masks: SignalMasks
  readonly #u32: Uint32Array
  readonly #frame: SignalFrame

  constructor(env: HandlerEnv, masks: SignalMasks) {
    this.#env = env
    this.#masks = masks
    this.#u32 = env.mm.memory.u32
    this.#frame = new SignalFrame(env.mm.memory)
  }

  /** An empty frame; its siginfo_t is to be filled before `enter`. */
  begin(): Uint8Array {
    this.#frame.clear()
    return this.#frame.info
  }

  /** Writes the frame and points the registers at the handler; false when the stack cannot be written. */
  enter(process: Process, thread: Thread, hart: Ptr, signal: number): boolean {
    const action = process.action(signal) >>> 2
    const flags = this.#u32[action + FLAGS / 4]!
    const at = this.#framePlace(thread, hart, flags)
    if (at < 0) return false
    this.#fillFrame(thread, hart)
    if (copyToUser(this.#env.mm, process.space, at, this.#frame.bytes) < 0) return false
    setX(this.#u32, hart, 1, this.#env.trampoline(process))
    setX(this.#u32, hart, 2, at)
    setX(this.#u32, hart, 10, signal)
    setX(this.#u32, hart, 11, at + FRAME_INFO)
    setX(this.#u32, hart, 12, at + FRAME_CONTEXT)
    this.#jump(hart, action)
    this.#afterSetup(thread, action, signal, flags)
    return true
  }

  #jump(hart: Ptr, action: number): void {
    this.#u32[(hart + HartField.pc) >>> 2] = this.#u32[action + HANDLER / 4]! & ~1
    this.#u32[(hart + HartField.pc + 4) >>> 2] = this.#u32[action + HANDLER / 4 + 1]!
    this.#u32[(hart + HartField.isReserved) >>> 2] = 0
  }

  #fillFrame(thread: Thread, hart: Ptr): void {
    const mask = thread.hasFlag(ThreadFlag.restoreMask) ? THREAD_SAVED_MASK : THREAD_BLOCKED
    thread.flags &= ~ThreadFlag.restoreMask
    const sp = stackPointer(this.#u32, hart)
    this.#frame.saveRegisters(hart)
    this.#frame.setMask(this.#masks.word(thread, mask, 0), this.#masks.word(thread, mask, 1))
    this.#frame.setStack({
      base: thread.altBase,
      size: thread.altSize,
      flags: stackFlags(thread, sp) | (thread.altFlags & SS_AUTODISARM),
    })
  }

  /** Where the frame goes; -1 when the alternate stack has no room left. */
  #framePlace(thread: Thread, hart: Ptr, flags: number): number {
    const sp = stackPointer(this.#u32, hart)
    const overflows = isOnStack(thread, sp) && !isOnStack(thread, sp - SIGNAL_FRAME_BYTES)
    if (overflows) return -1
    const useAlternate = (flags & SA_ONSTACK) !== 0 && stackFlags(thread, sp) === 0
    const top = useAlternate ? thread.altBase + thread.altSize : sp
    const at = top - SIGNAL_FRAME_BYTES
    return at - (((at % 16) + 16) % 16)
  }

  /** What the handler blocks while it runs, and what is only good for once. */
  #afterSetup(thread: Thread, action: number, signal: number, flags: number): void {
    let low = this.#masks.word(thread, THREAD_BLOCKED, 0) | this.#u32[action + MASK / 4]!
    let high = this.#masks.word(thread, THREAD_BLOCKED, 1) | this.#u32[action + MASK / 4 + 1]!
    if ((flags & SA_NODEFER) === 0) {
      if (signal <= 32) low |= 1 << (signal - 1)
      else high |= 1 << (signal - 33)
    }
    this.#masks.setBlocked(thread, low, high)
    if ((flags & SA_RESETHAND) !== 0) this.#u32.fill(0, action, action + 2)
    if ((thread.altFlags & SS_AUTODISARM) !== 0) resetStack(thread)
  }

  /** rt_sigreturn(2): takes the registers back from the frame at sp; false when there is no good frame. */
  leave(process: Process, thread: Thread, hart: Ptr): boolean {
    const frame = this.#frame
    const sp = stackPointer(this.#u32, hart)
    if (copyFromUser(this.#env.mm, process.space, sp, frame.bytes) < 0 || !frame.isWellFormed) return false
    frame.restoreRegisters(hart)
    this.#masks.setBlocked(thread, frame.maskLow, frame.maskHigh)
    const { base, flags, size } = frame.stack
    setStack(thread, base, flags, size, stackPointer(this.#u32, hart))
    return true
  }
}
