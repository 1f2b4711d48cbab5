/**
 * What the kernel's work costs the machine's virtual time. An instruction of the program takes a nanosecond; this kernel's own are
 * not the machine's. What counts instead is how many Linux takes for the same, in round figures, as Debian's 6.12 for riscv64 showed
 * them where QEMU's clock counts instructions (-icount shift=0): 440 ns for getppid(2), 730 for clock_gettime(2), 1,330 for a fault that maps
 * the zero page, 1,270 a page where it zeroes many. What a longer call does besides taking frames is not counted.
 */
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import { Counter, countedHere } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import { type Clock, TICK_NANOSECONDS } from './clock.js'
import type { Thread } from './thread.js'

/** A system call; a page fault or other exception; and each frame that was taken meanwhile: in ticks. */
export const CALL_TICKS = 5
export const TRAP_TICKS = 13
export const FRAME_TICKS = 13
/** In the buffer. */
const TICKS = wordIndex(Word.kernelTicks) >>> 1
/** Frames that have been counted. */
const FRAMES = wordIndex(Word.kernelFrames) >>> 1

export interface KernelTimeEnv {
  readonly mm: MemoryManager
  readonly hart: Hart
  readonly clock: Clock
}

export class KernelTime {
  readonly #env: KernelTimeEnv
  readonly #f64: Float64Array

  constructor(env: KernelTimeEnv) {
    this.#env = env
    this.#f64 = env.mm.memory.f64
    this.#f64[FRAMES] = countedHere(env.mm.memory, Counter.framesAllocated)
  }

  /** Nanoseconds of the whole machine. */
  get total(): number {
    return this.#f64[TICKS]! * TICK_NANOSECONDS
  }

  /** The thread that has the hart enters the kernel. */
  enter(thread: Thread, ticks: number): void {
    this.#charge(thread, ticks)
  }

  /** Frames were taken that cost nothing yet: whoever leaves the kernel next pays for them. */
  get isOwed(): boolean {
    return countedHere(this.#env.mm.memory, Counter.framesAllocated) !== this.#f64[FRAMES]!
  }

  /** It leaves: what it came for is done. */
  leave(thread: Thread): void {
    const frames = countedHere(this.#env.mm.memory, Counter.framesAllocated)
    const counted = this.#f64[FRAMES]!
    if (frames === counted) return
    this.#charge(thread, (frames - counted) * FRAME_TICKS)
    this.#f64[FRAMES] = frames
  }

  #charge(thread: Thread, ticks: number): void {
    const { clock, hart } = this.#env
    this.#f64[TICKS]! += ticks
    thread.systemTime += ticks * TICK_NANOSECONDS
    if (clock.mode !== 'virtual') return
    clock.pass(ticks)
    hart.setNumber(HartField.timeBase, clock.registerBase())
  }
}
