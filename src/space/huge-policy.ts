/**
 * Who gets transparent huge pages: the machine's settings (/sys/kernel/mm/transparent_hugepage), what a program advised and
 * what it switched off (thp_vma_allowable_order of Linux 6.12). The settings stand in one word of the header, which is 0
 * for those that Debian's kernel starts with:
 *
 *     bits 0-1   enabled               HugeMode
 *     bits 2-3   hugepages-2048kB      HugeSizeMode
 *     bit  4     use_zero_page         1 = off
 *     bits 5-7   defrag                HugeDefrag: remembered, there is nothing to compact with
 *     bits 8-21  hugepages-16kB to -1024kB, two bits each: HugeSizeMode, all bits turned round, so that 0 is "never"
 *     bits 22-29 shared memory: shmem-policy.ts
 */

import { NULL } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { AddressSpace } from './address-space.js'
import { HUGE_PAGES, VM_HUGEPAGE, VM_NOHUGEPAGE, VM_SPECIAL } from './vm-flags.js'
import type { Vma } from './vma.js'

/** Values of a setting, by what /sys calls them. */
export const HugeMode = { always: 0, madvise: 1, never: 2 } as const
export const HugeSizeMode = { inherit: 0, always: 1, madvise: 2, never: 3 } as const
export const HugeDefrag = { madvise: 0, always: 1, defer: 2, 'defer+madvise': 3, never: 4 } as const

/** Where a setting stands in the word. */
export const HugeSetting = {
  mode: { shift: 0, mask: 3 },
  sizeMode: { shift: 2, mask: 3 },
  noZeroPage: { shift: 4, mask: 1 },
  defrag: { shift: 5, mask: 7 },
  shmem: { shift: 22, mask: 7 },
  internalMount: { shift: 25, mask: 3 },
  shmemSize: { shift: 27, mask: 7 },
} as const
/** Sizes between a page and a huge page are blocks of 2^2 to 2^8 pages: folios. */
export const FOLIO_ORDER_MIN = 2
export const FOLIO_ORDER_MAX = 8
const FOLIO_BITS = 8
/** In the word of the settings: not 0 when any of these sizes is switched on. */
export const FOLIO_MASK = (2 ** (2 * (FOLIO_ORDER_MAX - FOLIO_ORDER_MIN + 1)) - 1) << FOLIO_BITS

export function folioMode({ u32 }: Memory, order: number): number {
  return ((u32[WORD]! >>> (FOLIO_BITS + 2 * (order - FOLIO_ORDER_MIN))) & 3) ^ HugeSizeMode.never
}

export function setFolioMode({ u32 }: Memory, order: number, mode: number): void {
  const shift = FOLIO_BITS + 2 * (order - FOLIO_ORDER_MIN)
  u32[WORD] = (u32[WORD]! & ~(3 << shift)) | ((mode ^ HugeSizeMode.never) << shift)
}

type Setting = (typeof HugeSetting)[keyof typeof HugeSetting]

const WORD = wordIndex(Word.hugePolicy)

export function hugeSetting({ u32 }: Memory, { shift, mask }: Setting): number {
  return (u32[WORD]! >>> shift) & mask
}

export function setHugeSetting({ u32 }: Memory, { shift, mask }: Setting, value: number): void {
  u32[WORD] = (u32[WORD]! & ~(mask << shift)) | (value << shift)
}

/** Pages of a huge page that may be missing, but for one. */
export const PTES_MAX = HUGE_PAGES - 1

/** What khugepaged is told, by slot: the value that it has at the start. */
export const KhugepagedSetting = {
  defrag: { slot: 0, normal: 1 },
  maxPtesNone: { slot: 1, normal: PTES_MAX },
  maxPtesShared: { slot: 2, normal: HUGE_PAGES / 2 },
  maxPtesSwap: { slot: 3, normal: HUGE_PAGES / 8 },
  pagesToScan: { slot: 4, normal: HUGE_PAGES * 8 },
  scanSleep: { slot: 5, normal: 10_000 },
  allocSleep: { slot: 6, normal: 60_000 },
} as const
type KhugepagedSlot = (typeof KhugepagedSetting)[keyof typeof KhugepagedSetting]

/** A word is the value exclusive-or the normal one, so 0 at the start. */
export function khugepagedSetting({ u32 }: Memory, { slot, normal }: KhugepagedSlot): number {
  return (u32[wordIndex(Word.khugepaged) + slot]! ^ normal) >>> 0
}

