import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import type { ModuleMaker } from '../base/wasm/module-maker.js'
import type { BootMemoryMap } from '../frame/boot-memory-map.js'
import type { FaultInjector } from '../frame/fault-injector.js'
import type { AtomicsOptions } from '../state/atomics.js'
import type { BootStep } from './boot-step.js'

/** What is the thread's own choice, at boot and at attaching. */
export interface ThreadOptions {
  /**
   * Number of the hart that this thread runs, 0 and up: no two threads may have the same, because it says whose a lock is.
   * Default: 0 for who boots, for who attaches the next that nobody has taken.
   */
  readonly hart?: number
  /** Makes allocations fail on purpose. */
  readonly faults?: FaultInjector
  /** Knows the WebAssembly of the loops over many page-table entries: given to all machines of a process, it is compiled once. Default: compiled anew. */
  readonly modules?: ModuleMaker | undefined
  /** Check lock ranks (about 20 ns a lock). */
  readonly debug?: boolean
  readonly onStep?: AtomicsOptions['onStep']
  readonly onSpin?: AtomicsOptions['onSpin']
}

export interface InitOptions extends ThreadOptions {
  /** RAM in bytes: a multiple of 64 KiB, 8 MiB to 4 GiB. */
  readonly bytes: number
  /** In a SharedArrayBuffer, so that other threads can attach. Default false. */
  readonly shared?: boolean
  /**
   * In a SharedArrayBuffer even if it is not `shared`: V8 does not count that as part of its heap, and so begins no garbage collection because
   * a machine was made (12 ms of processor time). Default: as `shared`.
   */
  readonly inSharedBuffer?: boolean
  /** For everything that is random in the machine. Default 1. */
  readonly seed?: number
  /** Harts that the machine has, 1 to 31. Default 1. */
  readonly harts?: number
  /**
   * Address-space identifiers of each hart's TLB: so many spaces' pages it knows at a time, for 128 KiB each. Default: as many as fit into a
   * 64th of RAM, 1 to 8.
   */
  readonly asids?: number
  /** Default: riscv64 with Sv39. */
  readonly arch?: MemoryManagementArch
  /** Parts of RAM that are reserved or not there. Default: all of it is usable. */
  readonly map?: BootMemoryMap
  /** Frames below this number are a zone of their own, of which some are kept for those who must have them. Default: there is one zone. */
  readonly lowFrames?: number
  /** Is told each step of the boot. */
  readonly onBootStep?: (step: BootStep) => void
}
