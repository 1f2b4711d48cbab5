import { Worker } from 'node:worker_threads'
import type { Memory } from '../memory.js'
import {
  CHANGED,
  ControlBlock,
  Field,
  OPERATIONS,
  type Operation,
  Status,
  ThreadField,
  TraceField,
} from './control-block.js'
import type { Scenario, ThreadData } from './scenario.js'
import { nextTurn } from './turns.js'

/** A step that was made, and who could have made one instead (a bit for each thread). */
export interface Step {
  readonly thread: number
  readonly operation: Operation
  readonly pointer: number
  readonly enabled: number
  readonly changed: boolean
}

export interface Run {
  readonly steps: readonly Step[]
  /** What went wrong, or undefined. */
  readonly problem: string | undefined
}

const PROBLEMS: Readonly<Record<Status, string>> = {
  [Status.running]: 'the run has not ended',
  [Status.complete]: '',
  [Status.deadlock]: 'every thread waits',
  [Status.endless]: 'the run does not end',
  [Status.failed]: 'a thread has failed',
  [Status.diverged]: 'the scenario did not do the same again',
}

/**
 * Runs the threads of a scenario step by step, in an order of its own choice: real worker threads with the real code, each
 * of which stops before every atomic operation. The same schedule gives the same run.
 */
export class ControlledScheduler {
  readonly #scenario: Scenario
  readonly #memory: Memory
  readonly #initial: Uint8Array
  readonly #control = new ControlBlock()
  readonly #workers: Worker[] = []

  private constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#memory = scenario.setUp()
    this.#initial = this.#memory.u8.slice()
    this.#control.set(Field.threads, scenario.threads.length)
  }

  /** `file` is a module that calls `playThread` (bundleThread makes one). */
  static async start(file: string, scenario: Scenario): Promise<ControlledScheduler> {
    const scheduler = new ControlledScheduler(scenario)
    await scheduler.#startThreads(file)
    return scheduler
  }

  async #startThreads(file: string): Promise<void> {
    const online = this.#scenario.threads.map((_, index) => {
      const workerData: ThreadData = {
        memory: this.#memory.raw,
        control: this.#control.words.buffer as SharedArrayBuffer,
        scenario: this.#scenario.name,
        index,
      }
      const worker = new Worker(file, { workerData, execArgv: ['--enable-source-maps'] })
      this.#workers.push(worker)
      return new Promise((resolve, reject) => worker.once('online', resolve).once('error', reject))
    })
    await Promise.all(online)
  }

  /** One run by a schedule; after its end the thread that runs goes on, or chance decides when there is a `seed`. */
  run(schedule: readonly number[], seed = 0): Run {
    this.#reset(schedule, seed)
    const control = this.#control
    control.signal(Field.run)
    this.#waitUntilAll(Field.ready)
    const first = nextTurn(control, this.#memory.i32, -1)
    control.signal(control.thread(first, ThreadField.wake))
    this.#waitUntilAll(Field.ended)
    return { steps: this.#trace(), problem: this.#problem() }
  }

  #reset(schedule: readonly number[], seed: number): void {
    const control = this.#control
    this.#memory.u8.set(this.#initial)
    for (const field of [Field.status, Field.ready, Field.ended, Field.steps, Field.textLength]) {
      control.set(field, 0)
    }
    for (let index = 0; index < this.#scenario.threads.length; index++) {
      control.set(control.thread(index, ThreadField.wake), 0)
      control.set(control.thread(index, ThreadField.finished), 0)
    }
    control.set(Field.random, seed)
    control.set(Field.scheduleLength, schedule.length)
    schedule.forEach((thread, step) => {
      control.set(control.schedule(step), thread)
    })
  }

  #waitUntilAll(field: number): void {
    const threads = this.#scenario.threads.length
    for (let count = this.#control.get(field); count < threads; count = this.#control.get(field)) {
      this.#control.waitWhile(field, count)
    }
  }

  #trace(): Step[] {
    const control = this.#control
    return Array.from({ length: control.get(Field.steps) }, (_, step) => {
      const of = (field: number) => control.get(control.trace(step, field))
      const enabled = of(TraceField.enabled)
      return {
        thread: of(TraceField.thread),
        operation: OPERATIONS[of(TraceField.operation)]!,
        pointer: of(TraceField.pointer),
        enabled: enabled & (CHANGED - 1),
        changed: (enabled & CHANGED) !== 0,
      }
    })
  }

  #problem(): string | undefined {
    const status = this.#control.get(Field.status) as Status
    if (status !== Status.complete) return [PROBLEMS[status], this.#control.text].filter(Boolean).join(': ')
    try {
      this.#scenario.check(this.#memory)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  stop(): void {
    this.#control.set(Field.run, -1)
    Atomics.notify(this.#control.words, Field.run)
    for (const worker of this.#workers) worker.unref()
  }
}
