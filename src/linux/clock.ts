/**
 * The machine's time. Virtual: an instruction takes a nanosecond, the kernel's work what kernel-time.ts says, and a sleep is skipped, so
 * that a run is the same every time. It moves on in ticks of the hart's `time` register, from which programs read it without a call (vvar.ts).
 * Real: the host's clock.
 */
import { monotonic } from '../base/monotonic.js'
import { TIMEBASE_HZ } from '../hart/hart-state.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'

export const NANOSECONDS = 1_000_000_000
const TICKS = wordIndex(Word.clockTicks) >>> 1
/** 2025-01-01, when every virtual machine is started. */
const VIRTUAL_EPOCH_SECONDS = 1_735_689_600

/** Of the `time` register: 10 MHz. */
export const TICK_NANOSECONDS = NANOSECONDS / TIMEBASE_HZ

export type ClockMode = 'virtual' | 'real'

export interface TimeOfDay {
  /** Since 1970. */
  readonly seconds: number
  /** 0 to 999,999,999. */
  readonly nanoseconds: number
}

export class Clock {
  readonly mode: ClockMode
  readonly #instructions: () => number
  readonly #hostStart = monotonic()
  /** When the machine was started, since 1970. */
  readonly epochSeconds: number
  /** And what is left of a second. */
  readonly epochNanoseconds: number
  readonly #f64: Float64Array

  /** `instructions` counts what all harts have executed. */
  constructor(mode: ClockMode, memory: Memory, instructions: () => number) {
    this.mode = mode
    this.#f64 = memory.f64
    this.#instructions = instructions
    const milliseconds = mode === 'real' ? Date.now() : VIRTUAL_EPOCH_SECONDS * 1000
    this.epochSeconds = Math.floor(milliseconds / 1000)
    this.epochNanoseconds = (milliseconds % 1000) * 1_000_000
  }

  /** Ticks besides those of the harts' instructions: what the kernel took, and what was slept. Whole ones, so that the register's base is exact. */
  get #ticks(): number {
    return this.#f64[TICKS]!
  }

  /** Nanoseconds since the machine was started: CLOCK_MONOTONIC. */
  now(): number {
    if (this.mode === 'virtual') return floorTo(this.#exact(), TICK_NANOSECONDS)
    return Math.floor((monotonic() - this.#hostStart) * 1_000_000)
  }

  #exact(): number {
    return this.#instructions() + this.#ticks * TICK_NANOSECONDS
  }

  /** What the `time` register shows besides the ticks of the hart's own instructions. */
  registerBase(): number {
    return this.mode === 'virtual' ? this.#ticks : Math.floor(this.now() / TICK_NANOSECONDS)
  }

  /** CLOCK_REALTIME. */
  timeOfDay(): TimeOfDay {
    const nanoseconds = this.now() + this.epochNanoseconds
    return {
      seconds: this.epochSeconds + Math.floor(nanoseconds / NANOSECONDS),
      nanoseconds: nanoseconds % NANOSECONDS,
    }
  }

  /** A moment since 1970 on the scale of `now`. (Nanoseconds since then would be rounded in one number.) */
  fromTimeOfDay(seconds: number, nanoseconds: number): number {
    return (seconds - this.epochSeconds) * NANOSECONDS + nanoseconds - this.epochNanoseconds
  }

  /** Nothing can run before that moment: virtual time jumps there. */
  skipTo(deadline: number): void {
    const ahead = deadline - this.now()
    if (this.mode !== 'virtual' || ahead <= 0 || ahead === Number.POSITIVE_INFINITY) return
    this.pass(Math.ceil(ahead / TICK_NANOSECONDS))
  }

  /** Virtual time goes on, and no instruction is executed. */
  pass(ticks: number): void {
    this.#f64[TICKS]! += ticks
  }
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step
}
