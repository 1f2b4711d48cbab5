/**
 * Changed pages of a file go to its provider: msync, fsync, the last close, the end of a process, and whoever needs memory.
 *
 * A page is written while nobody can change it unseen, as Linux does it (clear_page_dirty_for_io, folio_mkclean): its mark
 * moves from `dirtyPage` to `writeBack`, then every entry that maps it loses D and W, and then its bytes are written. A store that
 * comes later faults and marks it again. The caller holds no lock: those of the spaces are taken one after another.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Ptr } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { forEachSpaceOf, forEachViewIn, type ObjectSpacesEnv } from './object-spaces.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import type { SpaceEnv } from './space-env.js'
import { VM_SHARED } from './vm-flags.js'

const WRITABLE = EntryFlag.write | EntryFlag.dirty

/**
 * Gives the changed pages `first` to `end` - 1 of an object to its provider. 0, or the first negative errno, which is also noted
 * for whoever has the file open (ObjectRecords.errors); pages that could not be written stay marked.
 */
export function writeBackObject(
  mm: ObjectSpacesEnv,
  object: Ptr,
  first = 0,
  end: number = OBJECT_PAGES_MAX,
): number {
  const { objects } = mm
  if (!objects.takesWrites(object) || objects.dirtyPages(object) === 0) return 0
  objects.lockWriteBack(object)
  const result = objects.beginWriteBack(object, first, end) ? finish(mm, object, first, end) : 0
  objects.unlockWriteBack(object)
  return result
}

/**
 * The same for an object that nobody maps: the last mapping is going, and the caller holds its space's lock. So it waits for nobody: what
 * another hart is writing back at the moment stays marked, for the next one who does.
 */
export function writeBackUnmapped({ objects }: SpaceEnv, object: Ptr): number {
  if (!objects.takesWrites(object) || objects.dirtyPages(object) === 0) return 0
  if (!objects.tryLockWriteBack(object)) return 0
  const isBegun = objects.beginWriteBack(object, 0, OBJECT_PAGES_MAX)
  const result = isBegun ? objects.finishWriteBack(object, 0, OBJECT_PAGES_MAX) : 0
  objects.unlockWriteBack(object)
  return result
}

function finish(mm: ObjectSpacesEnv, object: Ptr, first: number, end: number): number {
  forEachSpaceOf(mm, object, (space) => cleanInSpace(mm, space, object, first, end))
  return mm.objects.finishWriteBack(object, first, end)
}

/** Takes D and W from the entries of shared mappings: the next store faults (page_mkclean). */
function cleanInSpace(mm: SpaceEnv, space: AddressSpace, object: Ptr, first: number, end: number): void {
  const batch = mm.flusher.batch(space.root)
  const mapper = mm.userMappers.of(space.root)
  forEachViewIn(mm, space, object, first, end, (vma, from, to) => {
    if ((vma.flags & VM_SHARED) === 0) return
    mapper.walk(from, to, (vpn, entry) => {
      if ((mapper.flags(entry) & WRITABLE) !== 0) mapper.changeFlags(entry, vpn, WRITABLE, 0, batch)
    })
  })
  batch.finish()
}
