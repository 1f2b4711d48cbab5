/** What a program needs besides memory, put together. */
import type { MemoryManager } from '../mm.js'
import type { Clock } from './clock.js'
import type { Host } from './host.js'
import type { Process } from './process.js'
import type { WaitKind } from './wait.js'

export declare class Linux {
  readonly mm: MemoryManager
  readonly host: Host
  readonly clock: Clock
  /** By process number. */
  readonly processes: ReadonlyMap<number, Process>
  /** Fills with the machine's seeded random bytes: getrandom, /dev/urandom. */
  randomBytes(target: Uint8Array): void
  /** Lets the threads parked for an event run again (all of the kind when no argument is given). */
  wake(kind: WaitKind, argument?: number): void
}
