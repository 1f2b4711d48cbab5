/** What files need of the machine around them; `Linux` is one. */
import type { MemoryManager } from '../../mm.js'
import type { Clock } from '../clock.js'
import type { Host } from '../host.js'
import type { Process } from '../process.js'
import type { Thread } from '../thread.js'

export interface FileEnvironment {
  readonly mm: MemoryManager
  readonly host: Host
  readonly clock: Clock
  readonly processes: ReadonlyMap<number, Process>
  randomBytes(target: Uint8Array): void
  /** Sends a signal of the kernel's to the thread that makes the call: SIGPIPE, SIGXFSZ. */
  raise(process: Process, thread: Thread, signal: number): void
  /** Lets threads run again whose wait of kind `file` has one of these bits in its argument. */
  wakeFiles(mask: number): void
}

/** Argument of a wait of kind `file`, lowest bits: which of the host's streams the thread waits for. Above: event-source.ts. */
export const FileWait = { stdin: 1, stdout: 2, stderr: 4 } as const
