/**
 * Pages of an object leave the machine: ftruncate, and holes that are punched. First every address space that maps the
 * object drops them (private copies too, as Linux does), then the cache. The caller holds no lock: the locks of the
 * spaces are taken one after another, below the object's.
 */
import { NULL, type Ptr, pagesFor, type Vpn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import { LockRank } from '../state/atomics.js'
import { AddressSpace } from './address-space.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import type { SpaceEnv } from './space-env.js'
import { Vma } from './vma.js'
import { zapRange } from './zap-range.js'

/** Truncation also keeps spaces alive while it works on them. */
export interface TruncateEnv extends SpaceEnv {
  readonly spaces: { retain(space: Ptr): void; release(space: Ptr): void }
}

/** Sets the size in bytes (≤ OBJECT_BYTES_MAX). What is cut off is gone, the rest of the last page reads as zeroes. */
export function truncateObject(mm: TruncateEnv, object: Ptr, bytes: number): void {
  const before = mm.objects.size(object)
  mm.objects.setSize(object, bytes)
  if (bytes >= before) return
  unmapObjectPages(mm, object, pagesFor(bytes), OBJECT_PAGES_MAX)
  mm.objects.dropFrom(object, bytes)
}

/** Pages `first` to `first + pages` - 1 read as zeroes from now on; the size stays. */
export function punchHole(mm: TruncateEnv, object: Ptr, first: number, pages: number): void {
  unmapObjectPages(mm, object, first, first + pages)
  mm.objects.dropRange(object, first, first + pages)
}

/** Takes pages of the object out of every address space that maps them. */
function unmapObjectPages(mm: TruncateEnv, object: Ptr, first: number, end: number): void {
  for (const space of spacesOf(mm, object)) {
    mm.atomics.lock(space.lock, LockRank.space)
    unmapInSpace(mm, space, object, first, end)
    mm.atomics.unlock(space.lock, LockRank.space)
    mm.spaces.release(space.ptr)
  }
}

/** The spaces that map the object, each once and with a reference. A mapping made later sees the new size. */
function spacesOf(mm: TruncateEnv, object: Ptr): AddressSpace[] {
  const found = new Set<Ptr>()
  const vma = new Vma(mm.memory, NULL)
  mm.objects.lock(object)
  for (let at = mm.objects.firstMapping(object); at !== NULL; at = vma.nextMapping)
    found.add(vma.at(at).space)
  for (const space of found) mm.spaces.retain(space)
  mm.objects.unlock(object)
  return [...found].map((ptr) => new AddressSpace(mm.memory, ptr))
}

function unmapInSpace(mm: SpaceEnv, space: AddressSpace, object: Ptr, first: number, end: number): void {
  const batch = mm.flusher.batch(space.root)
  const vma = new Vma(mm.memory, NULL)
  for (let at = mm.vmas.first(space); at !== NULL; at = mm.vmas.next(at)) {
    if (vma.at(at).object !== object) continue
    const from = Math.max(vma.start, vma.start + first - vma.pageOffset) as Vpn
    const to = Math.min(vma.end, vma.start + end - vma.pageOffset) as Vpn
    if (from < to) zapRange(mm, space, vma, from, to, batch)
  }
  new UserMapper(mm, space.root).prune(0 as Vpn, mm.arch.userEnd, batch)
  batch.finish()
}
