/**
 * Which thread's registers are on the hart, and the loop that runs it: hart, trap or call, signals, and again.
 */
import type { Ptr } from '../base/numbers.js'
import { Exit } from '../hart/exit.js'
import { HART_CONTEXT_BYTES } from '../hart/hart-state.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Linux } from './linux.js'
import type { Process } from './process.js'
import { Signal, SignalCode } from './signal-numbers.js'
import type { SyscallDispatcher } from './syscall-dispatcher.js'
import { type Thread, ThreadState } from './thread.js'
import type { ThreadList } from './thread-list.js'
import { handleTrap } from './traps.js'

/** Instructions between looks at the host's clock: about a millisecond. */
const CHUNK = 200_000
/** Traps between looks at the host's clock. */
const TRAPS_PER_LOOK = 64
/** Instructions that a thread may run while others wait. */
const QUANTUM = 2_000_000

/** Why a slice ended. */
export type SliceEnd = 'time' | 'idle' | 'ended' | 'limit'

export class Scheduler {
  readonly #linux: Linux
  readonly #threads: ThreadList
  readonly #dispatcher: SyscallDispatcher
  #current: Thread | undefined
  #quantumEnd = 0
  #limit = Number.POSITIVE_INFINITY

  constructor(linux: Linux, threads: ThreadList, dispatcher: SyscallDispatcher) {
    this.#linux = linux
    this.#threads = threads
    this.#dispatcher = dispatcher
  }

  /** Runs until `until` (of performance.now()), until `limit` instructions have ever been executed, or until no thread can run. */
  runSlice(until: number, limit: number): SliceEnd {
    this.#limit = limit
    for (let traps = 0; ; traps++) {
      const thread = this.#choose()
      if (thread === undefined) return this.#threads.first === 0 ? 'ended' : 'idle'
      if (this.#linux.hart.instructions() >= limit) return 'limit'
      const exit = this.#step(thread)
      const isTimeToLook = exit === Exit.budget || traps % TRAPS_PER_LOOK === 0
      if (isTimeToLook && performance.now() >= until) return 'time'
    }
  }

  /** The thread to run, with its registers on the hart. */
  #choose(): Thread | undefined {
    const current = this.#current
    const now = this.#linux.hart.instructions()
    const mayGoOn = current?.state === ThreadState.ready && now < this.#quantumEnd
    if (mayGoOn) return current
    this.#quantumEnd = now + QUANTUM
    const next = this.#threads.nextReady(current)
    if (next !== undefined && next !== current) this.#switchTo(next)
    return next
  }

  #switchTo(thread: Thread): void {
    this.#saveCurrent()
    const { mm, hart } = this.#linux
    mm.memory.copy(hart.ptr, thread.ptr, HART_CONTEXT_BYTES)
    this.#current = thread
    mm.memory.u32[wordIndex(Word.currentThread)] = thread.ptr
    this.#linux.activate(this.#processOf(thread).space)
  }

  #saveCurrent(): void {
    const { mm, hart } = this.#linux
    if (this.#current !== undefined) mm.memory.copy(this.#current.ptr, hart.ptr, HART_CONTEXT_BYTES)
  }

  /** The thread is gone: nothing of it is saved. */
  forget(thread: Thread): void {
    if (this.#current !== thread) return
    this.#current = undefined
    this.#linux.mm.memory.u32[wordIndex(Word.currentThread)] = 0
  }

  /** Where a thread's registers are now. */
  contextOf(thread: Thread): Ptr {
    return this.#current === thread ? this.#linux.hart.ptr : thread.ptr
  }

  #processOf(thread: Thread): Process {
    return this.#linux.processOf(thread)
  }

  /** One turn: a call that was parked goes on, or signals are delivered and the thread runs until it traps. */
  #step(thread: Thread): Exit {
    const linux = this.#linux
    const process = this.#processOf(thread)
    linux.time.expireTimer(process, thread)
    if (thread.isResumed && thread.restart === 0) {
      this.#dispatcher.dispatch(process, thread)
      return Exit.ecall
    }
    if (thread.hasSignal || thread.restart !== 0) {
      linux.signals.deliver(process, thread, linux.hart.ptr)
      return Exit.ecall
    }
    const exit = linux.hart.run(linux.time.budget(process, this.#chunk()))
    if (exit === Exit.ecall) this.#dispatcher.dispatch(process, thread)
    else if (exit !== Exit.budget) this.#trap(process, thread, exit)
    return exit
  }

  #chunk(): number {
    return Math.min(CHUNK, this.#limit - this.#linux.hart.instructions())
  }

  #trap(process: Process, thread: Thread, exit: Exit): void {
    const linux = this.#linux
    const outcome = handleTrap(linux.mm, process, linux.hart, exit)
    if (outcome === 'resolved') return
    if (outcome !== 'outOfMemory') {
      linux.signals.force(process, thread, outcome)
      return
    }
    const info = linux.signals.info({ signal: Signal.KILL, code: SignalCode.kernel })
    linux.killed(process, thread, Signal.KILL, info, true)
  }
}
