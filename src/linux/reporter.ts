/** Writes down what a run came to: the end of the first process, and how the machine's memory stood then. */
import { type CrashEvent, describeCrash } from './crash.js'
import { symbolAt } from './crash-symbol.js'
import type { LoopEnd } from './host-loop.js'
import type { Linux } from './linux.js'
import { type Process, STILL_RUNNING } from './process.js'
import type { CrashReport, ExitReport, MemoryReport } from './report.js'
import type { SyscallDispatcher } from './syscall-dispatcher.js'

/** What a shell's timeout(1) answers. */
const UNFINISHED_EXIT_CODE = 124

export class Reporter {
  readonly #linux: Linux
  readonly #dispatcher: SyscallDispatcher
  /** The process that `start` made. */
  first: Process | undefined
  #crash: CrashReport | undefined
  #status = STILL_RUNNING
  #memory: MemoryReport | undefined
  readonly #tellsMemory: boolean

  /** `tellsMemory`: it takes a millisecond, and nobody may want to know. */
  constructor(linux: Linux, dispatcher: SyscallDispatcher, tellsMemory: boolean) {
    this.#linux = linux
    this.#dispatcher = dispatcher
    this.#tellsMemory = tellsMemory
  }

  begin(first: Process): void {
    this.first = first
    this.#crash = undefined
    this.#memory = undefined
    this.#status = STILL_RUNNING
  }

  noteCrash(process: Process, event: CrashEvent): void {
    if (process !== this.first) return
    const symbol = symbolAt(this.#linux, process, event.pc)
    this.#crash = describeCrash(event, this.#linux.mapsOf(process), symbol)
  }

  /** A process is about to give its memory back. */
  noteEnd(process: Process): void {
    if (process !== this.first) return
    this.#memory = this.#memoryReport(process)
    this.#status = process.exitStatus
    this.first = undefined
  }

  #memoryReport(process: Process): MemoryReport | undefined {
    if (!this.#tellsMemory) return undefined
    const { hart, mm } = this.#linux
    return {
      maps: this.#linux.mapsOf(process),
      stats: mm.stats(),
      instructions: hart.instructions(),
      systemCalls: this.#dispatcher.count,
      missing: Object.fromEntries(this.#dispatcher.missing),
      residentPages: process.space.counts.rssPages,
      mappings: process.space.vmaCount,
    }
  }

  exitReport(end: LoopEnd): ExitReport {
    const { first } = this
    const signal = this.#status & 0x7f
    const code = signal !== 0 ? 128 + signal : (this.#status >> 8) & 0xff
    return {
      exitCode: end === 'ended' ? code : UNFINISHED_EXIT_CODE,
      crash: this.#crash,
      kernelLog: [...this.#linux.killer.log],
      stuck: end === 'stuck',
      limited: end === 'limit',
      memory: first === undefined ? this.#memory : this.#memoryReport(first),
    }
  }
}
