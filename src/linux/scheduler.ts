/**
 * Which thread's registers are on the hart, and the loop that runs it: hart, trap or call, signals, and again.
 */
import { monotonic } from '../base/monotonic.js'
import { fromHalves, type Ptr } from '../base/numbers.js'
import { reclaimInBackground } from '../fault/background-reclaim.js'
import { Exit } from '../hart/exit.js'
import { HART_CONTEXT_BYTES } from '../hart/hart-state.js'
import { Word, wordIndex } from '../state/layout.js'
import { AnsweredFaults } from './answered-faults.js'
import { FaultCounts } from './fault-counts.js'
import { CALL_TICKS, TRAP_TICKS } from './kernel-time.js'
import type { Linux } from './linux.js'
import type { Process } from './process.js'
import type { SyscallDispatcher } from './syscall-dispatcher.js'
import { type Thread, ThreadState } from './thread.js'
import { ThreadFlag } from './thread-record.js'
import { handleTrap } from './traps.js'
import { WaitKind } from './wait.js'

/** Instructions between looks at the host's clock, at first, at least and at most: as many as take about a millisecond. */
const CHUNK = 200_000
const CHUNK_MIN = 50_000
const CHUNK_MAX = 1_600_000
/** Milliseconds: a chunk that took less, or more, is followed by one of twice as many instructions, or half. */
const CHUNK_SHORT = 0.6
const CHUNK_LONG = 2.4
/** Traps between looks at the host's clock. */
const TRAPS_PER_LOOK = 64
/** Instructions that a thread may run while others wait. */
const QUANTUM = 2_000_000

/** Why a slice ended. */
export type SliceEnd = 'time' | 'idle' | 'ended' | 'limit'

export class Scheduler {
  readonly #linux: Linux
  readonly #dispatcher: SyscallDispatcher
  readonly #faults: FaultCounts
  readonly #answered: AnsweredFaults
  #current: Thread | undefined
  /** Whose it is. */
  #process: Process | undefined
  /** Count of the hart's instructions when the current thread got it. */
  #since = 0
  #limit = Number.POSITIVE_INFINITY
  /** When this slice is over, of `monotonic`. */
  #until = 0
  /** In this slice. */
  #traps = 0
  #chunk = CHUNK
  /** When the host's clock was last looked at. */
  #looked = 0

  /** `answersFaults`: the hart may answer page faults by itself. */
  constructor(linux: Linux, dispatcher: SyscallDispatcher, answersFaults: boolean) {
    this.#linux = linux
    this.#dispatcher = dispatcher
    this.#faults = new FaultCounts(linux.mm.memory)
    this.#answered = new AnsweredFaults(linux, answersFaults)
  }

  /** Page faults that the hart has answered without stopping. */
  get answeredFaults(): number {
    return this.#answered.total
  }

  /** Runs until `until` (of `monotonic`), until `limit` instructions have ever been executed, or until no thread can run. */
  runSlice(until: number, limit: number): SliceEnd {
    this.#limit = limit
    this.#until = until
    this.#traps = 0
    this.#looked = monotonic()
    // Calls one function and does no more: the command tells V8 by this function's name not to optimize it (cli/engine.ts).
    for (;;) {
      const end = this.#goOn()
      if (end !== undefined) return end
    }
  }

  /** One turn of a thread, if one can run; why the slice ends after it. */
  #goOn(): SliceEnd | undefined {
    const { time, hart, threads } = this.#linux
    const deadline = time.passDue()
    const now = hart.instructions()
    const thread = this.#choose(now)
    if (thread === undefined) return threads.isEmpty ? 'ended' : 'idle'
    if (now >= this.#limit) return 'limit'
    const exit = thread.goesOn ? this.#execute(thread, now, deadline) : this.#step(thread, now, deadline)
    const isTimeToLook = exit === Exit.budget || this.#traps++ % TRAPS_PER_LOOK === 0
    return isTimeToLook && this.#look(exit) >= this.#until ? 'time' : undefined
  }

