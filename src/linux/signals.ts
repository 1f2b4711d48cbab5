/**
 * Sending signals, and delivering them to the thread that is about to go on in user mode (kernel/signal.c and
 * arch/riscv/kernel/signal.c of Linux).
 */
import { EINTR } from '../base/errno.js'
import type { Ptr } from '../base/numbers.js'
import { copyFromUser, copyToUser } from '../fault/user-copy.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import { isOnStack, resetStack, SS_AUTODISARM, setStack, stackFlags } from './alternate-stack.js'
import { PROCESS_PENDING, type Process } from './process.js'
import { finishCall, setX, stackPointer } from './registers.js'
import { FRAME_CONTEXT, FRAME_INFO, SIGNAL_FRAME_BYTES, SignalFrame } from './signal-frame.js'
import {
  defaultAction,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SIG_DFL,
  SIG_IGN,
  SIGNAL_MAX,
  Signal,
} from './signal-numbers.js'
import {
  clearBit,
  encodeSignalInfo,
  hasBit,
  SIGINFO_BYTES,
  type SignalInfo,
  SignalQueues,
} from './signal-queue.js'
import { THREAD_BLOCKED, THREAD_PENDING, THREAD_SAVED_MASK, type Thread, ThreadFlag } from './thread.js'
import { ERESTARTNOINTR, ERESTARTSYS } from './wait.js'

/** Fields of a signal's action. */
const HANDLER = 0
const FLAGS = 8
const MASK = 16

/** Who is told when a signal ends a process. */
export interface SignalEnv {
  readonly mm: MemoryManager
  /** Address of the trampoline in the process's [vdso]. */
  trampoline(process: Process): number
  /** Ends a process; `info` is the siginfo_t of the signal that did it. */
  killed(process: Process, thread: Thread, signal: number, info: Uint8Array): void
}

const set = (target: { ptr: Ptr }, offset: number) => (target.ptr + offset) as Ptr

export class Signals {
  readonly #env: SignalEnv
  readonly #u32: Uint32Array
  readonly queues: SignalQueues
  readonly #frame: SignalFrame
  readonly #info = new Uint8Array(SIGINFO_BYTES)
  readonly #infoView = new DataView(this.#info.buffer)

  constructor(env: SignalEnv) {
    this.#env = env
    this.#u32 = env.mm.memory.u32
    this.queues = new SignalQueues(env.mm.memory, env.mm.slab)
    this.#frame = new SignalFrame(env.mm.memory)
  }

