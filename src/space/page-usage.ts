/** How a mapping uses memory: its pages by what /proc/PID/smaps tells apart (struct mem_size_stats of fs/proc/task_mmu.c). */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { PAGE_SIZE, type Pfn, type Ptr } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import { hugePagesIn } from './huge-usage.js'
import type { SpaceEnv } from './space-env.js'
import { VM_LOCKED } from './vm-flags.js'
import type { Vma } from './vma.js'

/** A share is a part of a page in units of 2^-12 bytes, rounded down: so are Linux's, and sums agree to the last digit. */
export const SHARE_SHIFT = 12
const WHOLE_PAGE = PAGE_SIZE << SHARE_SHIFT

/** Counts of pages; those called share are sums of shares. */
export class PageUsage {
  resident = 0
  referenced = 0
  anonymous = 0
  huge = 0
  sharedHuge = 0
  sharedClean = 0
  sharedDirty = 0
  privateClean = 0
  privateDirty = 0
  share = 0
  shareDirty = 0
  shareAnonymous = 0
  shareFile = 0
  shareShmem = 0
  shareLocked = 0
  /** Given up, and not written to since. */
  lazyFree = 0

  /** Adds the pages of one mapping; the space's lock is held. Costs the pages that are there, not those that could be. */
  add(mm: SpaceEnv, space: AddressSpace, vma: Vma): void {
    const locked = (vma.flags & VM_LOCKED) !== 0
    const huge = hugePagesIn(mm, space, vma)
    this.huge += huge.anonymous
    this.sharedHuge += huge.shared
    new UserMapper(mm, space.root).walkPages(vma.start, vma.end, (_vpn, pfn, flags) => {
      if ((flags & EntryFlag.special) === 0) this.#addPage(mm, pfn, flags, locked)
    })
  }

  #addPage(mm: SpaceEnv, pfn: Pfn, entry: number, locked: boolean): void {
    const mappings = mappingsOf(mm, pfn)
    const share = Math.floor(WHOLE_PAGE / mappings)
    const isDirty = (entry & EntryFlag.dirty) !== 0 || isDirtyFrame(mm, pfn)
    this.resident++
    if ((entry & EntryFlag.accessed) !== 0) this.referenced++
    this.share += share
    if (locked) this.shareLocked += share
    if (isDirty) this.shareDirty += share
    if (!isDirty && (mm.frames.flags(pfn) & FrameFlag.lazyFree) !== 0) this.lazyFree++
    this.#addKind(mm, pfn, share)
    if (mappings > 1) this[isDirty ? 'sharedDirty' : 'sharedClean']++
    else this[isDirty ? 'privateDirty' : 'privateClean']++
  }

  #addKind(mm: SpaceEnv, pfn: Pfn, share: number): void {
    if (isAnonymousFrame(mm, pfn)) {
      this.anonymous++
      this.shareAnonymous += share
    } else if (mm.objects.isSwapBacked(mm.frames.owner(pfn) as Ptr)) this.shareShmem += share
    else this.shareFile += share
  }
}

/** Page-table entries that map a frame of user memory: the page cache's own reference is none. At least 1. */
export function mappingsOf({ frames }: SpaceEnv, pfn: Pfn): number {
  const isCached = (frames.flags(pfn) & FrameFlag.file) !== 0
  return Math.max(1, frames.refCount(pfn) - (isCached ? 1 : 0))
}

export function isAnonymousFrame({ frames }: SpaceEnv, pfn: Pfn): boolean {
  return (frames.flags(pfn) & FrameFlag.anonymous) !== 0
}

/** Whether a page of a file differs from what its home has, as far as entries have told; of anonymous ones, whether any was dirty when their huge page was split. */
export function isDirtyFrame(mm: SpaceEnv, pfn: Pfn): boolean {
  return (mm.frames.flags(pfn) & FrameFlag.dirtyPage) !== 0
}
