/** The address spaces that map an object, found by the object's list of mappings (i_mmap of Linux). */
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { LockRank } from '../state/atomics.js'
import { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { Vma } from './vma.js'

/** Working on an object's mappings keeps their spaces alive meanwhile. */
export interface ObjectSpacesEnv extends SpaceEnv {
  readonly spaces: { tryRetain(space: Ptr): boolean; release(space: Ptr): void }
}

/** Visits each space that maps the object and is not going, its lock held. A mapping that is made meanwhile may be missed. */
export function forEachSpaceOf(mm: ObjectSpacesEnv, object: Ptr, visit: (space: AddressSpace) => void): void {
  for (const ptr of spacesOf(mm, object)) {
    const space = new AddressSpace(mm.memory, ptr)
    mm.atomics.lock(space.lock, LockRank.space)
    visit(space)
    mm.atomics.unlock(space.lock, LockRank.space)
    mm.spaces.release(ptr)
  }
}

/** Each once, with a reference. */
function spacesOf(mm: ObjectSpacesEnv, object: Ptr): Set<Ptr> {
  const found = new Set<Ptr>()
  const vma = new Vma(mm.memory, NULL)
  mm.objects.lock(object)
  for (let at = mm.objects.firstMapping(object); at !== NULL; at = vma.nextMapping) {
    found.add(vma.at(at).space)
  }
  for (const space of found) if (!mm.spaces.tryRetain(space)) found.delete(space)
  mm.objects.unlock(object)
  return found
}

/**
 * Visits the pages `first` to `end` - 1 of the object as a space maps them: the mapping, and the range of it that shows them.
 * The space's lock is held, so that its mappings stay as they are.
 */
export function forEachViewIn(
  mm: SpaceEnv,
  space: AddressSpace,
  object: Ptr,
  first: number,
  end: number,
  visit: (vma: Vma, from: Vpn, to: Vpn) => void,
): void {
  const vma = new Vma(mm.memory, NULL)
  for (const ptr of mappingsIn(mm, space, object)) {
    vma.at(ptr)
    const from = Math.max(vma.start, vma.start + first - vma.pageOffset) as Vpn
    const to = Math.min(vma.end, vma.start + end - vma.pageOffset) as Vpn
    if (from < to) visit(vma, from, to)
  }
}

/** The list is the object's, so it is read under the object's lock; who works on page tables must not hold that. */
function mappingsIn(mm: SpaceEnv, space: AddressSpace, object: Ptr): Ptr[] {
  const found: Ptr[] = []
  const vma = new Vma(mm.memory, NULL)
  mm.objects.lock(object)
  for (let at = mm.objects.firstMapping(object); at !== NULL; at = vma.nextMapping) {
    if (vma.at(at).space === space.ptr) found.push(at)
  }
  mm.objects.unlock(object)
  return found
}
