import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { isHeld } from './held-pages.js'
import type { ObjectSpacesEnv } from './object-spaces.js'
import { unmapOriginals } from './unmap-originals.js'
import { HUGE_PAGES } from './vm-flags.js'

/**
 * The huge page that a page of an object is part of is none any more (split_folio): nobody maps any of it, and of what lies past the end of the file only that
 * stays which fallocate asked for. The caller holds no lock, but a reference to the object.
 */
function splitObjectFolio(mm: ObjectSpacesEnv, object: Ptr, index: number): void {
  const first = index - (index % HUGE_PAGES)
  if (!mm.objects.splitFolioOf(object, index)) return
  unmapOriginals(mm, object, first, first + HUGE_PAGES)
  mm.objects.dropPastEnd(object, first, first + HUGE_PAGES)
}

/** The one that a cut lies in: before pages at one side of the cut leave the address spaces, so that no fault maps it as such again (truncate_inode_partial_folio). */
export function splitFolioAt(mm: ObjectSpacesEnv, object: Ptr, bytes: number): void {
  if (bytes % (HUGE_PAGES * PAGE_SIZE) === 0) return
  splitObjectFolio(mm, object, Math.floor(bytes / PAGE_SIZE))
}

/** On advice: unless somebody holds a page of it, who would have to be asked (can_split_folio). */
export function splitUnlessHeld(mm: ObjectSpacesEnv, object: Ptr, index: number): void {
  if (!isHeld(mm, object, index - (index % HUGE_PAGES))) splitObjectFolio(mm, object, index)
}
