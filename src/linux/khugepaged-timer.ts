/**
 * When khugepaged runs: at once when it is woken, and then again after `scan_sleep_millisecs`, or `alloc_sleep_millisecs` when there was no block for a
 * huge page (khugepaged of mm/khugepaged.c). It takes no time of the virtual clock, and runs only while somebody waits for time to pass or
 * uses it: its own moments never keep the machine from waiting for the host.
 */
import { scanForHugePages } from '../fault/khugepaged.js'
import type { MemoryManager } from '../mm.js'
import { KhugepagedSetting, khugepagedSetting } from '../space/huge-policy.js'
import { isAnyScanned } from '../space/scanned-spaces.js'
import { Counter, counted } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'

const NANOSECONDS_PER_MILLISECOND = 1_000_000
/** So many scans in a row that change nothing while all threads sleep are as good as more of them. */
const IDLE_SCANS_MAX = 1000

const WAKE = wordIndex(Word.khugepagedWake)
const ROUND = wordIndex(Word.khugepagedRound)
const DUE = wordIndex(Word.khugepagedDue) >>> 1
const IDLE = wordIndex(Word.khugepagedIdle)
const STOPPED = wordIndex(Word.khugepagedStopped)
const SEEN = wordIndex(Word.khugepagedSeen) >>> 1

export class KhugepagedTimer {
  readonly #mm: MemoryManager
  readonly #executed: () => number

  /** `executed`: instructions of the hart so far. */
  constructor(mm: MemoryManager, executed: () => number) {
    this.#mm = mm
    this.#executed = executed
  }

  /** When it runs next, in nanoseconds of the monotonic clock: 0 = at once, infinity = when it is woken. */
  moment(): number {
    const { u32, f64 } = this.#mm.memory
    if (u32[STOPPED] !== 0) return Number.POSITIVE_INFINITY
    if (u32[WAKE] !== 0) return 0
    return f64[DUE]! > 0 ? f64[DUE]! : Number.POSITIVE_INFINITY
  }

  /** The same for a machine of which all threads sleep. */
  idleMoment(): number {
    const { u32, f64 } = this.#mm.memory
    const isVain = u32[IDLE]! >= IDLE_SCANS_MAX && f64[SEEN] === this.#executed()
    return isVain ? Number.POSITIVE_INFINITY : this.moment()
  }

  /** Its moment has come. No lock is held. */
  run(now: number): void {
    const { memory } = this.#mm
    const { u32, f64 } = memory
    u32[WAKE] = 0
    const before = counted(memory, Counter.pagesCollapsed)
    const { progress, isStarved } = scanForHugePages(this.#mm, u32[ROUND]!)
    this.#noteIdle(counted(memory, Counter.pagesCollapsed) > before)
    // A second time in one scan, it gives up.
    const isWaiting = isStarved && u32[ROUND] === 0
    u32[ROUND] = isWaiting ? progress : 0
    const sleep = isWaiting ? KhugepagedSetting.allocSleep : KhugepagedSetting.scanSleep
    const milliseconds = Math.max(1, khugepagedSetting(memory, sleep))
    f64[DUE] = isWaiting || isAnyScanned(memory) ? now + milliseconds * NANOSECONDS_PER_MILLISECOND : 0
  }

  #noteIdle(isChanged: boolean): void {
    const { u32, f64 } = this.#mm.memory
    const executed = this.#executed()
    u32[IDLE] = isChanged || f64[SEEN] !== executed ? 0 : u32[IDLE]! + 1
    f64[SEEN] = executed
  }
}
