import { type CrashReport, mappingsAround } from './report.js'
import { Signal, signalMessage, signalName } from './signal-numbers.js'

/** What ended a process. */
export interface CrashEvent {
  readonly signal: number
  /** Its siginfo_t. */
  readonly info: Uint8Array
  readonly pc: number
  readonly outOfMemory: boolean
}

/** Signals that carry an address when the kernel raises them. */
const WITH_ADDRESS: ReadonlySet<number> = new Set([
  Signal.SEGV,
  Signal.BUS,
  Signal.ILL,
  Signal.TRAP,
  Signal.FPE,
])
const KERNEL = 0x80

function addressOf(event: CrashEvent): number | undefined {
  const view = new DataView(event.info.buffer, event.info.byteOffset)
  const code = view.getInt32(8, true)
  if (!WITH_ADDRESS.has(event.signal) || code <= 0 || code === KERNEL) return undefined
  return view.getUint32(20, true) * 0x1_0000_0000 + view.getUint32(16, true)
}

/** Puts together what a person wants to know. */
export function describeCrash(event: CrashEvent, maps: string, symbol: string | undefined): CrashReport {
  const address = addressOf(event)
  const around = { mapping: undefined, below: undefined, above: undefined }
  return {
    signal: event.signal,
    name: signalName(event.signal),
    message: signalMessage(event.signal),
    pc: event.pc,
    symbol,
    address,
    outOfMemory: event.outOfMemory,
    ...(address === undefined ? around : mappingsAround(maps, address)),
  }
}
