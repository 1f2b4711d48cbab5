/** What files need of the machine around them; `Linux` is one. */
import type { Ptr } from '../../base/numbers.js'
import type { MemoryManager } from '../../mm.js'
import type { Clock } from '../clock.js'
import type { Host } from '../host.js'
import type { Namespaces } from '../namespaces.js'
import type { PidAllocator } from '../pid-allocator.js'
import type { Process } from '../process.js'
import type { Signals } from '../signals.js'
import type { Thread } from '../thread.js'
import type { Timers } from '../timers.js'
import type { Usage } from '../usage.js'
import type { UserfaultWaits } from '../userfault-waits.js'

/** Nanoseconds. */
export interface MachineTimes {
  readonly user: number
  readonly system: number
  readonly idle: number
}

export interface FileEnvironment {
  readonly mm: MemoryManager
  readonly host: Host
  readonly clock: Clock
  /** Living ones and zombies. */
  readonly processes: ReadonlyMap<number, Process>
  /** The oldest first, and those that have come from another parent by when they came. */
  readonly processTable: { childrenOf(process: Process): Iterable<Process> }
  readonly pids: PidAllocator
  readonly namespaces: Namespaces
  /** Whose thread makes the call that is being done; undefined outside of one. */
  currentProcess(): Process | undefined
  readonly threads: { ofProcess(process: Ptr): Iterable<Thread>; at(record: Ptr): Thread }
  readonly scheduler: { contextOf(thread: Thread): Ptr }
  /** What a living process has used so far. */
  usageOf(process: Process): Usage
  /** The same of one thread, without memory. */
  usageOfThread(thread: Thread): Usage
  /** What the processors have done since the machine was started. */
  machineTimes(): MachineTimes
  randomBytes(target: Uint8Array): void
  /** Sends a signal of the kernel's to the thread that makes the call: SIGPIPE, SIGXFSZ. */
  raise(process: Process, thread: Thread, signal: number): void
  /** For timerfd and signalfd. */
  readonly time: { readonly timers: Timers }
  readonly signals: Signals
  /** Who traces a thread. */
  readonly tracing: { tracerOf(thread: Thread): Thread | undefined }
  /** For userfaultfd. */
  readonly userfaults: UserfaultWaits
  /** Lets threads run again whose wait of kind `file` has one of these bits in its argument. */
  wakeFiles(mask: number): void
}

/** Argument of a wait of kind `file`, lowest bits: which of the host's streams the thread waits for. Above: event-source.ts. */
export const FileWait = { stdin: 1, stdout: 2, stderr: 4 } as const
