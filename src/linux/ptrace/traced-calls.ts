/**
 * System calls of traced threads: stops before, in and after them (kernel/entry/common.c, arch/riscv/kernel/traps.c). Linux has moved pc
 * past the ecall, kept a0 elsewhere and put -ENOSYS there when a tracer looks; here both happen when the call ends, so the registers are
 * shown that way while the thread is stopped, and put back when it goes on.
 */
import { ENOSYS } from '../../base/errno.js'
import { NULL, type Ptr } from '../../base/numbers.js'
import { HartField } from '../../hart/hart-state.js'
import type { Linux } from '../linux.js'
import { type Process, ProcessFlag } from '../process.js'
import { setX } from '../registers.js'
import { Signal, SignalCode } from '../signal-numbers.js'
import type { SyscallDispatcher } from '../syscall-dispatcher.js'
import type { Thread } from '../thread.js'
import { ThreadFlag } from '../thread-record.js'
import { ERESTART_RESTARTBLOCK, ERESTARTSYS, PARKED, REGISTERS_SET, type WaitKind } from '../wait.js'
import { CallMessage, PtraceOption } from './ptrace-numbers.js'
import type { TraceStops } from './trace-stops.js'
import { Phase, type Tracee, TraceeFlag } from './tracee.js'
import type { Tracees } from './tracees.js'

const ECALL_BYTES = 4
const A0 = HartField.x + 10 * 8
const A7 = HartField.x + 17 * 8
/** Calls that Linux 6.12 has a number for. */
const CALL_COUNT = 463
const RESTART_SYSCALL = 128
/** In siginfo_t and what wait4(2) tells, with PTRACE_O_TRACESYSGOOD. */
const GOOD = 0x80

const isRestart = (result: number) => result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK

export class TracedCalls {
  readonly #linux: Linux
  readonly #dispatcher: SyscallDispatcher
  readonly #tracees: Tracees
  readonly #stops: TraceStops

  constructor(linux: Linux, dispatcher: SyscallDispatcher, tracees: Tracees, stops: TraceStops) {
    this.#linux = linux
    this.#dispatcher = dispatcher
    this.#tracees = tracees
    this.#stops = stops
  }

