/**
 * Which shared memory gets transparent huge pages when it is touched for the first time: shmem_enabled for all and for 2 MiB, what a program
 * advised, and how large the file is (shmem_allowable_huge_orders of Linux 6.12). The settings stand in the word of huge-policy.ts, and are 0 to begin with:
 *
 *     bits 22-24  shmem_enabled                      ShmemMode
 *     bits 25-26  huge= of the internal mount        ShmemMode: what shmem_enabled was last that is neither deny nor force
 *     bits 27-29  hugepages-2048kB/shmem_enabled     ShmemSizeMode
 *
 * Other mounts of tmpfs have huge=never: their files get huge pages by `force` alone.
 */
import { PAGE_SIZE, type Ptr, pagesFor } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { AddressSpace } from './address-space.js'
import { HugeSetting, holdsBlock, hugeSetting, isAllowed, mapsFolios, setHugeSetting } from './huge-policy.js'
import { ObjectKind } from './object-records.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES, VM_HUGEPAGE, VM_SPECIAL } from './vm-flags.js'
import type { Vma } from './vma.js'

interface ShmemEnv extends Pick<SpaceEnv, 'memory'> {
  readonly objects: Pick<SpaceEnv['objects'], 'kind' | 'isInternal' | 'size'>
}

/** Values by what /sys calls them. */
export const ShmemMode = { never: 0, always: 1, within_size: 2, advise: 3, deny: 4, force: 5 } as const
export const ShmemSizeMode = { inherit: 0, always: 1, within_size: 2, advise: 3, never: 4 } as const

const WORD = wordIndex(Word.hugePolicy)
const SHIFT = HugeSetting.shmem.shift

/** Whether any shared memory may get huge pages by being touched. Asked at every first touch of a page. */
export function mayMakeObjectFolios({ u32 }: Memory): boolean {
  return u32[WORD]! >>> SHIFT !== 0
}

/** Writes shmem_enabled; the internal mount follows it. */
export function setShmemMode(memory: Memory, mode: number): void {
  setHugeSetting(memory, HugeSetting.shmem, mode)
  if (mode < ShmemMode.deny) setHugeSetting(memory, HugeSetting.internalMount, mode)
}

/** Whether khugepaged has anything to look for in shared memory (shmem_hpage_pmd_enabled). */
export function isShmemHugeOn(memory: Memory): boolean {
  const mode = hugeSetting(memory, HugeSetting.shmem)
  const size = hugeSetting(memory, HugeSetting.shmemSize)
  if (mode === ShmemMode.deny || size === ShmemSizeMode.never) return false
  return size !== ShmemSizeMode.inherit || mode !== ShmemMode.never
}

/** Who asks: `vma` is the mapping, none for write(2) and fallocate(2). */
export interface FolioQuestion {
  readonly object: Ptr
  readonly vma?: Vma
  /** The page of the object. */
  readonly index: number
  /** The object's size in bytes, and where a write will end if that is more. */
  readonly bytes: number
  /** MADV_COLLAPSE: whatever the settings say, but `deny`. */
  readonly isForced?: boolean
}

/** What is left to the caller: that the mapping has room for it, and that nobody has switched huge pages off (PR_SET_THP_DISABLE, VM_NOHUGEPAGE). */
export function allowsObjectFolio(mm: ShmemEnv, question: FolioQuestion): boolean {
  const { memory, objects } = mm
  const { object, vma, index, bytes } = question
  const kind = objects.kind(object)
  if (kind !== ObjectKind.tmpfs && kind !== ObjectKind.anonymousShared) return false
  const mode = hugeSetting(memory, HugeSetting.shmem)
  if (mode === ShmemMode.deny) return false
  if (question.isForced === true) return true
  const isAdvised = vma !== undefined && (vma.flags & VM_HUGEPAGE) !== 0
  const isOn = isMountOn(mm, question, isAdvised, mode)
  if (vma === undefined || !isUnnamedShmem(mm, vma)) return isOn
  const size = hugeSetting(memory, HugeSetting.shmemSize)
  if (mode === ShmemMode.force) return size === ShmemSizeMode.inherit
  switch (size) {
    case ShmemSizeMode.always:
      return true
    case ShmemSizeMode.within_size:
      return isWithin(index, bytes)
    case ShmemSizeMode.advise:
      return isAdvised
    case ShmemSizeMode.inherit:
      return isOn
    default:
      return false
  }
}

/** shmem_huge_global_enabled: by the setting for all, which is not `deny`, and the mount. */
function isMountOn(
  { memory, objects }: ShmemEnv,
  question: FolioQuestion,
  isAdvised: boolean,
  mode: number,
): boolean {
  if (mode === ShmemMode.force) return true
  if (!objects.isInternal(question.object)) return false
  const mount = hugeSetting(memory, HugeSetting.internalMount)
  if (mount === ShmemMode.always) return true
  if (mount === ShmemMode.within_size && isWithin(question.index, question.bytes)) return true
  return isAdvised && mount !== ShmemMode.never
}

/** Whether the huge page around a page lies within the file, whose last page may be begun only. */
function isWithin(index: number, bytes: number): boolean {
  return (Math.floor(index / HUGE_PAGES) + 1) * HUGE_PAGES <= pagesFor(bytes)
}

/** Whether MADV_COLLAPSE may be given to a mapping of shared memory: nobody need have touched a page of it. */
export function isCollapsibleObject(mm: ShmemEnv, space: AddressSpace, vma: Vma): boolean {
  const { object, pageOffset: index } = vma
  if ((vma.flags & VM_SPECIAL) !== 0 || !mapsFolios(space, vma) || !holdsBlock(vma, HUGE_PAGES)) return false
  return allowsObjectFolio(mm, { object, vma, index, bytes: mm.objects.size(object), isForced: true })
}

/**
 * What smaps shows as THPeligible of a mapping of an object. As in Linux it is enough that the mapping holds an aligned block of any size that lies
 * alike in the file, of two pages already.
 */
export function isObjectHugeEligible(mm: ShmemEnv, space: AddressSpace, vma: Vma): boolean {
  const { object, pageOffset: index } = vma
  if (!mayMakeObjectFolios(mm.memory) || !isAllowed(space, vma)) return false
  if ((vma.start - index) % 2 !== 0 || !holdsBlock(vma, 2)) return false
  return allowsObjectFolio(mm, { object, vma, index, bytes: mm.objects.size(object) })
}

/** Where a write of which a part begins at `offset` goes to at most before it is looked at again: it is done in blocks of 2 MiB. */
export function writeEnd(offset: number, end: number): number {
  const block = HUGE_PAGES * PAGE_SIZE
  return Math.min((Math.floor(offset / block) + 1) * block, end)
}

/** Shared memory whose file had no name when it was mapped (vma_is_anon_shmem); not of segments of shmget(2). */
export function isUnnamedShmem({ objects }: ShmemEnv, vma: Vma): boolean {
  return vma.isMappedUnnamed || objects.kind(vma.object) === ObjectKind.anonymousShared
}