  /** Whether nobody would notice the signal: ignored, and not blocked. */
  #isIgnored(process: Process, thread: Thread, signal: number): boolean {
    if (hasBit(this.#env.mm.memory, set(thread, THREAD_BLOCKED), signal)) return false
    const action = process.action(signal) >>> 2
    if (this.#u32[action + 1] !== 0) return false
    if (this.#u32[action] === SIG_IGN) return true
    return this.#u32[action] === SIG_DFL && defaultAction(signal) === 'ignore'
  }

  /** Sends to the whole process; `thread` is one of its threads, which is woken. */
  sendToProcess(process: Process, thread: Thread, signal: number, info: Uint8Array): void {
    if (this.#isIgnored(process, thread, signal)) return
    this.queues.add(process, set(process, PROCESS_PENDING), signal, info)
    this.#notify(thread)
  }

  sendToThread(process: Process, thread: Thread, signal: number, info: Uint8Array): void {
    if (this.#isIgnored(process, thread, signal)) return
    this.queues.add(thread, set(thread, THREAD_PENDING), signal, info)
    this.#notify(thread)
  }

  #notify(thread: Thread): void {
    if (thread.hasSignal) thread.wake()
  }

  /** The siginfo_t of an event, good until the next one is made. */
  info(info: SignalInfo): Uint8Array {
    this.#info.fill(0)
    encodeSignalInfo(this.#infoView, 0, info)
    return this.#info
  }

  /** A fault of the thread's own: a handler that is blocked or ignored is not asked, and the process dies of it. */
  force(process: Process, thread: Thread, info: SignalInfo): void {
    const { signal } = info
    const action = process.action(signal) >>> 2
    const blocked = hasBit(this.#env.mm.memory, set(thread, THREAD_BLOCKED), signal)
    const ignored = this.#u32[action] === SIG_IGN && this.#u32[action + 1] === 0
    if (blocked || ignored) {
      this.#resetAction(action)
      clearBit(this.#env.mm.memory, set(thread, THREAD_BLOCKED), signal)
    }
    this.queues.add(thread, set(thread, THREAD_PENDING), signal, this.info(info))
  }

  /** A frame could not be written or read: SIGSEGV, and death if that was the signal being delivered. */
  forceSegv(process: Process, thread: Thread, delivering: number): void {
    if (delivering === Signal.SEGV) this.#resetAction(process.action(Signal.SEGV) >>> 2)
    this.force(process, thread, { signal: Signal.SEGV, code: 0x80 })
  }

  #resetAction(action: number): void {
    this.#u32[action] = SIG_DFL
    this.#u32[action + 1] = 0
  }

  /**
   * Delivers what is pending for the thread whose registers are on the hart. Afterwards it goes on at a handler or where it
   * was; the process may have ended instead.
   */
  deliver(process: Process, thread: Thread, hart: Ptr): void {
    while (thread.hasSignal) {
      const signal = this.#takeNext(process, thread)
      const action = process.action(signal) >>> 2
      if (this.#u32[action + 1] !== 0 || this.#u32[action]! > SIG_IGN) {
        this.#endCall(thread, hart, this.#u32[action + FLAGS / 4]!)
        if (this.#handle(process, thread, hart, signal)) continue
        this.forceSegv(process, thread, signal)
      } else if (this.#u32[action] === SIG_DFL && this.#endsProcess(signal)) {
        this.#env.killed(process, thread, signal, this.#frame.info)
        return
      }
    }
    // No handler has run: the call goes on, with its deadline.
    thread.restart = 0
    this.#restoreMask(thread)
  }

  #endsProcess(signal: number): boolean {
    const action = defaultAction(signal)
    return action === 'core' || action === 'terminate'
  }

  /** Takes the most urgent signal that is not blocked; its siginfo_t is in the frame then. */
  #takeNext(process: Process, thread: Thread): number {
    this.#frame.clear()
    const low = ~this.#word(thread, THREAD_BLOCKED)
    const high = ~this.#word(thread, THREAD_BLOCKED + 4)
    return this.takeOf(process, thread, low, high, this.#frame.info)
  }

  /** Takes a pending signal of a set (two halves): the thread's own come before the process's. 0 when there is none. */
  takeOf(process: Process, thread: Thread, low: number, high: number, info: Uint8Array): number {
    const own = set(thread, THREAD_PENDING)
    const shared = set(process, PROCESS_PENDING)
    const mine = this.queues.first(own, low, high)
    if (mine !== 0) {
      this.queues.take(thread, own, mine, info)
      return mine
    }
    const signal = this.queues.first(shared, low, high)
    if (signal !== 0) this.queues.take(process, shared, signal, info)
    return signal
  }

  /** Before a handler runs: the call that its signal cut short will run again afterwards, or has failed with EINTR. */
  #endCall(thread: Thread, hart: Ptr, flags: number): void {
    const code = thread.restart
    if (code === 0) return
    thread.restart = 0
    thread.endCall()
    const again = code === ERESTARTNOINTR || (code === ERESTARTSYS && (flags & SA_RESTART) !== 0)
    if (!again) finishCall(this.#u32, hart, -EINTR)
  }

  #restoreMask(thread: Thread): void {
    if ((thread.flags & ThreadFlag.restoreMask) === 0) return
    thread.flags &= ~ThreadFlag.restoreMask
    this.setBlocked(thread, this.#word(thread, THREAD_SAVED_MASK), this.#word(thread, THREAD_SAVED_MASK + 4))
  }

  #word(thread: Thread, offset: number): number {
    return this.#u32[(thread.ptr + offset) >>> 2]!
  }

  /** Sets the mask of blocked signals; SIGKILL and SIGSTOP cannot be blocked. */
  setBlocked(thread: Thread, low: number, high: number): void {
    const unblockable = (1 << (Signal.KILL - 1)) | (1 << (Signal.STOP - 1))
    this.#u32[(thread.ptr + THREAD_BLOCKED) >>> 2] = low & ~unblockable
    this.#u32[(thread.ptr + THREAD_BLOCKED + 4) >>> 2] = high
  }

  /** Writes the frame and points the registers at the handler; false when the stack cannot be written. */
  #handle(process: Process, thread: Thread, hart: Ptr, signal: number): boolean {
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
    const restore = (thread.flags & ThreadFlag.restoreMask) !== 0
    const mask = restore ? THREAD_SAVED_MASK : THREAD_BLOCKED
    thread.flags &= ~ThreadFlag.restoreMask
    const sp = stackPointer(this.#u32, hart)
    this.#frame.saveRegisters(hart)
    this.#frame.setMask(this.#word(thread, mask), this.#word(thread, mask + 4))
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
    let low = this.#word(thread, THREAD_BLOCKED) | this.#u32[action + MASK / 4]!
    let high = this.#word(thread, THREAD_BLOCKED + 4) | this.#u32[action + MASK / 4 + 1]!
    if ((flags & SA_NODEFER) === 0) {
      if (signal <= 32) low |= 1 << (signal - 1)
      else high |= 1 << (signal - 33)
    }
    this.setBlocked(thread, low, high)
    if ((flags & SA_RESETHAND) !== 0) this.#resetAction(action)
    if ((thread.altFlags & SS_AUTODISARM) !== 0) resetStack(thread)
  }

  /** rt_sigreturn(2): takes the registers back from the frame at sp; false when there is no good frame. */
  returnFrom(process: Process, thread: Thread, hart: Ptr): boolean {
    const frame = this.#frame
    const sp = stackPointer(this.#u32, hart)
    if (copyFromUser(this.#env.mm, process.space, sp, frame.bytes) < 0 || !frame.isWellFormed) return false
    frame.restoreRegisters(hart)
    this.setBlocked(thread, frame.maskLow, frame.maskHigh)
    const { base, flags, size } = frame.stack
    setStack(thread, base, flags, size, stackPointer(this.#u32, hart))
    return true
  }

  /** A new action takes effect: what it ignores is no longer pending. */
  forgetIgnored(process: Process, thread: Thread, signal: number): void {
    if (!this.#isIgnoredByAction(process, signal)) return
    this.queues.drop(process, set(process, PROCESS_PENDING), signal)
    this.queues.drop(thread, set(thread, THREAD_PENDING), signal)
  }

  #isIgnoredByAction(process: Process, signal: number): boolean {
    const action = process.action(signal) >>> 2
    if (this.#u32[action + 1] !== 0 || this.#u32[action]! > SIG_IGN) return false
    return this.#u32[action] === SIG_IGN || defaultAction(signal) === 'ignore'
  }

  /** execve(2): handlers are gone with the program, ignored signals stay ignored. */
  resetActions(process: Process): void {
    for (let signal = 1; signal <= SIGNAL_MAX; signal++) {
      const action = process.action(signal) >>> 2
      const ignored = this.#u32[action] === SIG_IGN && this.#u32[action + 1] === 0
      this.#u32.fill(0, action, action + 6)
      if (ignored) this.#u32[action] = SIG_IGN
    }
  }
}
