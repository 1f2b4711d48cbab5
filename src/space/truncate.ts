/**
 * Pages of an object leave the machine: ftruncate, and holes that are punched. First every address space that maps the
 * object drops them (private copies too, as Linux does), then the cache. The caller holds no lock: the locks of the
 * spaces are taken one after another, below the object's.
 */
import { PAGE_SIZE, type Ptr, pagesFor, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { AddressSpace } from './address-space.js'
import { forEachSpaceOf, forEachViewIn, type ObjectSpacesEnv } from './object-spaces.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES } from './vm-flags.js'
import type { Vma } from './vma.js'
import { zapRange } from './zap-range.js'

/** After so many attempts somebody holds a page for longer than a fault takes: a pipe, perhaps. */
const PUNCHES_MAX = 64

/** Sets the size in bytes (≤ OBJECT_BYTES_MAX). What is cut off is gone, the rest of the last page reads as zeroes. */
export function truncateObject(mm: ObjectSpacesEnv, object: Ptr, bytes: number): void {
  if (bytes >= mm.objects.size(object)) {
    mm.objects.extend(object, bytes)
    return
  }
  mm.objects.setSize(object, bytes)
  splitFolioAt(mm, object, bytes)
  unmapObjectPages(mm, object, pagesFor(bytes), OBJECT_PAGES_MAX, false)
  mm.objects.dropFrom(object, bytes)
}

/**
 * Pages `first` to `first + pages` - 1 read as zeroes from now on; the size stays, and so do private copies. A page that another hart maps anew meanwhile is
 * not taken out of the cache before it is unmapped again: who has it would be alone with it.
 */
export function punchHole(mm: ObjectSpacesEnv, object: Ptr, first: number, pages: number): void {
  const end = first + pages
  splitFolioAt(mm, object, first * PAGE_SIZE)
  splitFolioAt(mm, object, end * PAGE_SIZE)
  const attempts = mm.memory.shared ? PUNCHES_MAX : 1
  for (let attempt = 0; attempt < attempts; attempt++) {
    unmapObjectPages(mm, object, first, end, true)
    if (mm.objects.dropUnmapped(object, first, end)) return
  }
  mm.objects.dropRange(object, first, end)
}

/**
 * The huge page that a cut lies in is none any more, and nobody maps any of it (truncate_inode_partial_folio, whose split_folio unmaps): before
 * pages at one side of the cut leave the address spaces, so that no fault maps it as such again.
 */
export function splitFolioAt(mm: ObjectSpacesEnv, object: Ptr, bytes: number): void {
  const index = Math.floor(bytes / PAGE_SIZE)
  const first = index - (index % HUGE_PAGES)
  if (first * PAGE_SIZE === bytes || !mm.objects.splitFolioOf(object, index)) return
  unmapOriginals(mm, object, first, first + HUGE_PAGES)
}

/** Takes pages of the object, and copies of them unless they are kept, out of every address space that maps them. */
function unmapObjectPages(
  mm: ObjectSpacesEnv,
  object: Ptr,
  first: number,
  end: number,
  keepsCopies: boolean,
): void {
  forEachSpaceOf(mm, object, (space) => unmapInSpace(mm, space, object, first, end, keepsCopies))
}

/**
 * Takes the object's own pages out of every address space that maps them, copies stay. `visit` is told of each mapping that shows any of
 * them, mapped or not.
 */
export function unmapOriginals(
  mm: ObjectSpacesEnv,
  object: Ptr,
  first: number,
  end: number,
  visit?: (vma: Vma) => void,
): void {
  forEachSpaceOf(mm, object, (space) => {
    const batch = mm.flusher.batch(space.root)
    forEachViewIn(mm, space, object, first, end, (vma, from, to) => {
      visit?.(vma)
      zapOriginals(mm, space, vma, from, to, batch)
    })
    batch.finish()
  })
}

function unmapInSpace(
  mm: SpaceEnv,
  space: AddressSpace,
  object: Ptr,
  first: number,
  end: number,
  keepsCopies: boolean,
): void {
  const batch = mm.flusher.batch(space.root)
  const zap = keepsCopies ? zapOriginals : zapRange
  forEachViewIn(mm, space, object, first, end, (vma, from, to) => zap(mm, space, vma, from, to, batch))
  batch.finish()
}

/** zapRange of the object's own pages only. */
function zapOriginals(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  batch: FlushBatch,
): void {
  const mapper = mm.userMappers.of(space.root)
  mapper.eachHuge(start, end, (vpn) => zapRange(mm, space, vma, vpn, (vpn + 1) as Vpn, batch))
  mapper.walk(start, end, (vpn, entry) => {
    const isOriginal = (mm.frames.flags(mapper.pfn(entry)) & FrameFlag.file) !== 0
    if (isOriginal) zapRange(mm, space, vma, vpn, (vpn + 1) as Vpn, batch)
  })
}
