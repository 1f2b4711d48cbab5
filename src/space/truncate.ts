/**
 * Pages of an object leave the machine: ftruncate, and holes that are punched. First every address space that maps the
 * object drops them (private copies too, as Linux does), then the cache. The caller holds no lock: the locks of the
 * spaces are taken one after another, below the object's.
 */
import { type Ptr, pagesFor, type Vpn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import { forEachSpaceOf, forEachViewIn, type ObjectSpacesEnv } from './object-spaces.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import type { SpaceEnv } from './space-env.js'
import { zapRange } from './zap-range.js'

/** Sets the size in bytes (≤ OBJECT_BYTES_MAX). What is cut off is gone, the rest of the last page reads as zeroes. */
export function truncateObject(mm: ObjectSpacesEnv, object: Ptr, bytes: number): void {
  if (bytes >= mm.objects.size(object)) {
    mm.objects.extend(object, bytes)
    return
  }
  mm.objects.setSize(object, bytes)
  unmapObjectPages(mm, object, pagesFor(bytes), OBJECT_PAGES_MAX)
  mm.objects.dropFrom(object, bytes)
}

/** Pages `first` to `first + pages` - 1 read as zeroes from now on; the size stays. */
export function punchHole(mm: ObjectSpacesEnv, object: Ptr, first: number, pages: number): void {
  unmapObjectPages(mm, object, first, first + pages)
  mm.objects.dropRange(object, first, first + pages)
}

/** Takes pages of the object out of every address space that maps them. */
function unmapObjectPages(mm: ObjectSpacesEnv, object: Ptr, first: number, end: number): void {
  forEachSpaceOf(mm, object, (space) => unmapInSpace(mm, space, object, first, end))
}

function unmapInSpace(mm: SpaceEnv, space: AddressSpace, object: Ptr, first: number, end: number): void {
  const batch = mm.flusher.batch(space.root)
  forEachViewIn(mm, space, object, first, end, (vma, from, to) => zapRange(mm, space, vma, from, to, batch))
  new UserMapper(mm, space.root).prune(0 as Vpn, mm.arch.userEnd, batch)
  batch.finish()
}
