/** Where khugepaged looks for huge pages (thp_vma_allowable_order and hugepage_pmd_enabled of Linux 6.12). */
import { NULL } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import type { AddressSpace } from './address-space.js'
import { holdsBlock, isAnonymousHugeOn, mapsFolios, mayHaveHugePages } from './huge-policy.js'
import { allowsObjectFolio, isShmemHugeOn } from './shmem-policy.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES, VM_SPECIAL } from './vm-flags.js'
import type { Vma } from './vma.js'

/** Whether anything may have huge pages at all: khugepaged runs. */
export function isPmdEnabled(memory: Memory): boolean {
  return isAnonymousHugeOn(memory) || isShmemHugeOn(memory)
}

/** Whether small pages of a mapping may become huge ones as settings, advice and the size of its file say. */
export function allowsHugePages(mm: SpaceEnv, space: AddressSpace, vma: Vma): boolean {
  if ((vma.flags & VM_SPECIAL) !== 0 || !holdsBlock(vma, HUGE_PAGES)) return false
  if (vma.object === NULL) return vma.family !== NULL && mayHaveHugePages(mm.memory, space, vma)
  if (!mapsFolios(space, vma)) return false
  const { object, pageOffset: index } = vma
  return allowsObjectFolio(mm, { object, vma, index, bytes: mm.objects.size(object) })
}