export function setKhugepagedSetting({ u32 }: Memory, { slot, normal }: KhugepagedSlot, value: number): void {
  u32[wordIndex(Word.khugepaged) + slot] = value ^ normal
}

/** Whether anonymous memory may have huge pages at all. */
export function isAnonymousHugeOn(memory: Memory): boolean {
  const size = hugeSetting(memory, HugeSetting.sizeMode)
  if (size !== HugeSizeMode.inherit) return size !== HugeSizeMode.never
  return hugeSetting(memory, HugeSetting.mode) !== HugeMode.never
}

/** Whether faults of a mapping may make huge pages, as far as settings and flags go. */
export function mayHaveHugePages(memory: Memory, space: AddressSpace, vma: Vma): boolean {
  return isHugeEnabled(memory, (vma.flags & VM_HUGEPAGE) !== 0) && mayBeHuge(space, vma)
}

/** Whether any size between is switched on. Asked at every first touch of a page. */
export function mayHaveFolios({ u32 }: Memory): boolean {
  return (u32[WORD]! & FOLIO_MASK) !== 0
}

/** The orders of folios that faults of a mapping may make, a bit for each. */
export function folioOrders(memory: Memory, space: AddressSpace, vma: Vma): number {
  if (!mayBeHuge(space, vma)) return 0
  const advised = (vma.flags & VM_HUGEPAGE) !== 0
  let orders = 0
  for (let order = FOLIO_ORDER_MIN; order <= FOLIO_ORDER_MAX; order++) {
    if (isSizeEnabled(memory, folioMode(memory, order), advised)) orders |= 1 << order
  }
  return orders
}

function isHugeEnabled(memory: Memory, advised: boolean): boolean {
  return isSizeEnabled(memory, hugeSetting(memory, HugeSetting.sizeMode), advised)
}

/** What a size's own setting comes to, which may be to go by the one for all. */
function isSizeEnabled(memory: Memory, size: number, advised: boolean): boolean {
  if (size !== HugeSizeMode.inherit)
    return size === HugeSizeMode.always || (advised && size === HugeSizeMode.madvise)
  const mode = hugeSetting(memory, HugeSetting.mode)
  return mode === HugeMode.always || (advised && mode === HugeMode.madvise)
}

/**
 * What smaps shows as THPeligible: that there is room for a huge page, or a folio, too. As in Linux a mapping that ends below the size
 * passes, because the address of its last block wraps.
 */
export function isHugeEligible(memory: Memory, space: AddressSpace, vma: Vma): boolean {
  if (mayHaveHugePages(memory, space, vma) && holdsOrWraps(vma, HUGE_PAGES)) return true
  if (!mayHaveFolios(memory)) return false
  for (let orders = folioOrders(memory, space, vma); orders !== 0; orders &= orders - 1) {
    if (holdsOrWraps(vma, orders & -orders)) return true
  }
  return false
}

function holdsOrWraps(vma: Vma, pages: number): boolean {
  return vma.end < pages || holdsBlock(vma, pages)
}

/** An aligned block of so many pages. */
export function holdsBlock(vma: Vma, pages: number): boolean {
  return Math.floor(vma.end / pages) * pages - pages >= vma.start
}

/** The same whatever the settings say: for MADV_COLLAPSE. */
export function mayBeHuge(space: AddressSpace, vma: Vma): boolean {
  return vma.isAnonymous && isAllowed(space, vma)
}

/** What programs say against it (vma_thp_disabled). */
export function isAllowed(space: AddressSpace, vma: Vma): boolean {
  return (vma.flags & VM_NOHUGEPAGE) === 0 && !space.hugePagesDisabled
}

/** Whether huge pages of the object that is mapped can be mapped as such: they lie alike in both (thp_vma_suitable_order). */
export function mapsFolios(space: AddressSpace, vma: Vma): boolean {
  return isAllowed(space, vma) && (vma.start - vma.pageOffset) % HUGE_PAGES === 0
}

/** Whether MADV_COLLAPSE may be given to a mapping: it has pages of its own, and holds an aligned 2 MiB. */
export function isCollapsible(space: AddressSpace, vma: Vma): boolean {
  if (!mayBeHuge(space, vma) || (vma.flags & VM_SPECIAL) !== 0 || vma.family === NULL) return false
  return holdsBlock(vma, HUGE_PAGES)
}
