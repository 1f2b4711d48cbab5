/**
 * Which pages of a range are of what kind: the walk of ioctl(PAGEMAP_SCAN) (pagemap_scan_* of fs/proc/task_mmu.c). Without
 * userfaultfd no mapping's writes are tracked, so every entry counts as written and asking to track them finds nothing.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { ENOSPC, EPERM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { VisitRun } from '../paging/page-table.js'
import { UserMapper } from '../paging/user-mapper.js'
import { Word, wordIndex } from '../state/layout.js'
import type { AddressSpace } from './address-space.js'
import { isAnonymousFrame } from './page-usage.js'
import { isPoison } from './poisoned-entry.js'
import type { SpaceEnv } from './space-env.js'
import { VM_PFNMAP } from './vm-flags.js'
import { Vma } from './vma.js'

/** PAGE_IS_*. */
export const PageCategory = {
  writeTracked: 1,
  written: 2,
  file: 4,
  present: 8,
  swapped: 16,
  zeroFrame: 32,
  huge: 64,
  softDirty: 128,
} as const
export const CATEGORIES_ALL = 255
/** Of a huge leaf (pagemap_thp_category). */
const HUGE_CATEGORIES = PageCategory.huge | PageCategory.present | PageCategory.written
/** PM_SCAN_*. */
export const ScanFlag = { writeProtect: 1, checkTracked: 2 } as const
/** Regions that one walk collects at most, whatever room there is: what a page table has entries. */
const REGIONS_MAX = 512

export interface ScanRequest {
  /** PM_SCAN_* bits. */
  readonly flags: number
  /** Categories that count as their opposite. */
  readonly inverted: number
  /** All of these, and one of those (0 = any), make a page interesting. */
  readonly mask: number
  readonly anyOf: number
  /** What is told of a page. */
  readonly returned: number
  readonly pagesMax: number
}

/** Pages `start` to `end` - 1, all alike. */
export interface PageRegion {
  start: number
  end: number
  categories: number
}

export class PageScan {
  readonly #mm: SpaceEnv
  readonly #space: AddressSpace
  readonly #request: ScanRequest
  readonly #mapper: UserMapper
  readonly #zeroFrame: number
  #regions: PageRegion[] = []
  #room: number
  #pages = 0
  /** Where the walk that was cut short has to go on; 0 before any was. It stays when a later one reaches the end. */
  stoppedAt = 0

  /** `room`: regions that the asker has room for; with none nothing is collected. */
  constructor(mm: SpaceEnv, space: AddressSpace, request: ScanRequest, room: number) {
    this.#mm = mm
    this.#space = space
    this.#request = request
    this.#mapper = new UserMapper(mm, space.root)
    this.#zeroFrame = mm.memory.u32[wordIndex(Word.zeroFrame)]!
    this.#room = room
  }

  /** No page more may be found. */
  get isFull(): boolean {
    return this.#room === 0 || this.#pages === this.#request.pagesMax
  }

  /** What was found since the last call. */
  takeRegions(): PageRegion[] {
    const regions = this.#regions.filter(({ start, end }) => start !== end)
    this.#regions = []
    this.#room -= regions.length
    return regions
  }

