import type { Ptr } from '../../base/numbers.js'
import type { AtomicStep } from '../atomics.js'
import {
  CHANGED,
  type ControlBlock,
  Field,
  OPERATIONS,
  SPIN,
  Status,
  ThreadField,
  TraceField,
  WATCHED_MAX,
} from './control-block.js'
import { nextTurn } from './turns.js'

/** Ends the code of a thread whose run is over. */
class Abandoned extends Error {}

/**
 * The side of a thread that is under control: real code, which stops before each atomic operation until it has the turn. Whoever has
 * it decides who is next, so that a thread that goes on waits for nobody.
 */
export class ControlledThread {
  readonly #control: ControlBlock
  readonly #index: number
  readonly #words: Int32Array
  /** The step that this thread has made last, its word, and what was in it before. */
  #step = -1
  #word = 0
  #before = 0
  /** Words looked at since the last spin, and what was in them; whether one was changed, or there was no spin yet. */
  readonly #watched = new Map<number, number>()
  #hasDone = true

  constructor(control: ControlBlock, index: number, machineWords: Int32Array) {
    this.#control = control
    this.#index = index
    this.#words = machineWords
  }

  /** For AtomicWords: waits for the turn. */
  readonly onStep = (operation: AtomicStep, ptr: Ptr): void => {
    this.#settle()
    this.#announce(OPERATIONS.indexOf(operation), ptr)
    const next = this.#passTurn()
    if (next !== this.#index) this.#waitForTurn()
    this.#begin(ptr)
  }

  /** One run: `body` is the thread's code. Whatever comes of it stands in the control block. */
  run(body: () => void): void {
    const control = this.#control
    this.#step = -1
    this.#hasDone = true
    this.#announce(0, 0)
    control.signal(Field.ready)
    try {
      this.#waitForTurn()
      this.#begin(0)
      body()
      this.#settle()
      control.set(control.thread(this.#index, ThreadField.finished), 1)
      this.#passTurn()
    } catch (error) {
      if (!(error instanceof Abandoned)) this.#fail(error)
    }
    control.signal(Field.ended)
  }

  #announce(operation: number, ptr: number): void {
    const control = this.#control
    if (operation === SPIN) this.#publishWatched()
    control.set(control.thread(this.#index, ThreadField.operation), operation)
    control.set(control.thread(this.#index, ThreadField.pointer), ptr)
  }

  /** A thread that only looked since it last spun would do the same again, as long as these words stay the same. */
  #publishWatched(): void {
    const control = this.#control
    const onlyLooked = !this.#hasDone && this.#watched.size * 2 <= WATCHED_MAX
    control.set(control.thread(this.#index, ThreadField.watched), onlyLooked ? this.#watched.size : 0)
    let field = control.thread(this.#index, ThreadField.words)
    if (onlyLooked) for (const each of [...this.#watched].flat()) control.set(field++, each)
    this.#watched.clear()
    this.#hasDone = false
  }

  /** Says whether the last step has changed its word. */
  #settle(): void {
    if (this.#step < 0) return
    const now = this.#words[this.#word]!
    this.#watched.set(this.#word, now)
    if (now === this.#before) return
    this.#hasDone = true
    const control = this.#control
    const field = control.trace(this.#step, TraceField.enabled)
    control.set(field, control.get(field) | CHANGED)
  }

  #passTurn(): number {
    const control = this.#control
    if (control.get(Field.status) !== Status.running) throw new Abandoned()
    const next = nextTurn(control, this.#words, this.#index)
    if (next < 0) this.#wakeAll()
    else if (next !== this.#index) control.signal(control.thread(next, ThreadField.wake))
    return next
  }

  #waitForTurn(): void {
    const wake = this.#control.thread(this.#index, ThreadField.wake)
    this.#control.waitWhile(wake, 0)
    this.#control.set(wake, 0)
  }

  #begin(ptr: number): void {
    if (this.#control.get(Field.status) !== Status.running) throw new Abandoned()
    this.#step = this.#control.get(Field.steps) - 1
    this.#word = ptr >>> 2
    this.#before = this.#words[this.#word]!
  }

  #fail(error: unknown): void {
    this.#control.text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#control.set(Field.status, Status.failed)
    this.#wakeAll()
  }

  /** The run is over: those who wait for their turn are to give up. */
  #wakeAll(): void {
    const control = this.#control
    for (let index = 0; index < control.get(Field.threads); index++) {
      control.signal(control.thread(index, ThreadField.wake))
    }
  }
}
