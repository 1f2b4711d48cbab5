/**
 * Who gets transparent huge pages: the machine's settings (/sys/kernel/mm/transparent_hugepage), what a program advised and
 * what it switched off (thp_vma_allowable_order of Linux 6.12). The settings stand in one word of the header, which is 0
 * for those that Debian's kernel starts with:
 *
 *     bits 0-1   enabled               HugeMode
 *     bits 2-3   hugepages-2048kB      HugeSizeMode
 *     bit  4     use_zero_page         1 = off
 *     bits 5-7   defrag                HugeDefrag: remembered, there is nothing to compact with
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
} as const
type Setting = (typeof HugeSetting)[keyof typeof HugeSetting]

const WORD = wordIndex(Word.hugePolicy)

export function hugeSetting({ u32 }: Memory, { shift, mask }: Setting): number {
  return (u32[WORD]! >>> shift) & mask
}

export function setHugeSetting({ u32 }: Memory, { shift, mask }: Setting, value: number): void {
  u32[WORD] = (u32[WORD]! & ~(mask << shift)) | (value << shift)
}

/** What khugepaged was told, by slot: only remembered. A word is the value exclusive-or the normal one, so 0 at the start. */
export function khugepagedSetting({ u32 }: Memory, slot: number): number {
  return u32[wordIndex(Word.khugepaged) + slot]!
}

export function setKhugepagedSetting({ u32 }: Memory, slot: number, value: number): void {
  u32[wordIndex(Word.khugepaged) + slot] = value
}

/** Whether faults of a mapping may make huge pages, as far as settings and flags go. */
export function mayHaveHugePages(memory: Memory, space: AddressSpace, vma: Vma): boolean {
  return isHugeEnabled(memory, (vma.flags & VM_HUGEPAGE) !== 0) && mayBeHuge(space, vma)
}

function isHugeEnabled(memory: Memory, advised: boolean): boolean {
  const size = hugeSetting(memory, HugeSetting.sizeMode)
  if (size !== HugeSizeMode.inherit)
    return size === HugeSizeMode.always || (advised && size === HugeSizeMode.madvise)
  const mode = hugeSetting(memory, HugeSetting.mode)
  return mode === HugeMode.always || (advised && mode === HugeMode.madvise)
}

/**
 * What smaps shows as THPeligible: that there is room for a huge page too. As in Linux a mapping that ends below 2 MiB
 * passes, because the address of its last 2 MiB wraps.
 */
export function isHugeEligible(memory: Memory, space: AddressSpace, vma: Vma): boolean {
  return mayHaveHugePages(memory, space, vma) && (vma.end < HUGE_PAGES || holdsHuge(vma))
}

function holdsHuge(vma: Vma): boolean {
  return Math.floor(vma.end / HUGE_PAGES) * HUGE_PAGES - HUGE_PAGES >= vma.start
}

/** The same whatever the settings say: for MADV_COLLAPSE. */
export function mayBeHuge(space: AddressSpace, vma: Vma): boolean {
  return vma.isAnonymous && (vma.flags & VM_NOHUGEPAGE) === 0 && !space.hugePagesDisabled
}

/** Whether MADV_COLLAPSE may be given to a mapping: it has pages of its own, and holds an aligned 2 MiB. */
export function isCollapsible(space: AddressSpace, vma: Vma): boolean {
  if (!mayBeHuge(space, vma) || (vma.flags & VM_SPECIAL) !== 0 || vma.family === NULL) return false
  return holdsHuge(vma)
}