  /** Looks at the pages `start` to `end` - 1; the space's lock is held. 0, -ENOSPC (see `stoppedAt`) or -EPERM. */
  walk(start: number, end: number): number {
    const vma = new Vma(this.#mm.memory, NULL)
    let result = 0
    for (let at = start; result === 0 && at < end; at = vma.end) {
      const found = at < this.#mm.arch.userEnd ? this.#mm.vmas.find(this.#space, at as Vpn) : NULL
      if (found === NULL || vma.at(found).start >= end) break
      if ((this.#request.flags & ScanFlag.checkTracked) !== 0) return -EPERM
      if (this.#isInteresting(vma))
        result = this.#walkMapping(Math.max(at, vma.start), Math.min(end, vma.end))
    }
    return result
  }

  #isInteresting(vma: Vma): boolean {
    const { flags, inverted, mask } = this.#request
    if ((flags & ScanFlag.writeProtect) !== 0 || (vma.flags & VM_PFNMAP) !== 0) return false
    const required = mask & PageCategory.writeTracked
    return (inverted & required) === required
  }

  /** Where there is no table, its pages are alike, and those of a huge leaf; where there is one, each page is for itself. */
  #walkMapping(start: number, end: number): number {
    let at = start
    let result = 0
    const visit =
      (walk: (vpn: Vpn, entry: Ptr, pages: number) => number): VisitRun =>
      (vpn, entry, pages) => {
        if (result === 0) result = this.#output(0, at, vpn)
        if (result === 0) result = walk(vpn, entry, pages)
        at = vpn + pages
      }
    const small = visit((vpn, entry, pages) => this.#walkEntries(vpn, entry, pages))
    const huge = visit((vpn, leaf, pages) => this.#output(this.#hugeCategoriesOf(leaf), vpn, vpn + pages))
    this.#mapper.walkRuns(start as Vpn, end as Vpn, small, huge)
    return result === 0 ? this.#output(0, at, end) : result
  }

  #walkEntries(vpn: Vpn, first: Ptr, pages: number): number {
    let result = 0
    for (let i = 0; i < pages && result === 0; i++) {
      result = this.#output(this.#categoriesOf((first + i * 8) as Ptr), vpn + i, vpn + i + 1)
    }
    return result
  }

  #hugeCategoriesOf(leaf: Ptr): number {
    const isZero = this.#mapper.pfn(leaf) === this.#mm.memory.u32[wordIndex(Word.hugeZeroFrame)]
    if (isZero) return HUGE_CATEGORIES | PageCategory.zeroFrame
    return this.#isFileAsked && this.#mapper.isObjects(leaf)
      ? HUGE_CATEGORIES | PageCategory.file
      : HUGE_CATEGORIES
  }

  #categoriesOf(entry: Ptr): number {
    if (!this.#mapper.isPresent(entry)) return PageCategory.written
    if (isPoison(this.#mapper.flags(entry))) return PageCategory.swapped | PageCategory.written
    const categories = PageCategory.present | PageCategory.written
    const pfn = this.#mapper.pfn(entry)
    if (pfn === this.#zeroFrame) return categories | PageCategory.zeroFrame
    const isSpecial = (this.#mapper.flags(entry) & EntryFlag.special) !== 0
    return this.#isFileAsked && !isSpecial && !isAnonymousFrame(this.#mm, pfn)
      ? categories | PageCategory.file
      : categories
  }

  get #isFileAsked(): boolean {
    const { mask, anyOf, returned } = this.#request
    return ((mask | anyOf | returned) & PageCategory.file) !== 0
  }

  /** Collects a range if it is interesting, as far as it may (pagemap_scan_output): 0, or -ENOSPC. */
  #output(categories: number, start: number, end: number): number {
    const { inverted, mask, anyOf, returned, pagesMax } = this.#request
    const asked = categories ^ inverted
    if (start >= end || (asked & mask) !== mask || (anyOf !== 0 && (asked & anyOf) === 0)) return 0
    if (this.#room === 0) return 0
    const stop = Math.min(end, start + pagesMax - this.#pages)
    if (!this.#push(start, stop, categories & returned)) return this.#stop(start)
    this.#pages += stop - start
    return stop < end ? this.#stop(stop) : 0
  }

  #stop(at: number): number {
    this.stoppedAt = at
    return -ENOSPC
  }

  /** Adds a range to the last region or as a new one; false when there is no room. */
  #push(start: number, end: number, categories: number): boolean {
    const last = this.#regions[this.#regions.length - 1]
    if (last !== undefined && last.end === start && last.categories === categories) {
      last.end = end
      return true
    }
    if (this.#regions.length >= Math.min(this.#room, REGIONS_MAX)) return false
    this.#regions.push({ start, end, categories })
    return true
  }
}
