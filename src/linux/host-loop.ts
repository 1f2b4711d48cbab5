/** Runs a machine within the host's event loop: never blocks it, and waits when all threads wait. */
import { monotonic } from '../base/monotonic.js'
import type { HostInput, HostOutput } from './host.js'
import type { Linux } from './linux.js'
import type { Scheduler } from './scheduler.js'
import { ThreadState } from './thread.js'
import { WaitKind } from './wait.js'

const SLICE_MILLISECONDS = 10
const NANOSECONDS_PER_MILLISECOND = 1_000_000
/** Longest single sleep of the host: setTimeout knows no longer ones. */
const SLEEP_MILLISECONDS_MAX = 1_000_000

/** `stuck`: every thread waits for what can never come. `limit`: enough instructions were executed. */
export type LoopEnd = 'ended' | 'stuck' | 'limit'

type Stream = HostInput | HostOutput

/** Lets the host's other tasks run. */
function yieldToHost(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve))
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}

export class HostLoop {
  readonly #linux: Linux
  readonly #scheduler: Scheduler
  #isInterrupted = false
  #wake: (() => void) | undefined

  constructor(linux: Linux, scheduler: Scheduler) {
    this.#linux = linux
    this.#scheduler = scheduler
  }

  /** `limit`: when the hart's count of instructions reaches it, the run ends. */
  async run(limit: number): Promise<LoopEnd> {
    for (;;) {
      this.#linux.time.passTime()
      const end = this.#scheduler.runSlice(monotonic() + SLICE_MILLISECONDS, limit)
      if (end === 'ended' || end === 'limit') return end
      this.#linux.betweenSlices?.()
      if (end === 'time') await yieldToHost()
      else if (!this.#skipTime() && !(await this.#waitForHost())) return 'stuck'
    }
  }

  runSync(limit: number): LoopEnd {
    for (;;) {
      this.#linux.time.passTime()
      const end = this.#scheduler.runSlice(Number.POSITIVE_INFINITY, limit)
      if (end === 'ended' || end === 'limit') return end
      this.#linux.betweenSlices?.()
      if (!this.#skipTime() && !this.#wakeReady(this.#streams())) return 'stuck'
    }
  }

  /** Ends the wait of `run`, if it is in one: something has come that it does not wait for, like a signal. */
  interrupt(): void {
    this.#isInterrupted = true
    this.#wake?.()
  }

  /** Nobody runs and nobody waits for the host: virtual time jumps to the next deadline. */
  #skipTime(): boolean {
    const { clock } = this.#linux
    const deadline = this.#linux.time.nextDeadline()
    if (clock.mode !== 'virtual' || deadline === Number.POSITIVE_INFINITY) return false
    if (this.#streams().length > 0) return false
    clock.skipTo(Math.min(deadline, this.#linux.time.khugepaged.idleMoment()))
    return true
  }

  /** The streams of the host that threads wait for. */
  #streams(): Stream[] {
    let bits = 0
    for (const thread of this.#linux.threads) {
      const waits = thread.state === ThreadState.parked && thread.waitKind === WaitKind.file
      if (waits) bits |= thread.waitArgument
    }
    const { stdin, stdout, stderr } = this.#linux.host
    return [stdin, stdout, stderr].filter((_, i) => (bits & (1 << i)) !== 0)
  }

  /** Waits for a stream or the next deadline; false when neither can come. */
  async #waitForHost(): Promise<boolean> {
    const streams = this.#streams()
    const { clock, time } = this.#linux
    const deadline = time.nextDeadline()
    if (streams.length === 0 && deadline === Number.POSITIVE_INFINITY) return false
    if (this.#wakeReady(streams)) return true
    this.#isInterrupted = false
    this.#linux.profiler?.wait()
    await this.#sleep(
      streams,
      clock.mode === 'real' ? Math.min(deadline, time.khugepaged.moment()) : deadline,
    )
    if (!this.#wakeReady(streams) && !this.#isInterrupted) clock.skipTo(deadline)
    return true
  }

  #wakeReady(streams: readonly Stream[]): boolean {
    const isReady = streams.some((stream) => stream.isReady())
    if (isReady) this.#linux.wake(WaitKind.file)
    return isReady
  }

  async #sleep(streams: readonly Stream[], deadline: number): Promise<void> {
    const milliseconds = (deadline - this.#linux.clock.now()) / NANOSECONDS_PER_MILLISECOND
    let timer: ReturnType<typeof setTimeout> | undefined
    const events: Promise<void>[] = streams.map((stream) => stream.ready())
    events.push(
      new Promise((resolve) => {
        this.#wake = resolve
      }),
    )
    if (milliseconds !== Number.POSITIVE_INFINITY) {
      const wait = Math.max(0, Math.min(milliseconds, SLEEP_MILLISECONDS_MAX))
      events.push(
        new Promise((resolve) => {
          timer = setTimeout(resolve, wait)
        }),
      )
    }
    await Promise.race(events)
    clearTimeout(timer)
  }
}