  get #hart(): Ptr {
    return this.#linux.hart.ptr
  }

  /** A traced thread is about to make a call: whether it stops first. One that runs again after it was parked does not. */
  stopsBefore(process: Process, thread: Thread): boolean {
    const tracee = this.#tracees.of(thread)!
    const isNew = !thread.isResumed || tracee.has(TraceeFlag.callAgain)
    if (isNew && !tracee.has(TraceeFlag.callAgain)) tracee.clear(TraceeFlag.restartCall)
    tracee.clear(TraceeFlag.callAgain)
    if (!isNew || !tracee.has(TraceeFlag.stopsAtCalls | TraceeFlag.emulatesCalls)) {
      this.nameCall(tracee)
      return false
    }
    if (tracee.has(TraceeFlag.emulatesCalls)) tracee.set(TraceeFlag.emulated)
    else tracee.clear(TraceeFlag.emulated)
    if (tracee.has(TraceeFlag.restartCall)) this.#nameRestart(tracee)
    this.#show(tracee, -ENOSYS)
    this.#stop(process, thread, tracee, Phase.entry, CallMessage.entry)
    return true
  }

  #nameRestart(tracee: Tracee): void {
    const { u32 } = this.#linux.mm.memory
    const number = u32[(this.#hart + A7) >>> 2]!
    if (number !== RESTART_SYSCALL) tracee.callNumber = number
    setX(u32, this.#hart, 17, RESTART_SYSCALL)
  }

  /** For who makes it, it is still what it was before Linux called it so; false when the tracer has made it another. */
  nameCall(tracee: Tracee): boolean {
    if (!tracee.has(TraceeFlag.restartCall)) return true
    const { u32 } = this.#linux.mm.memory
    if (u32[(this.#hart + A7) >>> 2] !== RESTART_SYSCALL) return false
    setX(u32, this.#hart, 17, tracee.callNumber)
    return true
  }

  /** As Linux has the registers in the midst of a call. */
  #show(tracee: Tracee, result: number): void {
    const { memory } = this.#linux.mm
    memory.copy(tracee.firstArgument, (this.#hart + A0) as Ptr, 8)
    setX(memory.u32, this.#hart, 10, result)
    this.#movePc(ECALL_BYTES)
  }

  /** A thread ends in the call that it makes: if it stops once more, that is how its registers are. */
  showEnding(thread: Thread): void {
    const tracee = this.#tracees.of(thread)
    if (tracee !== undefined) this.#show(tracee, -ENOSYS)
  }

  /** As they were before. */
  #putBack(tracee: Tracee): void {
    this.#linux.mm.memory.copy((this.#hart + A0) as Ptr, tracee.firstArgument, 8)
    this.#movePc(-ECALL_BYTES)
  }

  #movePc(bytes: number): void {
    const { u32 } = this.#linux.mm.memory
    const at = (this.#hart + HartField.pc) >>> 2
    const low = u32[at]! + bytes
    u32[at] = low
    if (low > 0xffff_ffff) u32[at + 1]!++
    else if (low < 0) u32[at + 1]!--
  }

  #stop(process: Process, thread: Thread, tracee: Tracee, phase: Phase, message: number): void {
    const code = Signal.TRAP | (tracee.options & PtraceOption.goodCalls ? GOOD : 0)
    const info = this.#stops.info(process, thread, Signal.TRAP, code)
    this.#stops.stop(process, thread, tracee, { code, why: SignalCode.childTrapped, phase, message }, info)
  }

  /** The tracer lets it go on into the call, whatever that is now (or past it, PTRACE_SYSEMU); `signal` is sent to it. */
  enter(process: Process, thread: Thread, tracee: Tracee, signal: number): void {
    this.#raise(process, thread, signal)
    const { u32 } = this.#linux.mm.memory
    const number = u32[(this.#hart + A7) >>> 2]!
    const isCall = u32[((this.#hart + A7) >>> 2) + 1] === 0 && number < CALL_COUNT
    if ((!isCall || tracee.has(TraceeFlag.emulated)) && !thread.isKilled) {
      thread.endCall()
      this.#stopAfter(process, thread, tracee)
      return
    }
    this.#putBack(tracee)
    if (!this.nameCall(tracee)) thread.endCall()
    if (thread.isKilled) thread.endCall()
    else this.#dispatcher.make(process, thread)
  }

  /** The signal with which a tracer lets a thread go on that was not stopped for one. */
  #raise(process: Process, thread: Thread, signal: number): void {
    if (signal === 0) return
    const { signals } = this.#linux
    signals.sendToThread(process, thread, signal, signals.info({ signal, code: SignalCode.kernel }))
  }

  /** A traced thread's call was made. */
  leave(process: Process, thread: Thread, result: number): void {
    if (!this.#linux.scheduler.isCurrent(thread) || thread.hasFlag(ThreadFlag.trapped)) return
    const tracee = this.#tracees.of(thread)
    if (tracee === undefined) this.#dispatcher.finish(thread, result)
    else if (tracee.event !== 0) this.#stopWithin(process, thread, tracee, result)
    else this.#complete(process, thread, tracee, result)
  }

  /** In the midst of the call: it has made a process or thread, or become another program. */
  #stopWithin(process: Process, thread: Thread, tracee: Tracee, result: number): void {
    const { event, message } = tracee
    tracee.event = 0
    tracee.result = result
    const phase = result === PARKED ? Phase.vfork : result === REGISTERS_SET ? Phase.registers : Phase.call
    if (phase === Phase.registers) setX(this.#linux.mm.memory.u32, this.#hart, 10, -ENOSYS)
    else this.#show(tracee, -ENOSYS)
    const code = Signal.TRAP | (event << 8)
    const info = this.#stops.info(process, thread, Signal.TRAP, code)
    this.#stops.stop(process, thread, tracee, { code, why: SignalCode.childTrapped, phase, message }, info)
  }

  /** It goes on from there. */
  goOnWithin(process: Process, thread: Thread, tracee: Tracee, phase: Phase): void {
    if (phase === Phase.registers) setX(this.#linux.mm.memory.u32, this.#hart, 10, 0)
    else this.#putBack(tracee)
    if (phase === Phase.vfork) this.#waitForChild(process, thread)
    else this.#complete(process, thread, tracee, tracee.result)
  }

  /** The child may have let go of the memory meanwhile. */
  #waitForChild(process: Process, thread: Thread): void {
    const child = this.#linux.processes.get(thread.waitArgument)
    if (child?.hasFlag(ProcessFlag.vforked) === true) {
      thread.parkKillable(thread.waitKind as WaitKind, thread.waitArgument)
      return
    }
    thread.flags |= ThreadFlag.woken
    this.#dispatcher.make(process, thread)
  }

  #complete(process: Process, thread: Thread, tracee: Tracee, result: number): void {
    tracee.result = 0
    if (tracee.has(TraceeFlag.restartCall) && result !== PARKED) this.#nameRestart(tracee)
    if (isRestart(result) && tracee.has(TraceeFlag.stopsAtCalls)) {
      tracee.result = result
      this.#show(tracee, result)
    } else this.#dispatcher.finish(thread, result)
    if (result !== PARKED) this.#stopAfter(process, thread, tracee)
  }

  #stopAfter(process: Process, thread: Thread, tracee: Tracee): void {
    if (tracee.has(TraceeFlag.stopsAtCalls)) this.#stop(process, thread, tracee, Phase.exit, CallMessage.exit)
  }

  /** After the stop at the end of a call: one that was to be made again is, unless the tracer has given it a result. */
  exit(process: Process, thread: Thread, tracee: Tracee, signal: number): void {
    this.#raise(process, thread, signal)
    const { result } = tracee
    if (result === 0) return
    const { u32 } = this.#linux.mm.memory
    const at = (this.#hart + A0) >>> 2
    tracee.result = 0
    if (u32[at]! !== result >>> 0 || u32[at + 1] !== 0xffff_ffff) {
      thread.endCall()
      return
    }
    this.#putBack(tracee)
    thread.restart = -result
  }

  /** No handler has run: an interrupted call is made again, which is a new call to the tracer. */
  noteRestart(thread: Thread): void {
    const tracee = this.#tracees.of(thread)
    if (tracee === undefined || tracee.tracer === NULL || !thread.isResumed) return
    tracee.set(TraceeFlag.callAgain)
    if (thread.restart === ERESTART_RESTARTBLOCK) tracee.set(TraceeFlag.restartCall)
    else tracee.clear(TraceeFlag.restartCall)
  }
}
