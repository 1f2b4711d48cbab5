/** What the frames of a machine are used for, counted by going through the frame table once: the numbers of /proc/meminfo and vmstat. */
import { NULL, type Pfn, type Ptr } from '../base/numbers.js'
import { FrameFlag, ORDER_MASK } from '../frame/frame-table.js'
import { UserMapper } from '../paging/user-mapper.js'
import { ObjectKind } from './page-object.js'
import type { SpaceEnv } from './space-env.js'
import { VM_LOCKED } from './vm-flags.js'
import { Vma } from './vma.js'

const COUNTED = FrameFlag.anonymous | FrameFlag.file | FrameFlag.slab | FrameFlag.table
const NOBODYS = FrameFlag.free | FrameFlag.reserved

/** Frames; each is in one of the first five, those of shared memory are in `cached` too. */
export class FrameCensus {
  anonymous = 0
  /** In the page cache, shared memory among them; not the kernel's own [vdso]. */
  cached = 0
  tables = 0
  slabs = 0
  /** Of tmpfs, memfds and shared anonymous memory. */
  shmem = 0
  /** Of memfd_secret: in `cached`, and of no list that reclaim looks at. */
  secret = 0
  /** Of `cached`, those that some address space maps. */
  mapped = 0
  dirty = 0
  writeBack = 0

  /** Of the frames `start` to `end` - 1. */
  constructor(mm: SpaceEnv, start: number = 1, end: number = mm.frames.frameCount) {
    const { frames } = mm
    for (let pfn = Math.max(start, 1) as Pfn; pfn < end; pfn++) {
      const flags = frames.flags(pfn)
      if ((flags & COUNTED) !== 0 && (flags & NOBODYS) === 0) this.#add(mm, pfn, flags)
    }
  }

  #add(mm: SpaceEnv, pfn: Pfn, flags: number): void {
    if ((flags & FrameFlag.anonymous) !== 0) this.anonymous++
    else if ((flags & FrameFlag.file) !== 0) this.#addCached(mm, pfn, flags)
    else if ((flags & FrameFlag.table) !== 0) this.tables++
    else this.slabs += 1 << (flags & ORDER_MASK)
  }

  #addCached({ frames, objects }: SpaceEnv, pfn: Pfn, flags: number): void {
    const kind = objects.kind(frames.owner(pfn) as Ptr)
    if (kind === ObjectKind.kernel) return
    this.cached++
    if (frames.refCount(pfn) > 1) this.mapped++
    if (kind === ObjectKind.secret) this.secret++
    else if (kind !== ObjectKind.provided) this.shmem++
    else if ((flags & FrameFlag.dirtyPage) !== 0) this.dirty++
    if ((flags & FrameFlag.writeBack) !== 0) this.writeBack++
  }
}

/** Pages of tmpfs, memfds and shared anonymous memory alone: asks the objects, not the frames. */
export function sharedPages({ objects }: SpaceEnv): number {
  let pages = 0
  objects.forEach((object) => {
    if (objects.isSwapBacked(object)) pages += objects.pages(object)
  })
  return pages
}

/** Frames that mappings with VM_LOCKED keep in memory, each once. Only address spaces that have locked pages are looked through. */
export function lockedFrames(mm: SpaceEnv, spaces: { forEach: SpacesVisit }): ReadonlySet<Pfn> {
  const found = new Set<Pfn>()
  const vma = new Vma(mm.memory, NULL)
  spaces.forEach((space) => {
    if (space.counts.lockedPages === 0) return
    const mapper = new UserMapper(mm, space.root)
    for (let at = mm.vmas.first(space); at !== NULL; at = mm.vmas.next(at)) {
      if ((vma.at(at).flags & VM_LOCKED) === 0 || isSecret(mm, vma)) continue
      mapper.walkPages(vma.start, vma.end, (_vpn, pfn) => found.add(pfn))
    }
  })
  return found
}

function isSecret({ objects }: SpaceEnv, { object }: Vma): boolean {
  return object !== NULL && objects.isSecret(object)
}

type SpacesVisit = (visit: (space: import('./address-space.js').AddressSpace) => void) => void