  /** The host's clock. The guest cannot tell how long chunks are. */
  #look(exit: Exit): number {
    const now = monotonic()
    const took = now - this.#looked
    this.#looked = now
    if (exit !== Exit.budget) return now
    if (took < CHUNK_SHORT) this.#chunk = Math.min(CHUNK_MAX, this.#chunk * 2)
    else if (took > CHUNK_LONG) this.#chunk = Math.max(CHUNK_MIN, this.#chunk / 2)
    return now
  }

  /** The thread to run, with its registers on the hart: the one that has it, until its slice is over, then the next. */
  #choose(now: number): Thread | undefined {
    const current = this.#current
    if (current !== undefined && current.state === ThreadState.ready) {
      if (now < current.sliceEnd) return current
      current.yield()
    }
    const next = this.#linux.threads.nextReady()
    if (next === undefined) return undefined
    next.sliceEnd = now + QUANTUM
    if (next !== current) this.#switchTo(next)
    return next
  }

  /** The thread that makes the call lets the others run first. */
  yield(): void {
    if (this.#current !== undefined) this.#current.sliceEnd = 0
  }

  #switchTo(thread: Thread): void {
    this.#saveCurrent()
    const { mm, hart } = this.#linux
    mm.memory.copy(hart.ptr, thread.ptr, HART_CONTEXT_BYTES)
    this.#current = thread
    this.#process = this.#linux.processOf(thread)
    this.#since = hart.instructions()
    mm.memory.u32[wordIndex(Word.currentThread)] = thread.ptr
    this.#linux.activate(this.#process.space)
  }

  #saveCurrent(): void {
    const { mm, hart } = this.#linux
    if (this.#current === undefined) return
    mm.memory.copy(this.#current.ptr, hart.ptr, HART_CONTEXT_BYTES)
    this.#current.userTime = this.userTimeOf(this.#current)
    this.chargeFaults()
  }

  /** The faults since the last time are the current thread's. */
  chargeFaults(): void {
    this.#faults.charge(this.#current)
  }

  /** The faults of what is done are a thread's, whichever has the hart. */
  chargeTo(thread: Thread, work: () => void): void {
    this.chargeFaults()
    work()
    this.#faults.charge(thread)
  }

  /** Nanoseconds that a thread has had the hart: an instruction takes one. */
  userTimeOf(thread: Thread): number {
    return thread.userTime + (this.#current === thread ? this.#linux.hart.instructions() - this.#since : 0)
  }

  /** With the kernel's work for it. */
  timeOf(thread: Thread): number {
    return this.userTimeOf(thread) + thread.systemTime
  }

  /** Whether a thread has the hart: no longer when it has ended. */
  isCurrent(thread: Thread): boolean {
    return this.#current === thread
  }

  /** The thread is gone: nothing of it is saved. */
  forget(thread: Thread): void {
    if (this.#current !== thread) return
    this.#current = undefined
    this.#process = undefined
    this.#linux.mm.memory.u32[wordIndex(Word.currentThread)] = 0
  }

  /** Where a thread's registers are now. */
  contextOf(thread: Thread): Ptr {
    return this.#current === thread ? this.#linux.hart.ptr : thread.ptr
  }

  /** Whose thread has the hart. */
  get currentProcess(): Process | undefined {
    return this.#process
  }

  /** One turn of a thread that does not just go on: a call that was parked is made again, signals are delivered, or its tracer has let it go on. */
  #step(thread: Thread, now: number, deadline: number): Exit {
    const linux = this.#linux
    const process = this.#process!
    if (thread.hasFlag(ThreadFlag.trapped)) {
      linux.tracing.goOn(process, thread)
      this.#leaveKernel()
      return Exit.ecall
    }
    if (thread.waitKind === WaitKind.userfault && !thread.isResumed) linux.userfaults.leave(thread)
    if (thread.isResumed && thread.restart === 0) {
      this.#call(process, thread)
      return Exit.ecall
    }
    if (thread.hasSignal || thread.restart !== 0) {
      this.#deliver(process, thread)
      linux.killer.settle()
      return Exit.ecall
    }
    return this.#execute(thread, now, deadline)
  }

  /** One turn: the thread runs until it traps. `deadline`: when something else is due. */
  #execute(thread: Thread, now: number, deadline: number): Exit {
    const linux = this.#linux
    const process = this.#process!
    const turn = this.#turn(thread, now)
    const budget = linux.time.budget(process, thread, turn, deadline)
    this.#answered.allow(process, turn, deadline)
    const exit = linux.profiler === undefined ? linux.hart.run(budget) : linux.profiler.run(process, budget)
    this.#answered.settle(thread)
    if (exit === Exit.ecall) this.#call(process, thread)
    else if (exit !== Exit.budget) this.#trap(process, thread, exit)
    return exit
  }

  #deliver(process: Process, thread: Thread): void {
    const { hart, signals, userfaults } = this.#linux
    const { isUsed } = userfaults
    if (isUsed) userfaults.beginDelivery(thread)
    signals.deliver(process, thread, hart.ptr)
    if (isUsed) userfaults.endDelivery(thread)
  }

  #call(process: Process, thread: Thread): void {
    this.#linux.kernelTime.enter(thread, CALL_TICKS)
    this.#dispatcher.dispatch(process, thread)
    this.#leaveKernel()
  }

  /** No lock is held, and nothing is half done. */
  #leaveKernel(): void {
    if (this.#current !== undefined) this.#linux.kernelTime.leave(this.#current)
    this.#linux.killer.settle()
    reclaimInBackground(this.#linux.mm)
    this.#linux.mm.objects.hearClosed()
  }

  /** A turn ends to the instruction, so that where the host cuts the run makes no difference. */
  #turn(thread: Thread, now: number): number {
    return Math.min(this.#chunk, Math.min(this.#limit, thread.sliceEnd) - now)
  }

  #trap(process: Process, thread: Thread, exit: Exit): void {
    const linux = this.#linux
    linux.kernelTime.enter(thread, TRAP_TICKS)
    const outcome = handleTrap(linux.mm, process, linux.hart, exit)
    if (outcome === 'resolved') {
      this.#leaveKernel()
      return
    }
    if (outcome === 'userfault') {
      linux.userfaults.parkForPage(thread, fromHalves(linux.hart.tvalLow, linux.hart.tvalHigh))
      return
    }
    if (outcome !== 'outOfMemory') {
      linux.signals.force(process, thread, outcome)
      return
    }
    linux.killer.endOne()
  }
}
