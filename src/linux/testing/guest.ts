/** For tests: a small machine that runs one program. */
import type { FaultInjector } from '../../frame/fault-injector.js'
import { Hart } from '../../hart/hart.js'
import { type MemoryManager, mmInit } from '../../mm.js'
import { Files } from '../fs/file-services.js'
import { callbackOutput, fixedInput, type HostInput } from '../host.js'
import { Linux } from '../linux.js'

export interface GuestOptions {
  readonly mm?: MemoryManager
  readonly hart?: Hart
  readonly stdin?: HostInput
  readonly faults?: FaultInjector
  readonly betweenSlices?: () => void
  readonly trace?: (line: string) => void
  readonly bytes?: number
  readonly aslr?: boolean
  readonly memoryReport?: boolean
  readonly answerFaults?: boolean
}

export interface Guest {
  readonly mm: MemoryManager
  readonly hart: Hart
  readonly linux: Linux
  readonly files: Files
  /** What it has written to standard output so far. */
  output(): string
}

/** Boots a machine of 8 MiB unless told otherwise. */
export function bootGuest(options: GuestOptions = {}): Guest {
  const { faults, bytes = 8 * 2 ** 20 } = options
  const mm = options.mm ?? mmInit({ bytes, debug: true, ...(faults === undefined ? {} : { faults }) })
  const hart = options.hart ?? Hart.create(mm, 0)
  let text = ''
  const sink = callbackOutput((chunk) => {
    text += new TextDecoder('latin1').decode(chunk)
  })
  const files = { current: undefined as Files | undefined }
  const linux = new Linux({
    mm,
    hart,
    host: { stdin: options.stdin ?? fixedInput(new Uint8Array()), stdout: sink, stderr: sink },
    files: (env) => (files.current = new Files(env)),
    trace: options.trace,
    answerFaults: options.answerFaults,
    memoryReport: options.memoryReport,
    betweenSlices: options.betweenSlices,
    ...(options.aslr === undefined ? {} : { aslr: options.aslr }),
  })
  return { mm, hart, linux, files: files.current!, output: () => text }
}

/** Puts a program into a machine's files and starts it. */
export function startGuest(guest: Guest, image: Uint8Array, args: readonly string[] = ['/program']) {
  guest.files.addFile('/program', image, 0o755)
  return guest.linux.start('/program', args, ['HOME=/'])
}
