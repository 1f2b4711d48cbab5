/** What a run comes to, as data: the command prints it, tests look at it. */
import type { MemoryStats } from '../mm.js'

/** A program that died of a signal. */
export interface CrashReport {
  readonly signal: number
  /** `SIGSEGV` */
  readonly name: string
  /** `Segmentation fault` */
  readonly message: string
  readonly pc: number
  /** `main+0x12`, when the program has a symbol for pc. */
  readonly symbol: string | undefined
  /** What the fault was about, for signals that have an address. */
  readonly address: number | undefined
  /** The line of /proc/PID/maps that holds the address; undefined: it hit none. */
  readonly mapping: string | undefined
  /** The lines before and after an address that hit none. */
  readonly below: string | undefined
  readonly above: string | undefined
  /** More than the signal says: the machine was out of memory. */
  readonly outOfMemory: boolean
}

/** The machine's memory when the program ended, before what it held was given back. */
export interface MemoryReport {
  /** As /proc/PID/maps wrote it. */
  readonly maps: string
  readonly stats: MemoryStats
  /** Instructions executed. */
  readonly instructions: number
  readonly systemCalls: number
  /** Calls that are not there, by name: how often they were made. */
  readonly missing: Readonly<Record<string, number>>
  /** Resident pages and mappings of the program. */
  readonly residentPages: number
  readonly mappings: number
}

export interface ExitReport {
  /** As a shell gives it: the program's own code, or 128 and the signal. */
  readonly exitCode: number
  readonly crash: CrashReport | undefined
  /** What the kernel has to say of programs that it ended for their memory. */
  readonly kernelLog: readonly string[]
  /** Why the run stopped though the program had not ended: all its threads wait for what cannot come. */
  readonly stuck: boolean
  /** The run's limit of instructions was reached first. */
  readonly limited: boolean
  /** Nothing when nobody wants to know it (`memoryReport` of the machine's options). */
  readonly memory: MemoryReport | undefined
}

/** Finds the lines of a maps text around an address. */
export function mappingsAround(
  maps: string,
  address: number,
): Pick<CrashReport, 'mapping' | 'below' | 'above'> {
  let below: string | undefined
  for (const line of maps.split('\n')) {
    const [start, end] = line.split(' ', 1)[0]!.split('-')
    if (end === undefined) continue
    if (address < Number.parseInt(start!, 16)) return { mapping: undefined, below, above: line }
    if (address < Number.parseInt(end, 16)) return { mapping: line, below: undefined, above: undefined }
    below = line
  }
  return { mapping: undefined, below, above: undefined }
}
