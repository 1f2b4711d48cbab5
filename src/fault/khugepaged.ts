/**
 * khugepaged: looks through the address spaces for small pages that may become huge ones (khugepaged_do_scan of Linux 6.12). There is no kernel thread
 * that it could be: whoever keeps the time (linux/khugepaged-timer.ts) calls it when no lock is held. All that it remembers is in the header.
 */
import { NULL, type Vpn } from '../base/numbers.js'
import { AddressSpace } from '../space/address-space.js'
import { KhugepagedSetting, khugepagedSetting } from '../space/huge-policy.js'
import { allowsHugePages, isPmdEnabled } from '../space/scan-policy.js'
import {
  isAnyScanned,
  isBetweenRounds,
  leaveScanned,
  retainScanned,
  scanPage,
  setScanPage,
} from '../space/scanned-spaces.js'
import { HUGE_PAGES } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { type CollapseLimits, collapseTable, Scan } from './collapse.js'
import { scanObject } from './collapse-object.js'
import type { FaultEnv } from './fault.js'

/** How a scan ended: pages that it has behind it, and whether it found no block for a huge page and is to go on when there may be one. */
export interface ScanEnd {
  readonly progress: number
  readonly isStarved: boolean
}

/** Looks at as many pages as the settings say, or goes on with a scan that has `before` pages behind it, 0 = a new one. No lock is held. */
export function scanForHugePages(mm: FaultEnv, before: number): ScanEnd {
  const { memory } = mm
  const pages = khugepagedSetting(memory, KhugepagedSetting.pagesToScan)
  const limits = {
    none: khugepagedSetting(memory, KhugepagedSetting.maxPtesNone),
    shared: khugepagedSetting(memory, KhugepagedSetting.maxPtesShared),
    isUsed: true,
  }
  let progress = before
  let rounds = 0
  while (progress < pages) {
    if (isBetweenRounds(memory) && ++rounds === 2) break
    if (!isAnyScanned(memory) || !isPmdEnabled(memory)) break
    const step = scanSpace(mm, pages - progress, limits)
    progress += step.progress
    if (step.isStarved && progress < pages) return { progress, isStarved: true }
  }
  return { progress: pages, isStarved: false }
}

/** A part of one space, until a lock was given back or `most` pages were looked at (khugepaged_scan_mm_slot). */
function scanSpace(mm: FaultEnv, most: number, limits: CollapseLimits): ScanEnd {
  const ptr = retainScanned(mm)
  if (ptr === NULL) return { progress: 1, isStarved: false }
  const space = new AddressSpace(mm.memory, ptr)
  mm.atomics.lock(space.lock, LockRank.space)
  const step = new SpaceScan(mm, space, most, limits)
  const isThrough = step.run()
  mm.atomics.unlock(space.lock, LockRank.space)
  if (isThrough) leaveScanned(mm, space)
  mm.spaces.release(ptr)
  return step
}

class SpaceScan implements ScanEnd {
  progress = 1
  isStarved = false
  readonly #mm: FaultEnv
  readonly #space: AddressSpace
  readonly #most: number
  readonly #limits: CollapseLimits

  constructor(mm: FaultEnv, space: AddressSpace, most: number, limits: CollapseLimits) {
    this.#mm = mm
    this.#space = space
    this.#most = most
    this.#limits = limits
  }

  /** The space's lock is held. Says whether all mappings are behind the scan. */
  run(): boolean {
    const { memory, vmas } = this.#mm
    const space = this.#space
    if (space.hugePagesDisabled) return true
    const vma = new Vma(memory, vmas.find(space, scanPage(memory)))
    for (; vma.ptr !== NULL; vma.at(vmas.next(vma.ptr))) {
      if (!this.#begins(vma)) this.progress++
      else if (!this.#scanMapping(vma)) return false
    }
    return true
  }

  /** Moves the scan into the mapping, if there is anything to look for. */
  #begins(vma: Vma): boolean {
    const { memory } = this.#mm
    const first = Math.ceil(vma.start / HUGE_PAGES) * HUGE_PAGES
    const last = Math.floor(vma.end / HUGE_PAGES) * HUGE_PAGES
    if (!allowsHugePages(this.#mm, this.#space, vma) || scanPage(memory) > last) return false
    if (scanPage(memory) < first) setScanPage(memory, first)
    return true
  }

  /** False: the scan ends here for now. */
  #scanMapping(vma: Vma): boolean {
    const { memory } = this.#mm
    const last = Math.floor(vma.end / HUGE_PAGES) * HUGE_PAGES
    for (let page = scanPage(memory); page < last; page = scanPage(memory)) {
      const wasLocked = this.#scanRange(vma, page)
      setScanPage(memory, page + HUGE_PAGES)
      this.progress += HUGE_PAGES
      if (!wasLocked || this.progress >= this.#most) return false
    }
    return true
  }

  /** False: Linux has given the space's lock back for it, so that mappings may be others by now. */
  #scanRange(vma: Vma, page: Vpn): boolean {
    const mm = this.#mm
    const { none } = this.#limits
    const isAnonymous = vma.object === NULL
    const result = isAnonymous ? this.#collapse(vma, page) : scanObject(mm, this.#space, vma, page, none)
    if (result === Scan.done) count(mm.memory, Counter.pagesCollapsed)
    this.isStarved = result === Scan.noBlock
    return isAnonymous && result !== Scan.done && result !== Scan.noBlock
  }

  #collapse(vma: Vma, page: Vpn): Scan {
    const mapper = this.#mm.userMappers.of(this.#space.root)
    if (!mapper.hasHugeLeaves) return Scan.unsuitable
    return collapseTable(this.#mm, this.#space, vma, mapper, page, this.#limits)
  }
}
