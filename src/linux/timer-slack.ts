/**
 * How much later than asked a thread's sleeps may end (timer_slack_ns): kept and told. Sleeps end when they are to, which every slack allows.
 * Who has a real-time policy has none.
 */
import type { Thread } from './thread.js'

const DEFAULT_NANOSECONDS = 50_000

/** Of the first thread of all. */
export function initSlack(thread: Thread): void {
  thread.defaultSlackLow = DEFAULT_NANOSECONDS
  thread.slackLow = DEFAULT_NANOSECONDS
}

/** What its maker has is what a new thread begins with, and its default. */
export function inheritSlack(thread: Thread, child: Thread): void {
  child.slackLow = child.defaultSlackLow = thread.slackLow
  child.slackHigh = child.defaultSlackHigh = thread.slackHigh
}

/** PR_SET_TIMERSLACK: 0 is the thread's default. */
export function setSlack(thread: Thread, low: number, high: number): 0 {
  if (isRealTime(thread)) return 0
  const isDefault = low === 0 && high === 0
  thread.slackLow = isDefault ? thread.defaultSlackLow : low
  thread.slackHigh = isDefault ? thread.defaultSlackHigh : high
  return 0
}

/** Its policy has changed. */
export function slackForPolicy(thread: Thread): void {
  if (isRealTime(thread)) thread.slackLow = thread.slackHigh = 0
  else if (thread.slackLow === 0 && thread.slackHigh === 0) setSlack(thread, 0, 0)
}

/** SCHED_FIFO and SCHED_RR alone have priorities. */
function isRealTime({ priority }: Thread): boolean {
  return priority !== 0
}
