/** PR_SET_MEMORY_MERGE: a whole space is marked as MADV_MERGEABLE marks a mapping (mm/ksm.c). Nobody looks for equal pages here, but mappings show it. */
import { NULL, type Ptr } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { VM_DROPPABLE, VM_MAYSHARE, VM_MERGEABLE, VM_SHARED, VM_SPECIAL } from './vm-flags.js'
import { Special, Vma } from './vma.js'

const NEVER_MERGED = VM_SHARED | VM_MAYSHARE | VM_SPECIAL | VM_DROPPABLE

/** Whether pages of such a mapping could be merged (vma_ksm_compatible). */
export function isMergeable(flags: number): boolean {
  return (flags & NEVER_MERGED) === 0
}

/** Marks all mappings, or none; they stay the mappings that they are. */
export function setMergesAll(mm: SpaceEnv, space: AddressSpace, isOn: boolean): void {
  if (space.mergesAll === isOn) return
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) {
    if (!isOn) vma.flags &= ~VM_MERGEABLE
    else if (isMergeable(vma.flags)) vma.flags |= VM_MERGEABLE
  }
  space.mergesAll = isOn
}

/** A new mapping that was joined to no other is marked only when it is there: it is joined to no later one that is not (ksm_add_vma). */
export function markNew({ memory }: SpaceEnv, fresh: Ptr): void {
  const vma = new Vma(memory, fresh)
  if (vma.special === Special.none && isMergeable(vma.flags)) vma.flags |= VM_MERGEABLE
}
