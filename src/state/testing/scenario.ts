import { workerData } from 'node:worker_threads'
import type { AtomicsOptions } from '../atomics.js'
import { Memory, type RawMemory } from '../memory.js'
import { ControlBlock, Field } from './control-block.js'
import { ControlledThread } from './controlled-thread.js'

/** What a thread does in a run. It attaches to the machine's memory anew in each run. */
export type ThreadBody = (memory: Memory, onStep: NonNullable<AtomicsOptions['onStep']>) => void

/** A few threads on one machine. Their code must do the same each time that the turns are the same. */
export interface Scenario {
  readonly name: string
  /** Boots the machine, in the controller: on a shared memory. */
  setUp(): Memory
  readonly threads: readonly ThreadBody[]
  /** After each run that is complete, in the controller: throws when what is left is not sound. */
  check(memory: Memory): void
}

export interface ThreadData {
  readonly memory: RawMemory
  readonly control: SharedArrayBuffer
  readonly scenario: string
  readonly index: number
}

/** The main function of a worker that plays the threads of some scenarios. */
export function playThread(scenarios: readonly Scenario[]): void {
  const data = workerData as ThreadData
  const memory = Memory.attach(data.memory)
  const control = new ControlBlock(data.control)
  const body = scenarios.find(({ name }) => name === data.scenario)!.threads[data.index]!
  const thread = new ControlledThread(control, data.index, memory.i32)
  for (let run = 0; ; ) {
    control.waitWhile(Field.run, run)
    run = control.get(Field.run)
    if (run < 0) return
    thread.run(() => body(memory, thread.onStep))
  }
}

/** A scenario in which something is left out, what the problem says, and how many preemptions it takes. */
export interface SeededBug {
  readonly scenario: Scenario
  readonly shows: RegExp
  readonly preemptionsMax?: number
}
