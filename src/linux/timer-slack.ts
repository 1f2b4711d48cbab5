/**
 * How much later than asked a thread's sleeps may end (timer_slack_ns): kept and told. Sleeps end when they are to, which every slack allows.
 * Who has a real-time policy has none.
 */
import type { Thread } from './thread.js'

const DEFAULT_NANOSECONDS = 50_000n

/** Of the first thread of all. */
export function initSlack(thread: Thread): void {
  thread.defaultSlack = DEFAULT_NANOSECONDS
  thread.slack = DEFAULT_NANOSECONDS
}

/** What its maker has is what a new thread begins with, and its default. */
export function inheritSlack(thread: Thread, child: Thread): void {
  child.slack = child.defaultSlack = thread.slack
}

/** PR_SET_TIMERSLACK: 0 is the thread's default. */
export function setSlack(thread: Thread, nanoseconds: bigint): 0 {
  if (!isRealTime(thread)) thread.slack = nanoseconds === 0n ? thread.defaultSlack : nanoseconds
  return 0
}

/** Its policy has changed. */
export function slackForPolicy(thread: Thread): void {
  if (isRealTime(thread)) thread.slack = 0n
  else if (thread.slack === 0n) setSlack(thread, 0n)
}

/** SCHED_FIFO and SCHED_RR alone have priorities. */
function isRealTime({ priority }: Thread): boolean {
  return priority !== 0
}
