/** Which pages of a file are read together (mm/readahead.c and do_sync_mmap_readahead of Linux 6.12). */

/** VM_READAHEAD_PAGES: 128 KiB. */
export const PAGES_MAX = 32
/** What the first read of a file brings. */
const PAGES_FIRST = 4
/** MMAP_LOTSAMISS: after so many faults in vain what is around is not read. */
export const MISSES_MANY = 100
/** More are not counted. */
export const MISSES_MAX = 10 * MISSES_MANY

/** Why a page is wanted. */
export const Reading = {
  /** Nothing is to be read but this page. */
  alone: 0,
  /** By read(2) and its kin, or a mapping with MADV_SEQUENTIAL: what comes after it may be wanted next. */
  inOrder: 1,
  /** By a fault: what is around it may be wanted. */
  around: 2,
  /** By who says which pages after it will be: WILLNEED, readahead(2). */
  asked: 3,
} as const
export type Reading = (typeof Reading)[keyof typeof Reading]

/** Pages `first` to `first + 2 ** order - 1`: one block of frames. */
export interface Window {
  readonly first: number
  readonly order: number
}

/**
 * What to read with page `index`, which is not cached. `end`: the first page past the file; `isCached` says which pages are there already, and bound
 * the window.
 */
export function windowFor(
  reading: Reading,
  index: number,
  end: number,
  isCached: (index: number) => boolean,
): Window {
  if (reading === Reading.around) return windowAround(index, end, isCached)
  const pages =
    reading === Reading.inOrder ? pagesInOrder(index, isCached) : reading === Reading.asked ? PAGES_MAX : 1
  const order = orderOf(countUpTo(index, Math.min(end, index + pages), isCached))
  return { first: index, order }
}

/** The more of a file has been read on the way to a page, the more is read with it; without what is before it, nothing. */
function pagesInOrder(index: number, isCached: (index: number) => boolean): number {
  let before = 0
  while (before < PAGES_MAX / 2 && before < index && isCached(index - before - 1)) before++
  if (before === 0) return index === 0 ? PAGES_FIRST : 1
  return Math.max(PAGES_FIRST, 2 ** Math.ceil(Math.log2(before + 1)))
}

function windowAround(index: number, end: number, isCached: (index: number) => boolean): Window {
  const lowest = Math.max(0, index - PAGES_MAX / 2)
  let start = index
  while (start > lowest && !isCached(start - 1)) start--
  const stop = index + countUpTo(index, Math.min(end, lowest + PAGES_MAX), isCached)
  const order = orderOf(stop - start)
  const middle = index - Math.floor(2 ** order / 2)
  return { first: Math.max(start, Math.min(middle, stop - 2 ** order)), order }
}

/** Pages from `index`, which is not cached, up to the first one that is. */
function countUpTo(index: number, stop: number, isCached: (index: number) => boolean): number {
  let pages = 1
  while (index + pages < stop && !isCached(index + pages)) pages++
  return pages
}

/** The largest block of no more pages. */
const orderOf = (pages: number): number => 31 - Math.clz32(pages)
