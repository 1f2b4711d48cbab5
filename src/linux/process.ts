/**
 * A process: a record in the slab cache "process" for what the kernel decides with, and plain data for what only the
 * thread that started the machine needs (paths, arguments, open files).
 *
 *     0     numbers and lists
 *     64    64 signal actions of 24 bytes, as struct sigaction has them: handler, flags, mask
 *     1600  16 resource limits of two f64: soft, hard (bytes or a count; Infinity = none)
 */
import type { Ptr } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import type { Memory } from '../state/memory.js'
import { type ElfSource, readElfHeader } from './elf-header.js'
import { type ElfSymbols, readElfSymbols } from './elf-symbols.js'
import type { ProcessFiles } from './syscall-context.js'

export const PROCESS_BYTES = 1856
const ID = 0
const PARENT = 4
const PERSONALITY = 8
const STATUS = 12
/** Signals sent to the process as a whole: a set of 64 bits, then the queue of their records. */
export const PROCESS_PENDING = 16
const QUEUE = 24
const FLAGS = 28
const TIMER_DEADLINE = 32
const TIMER_INTERVAL = 40
const DEATH_SIGNAL = 48
export const PROCESS_ACTIONS = 64
export const ACTION_BYTES = 24
const LIMITS = 1600
const LIMIT_COUNT = 16

/** Bits of `flags`: what prctl(2) keeps. Those of membarrier(2)'s registrations stand from bit 8 on. */
export const ProcessFlag = { thpDisabled: 1, noNewPrivileges: 2, notDumpable: 4 } as const
const MEMBARRIER_SHIFT = 8
const KEPT_AT_EXEC = ProcessFlag.thpDisabled | ProcessFlag.noNewPrivileges

/** `exitStatus` while it lives. */
export const STILL_RUNNING = -1

export class Process {
  readonly ptr: Ptr
  readonly #memory: Memory
  /** The view of its address space; execve gives it another. */
  space: AddressSpace
  files: ProcessFiles
  /** Absolute path of the program: /proc/PID/exe. */
  executable = ''
  /** First 15 characters of its last part: PR_GET_NAME, /proc/PID/comm. */
  name = ''
  arguments: readonly string[] = []
  environment: readonly string[] = []
  /** How far the program was moved from the addresses in its file. */
  bias = 0

  constructor(memory: Memory, ptr: Ptr, space: AddressSpace, files: ProcessFiles) {
    this.#memory = memory
    this.ptr = ptr
    this.space = space
    this.files = files
  }

  #u32(offset: number): number {
    return this.#memory.u32[(this.ptr + offset) >>> 2]!
  }

  #setU32(offset: number, value: number): void {
    this.#memory.u32[(this.ptr + offset) >>> 2] = value
  }

  /** getpid(2). */
  get id(): number {
    return this.#u32(ID)
  }
  set id(value: number) {
    this.#setU32(ID, value)
  }

  get parentId(): number {
    return this.#u32(PARENT)
  }
  set parentId(value: number) {
    this.#setU32(PARENT, value)
  }

  get personality(): number {
    return this.#u32(PERSONALITY)
  }
  set personality(value: number) {
    this.#setU32(PERSONALITY, value)
  }

  /** As wait4 gives it: exit code in bits 8 to 15, or the signal in bits 0 to 6; STILL_RUNNING before. */
  get exitStatus(): number {
    return this.#u32(STATUS) | 0
  }
  set exitStatus(value: number) {
    this.#setU32(STATUS, value)
  }

  /** ProcessFlag bits. */
  get flags(): number {
    return this.#u32(FLAGS)
  }
  set flags(value: number) {
    this.#setU32(FLAGS, value)
  }

  setFlag(flag: number, on: boolean): void {
    this.flags = on ? this.flags | flag : this.flags & ~flag
  }

  /** Commands that membarrier(2) has registered, a bit each as it numbers them. */
  get barriers(): number {
    return this.flags >>> MEMBARRIER_SHIFT
  }

  registerBarrier(command: number): void {
    this.flags |= command << MEMBARRIER_SHIFT
  }

  /** execve(2): what belongs to the program that is gone. */
  forgetProgram(): void {
    this.flags &= KEPT_AT_EXEC
  }

  /** PR_SET_PDEATHSIG. */
  get deathSignal(): number {
    return this.#u32(DEATH_SIGNAL)
  }
  set deathSignal(value: number) {
    this.#setU32(DEATH_SIGNAL, value)
  }

  /** First queued record of a signal for the whole process. */
  get queue(): Ptr {
    return this.#u32(QUEUE) as Ptr
  }
  set queue(value: Ptr) {
    this.#setU32(QUEUE, value)
  }

  /** ITIMER_REAL: when it fires (ns of the monotonic clock, Infinity = off), and then every so many nanoseconds. */
  get timerDeadline(): number {
    return this.#memory.f64[(this.ptr + TIMER_DEADLINE) >>> 3]!
  }
  set timerDeadline(value: number) {
    this.#memory.f64[(this.ptr + TIMER_DEADLINE) >>> 3] = value
  }
  get timerInterval(): number {
    return this.#memory.f64[(this.ptr + TIMER_INTERVAL) >>> 3]!
  }
  set timerInterval(value: number) {
    this.#memory.f64[(this.ptr + TIMER_INTERVAL) >>> 3] = value
  }

  /** Byte offset in the buffer of a signal's action. */
  action(signal: number): Ptr {
    return (this.ptr + PROCESS_ACTIONS + (signal - 1) * ACTION_BYTES) as Ptr
  }

  /** Functions of the program, for the report of a crash. */
  readSymbols(file: ElfSource): ElfSymbols | undefined {
    const header = readElfHeader(file)
    return 'problem' in header ? undefined : readElfSymbols(file, header, this.bias)
  }

  softLimit(resource: number): number {
    return this.#memory.f64[(this.ptr + LIMITS + resource * 16) >>> 3]!
  }

  hardLimit(resource: number): number {
    return this.#memory.f64[(this.ptr + LIMITS + resource * 16 + 8) >>> 3]!
  }

  setLimit(resource: number, soft: number, hard: number): void {
    this.#memory.f64[(this.ptr + LIMITS + resource * 16) >>> 3] = soft
    this.#memory.f64[(this.ptr + LIMITS + resource * 16 + 8) >>> 3] = hard
  }

  static readonly limitCount = LIMIT_COUNT
}
