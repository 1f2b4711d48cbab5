/**
 * Pages of an object leave the machine: ftruncate, and holes that are punched. First every address space that maps the
 * object drops them (private copies too, as Linux does), then the cache. The caller holds no lock: the locks of the
 * spaces are taken one after another, below the object's.
 */
import { PAGE_SIZE, type Ptr, pagesFor } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { forEachSpaceOf, forEachViewIn, type ObjectSpacesEnv } from './object-spaces.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import type { SpaceEnv } from './space-env.js'
import { splitFolioAt } from './split-object-folio.js'
import { zapOriginals } from './unmap-originals.js'
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
  do {
    splitFolioAt(mm, object, bytes)
    unmapObjectPages(mm, object, pagesFor(bytes), OBJECT_PAGES_MAX, false)
  } while (!mm.objects.dropFrom(object, bytes))
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
