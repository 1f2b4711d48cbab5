import { Random } from '../../base/random.js'
import {
  type ControlBlock,
  Field,
  SPIN,
  STEPS_MAX,
  Status,
  ThreadField,
  TraceField,
} from './control-block.js'

/**
 * Decides who makes the next step, and writes it into the trace. Called by whoever has the turn: the thread that has come to
 * its next step (`current`), or the controller at the start (-1). Returns the thread, or -1 when the run is over.
 */
export function nextTurn(control: ControlBlock, machineWords: Int32Array, current: number): number {
  const enabled = enabledThreads(control, machineWords)
  const step = control.get(Field.steps)
  const next = enabled === 0 ? -1 : choose(control, enabled, step, current)
  if (next < 0 || step === STEPS_MAX || (enabled & (1 << next)) === 0) {
    control.set(Field.status, endOf(control, enabled, step))
    return -1
  }
  control.set(control.trace(step, TraceField.thread), next)
  const pending = (field: number) => control.get(control.thread(next, field))
  control.set(control.trace(step, TraceField.operation), pending(ThreadField.operation))
  control.set(control.trace(step, TraceField.pointer), pending(ThreadField.pointer))
  control.set(control.trace(step, TraceField.enabled), enabled)
  control.set(Field.steps, step + 1)
  return next
}

/** One bit for each thread that can go on. */
function enabledThreads(control: ControlBlock, machineWords: Int32Array): number {
  let enabled = 0
  for (let index = 0; index < control.get(Field.threads); index++) {
    const of = (field: number) => control.get(control.thread(index, field))
    const waits = of(ThreadField.operation) === SPIN && !hasNews(of, machineWords)
    if (of(ThreadField.finished) === 0 && !waits) enabled |= 1 << index
  }
  return enabled
}

/** Whether a thread that spins would see anything that it has not seen the last time. */
function hasNews(of: (field: number) => number, machineWords: Int32Array): boolean {
  const watched = of(ThreadField.watched)
  for (let i = 0; i < watched; i++) {
    const field = ThreadField.words + i * 2
    if (machineWords[of(field)] !== of(field + 1)) return true
  }
  return watched === 0
}

function choose(control: ControlBlock, enabled: number, step: number, current: number): number {
  if (step < control.get(Field.scheduleLength)) return control.get(control.schedule(step))
  const threads = [...Array(control.get(Field.threads)).keys()].filter(
    (index) => (enabled & (1 << index)) !== 0,
  )
  const seed = control.get(Field.random)
  if (seed !== 0) return new Random(seed + step * 7919).pick(threads)
  return threads.includes(current) ? current : threads[0]!
}

function endOf(control: ControlBlock, enabled: number, step: number): Status {
  if (step === STEPS_MAX) return Status.endless
  if (enabled !== 0) return Status.diverged
  for (let index = 0; index < control.get(Field.threads); index++) {
    if (control.get(control.thread(index, ThreadField.finished)) === 0) return Status.deadlock
  }
  return Status.complete
}
