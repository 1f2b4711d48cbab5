import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import { isAnonymousFrame, isDirtyFrame, mappingsOf } from './page-usage.js'
import type { SpaceEnv } from './space-env.js'
import type { Vma } from './vma.js'

/** Pages of a mapping as /proc/PID/numa_maps counts them (gather_stats of fs/proc/task_mmu.c). */
export class NodeUsage {
  pages = 0
  anonymous = 0
  dirty = 0
  /** Most entries that map one of them. */
  mappingsMost = 0
  /** On the list of active pages: all, for there is no other. */
  active = 0

  /** Adds the pages of one mapping; the space's lock is held. */
  add(mm: SpaceEnv, space: AddressSpace, vma: Vma): void {
    new UserMapper(mm, space.root).walkPages(vma.start, vma.end, (_vpn, pfn, flags) => {
      if ((flags & EntryFlag.special) === 0) this.#addPage(mm, pfn, flags)
    })
  }

  #addPage(mm: SpaceEnv, pfn: Pfn, entry: number): void {
    this.pages++
    this.active++
    if (isAnonymousFrame(mm, pfn)) this.anonymous++
    if ((entry & EntryFlag.dirty) !== 0 || isDirtyFrame(mm, pfn)) this.dirty++
    this.mappingsMost = Math.max(this.mappingsMost, mappingsOf(mm, pfn))
  }
}
