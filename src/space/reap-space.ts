import { NULL } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { VM_PFNMAP, VM_SHARED } from './vm-flags.js'
import { Vma } from './vma.js'
import { zapRange } from './zap-range.js'

/**
 * Drops the pages that only a dying program has, before it comes to that itself (__oom_reap_task_mm of Linux): of every
 * mapping but shared ones and the kernel's own. The mappings stay.
 */
export function reapSpace(mm: SpaceEnv, space: AddressSpace): void {
  const batch = mm.flusher.batch(space.root)
  const mapper = new UserMapper(mm, space.root)
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) {
    if ((vma.flags & (VM_PFNMAP | VM_SHARED)) !== 0) continue
    zapRange(mm, space, vma, vma.start, vma.end, batch)
    mapper.prune(vma.start, vma.end, batch)
  }
  batch.finish()
}
