/** Where a mapping goes when its place is not fixed (mm/mmap.c, mm/huge_memory.c of Linux 6.12). */
import { assert } from '../base/assert.js'
import { ENOMEM, EPERM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { lowestPlacedPage, mayMapAt } from './tunables.js'
import { HUGE_PAGES, STACK_GUARD_PAGES, VM_GROWSDOWN } from './vm-flags.js'
import { highestGap, lowestGap, NO_GAP } from './vma-gaps.js'
import type { VmaTree } from './vma-tree.js'

/** Levels of a tree from which on the end of a search is kept: a single node is looked through as fast. */
const SEARCH_KEPT_HEIGHT = 2

const STACK_GAP_MIN = 128 * 2 ** 20

/** findPlace: no regard to multiples of 2 MiB. */
export const UNALIGNED = -1

/** Whether a mapping may be placed just there: `start`, or -ENOMEM, -EPERM (too low). What is there does not matter. */
export function checkPlace(mm: SpaceEnv, space: AddressSpace, start: Vpn, pages: number): Vpn | number {
  const { userEnd } = mm.arch
  if (pages > userEnd || start > userEnd - pages) return -ENOMEM
  return mayMapAt(mm, space, start) ? start : -EPERM
}

/**
 * The first page of a free range, or -ENOMEM (get_unmapped_area); `wished` if that is free, 0 = no wish. Private anonymous
 * memory may be aligned to 2 MiB, as Linux does for transparent huge pages: `pageOffset` is what the alignment is counted
 * from, or UNALIGNED. (Numbers instead of an object: V8 gives up on a function that has seen five shapes of one.)
 */
export function findPlace(
  mm: SpaceEnv,
  space: AddressSpace,
  wished: Vpn,
  pages: number,
  pageOffset: number,
): Vpn | number {
  const { userEnd } = mm.arch
  const lowest = lowestPlacedPage(mm)
  if (pages > userEnd - lowest) return -ENOMEM
  if (wished > 0) {
    const start = Math.max(wished, lowest) as Vpn
    if (start <= userEnd - pages && isFree(mm, space, start, pages)) return start
  } else if (pageOffset !== UNALIGNED && pages % HUGE_PAGES === 0) {
    const aligned = findAligned(mm, space, pages, pageOffset)
    if (aligned >= 0) return aligned
  }
  return findGap(mm, space, pages, lowest)
}

/** First page that a mapping which grows down keeps for itself (vm_start_gap). */
export function guardedStart(vmas: VmaTree, vma: Ptr): number {
  const start = vmas.startOf(vma)
  return growsDown(vmas, vma) ? Math.max(start - STACK_GUARD_PAGES, 0) : start
}

function growsDown(vmas: VmaTree, vma: Ptr): boolean {
  return (vmas.flagsOf(vma) & VM_GROWSDOWN) !== 0
}

export function isFree({ vmas }: SpaceEnv, space: AddressSpace, start: Vpn, pages: number): boolean {
  const next = vmas.find(space, start)
  return next === NULL || start + pages <= guardedStart(vmas, next)
}

/**
 * A place on a multiple of 2 MiB (counted from the offset), at the top of a gap with 2 MiB to spare; only for what has a
 * whole multiple in it (__thp_get_unmapped_area).
 */
function findAligned(mm: SpaceEnv, space: AddressSpace, pages: number, pageOffset: number): Vpn | number {
  const skipped = (HUGE_PAGES - (pageOffset % HUGE_PAGES)) % HUGE_PAGES
  if (pages - skipped < HUGE_PAGES) return -ENOMEM
  const found = findGap(mm, space, pages + HUGE_PAGES)
  if (found < 0) return found
  const shift = (((pageOffset - found) % HUGE_PAGES) + HUGE_PAGES) % HUGE_PAGES
  return found + (shift === 0 && !space.mapsUpwards ? HUGE_PAGES : shift)
}

/** A gap for so many pages, or -ENOMEM: downwards from the space's base, and when there is nothing left upwards; in the legacy layout only upwards. */
export function findGap(
  mm: SpaceEnv,
  space: AddressSpace,
  pages: number,
  lowest = lowestPlacedPage(mm),
): Vpn | number {
  const down = space.mapsUpwards ? NO_GAP : findDown(mm, space, pages, lowest)
  if (down !== NO_GAP) return down
  const up = findUp(mm, space, pages)
  return up !== NO_GAP ? up : -ENOMEM
}

/**
 * Downwards from the base. A gap below a mapping that grows down is smaller than it looks: below that mapping's guard it goes on
 * (unmapped_area_topdown). Where the last search has ended is kept with the space, and VmaTree keeps it true: the next one begins there.
 */
function findDown(mm: SpaceEnv, space: AddressSpace, pages: number, lowest: number): Vpn {
  const isSmall = mm.vmas.height(space) < SEARCH_KEPT_HEIGHT
  let found = isSmall
    ? highestGap(mm.vmas, space, pages, lowest, space.mapBase)
    : searchDown(mm, space, pages, lowest)
  for (let guard = guardOver(mm, space, found, pages); guard !== NO_GUARD; ) {
    found = highestGap(mm.vmas, space, pages, lowest, guard)
    guard = guardOver(mm, space, found, pages)
  }
  return found
}

function searchDown(mm: SpaceEnv, space: AddressSpace, pages: number, lowest: number): Vpn {
  const known = space.searchedPages
  const isKnown = known > 0 && pages >= known
  const top = isKnown ? space.searchedTop : space.mapBase
  const near = isKnown ? gapBelow(mm, space, top, pages, lowest) : NO_GAP
  const found = near !== NO_GAP ? near : highestGap(mm.vmas, space, pages, lowest, top)
  if (found !== NO_GAP && (!isKnown || pages === known)) {
    space.searchedPages = pages
    space.searchedTop = found + pages
  }
  return found
}

/** The gap just below `top`, where the last mapping mostly was. */
function gapBelow({ vmas }: SpaceEnv, space: AddressSpace, top: number, pages: number, lowest: number): Vpn {
  const above = vmas.find(space, (top - 1) as Vpn)
  if (above !== NULL && vmas.startOf(above) < top) return NO_GAP
  const below = vmas.before(space, above)
  const end = below === NULL ? lowest : vmas.endOf(below)
  return (top - (end > lowest ? end : lowest) >= pages ? top - pages : NO_GAP) as Vpn
}

const NO_GUARD = -1

/** Where the guard begins that a place would reach into. */
function guardOver({ vmas }: SpaceEnv, space: AddressSpace, found: Vpn, pages: number): number {
  if (found === NO_GAP) return NO_GUARD
  const next = vmas.find(space, found)
  if (next === NULL || !growsDown(vmas, next)) return NO_GUARD
  const guard = guardedStart(vmas, next)
  return guard >= found + pages ? NO_GUARD : guard
}

/** Asserts that no gap is missed by what a space knows of its last search. */
export function checkSearched(mm: SpaceEnv, space: AddressSpace): void {
  const { searchedPages, searchedTop, mapBase } = space
  if (searchedPages === 0) return
  const lowest = lowestPlacedPage(mm)
  const found = highestGap(mm.vmas, space, searchedPages, lowest, mapBase)
  assert(
    found === NO_GAP || found + searchedPages <= searchedTop,
    'no gap ends above where the last search ended',
  )
}

/** TASK_UNMAPPED_BASE: where the legacy layout begins. */
function lowestPlace(userEnd: Vpn): number {
  return Math.ceil((userEnd * 2) / 3)
}

/** unmapped_area: upwards, the way of the legacy layout and the way out when the area below the base is full. */
function findUp({ vmas, arch }: SpaceEnv, space: AddressSpace, pages: number): Vpn {
  let low: number = space.mapsUpwards ? space.mapBase : lowestPlace(arch.userEnd)
  for (;;) {
    const found = lowestGap(vmas, space, pages, low, arch.userEnd)
    if (found === NO_GAP) return found
    const next = vmas.find(space, found)
    if (next === NULL || !growsDown(vmas, next) || guardedStart(vmas, next) >= found + pages) return found
    low = vmas.endOf(next)
  }
}

/**
 * The page below which mappings are placed, for a stack limit in bytes (mmap_base): the stack's room, at least 128 MiB and
 * at most five sixths of the address range, with its guard gap and the most that the stack is moved at random.
 */
export function mapBaseFor(userEnd: Vpn, stackLimit: number, randomPages = 0, stackRandomPages = 0): Vpn {
  const end = userEnd * PAGE_SIZE
  const wished = stackLimit + (STACK_GUARD_PAGES + stackRandomPages) * PAGE_SIZE
  const gap = Math.min(Math.max(wished, STACK_GAP_MIN), Math.floor(end / 6) * 5)
  return (Math.ceil((end - gap) / PAGE_SIZE) - randomPages) as Vpn
}

/** What decides where mappings go in a program. */
export interface LayoutRequest {
  /** RLIMIT_STACK in bytes. */
  readonly stackLimit: number
  /** ADDR_COMPAT_LAYOUT, vm.legacy_va_layout: upwards. */
  readonly compatible: boolean
  /** By how many pages the base is moved, and the stack at most. */
  readonly randomPages: number
  readonly stackRandomPages: number
}

/** Chooses between the two layouts (arch_pick_mmap_layout). */
export function setLayout(space: AddressSpace, userEnd: Vpn, request: LayoutRequest): void {
  const { stackLimit, compatible, randomPages, stackRandomPages } = request
  space.mapsUpwards = compatible || stackLimit === Number.POSITIVE_INFINITY
  space.mapBase = space.mapsUpwards
    ? ((lowestPlace(userEnd) + randomPages) as Vpn)
    : mapBaseFor(userEnd, stackLimit, randomPages, stackRandomPages)
}
